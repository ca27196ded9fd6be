"""CrewAI's embedders as Holdfast's: callables, provider dictionaries, provider objects."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from crewai.rag.core.base_embeddings_provider import BaseEmbeddingsProvider
from crewai.rag.embeddings.factory import build_embedder
from holdfast import Embedder, InvalidInputError, default_embedder
from holdfast.forking import Lock
from holdfast.providers.failures import failures_of

EmbeddingCallable: TypeAlias = Callable[[list[str]], Any]
Given: TypeAlias = "Embedder | EmbeddingCallable | Mapping[str, Any] | None"

MOST_REMEMBERED = 1024


class CrewEmbedder(Embedder):
    """An embedder that CrewAI knows how to build or call.

    Args:
        given: A callable from texts to vectors, a provider dictionary such as
            ``{"provider": "ollama", "config": {"model_name": "all-minilm"}}``, or a provider
            object. A dictionary is built on first use.
        fingerprint: Name of the vectors; by default provider and model, or the callable's name.
    """

    def __init__(self, given: Any, *, fingerprint: str | None = None) -> None:
        self._given = given
        self._built: EmbeddingCallable | None = None
        self._fingerprint = fingerprint or f"crewai/{_name(given)}"

    @property
    def fingerprint(self) -> str:
        """Provider and model, e.g. ``"crewai/openai/text-embedding-3-small"``."""
        return self._fingerprint

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Embed documents.

        Raises:
            ProviderError: The embedder could not be built or failed.
            InvalidInputError: It is nothing that embeds.
        """
        with failures_of(self._fingerprint):
            if self._built is None:
                self._built = _build(self._given)
            vectors = self._built(list(texts))
            return [np.asarray(vector, dtype=np.float32).tolist() for vector in vectors]


def as_embedder(given: Any) -> Embedder:
    """Return an embedder for whatever CrewAI's ``embedder=`` takes; for None the local one.

    Raises:
        ProviderError: None is given and the local embedder's weights are missing.
    """
    if given is None:
        return default_embedder()
    return given if isinstance(given, Embedder) else CrewEmbedder(given)


class RememberingCallable:
    """Embeds for CrewAI and remembers which text each vector was made of.

    CrewAI's storages are searched by vector alone; so the words of the query are found again.

    Args:
        given: A callable, or a `holdfast.Embedder`, which says whose vectors it makes.
    """

    def __init__(self, given: Embedder | EmbeddingCallable) -> None:
        self._embed: EmbeddingCallable = given.embed if isinstance(given, Embedder) else given
        self._fingerprint = given.fingerprint if isinstance(given, Embedder) else None
        self._texts: OrderedDict[bytes, str] = OrderedDict()
        self._lock = Lock()

    def __call__(self, input: list[str]) -> list[list[float]]:
        """Embed texts; the argument has the name that chromadb's functions give it."""
        vectors = [np.asarray(vector, np.float32) for vector in self._embed(list(input))]
        with self._lock:
            for text, vector in zip(input, vectors, strict=True):
                self._texts[vector.tobytes()] = text
                self._texts.move_to_end(vector.tobytes())
            while len(self._texts) > MOST_REMEMBERED:
                self._texts.popitem(last=False)
        return [vector.tolist() for vector in vectors]

    def text_of(self, vector: Sequence[float]) -> str | None:
        """Return the text a vector was made of, if it is one of the latest."""
        with self._lock:
            return self._texts.get(np.asarray(vector, np.float32).tobytes())

    def maker_of(self, vectors: Iterable[Sequence[float]]) -> str | None:
        """Return the embedder's fingerprint, if it has one and made one of these of late."""
        if self._fingerprint is None or not any(map(self.text_of, vectors)):
            return None
        return self._fingerprint


def _build(given: Any) -> EmbeddingCallable:
    if isinstance(given, Mapping | BaseEmbeddingsProvider):
        build: Callable[[Any], EmbeddingCallable] = build_embedder
        return build(given)
    if not callable(given):
        raise InvalidInputError(
            f"an embedder is a callable or a provider dictionary, not a {type(given).__name__}"
        )
    called: EmbeddingCallable = given
    return called


def _name(given: Any) -> str:
    if isinstance(given, Mapping):
        config = given.get("config") or {}
        model = config.get("model_name") or config.get("model") or "default"
        return f"{given.get('provider')}/{model}"
    named = given if hasattr(given, "__qualname__") else type(given)
    model = getattr(given, "model_name", None)
    name = f"{named.__module__}.{named.__qualname__}"
    return f"{name}/{model}" if isinstance(model, str) else name
