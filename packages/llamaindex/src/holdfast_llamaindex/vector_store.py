"""`HoldfastVectorStore`: LlamaIndex's nodes in one file, searched exactly, filtered and deleted."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from holdfast.adapters.connections import IN_MEMORY
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.indices.query.embedding_utils import get_top_k_mmr_embeddings
from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)
from typing_extensions import Self

from holdfast_llamaindex.embedder import LlamaIndexEmbedder
from holdfast_llamaindex.filters import both, one_of, translated
from holdfast_llamaindex.nodes import node_of, value_of, words_of

if TYPE_CHECKING:
    from holdfast import Embedder
    from holdfast.documents import Collection, DocumentMatch

_NAMESPACE = "llamaindex"
_FINGERPRINT = "llamaindex"
_SEVERAL = 4
_BATCH = 1_000


class HoldfastVectorStore(BasePydanticVectorStore):
    """A vector store that keeps text, vectors and metadata in one file.

        store = HoldfastVectorStore("vectors.db")
        index = VectorStoreIndex.from_documents(
            documents, storage_context=StorageContext.from_defaults(vector_store=store))

    What is added is on disk when `add` returns, all nodes or none; a node of a known id takes
    the old one's place. A filter is settled before anything is ranked, so a filtered query
    returns as many nodes as there are. All vectors of a file are of one embedding model: give
    the store a file of its own, or one whose memory embeds with the same model.

    Attributes:
        path: The file, made when missing. By default in RAM.
        collection: Keeps several stores of one file apart.

    Args:
        path, collection: As above.
        embed_model: The model that makes the vectors; named in the file, which then refuses
            others'. Without it only their dimension is checked.
        key: Encrypts the whole file.
    """

    stores_text: bool = True
    is_embedding_query: bool = True
    path: str = Field(default=IN_MEMORY, description="The file.")
    collection: str = Field(default="default", description="Keeps stores of one file apart.")

    _documents: Collection = PrivateAttr()

    def __init__(
        self,
        path: str | os.PathLike[str] = IN_MEMORY,
        *,
        collection: str = "default",
        embed_model: BaseEmbedding | Embedder | None = None,
        key: str | bytes | None = None,
        stores_text: bool = True,
        is_embedding_query: bool = True,
    ) -> None:
        # Here, for it loads the index: importing this module must stay light.
        from holdfast.documents import Collection

        super().__init__(
            path=str(path),  # type: ignore[call-arg]
            collection=collection,
            stores_text=stores_text,
            is_embedding_query=is_embedding_query,
        )
        self._documents = Collection(
            path, (_NAMESPACE, collection), fingerprint=_name(embed_model), key=key
        )

    @classmethod
    def class_name(cls) -> str:
        """Return the name LlamaIndex knows the class by."""
        return "HoldfastVectorStore"

    @property
    def client(self) -> Any:
        """The collection of documents behind it."""
        return self._documents

    def close(self) -> None:
        """Close the file."""
        self._documents.close()

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self  # a handle on one file; there is nothing to copy

    @classmethod
    def from_persist_path(cls, persist_path: str) -> Self:
        """Open a store; its file is all there is to persist."""
        return cls(persist_path)

    # -- writing --------------------------------------------------------------------------------

    def add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        """Add nodes with their embeddings, all or none; return their ids.

        Raises:
            EmbedderMismatchError: The vectors are of another model than the file's.
        """
        from holdfast.documents import Put

        self._documents.put(
            [
                Put((), one.node_id, value_of(one), [words_of(one)], vectors=[one.get_embedding()])
                for one in nodes
            ]
        )
        return [node.node_id for node in nodes]

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Delete the nodes of a document."""
        self._documents.delete(filters={"doc": ref_doc_id})

    def delete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
        **delete_kwargs: Any,
    ) -> None:
        """Delete the nodes that have one of these ids and satisfy these filters.

        Raises:
            ValueError: Neither is given; `clear` deletes everything.
        """
        if node_ids is None and (filters is None or not filters.filters):
            raise ValueError("delete_nodes needs node_ids or filters; clear() deletes everything")
        self._documents.delete(keys=node_ids, filters=translated(filters))

    def clear(self) -> None:
        """Delete all nodes of the collection; vectors of another model may follow."""
        self._documents.delete()

    def persist(self, persist_path: str, fs: Any = None) -> None:
        """Do nothing: every node is on disk already."""

    # -- reading --------------------------------------------------------------------------------

    def get_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        """Return nodes by id (in that order, missing ones left out) or by filter, or both."""
        chosen = both(one_of("id", node_ids), translated(filters))
        found: dict[str, BaseNode] = {}
        while True:
            page = self._documents.list(filters=chosen, limit=_BATCH, offset=len(found))
            found.update({item.key: node_of(item.value) for item in page})
            if len(page) < _BATCH:
                break
        wanted = reversed(found) if node_ids is None else dict.fromkeys(node_ids)
        return [found[key] for key in wanted if key in found]

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """Return the nodes most similar to a question, by cosine, best first.

        Modes: DEFAULT; HYBRID, which lifts nodes that share words with ``query_str`` (with
        ``alpha=1`` it is DEFAULT); MMR, with ``mmr_threshold``.

        Raises:
            ValueError: Another mode, or no embedding.
            FilterError: A filter makes no sense.
            EmbedderMismatchError: The question's vector is of another model than the file's.
        """
        if query.query_embedding is None:
            raise ValueError("the query has no embedding; give query_embedding")
        match query.mode:
            case VectorStoreQueryMode.DEFAULT:
                found = self._nearest(query, query.similarity_top_k)
            case VectorStoreQueryMode.HYBRID:
                words = "" if query.alpha == 1 else query.query_str or ""
                found = self._nearest(query, query.hybrid_top_k or query.similarity_top_k, words)
            case VectorStoreQueryMode.MMR:
                found = self._diverse(query, kwargs.get("mmr_threshold", query.mmr_threshold))
            case _:
                raise ValueError(f"query mode {query.mode.value!r} is not one of this store's")
        return VectorStoreQueryResult(
            nodes=[node_of(one.document.value) for one in found],
            similarities=[one.score or 0.0 for one in found],
            ids=[one.document.key for one in found],
        )

    def _nearest(self, query: VectorStoreQuery, limit: int, words: str = "") -> list[DocumentMatch]:
        # LlamaIndex's retriever sends empty lists where it means anything.
        chosen = both(
            one_of("id", query.node_ids or None),
            one_of("doc", query.doc_ids or None),
            translated(query.filters),
        )
        vector = query.query_embedding or []
        return self._documents.search(vector, words=words, filters=chosen, limit=limit)

    def _diverse(self, query: VectorStoreQuery, threshold: float | None) -> list[DocumentMatch]:
        several = self._nearest(query, _SEVERAL * query.similarity_top_k)
        found = {one.document.key: one for one in several}
        vectors = [vector for _, vector in self._documents.get(list(found)) if vector is not None]
        _, keys = get_top_k_mmr_embeddings(
            query.query_embedding or [],
            [list(vector) for vector in vectors],
            similarity_top_k=query.similarity_top_k,
            embedding_ids=list(found),
            mmr_threshold=threshold,
        )
        return [found[key] for key in keys]

    # -- async twins ----------------------------------------------------------------------------

    async def async_add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        """Async twin of `add`."""
        return await asyncio.to_thread(self.add, nodes)

    async def adelete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Async twin of `delete`."""
        await asyncio.to_thread(self.delete, ref_doc_id)

    async def adelete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
        **delete_kwargs: Any,
    ) -> None:
        """Async twin of `delete_nodes`."""
        await asyncio.to_thread(self.delete_nodes, node_ids, filters)

    async def aclear(self) -> None:
        """Async twin of `clear`."""
        await asyncio.to_thread(self.clear)

    async def aget_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        """Async twin of `get_nodes`."""
        return await asyncio.to_thread(self.get_nodes, node_ids, filters)

    async def aquery(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """Async twin of `query`."""
        return await asyncio.to_thread(self.query, query, **kwargs)


def _name(model: BaseEmbedding | Embedder | None) -> str:
    if model is None:
        return _FINGERPRINT
    return (
        LlamaIndexEmbedder(model).fingerprint
        if isinstance(model, BaseEmbedding)
        else model.fingerprint
    )
