"""A LangChain `Embeddings` as Holdfast's `Embedder`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from holdfast import Embedder, InvalidInputError
from holdfast.providers.failures import failures_of
from langchain_core.embeddings import Embeddings
from langgraph.store.base.embed import EmbeddingsLambda, ensure_embeddings

Embed: TypeAlias = (
    Embeddings
    | Callable[[Sequence[str]], list[list[float]]]
    | Callable[[Sequence[str]], Awaitable[list[list[float]]]]
    | str
)
"""What LangGraph takes for an embedder: an object, a function, or ``"provider:model"``."""


class LangChainEmbedder(Embedder):
    """The user's own embeddings; questions go to `embed_query`, documents to `embed_documents`.

    Args:
        embed: An `Embeddings`, a function from texts to vectors (also async), or a string such
            as ``"openai:text-embedding-3-small"``, which needs ``langchain``.
        dims: Length of the vectors; another one is an error.
        name: What tells this embedder from others, if its class and model do not. A file
            refuses vectors of another name.
    """

    def __init__(self, embed: Embed, *, dims: int | None = None, name: str | None = None) -> None:
        self.embeddings = ensure_embeddings(embed)
        self._dims = dims
        self._name = name or _name(self.embeddings)

    @property
    def fingerprint(self) -> str:
        """Class, model and dimension: ``"langchain/OpenAIEmbeddings/text-embedding-3-small"``."""
        return f"langchain/{self._name}" + (f"/{self._dims}" if self._dims else "")

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Embed documents.

        Raises:
            ProviderError: The embeddings failed; their error is the cause.
            InvalidInputError: The vectors are not `dims` long.
        """
        with failures_of(self.fingerprint):
            vectors = self.embeddings.embed_documents(list(texts))
        return [self._checked(vector) for vector in vectors]

    async def aembed(self, texts: Sequence[str]) -> list[list[float]]:
        """Async twin of `embed`."""
        with failures_of(self.fingerprint):
            vectors = await self.embeddings.aembed_documents(list(texts))
        return [self._checked(vector) for vector in vectors]

    def embed_query(self, text: str) -> list[float]:
        """Embed a question; see `embed`."""
        with failures_of(self.fingerprint):
            vector = self.embeddings.embed_query(text)
        return self._checked(vector)

    async def aembed_query(self, text: str) -> list[float]:
        """Async twin of `embed_query`."""
        with failures_of(self.fingerprint):
            vector = await self.embeddings.aembed_query(text)
        return self._checked(vector)

    def _checked(self, vector: list[float]) -> list[float]:
        if self._dims is not None and len(vector) != self._dims:
            raise InvalidInputError(
                f"dims is {self._dims}, but {self._name} gave a vector of {len(vector)}; "
                "nothing was stored"
            )
        return vector


def _name(embeddings: Embeddings) -> str:
    if isinstance(embeddings, EmbeddingsLambda):
        return "function"
    models = (getattr(embeddings, name, None) for name in ("model", "model_name", "model_id"))
    model = next((model for model in models if isinstance(model, str)), None)
    return type(embeddings).__name__ + (f"/{model}" if model else "")
