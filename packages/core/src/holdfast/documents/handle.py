"""`Documents`: JSON by namespace and key, on the same file and the same search as memories.

A namespace is a tuple of labels. The stores and vector stores of the adapters stand on this. Two
methods do the work, `batch` and `abatch`; the others build one operation.
"""

from __future__ import annotations

import builtins
import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np

from holdfast.documents import checks
from holdfast.documents.checks import (
    DocumentMatch,
    Get,
    Labels,
    ListNamespaces,
    Operation,
    Put,
    Ready,
    Result,
    Search,
    SearchOptions,
)
from holdfast.errors import EmbedderMismatchError, HoldfastError, InvalidInputError, shown
from holdfast.ingestion import indexing
from holdfast.providers.base import Embedder, Vector
from holdfast.retrieval import ranking
from holdfast.runtime import AsyncRuntime, Runtime, SyncRuntime, run
from holdfast.storage import open_storage
from holdfast.storage.contract.arrays import Floats
from holdfast.storage.contract.codec import MICROSECOND, to_micros
from holdfast.storage.contract.documents import (
    Choice,
    Deletion,
    Document,
    DocumentDraft,
    Order,
    Wanted,
)
from holdfast.storage.contract.filters import Filter, parse
from holdfast.storage.contract.reach import Reach
from holdfast.storage.contract.search import KeywordQuery, Probe
from holdfast.storage.contract.storage import Durability, Storage
from holdfast.types import Scope, Unpack

# Names the caller's vectors in a file whose embedder is not known.
CALLER = "caller"


