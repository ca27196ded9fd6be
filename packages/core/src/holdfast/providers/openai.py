"""Remote models: OpenAI, and every service that speaks its protocol."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from holdfast.errors import InvalidInputError, ProviderError
from holdfast.providers import asking
from holdfast.providers.base import LLM, Embedder
from holdfast.providers.endpoint import Endpoint, Preset
from holdfast.types import Answer, Tool, Usage

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI
    from openai.types import CreateEmbeddingResponse


class OpenAIEmbedder(Embedder):
    """Embeddings from any OpenAI-compatible endpoint, at the dimension it gives.

    Args:
        model: The endpoint's name of the model, e.g. ``"text-embedding-3-small"``.
        preset, api_key, base_url, timeout, retries, client, async_client: See `Endpoint`.
        dimensions: Ask for shorter vectors, where the model can give them.
        batch_size: Texts in one request.

    Raises:
        ProviderError: There is no key, or the extra ``openai`` is missing.
        InvalidInputError: An unknown preset, a bad address, or a `batch_size` below 1.
    """

    def __init__(
        self,
        model: str,
        *,
        preset: Preset | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
        dimensions: int | None = None,
        batch_size: int = 96,
        timeout: float = 30.0,
        retries: int = 3,
        client: OpenAI | None = None,
        async_client: AsyncOpenAI | None = None,
    ) -> None:
        if batch_size < 1:
            raise InvalidInputError(f"batch_size must be at least 1, not {batch_size}")
        self._endpoint = Endpoint(preset, api_key, base_url, timeout, retries, client, async_client)
        self._fields: dict[str, Any] = {"model": model, "encoding_format": "float"}
        if dimensions is not None:
            self._fields["dimensions"] = dimensions
        self._batch_size = batch_size

    @property
    def fingerprint(self) -> str:
        """Service, model and dimension asked for: ``"openai/text-embedding-3-small"``."""
        asked = self._fields.get("dimensions")
        return f"{self._endpoint.name}/{self._fields['model']}" + (f"/{asked}" if asked else "")

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Embed texts, in as many requests as it takes.

        Raises:
            ProviderError: The endpoint failed or answered with other than one finite vector a
                text, all of one dimension. The message holds neither key nor texts.
        """
        from holdfast.providers.calls import step

        return step(self._embed(texts, native=False))

    async def aembed(self, texts: Sequence[str]) -> list[list[float]]:
        """Async twin of `embed`, on the running loop's own client."""
        if self._endpoint.only_sync:
            return await asyncio.to_thread(self.embed, texts)
        await self._endpoint.aopen()
        return await self._embed(texts, native=True)

    async def _embed(self, texts: Sequence[str], *, native: bool) -> list[list[float]]:
        from holdfast.providers.calls import embed

        vectors: list[list[float]] = []
        for start in range(0, len(texts), self._batch_size):
            batch = [asking.clean(text) for text in texts[start : start + self._batch_size]]
            reply = await embed(self._endpoint, {**self._fields, "input": batch}, native=native)
            vectors += _vectors(reply, len(batch))
        if len({len(vector) for vector in vectors}) > 1:
            raise ProviderError(f"{self.fingerprint} gave vectors of different dimensions")
        return vectors


class OpenAILLM(LLM):
    """A chat model at any OpenAI-compatible endpoint.

    Data is asked for by a forced tool call; where the endpoint or the model has none, by a
    JSON schema; else by the prompt alone. Which way works is found out once and remembered.

    Args:
        model: The endpoint's name of the model, e.g. ``"gpt-4.1-mini"``.
        preset, api_key, base_url, timeout, retries, client, async_client: See `Endpoint`.
        options: Further fields of every request, e.g. ``{"temperature": 0}``.

    Raises:
        ProviderError: There is no key, or the extra ``openai`` is missing.
        InvalidInputError: An unknown preset, or a bad address.
    """

    def __init__(
        self,
        model: str,
        *,
        preset: Preset | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
        options: Mapping[str, object] | None = None,
        timeout: float = 120.0,
        retries: int = 3,
        client: OpenAI | None = None,
        async_client: AsyncOpenAI | None = None,
    ) -> None:
        self._endpoint = Endpoint(preset, api_key, base_url, timeout, retries, client, async_client)
        self._fields: dict[str, Any] = {"model": model, "extra_body": dict(options or {})}
        self._ways: tuple[asking.Way, ...] = asking.WAYS

    def complete(
        self, messages: Sequence[Mapping[str, str]], *, tool: Tool | None = None
    ) -> Answer:
        """Answer a conversation; see `LLM.complete`. Errors hold neither key nor texts."""
        from holdfast.providers.calls import step

        return step(self._complete(messages, tool, native=False))

    async def acomplete(
        self, messages: Sequence[Mapping[str, str]], *, tool: Tool | None = None
    ) -> Answer:
        """Async twin of `complete`, on the running loop's own client."""
        if self._endpoint.only_sync:
            return await asyncio.to_thread(self.complete, messages, tool=tool)
        await self._endpoint.aopen()
        return await self._complete(messages, tool, native=True)

    async def _complete(
        self, messages: Sequence[Mapping[str, str]], tool: Tool | None, *, native: bool
    ) -> Answer:
        from holdfast.providers.calls import RefusedFeatureError

        spent = Usage()
        *others, last = self._ways if tool is not None else asking.WAYS[-1:]
        for way in others:
            try:
                reading = await self._ask(messages, tool, way, native)
            except RefusedFeatureError as error:
                if way not in error.features:
                    raise
                continue
            if reading.final:
                return self._learn(reading, way, spent)
            spent += reading.answer.usage
        return self._learn(await self._ask(messages, tool, last, native), last, spent)

    async def _ask(
        self,
        messages: Sequence[Mapping[str, str]],
        tool: Tool | None,
        way: asking.Way,
        native: bool,
    ) -> asking.Reading:
        from holdfast.providers.calls import chat

        request = {**self._fields, **asking.fields(messages, tool, way)}
        return asking.read(await chat(self._endpoint, request, native=native), tool, way)

    def _learn(self, reading: asking.Reading, way: asking.Way, spent: Usage) -> Answer:
        if reading.proven:
            self._ways = (way,)
        return replace(reading.answer, usage=spent + reading.answer.usage)


def _vectors(reply: CreateEmbeddingResponse, count: int) -> list[list[float]]:
    """Return the vectors of a reply in the order of the texts, checked."""
    items = list(getattr(reply, "data", None) or ())
    if len(items) != count:
        raise ProviderError(f"the endpoint gave {len(items)} vectors for {count} texts")
    places = [getattr(item, "index", None) for item in items]
    if sorted(place for place in places if place is not None) == list(range(count)):
        items.sort(key=lambda item: item.index)
    vectors = [getattr(item, "embedding", None) for item in items]
    if not all(_is_vector(vector) for vector in vectors):
        raise ProviderError("the endpoint gave a vector that is no list of finite numbers")
    return cast("list[list[float]]", vectors)


def _is_vector(value: object) -> bool:
    try:
        return isinstance(value, list) and bool(value) and all(map(math.isfinite, value))
    except TypeError:
        return False
