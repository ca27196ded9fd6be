"""Offline embeddings as LangChain has them."""

from __future__ import annotations

from holdfast.testing import HashEmbedder
from langchain_core.embeddings import Embeddings


class WordEmbeddings(Embeddings):
    """A bag of words as LangChain has it; counts what it is asked for."""

    def __init__(self, dimension: int = 64) -> None:
        self._embedder = HashEmbedder(dimension)
        self.documents: list[str] = []
        self.queries: list[str] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.documents += texts
        return self._embedder.embed(texts)

    def embed_query(self, text: str) -> list[float]:
        self.queries.append(text)
        return self._embedder.embed([text])[0]
