"""`Items`: a framework's own documents, by namespace and key, on the same file and the same search.

Memories belong to scopes; items belong to namespaces, tuples of labels. The stores, storages and
vector stores of the adapters stand on this. Two methods do the work, `batch` and `abatch`; the
others build one operation.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np

from holdfast.documents import checks
from holdfast.documents.checks import (
    Get,
    ItemMatch,
    Labels,
    ListNamespaces,
    Mode,
    Operation,
    Put,
    Ready,
    Result,
    Search,
)
from holdfast.errors import HoldfastError, InvalidInputError, shown
from holdfast.ingestion import indexing
from holdfast.ingestion.messages import check_question, check_text
from holdfast.providers.base import Embedder
from holdfast.retrieval import ranking
from holdfast.runtime import SYNC, AsyncRuntime, Runtime, run
from holdfast.storage.contract.arrays import Floats
from holdfast.storage.contract.codec import MICROSECOND, to_micros
from holdfast.storage.contract.filters import Filter, parse
from holdfast.storage.contract.reach import Reach
from holdfast.storage.contract.search import KeywordQuery, Probe
from holdfast.storage.sqlite.database import Durability
from holdfast.storage.sqlite.document_rows import Item, ItemDraft
from holdfast.storage.sqlite.documents import Wanted
from holdfast.storage.sqlite.storage import SqliteStorage as EmbeddedStorage

__all__ = [
    "Get",
    "Item",
    "ItemMatch",
    "Items",
    "Labels",
    "ListNamespaces",
    "Mode",
    "Operation",
    "Put",
    "Result",
    "Search",
]


class Items:
    """Documents by namespace and key. Get it from `Memory.items`, or open a file of its own.

    Args:
        storage: The file.
        embedder: Makes vectors of texts; without one, texts are not indexed and a search with a
            query is answered by filters and recency.
        runtime: Runs the async face.
    """

    def __init__(
        self, storage: EmbeddedStorage, embedder: Embedder | None, runtime: AsyncRuntime
    ) -> None:
        self._storage = storage
        self._embedder = embedder
        self._async = runtime

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        embedder: Embedder | None = None,
        key: str | bytes | None = None,
        durability: Durability = "normal",
    ) -> Items:
        """Open a file for items alone; close it with `close`."""
        storage = EmbeddedStorage(path, key=key, durability=durability)
        return cls(storage, embedder, AsyncRuntime(storage.database.together))

    def close(self) -> None:
        """Close the file."""
        self._storage.file.close()
        self._async.close()

    @property
    def storage(self) -> EmbeddedStorage:
        """The file, for checks and counts."""
        return self._storage

    @property
    def embedder(self) -> Embedder | None:
        """Makes vectors of texts; None: nothing is embedded."""
        return self._embedder

    # -- the two methods ------------------------------------------------------------------------

    def batch(self, operations: Sequence[Operation], *, strict: bool = False) -> list[Result]:
        """Do several operations: reads first, then all writes in one transaction.

        Of several puts to one key the last wins. An operation that makes no sense has its error
        as its result, and its neighbours are done all the same; with `strict` it is raised, and
        nothing is written.

        Raises:
            ProviderError: The embedder failed; nothing was written.
            StorageError: The file failed; nothing was written.
        """
        return run(self._batch(SYNC, operations, strict))

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
                    gets[number] = _wanted(operation)
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
        if not isinstance(operation, Search | ListNamespaces):
            raise InvalidInputError(
                f"an operation is a Get, Put, Search or ListNamespaces, not {shown(operation)}"
            )
        if isinstance(operation, ListNamespaces):
            return await runtime.read(
                self._storage.documents.namespaces,
                _below(operation.prefix),
                expired=operation.expired,
            )
        return await self._search(runtime, operation, asked)

    async def _get(self, runtime: Runtime, gets: Mapping[int, Wanted]) -> dict[int, Result]:
        if not gets:
            return {}
        found = await runtime.read(self._storage.documents.get, list(gets.values()))
        return dict(zip(gets, found, strict=True))

    # -- reading --------------------------------------------------------------------------------

    async def _search(
        self, runtime: Runtime, search: Search, asked: dict[str, Floats]
    ) -> list[ItemMatch]:
        _check_search(search)
        made = Reach.of_namespace if search.exact else Reach.of_prefix
        reach = made(search.prefix)
        tree = None if not search.filters else parse(search.filters, own_fields=False)
        if not search.query or not search.query.strip() or self._embedder is None:
            found = await runtime.read(
                self._storage.documents.page,
                reach,
                tree,
                search.limit,
                search.offset,
                refresh=search.refresh,
                expired=search.expired,
            )
            return [ItemMatch(item) for item in found]
        words = await runtime.read(self._words, search, search.query, self._embedder.fingerprint)
        if search.query not in asked:
            vector = await runtime.embed_query(self._embedder, search.query)
            asked[search.query] = indexing.unit_vectors([vector], 1, self._embedder)[0]
        probe = _probe(search, words, tree, asked[search.query])
        hits = await runtime.read(
            self._storage.documents.search,
            reach,
            probe,
            refresh=search.refresh,
            expired=search.expired,
            unscored=search.unscored,
        )
        return [ItemMatch(hit.item, hit.score, hit.parts, hit.text) for hit in hits]

    def _words(self, search: Search, query: str, fingerprint: str) -> KeywordQuery:
        """Return the words to look for, once the vectors are known to be of this embedder."""
        self._storage.file.check_embedder(fingerprint)
        return KeywordQuery() if search.mode == "vector" else indexing.keyword_query(query)

    # -- writing --------------------------------------------------------------------------------

    async def _write(self, runtime: Runtime, puts: Mapping[int, Ready]) -> dict[int, Result]:
        if not puts:
            return {}
        last = {(put.namespace, put.key): number for number, put in puts.items()}
        kept = {number: puts[number] for number in sorted(last.values())}
        drafts = await self._drafts(runtime, list(kept.values()))
        fingerprint = "" if self._embedder is None else self._embedder.fingerprint
        done = await runtime.write(self._storage.documents.put, drafts, fingerprint)
        results: dict[int, Result] = dict.fromkeys(puts)
        return results | dict(zip(kept, done, strict=True))

    async def _drafts(
        self, runtime: Runtime, puts: Sequence[Ready]
    ) -> list[ItemDraft | tuple[tuple[str, ...], str]]:
        """Return what storage writes: a draft a put, (namespace, key) a deletion."""
        # The same text in several items is embedded once.
        texts = list(dict.fromkeys(text for put in puts for text in self._texts(put)))
        place = {text: number for number, text in enumerate(texts)}
        vectors: Floats = np.zeros((0, 0), dtype=np.float32)
        if texts and self._embedder is not None:
            vectors = indexing.unit_vectors(
                await runtime.embed(self._embedder, texts), len(texts), self._embedder
            )
        drafts: list[ItemDraft | tuple[tuple[str, ...], str]] = []
        for put in puts:
            if put.value is None:
                drafts.append((put.namespace, put.key))
                continue
            own = self._texts(put)
            drafts.append(_draft(put, put.value, own, vectors[[place[text] for text in own]]))
        return drafts

    def _texts(self, put: Ready) -> Sequence[str]:
        return () if self._embedder is None else put.texts

    # -- one at a time --------------------------------------------------------------------------

    def put(
        self,
        namespace: Labels,
        key: str,
        value: Any,
        *,
        texts: Sequence[str] = (),
        lifetime: timedelta | None = None,
    ) -> None:
        """Write one item; see `Put`."""
        _result(self.batch([Put(namespace, key, value, texts, lifetime)]))

    async def aput(
        self,
        namespace: Labels,
        key: str,
        value: Any,
        *,
        texts: Sequence[str] = (),
        lifetime: timedelta | None = None,
    ) -> None:
        """Async twin of `put`."""
        _result(await self.abatch([Put(namespace, key, value, texts, lifetime)]))

    def get(self, namespace: Labels, key: str, *, refresh: bool = False) -> Item | None:
        """Read one item, or None; see `Get`."""
        item = _result(self.batch([Get(namespace, key, refresh)]))
        return item if isinstance(item, Item) else None

    async def aget(self, namespace: Labels, key: str, *, refresh: bool = False) -> Item | None:
        """Async twin of `get`."""
        item = _result(await self.abatch([Get(namespace, key, refresh)]))
        return item if isinstance(item, Item) else None

    def delete(self, namespace: Labels, key: str) -> bool:
        """Delete one item; say whether there was one."""
        return _result(self.batch([Put(namespace, key, None)])) is True

    async def adelete(self, namespace: Labels, key: str) -> bool:
        """Async twin of `delete`."""
        return _result(await self.abatch([Put(namespace, key, None)])) is True

    def search(self, search: Search) -> list[ItemMatch]:
        """Find items; see `Search`."""
        return run(self._search(SYNC, search, {}))

    async def asearch(self, search: Search) -> list[ItemMatch]:
        """Async twin of `search`."""
        return await self._search(self._async, search, {})

    def namespaces(self, prefix: Labels = ()) -> list[tuple[str, ...]]:
        """List the namespaces under a prefix that hold an item."""
        return self._storage.documents.namespaces(_below(prefix))

    async def anamespaces(self, prefix: Labels = ()) -> list[tuple[str, ...]]:
        """Async twin of `namespaces`."""
        return await self._async.store(self._storage.documents.namespaces, _below(prefix))

    def sweep(self) -> int:
        """Delete expired items; return how many."""
        return self._storage.documents.sweep()

    async def asweep(self) -> int:
        """Async twin of `sweep`."""
        return await self._async.store(self._storage.documents.sweep)


def _wanted(get: Get) -> Wanted:
    namespace = checks.check_labels(get.namespace, prefix=False)
    return Wanted(namespace, checks.check_key(get.key), get.refresh, get.expired)


def _below(prefix: Labels) -> Reach:
    return Reach.of_prefix(checks.check_labels(prefix, prefix=True))


def _result(results: list[Result]) -> Result:
    if isinstance(results[0], HoldfastError):
        raise results[0]
    return results[0]


def _draft(
    put: Ready, value: str, texts: Sequence[str], vectors: np.ndarray[Any, np.dtype[np.float32]]
) -> ItemDraft:
    terms, passages = indexing.index_texts(texts)
    return ItemDraft(
        put.namespace,
        put.key,
        value,
        None if put.lifetime is None else put.lifetime // MICROSECOND,
        tuple(texts),
        vectors,
        terms,
        passages,
        None if put.created_at is None else to_micros(put.created_at),
    )


def _probe(search: Search, words: KeywordQuery, tree: Filter | None, vector: Floats) -> Probe:
    return Probe(
        vector=vector,
        keywords=words,
        rank=ranking.items[search.mode],
        limit=search.limit,
        offset=search.offset,
        tree=tree,
        min_score=search.min_score,
        score=ranking.item_scores[search.mode],
        explain=search.explain,
    )


def _check_search(search: Search) -> None:
    checks.check_labels(search.prefix, prefix=not search.exact)
    checks.check_bounds(search.limit, search.offset, search.min_score)
    if search.query is not None and check_question(search.query).strip():
        check_text(search.query)
    if not isinstance(search.mode, str) or search.mode not in ranking.items:
        raise InvalidInputError(
            f"unknown mode {shown(search.mode)}; allowed are {', '.join(ranking.items)}"
        )
