"""LlamaIndex's embedding models as Holdfast's."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast import Embedder
from holdfast.providers.failures import failures_of
from llama_index.core.base.embeddings.base import BaseEmbedding


class LlamaIndexEmbedder(Embedder):
    """An embedding model that LlamaIndex holds.

    Args:
        model: Any `BaseEmbedding`, such as ``Settings.embed_model``.
        name: Names the vectors; by default the model's class and model name. Give one where
            two models of one class share a name.
    """

    def __init__(self, model: BaseEmbedding, *, name: str | None = None) -> None:
        self._model = model
        self._name = name or f"{model.class_name()}/{model.model_name}"

    @property
    def fingerprint(self) -> str:
        """Class and model name, e.g. ``"llamaindex/OpenAIEmbedding/text-embedding-3-small"``."""
        return f"llamaindex/{self._name}"

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Embed documents, in the model's own batches.

        Raises:
            ProviderError: The model failed.
        """
        with failures_of(self._name):
            return self._model.get_text_embedding_batch(list(texts))

    async def aembed(self, texts: Sequence[str]) -> list[list[float]]:
        """Async twin of `embed`."""
        with failures_of(self._name):
            return await self._model.aget_text_embedding_batch(list(texts))

    def embed_query(self, text: str) -> list[float]:
        """Embed a question, with the model's instruction for questions if it has one."""
        with failures_of(self._name):
            return self._model.get_query_embedding(text)

    async def aembed_query(self, text: str) -> list[float]:
        """Async twin of `embed_query`."""
        with failures_of(self._name):
            return await self._model.aget_query_embedding(text)


def as_embedder(given: Embedder | BaseEmbedding | None) -> Embedder | None:
    """Return an embedder for either library's; None stays None: the local one is used."""
    return LlamaIndexEmbedder(given) if isinstance(given, BaseEmbedding) else given