class Documents:
    """Documents by namespace and key. Get it from `Memory.documents`, or open a file of its own.

        memory.documents.put(("notes", "2026"), "k1", {"title": "Tea"}, texts=["Tea is green."])
        memory.documents.search(("notes",), "what is green?", filters={"title": "Tea"})

    Those of `memory.documents` belong to the whole file. Those of
    ``memory.scoped(user_id="ada").documents`` belong to that scope: `Memory.delete_all` of it
    erases them, exports of it hold them. As with memories, a handle writes under exactly its own
    ids, and reads (and deletes) what matches them, whatever the other ids are.

    Args:
        storage: The file.
        embedder: Makes vectors of texts; without one, texts are not indexed and a search with a
            query is answered by filters and recency.
        runtime: Runs the async twins.
        owner: The scope whose documents these are; None: the whole file's.
    """

    def __init__(
        self,
        storage: Storage,
        embedder: Embedder | None,
        runtime: AsyncRuntime,
        owner: Scope | None = None,
    ) -> None:
        self._storage = storage
        self._embedder = embedder
        self._async = runtime
        self._owner = owner
        self._sync = SyncRuntime(storage.database.run)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        embedder: Embedder | None = None,
        owner: Scope | None = None,
        key: str | bytes | None = None,
        durability: Durability = "normal",
    ) -> Documents:
        """Open a file for documents alone; close it with `close`."""
        storage = open_storage(path, key=key, durability=durability)
        return cls(storage, embedder, AsyncRuntime(storage.database.writes), owner)

    def close(self) -> None:
        """Close the file."""
        self._storage.close()
        self._async.close()

    @property
    def storage(self) -> Storage:
        """The file, for checks and counts."""
        return self._storage

    @property
    def embedder(self) -> Embedder | None:
        """Makes vectors of texts; None: nothing is embedded."""
        return self._embedder

    # -- many at a time -------------------------------------------------------------------------

    def batch(self, operations: Sequence[Operation], *, strict: bool = False) -> list[Result]:
        """Do several operations: reads first, then all writes in one transaction.

        Of several puts to one key the last wins. An operation that makes no sense has its error
        as its result, and its neighbours are done all the same; with `strict` it is raised, and
        nothing is written.

        Raises:
            ProviderError: The embedder failed; nothing was written.
            StorageError: The file failed; nothing was written.
        """
        return run(self._batch(self._sync, operations, strict))

    async def abatch(
        self, operations: Sequence[Operation], *, strict: bool = False
    ) -> list[Result]:
        """Async twin of `batch`."""
        return await self._batch(self._async, operations, strict)

    async def _batch(
        self, runtime: Runtime, operations: Sequence[Operation], strict: bool
    ) -> list[Result]:
        if not isinstance(operations, Sequence) or isinstance(operations, str | bytes):
            raise InvalidInputError(f"operations must be a list, not {shown(operations)}")
        results: list[Result] = [None] * len(operations)
        puts: dict[int, Ready] = {}
        gets: dict[int, Wanted] = {}
        asked: dict[str, Floats] = {}
        for number, operation in enumerate(operations):
            try:
                if isinstance(operation, Put):
                    puts[number] = checks.ready(operation)
                elif isinstance(operation, Get):
                    gets[number] = self._wanted(operation)
                else:
                    results[number] = await self._read(runtime, operation, asked)
            except HoldfastError as error:
                if strict:
                    raise
                results[number] = error
        for done in (await self._get(runtime, gets), await self._write(runtime, puts)):
            for number, result in done.items():
                results[number] = result
        return results

    async def _read(
        self, runtime: Runtime, operation: Search | ListNamespaces, asked: dict[str, Floats]
    ) -> Result:
        if isinstance(operation, ListNamespaces):
            reach = self._below(operation.prefix)
            return await runtime.read(
                self._storage.documents.namespaces, reach, expired=operation.expired
            )
        if isinstance(operation, Search):
            return await self._search(runtime, operation, asked)
        raise InvalidInputError(
            f"an operation is a Get, Put, Search or ListNamespaces, not {shown(operation)}"
        )

    # -- reading --------------------------------------------------------------------------------

    async def _get(self, runtime: Runtime, gets: Mapping[int, Wanted]) -> dict[int, Result]:
        if not gets:
            return {}
        found = await runtime.read(self._storage.documents.get, list(gets.values()))
        return dict(zip(gets, found, strict=True))

    async def _search(
        self, runtime: Runtime, search: Search, asked: dict[str, Floats]
    ) -> list[DocumentMatch]:
        checks.check_search(search)
        made = Reach.of_namespace if search.exact else Reach.of_prefix
        reach, filters = made(search.prefix, self._owner), tree(search.filters)
        words = await runtime.read(self._words, search)
        vector = await self._vector(runtime, search, asked)
        if vector is None:
            choice = Choice(reach, filters, expired=search.expired)
            found = await runtime.read(
                self._storage.documents.page,
                choice,
                Order(),
                search.limit,
                search.offset,
                refresh=search.refresh,
            )
            return [DocumentMatch(document) for document in found]
        hits = await runtime.read(
            self._storage.documents.search,
            reach,
            _probe(search, words, filters, vector),
            refresh=search.refresh,
            expired=search.expired,
            unscored=search.unscored,
        )
        return [DocumentMatch(hit.document, hit.score, hit.parts, hit.text) for hit in hits]

    def _words(self, search: Search) -> KeywordQuery:
        """Return the words to look for, once the vectors are known to be of this embedder."""
        query = search.query or ""
        if not query.strip():
            return KeywordQuery()
        if self._embedder is not None and search.vector is None:
            self._storage.check_embedder(self._embedder.fingerprint)
        return KeywordQuery() if search.mode == "vector" else indexing.keyword_query(query)

    async def _vector(
        self, runtime: Runtime, search: Search, asked: dict[str, Floats]
    ) -> Floats | None:
        """Return the unit vector to look for; None: nothing is ranked."""
        if search.vector is not None:
            unit: Floats = indexing.unit_vectors([search.vector], 1)[0]
            known = await runtime.read(self._storage.embedder)
            if known is not None and known[1] != len(unit):
                raise EmbedderMismatchError(f"{known[1]} dimensions", f"{len(unit)} dimensions")
            return unit
        query = search.query
        if not query or not query.strip() or self._embedder is None:
            return None
        if query not in asked:
            vector = await runtime.embed_query(self._embedder, query)
            asked[query] = indexing.unit_vectors([vector], 1, self._embedder)[0]
        return asked[query]

    # -- writing --------------------------------------------------------------------------------

    async def _write(self, runtime: Runtime, puts: Mapping[int, Ready]) -> dict[int, Result]:
        if not puts:
            return {}
        last = {(put.namespace, put.key): number for number, put in puts.items()}
        kept = {number: puts[number] for number in sorted(last.values())}
        vectors = await self._embedded(runtime, list(kept.values()))
        drafts = [draft(put, vectors, self._owner) for put in kept.values()]
        check_dimensions(drafts)
        fingerprint = CALLER if self._embedder is None else self._embedder.fingerprint
        done = await runtime.write(self._storage.documents.put, drafts, fingerprint)
        results: dict[int, Result] = dict.fromkeys(puts)
        return results | dict(zip(kept, done, strict=True))

    async def _embedded(self, runtime: Runtime, puts: Sequence[Ready]) -> dict[str, Floats]:
        """Return the vector of each text that an embedder is to make one of, embedded once."""
        if self._embedder is None:
            return {}
        wanted = [text for put in puts if put.vectors is None and put.value for text in put.texts]
        texts = list(dict.fromkeys(wanted))
        if not texts:
            return {}
        made = await runtime.embed(self._embedder, texts)
        units = indexing.unit_vectors(made, len(texts), self._embedder)
        return dict(zip(texts, units, strict=True))

    # -- one at a time --------------------------------------------------------------------------

    def put(
        self,
        namespace: Labels,
        key: str,
        value: Any,
        *,
        texts: Sequence[str] = (),
        vectors: Sequence[Vector] = (),
        lifetime: timedelta | None = None,
    ) -> None:
        """Write one document; see `Put`."""
        _result(self.batch([Put(namespace, key, value, texts, lifetime, vectors=vectors)]))

    async def aput(
        self,
        namespace: Labels,
        key: str,
        value: Any,
        *,
        texts: Sequence[str] = (),
        vectors: Sequence[Vector] = (),
        lifetime: timedelta | None = None,
    ) -> None:
        """Async twin of `put`."""
        _result(await self.abatch([Put(namespace, key, value, texts, lifetime, vectors=vectors)]))

    def get(self, namespace: Labels, key: str, *, refresh: bool = False) -> Document | None:
        """Read one document, or None; see `Get`."""
        found = _result(self.batch([Get(namespace, key, refresh)]))
        return found if isinstance(found, Document) else None

    async def aget(self, namespace: Labels, key: str, *, refresh: bool = False) -> Document | None:
        """Async twin of `get`."""
        found = _result(await self.abatch([Get(namespace, key, refresh)]))
        return found if isinstance(found, Document) else None

    def delete(self, namespace: Labels, key: str) -> bool:
        """Delete one document; return whether there was one."""
        return _result(self.batch([Put(namespace, key, None)])) is True

    async def adelete(self, namespace: Labels, key: str) -> bool:
        """Async twin of `delete`."""
        return _result(await self.abatch([Put(namespace, key, None)])) is True

    def search(
        self, prefix: Labels = (), query: str | None = None, **options: Unpack[SearchOptions]
    ) -> builtins.list[DocumentMatch]:
        """Find documents; see `Search` for the options."""
        return run(self._search(self._sync, Search(prefix, query, **options), {}))

    async def asearch(
        self, prefix: Labels = (), query: str | None = None, **options: Unpack[SearchOptions]
    ) -> builtins.list[DocumentMatch]:
        """Async twin of `search`."""
        return await self._search(self._async, Search(prefix, query, **options), {})

    def list(
        self,
        prefix: Labels = (),
        *,
        filters: Mapping[str, Any] | None = None,
        order: str | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> builtins.list[Document]:
        """Return documents under a prefix in the order of a field of their values.

        Args:
            prefix, filters: See `Search`.
            order: A field, ``-`` before it for the greatest first; None: the latest put first.
            limit, offset: Which part of them.
        """
        checks.check_bounds(limit, offset, None)
        choice = Choice(self._below(prefix), tree(filters))
        return self._storage.documents.page(choice, order_by(order), limit, offset)

    async def alist(
        self,
        prefix: Labels = (),
        *,
        filters: Mapping[str, Any] | None = None,
        order: str | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> builtins.list[Document]:
        """Async twin of `list`."""
        checks.check_bounds(limit, offset, None)
        choice, by = Choice(self._below(prefix), tree(filters)), order_by(order)
        return await self._async.read(self._storage.documents.page, choice, by, limit, offset)

    def namespaces(self, prefix: Labels = ()) -> builtins.list[tuple[str, ...]]:
        """List the namespaces under a prefix that hold a document."""
        return self._storage.documents.namespaces(self._below(prefix))

    async def anamespaces(self, prefix: Labels = ()) -> builtins.list[tuple[str, ...]]:
        """Async twin of `namespaces`."""
        return await self._async.read(self._storage.documents.namespaces, self._below(prefix))

    def sweep(self) -> int:
        """Delete the expired documents of the whole file; return how many."""
        return self._storage.documents.sweep()

    async def asweep(self) -> int:
        """Async twin of `sweep`."""
        return await self._async.write(self._storage.documents.sweep)

    def _wanted(self, get: Get) -> Wanted:
        labels = checks.check_labels(get.namespace, prefix=False)
        reach = Reach.of_namespace(labels, self._owner)
        return Wanted(reach, checks.check_key(get.key), get.refresh, get.expired)

    def _below(self, prefix: Labels) -> Reach:
        return Reach.of_prefix(checks.check_labels(prefix, prefix=True), self._owner)


def _result(results: list[Result]) -> Result:
    if isinstance(results[0], HoldfastError):
        raise results[0]
    return results[0]


def tree(filters: Mapping[str, Any] | None) -> Filter | None:
    """Return filters over the fields of values, read."""
    return parse(filters, own_fields=False) if filters else None


def order_by(order: str | None) -> Order:
    """Return an order by a field, ``-`` before it for the greatest first; None: by recency."""
    if order is None:
        return Order()
    return Order((checks.check_key(order.removeprefix("-")),), order.startswith("-"))


def draft(
    put: Ready, embedded: Mapping[str, Floats], owner: Scope | None
) -> DocumentDraft | Deletion:
    """Return what storage writes for a put.

    Args:
        put: Checked.
        embedded: The vector of each text that is not among the caller's vectors; a text without
            one is not indexed.
        owner: Whose document it becomes.
    """
    if put.value is None:
        return Deletion(Reach.of_namespace(put.namespace, owner), put.key)
    texts, vectors = put.texts, put.vectors
    if vectors is None:
        texts = [text for text in put.texts if text in embedded]
        empty = np.zeros((0, 0), dtype=np.float32)
        vectors = np.stack([embedded[text] for text in texts]) if texts else empty
    terms, passages = indexing.index_texts(texts)
    return DocumentDraft(
        put.namespace,
        put.key,
        put.value,
        None if put.lifetime is None else put.lifetime // MICROSECOND,
        # Texts are kept for an embedder to make their vectors anew, which only it can.
        tuple(texts) if put.vectors is None else (),
        vectors,
        terms,
        passages,
        None if put.created_at is None else to_micros(put.created_at),
        owner,
    )


def check_dimensions(drafts: Sequence[DocumentDraft | Deletion]) -> None:
    """Check that all vectors are of one dimension.

    Raises:
        EmbedderMismatchError: They are not.
    """
    known = {
        one.vectors.shape[1] for one in drafts if isinstance(one, DocumentDraft) and one.passages
    }
    if len(known) > 1:
        first, second = sorted(known)[:2]
        raise EmbedderMismatchError(f"{first} dimensions", f"{second} dimensions")


def _probe(search: Search, words: KeywordQuery, filters: Filter | None, vector: Floats) -> Probe:
    return Probe(
        vector=vector,
        keywords=words,
        rank=ranking.documents[search.mode],
        limit=search.limit,
        offset=search.offset,
        tree=filters,
        min_score=search.min_score,
        score=ranking.document_scores[search.mode],
        explain=search.explain,
    )
