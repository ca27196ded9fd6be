"""What Holdfast asks of models: `Embedder`, `LLM`, `Reranker`, one abstract method each."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from holdfast.errors import ProviderError
from holdfast.types import Answer, Tool

Vector: TypeAlias = Sequence[float]
"""One embedding; any sequence of floats (a list, a row of a numpy array)."""


class Embedder(ABC):
    """Turns texts into vectors. Implement `embed`; the async twin is derived."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Name, weights and quantisation, e.g. ``"all-MiniLM-L6-v2/int8"``.

        Two embedders with one fingerprint must give interchangeable vectors. The file
        remembers it (and the dimension) and refuses another.
        """

    @abstractmethod
    def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        """Embed documents.

        Args:
            texts: Any number of non-empty strings.

        Returns:
            One vector a text, in order, all of one dimension. Holdfast normalises them.

        Raises:
            ProviderError: The model failed or is not reachable.
        """

    async def aembed(self, texts: Sequence[str]) -> Sequence[Vector]:
        """Async twin of `embed`; by default in a thread."""
        return await asyncio.to_thread(self.embed, texts)

    def embed_query(self, text: str) -> Vector:
        """Embed a question; override where the model treats questions differently."""
        return self._only(self.embed([text]))

    async def aembed_query(self, text: str) -> Vector:
        """Async twin of `embed_query`."""
        if type(self).embed_query is not Embedder.embed_query:
            return await asyncio.to_thread(self.embed_query, text)
        return self._only(await self.aembed([text]))

    def _only(self, vectors: Sequence[Vector]) -> Vector:
        name = f"the embedder {type(self).__name__}"
        try:
            count, first = len(vectors), next(iter(vectors), None)
        except TypeError as error:
            raise ProviderError(f"{name} gave a {type(vectors).__name__}, no list") from error
        if count != 1 or first is None:
            raise ProviderError(f"{name} was asked for 1 vector and gave {count}")
        return first


class LLM(ABC):
    """A chat model. Implement `complete` (or, for an async-only client, `acomplete`)."""

    @abstractmethod
    def complete(
        self, messages: Sequence[Mapping[str, str]], *, tool: Tool | None = None
    ) -> Answer:
        """Answer a conversation.

        Args:
            messages: ``{"role": "system" | "user" | "assistant", "content": str}``, in order.
            tool: The shape the answer must take. The provider uses a tool call where the
                endpoint has them, a JSON schema else, plain JSON last, and parses the result
                into `Answer.data`. An answer that cannot be parsed comes back with
                ``data=None`` and the raw `text`: judging it is the caller's work.

        Raises:
            ProviderError: The model failed, refused or is not reachable.
        """

    async def acomplete(
        self, messages: Sequence[Mapping[str, str]], *, tool: Tool | None = None
    ) -> Answer:
        """Async twin of `complete`; by default in a thread."""
        return await asyncio.to_thread(self.complete, messages, tool=tool)


class Reranker(ABC):
    """Reads a question beside each text, as a cross-encoder does. Implement `rerank`."""

    @abstractmethod
    def rerank(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        """Say how well each text answers a question.

        Args:
            query: The question.
            texts: At least one and at most fifty: the best passages that search found, each
                after who said it (``"Ann: ..."``).

        Returns:
            One finite score a text, in order; only their order counts.

        Raises:
            ProviderError: The model failed or is not reachable.
        """

    async def arerank(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        """Async twin of `rerank`; by default in a thread."""
        return await asyncio.to_thread(self.rerank, query, texts)
