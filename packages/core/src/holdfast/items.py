"""`Items`: a framework's own documents, by namespace and key, on the same file and the same search.

Memories belong to scopes; items belong to namespaces, tuples of labels. The stores, storages and
vector stores of the adapters stand on this. Two methods do the work, `batch` and `abatch`; the
others build one operation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, TypeAlias

import numpy as np

from holdfast import documents, indexing, ranking
from holdfast.errors import HoldfastError, InvalidInputError
from holdfast.filters import parse
from holdfast.language import cues
from holdfast.messages import check_text
from holdfast.providers.base import Embedder
from holdfast.runtime import SYNC, AsyncRuntime, Runtime, run
from holdfast.storage.codec import MICROSECOND
from holdfast.storage.embedded import EmbeddedStorage
from holdfast.storage.items import Item, ItemDraft
from holdfast.storage.keywords import KeywordQuery
from holdfast.storage.namespaces import Region
from holdfast.storage.searching import Probe
from holdfast.types import utc_now

Labels: TypeAlias = Sequence[str]
Mode = Literal["hybrid", "vector", "keyword"]


@dataclass(frozen=True, slots=True)
class ItemMatch:
    """An item found.

    Attributes:
        item: The whole item.
        score: Fused score; None where nothing was asked for.
        parts: ``dense`` (cosine) and ``keywords`` (share of the best), before weighing.
        text: Which of the item's texts matched, by number.
    """

    item: Item
    score: float | None = None
    parts: Mapping[str, float] = field(default_factory=dict)
    text: int = 0


@dataclass(frozen=True, slots=True)
class Get:
    """Read one item; `refresh` begins its lifetime anew."""

    namespace: Labels
    key: str
    refresh: bool = False


@dataclass(frozen=True, slots=True)
class Put:
    """Write one item, or with ``value=None`` delete it.

    Attributes:
        namespace: At least one label, none empty.
        key: Unique in the namespace.
        value: JSON.
        texts: What makes it findable, each with a vector of its own; none: only filters find it.
        lifetime: How long it is kept; None: for ever.
    """

    namespace: Labels
    key: str
    value: Any
    texts: Sequence[str] = ()
    lifetime: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """Find items under a prefix, or in exactly one namespace.

    Attributes:
        prefix: Namespaces that begin so; empty: all.
        query: What is looked for; None: the latest put first.
        filters: See `holdfast.filters`; every field is a path into the value.
        limit, offset: Which part of the ranking.
        mode: ``"hybrid"``, ``"vector"`` (cosine alone) or ``"keyword"`` (BM25 alone).
        exact: Only the namespace itself, not those below it.
        refresh: Begin the found items' lifetime anew.
        min_score: Least score.
    """

    prefix: Labels
    query: str | None = None
    filters: Mapping[str, Any] | None = None
    limit: int = 10
    offset: int = 0
    mode: Mode = "hybrid"
    exact: bool = False
    refresh: bool = False
    min_score: float | None = None


@dataclass(frozen=True, slots=True)
class ListNamespaces:
    """List the namespaces under a prefix that hold an item."""

    prefix: Labels = ()


Operation: TypeAlias = Get | Put | Search | ListNamespaces
Result: TypeAlias = Item | list[ItemMatch] | list[tuple[str, ...]] | bool | HoldfastError | None


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
        cls, path: str, *, embedder: Embedder | None = None, key: str | bytes | None = None
    ) -> Items:
        """Open a file for items alone; close it with `close`."""
        return cls(EmbeddedStorage(path, key=key), embedder, AsyncRuntime())

    def close(self) -> None:
        """Close the file."""
        self._storage.file.close()
        self._async.close()

    @property
    def storage(self) -> EmbeddedStorage:
        """The file, for checks and counts."""
        return self._storage

    # -- the two methods ------------------------------------------------------------------------

    def batch(self, operations: Sequence[Operation]) -> list[Result]:
        """Do several operations: reads first, then all writes in one transaction.

        Of several puts to one key the last wins. An operation that makes no sense has its error
        as its result; its neighbours are done all the same.

        Raises:
            ProviderError: The embedder failed; nothing was written.
            StorageError: The file failed; nothing was written.
        """
        return run(self._batch(SYNC, operations))

    async def abatch(self, operations: Sequence[Operation]) -> list[Result]:
        """Async twin of `batch`."""
        return await self._batch(self._async, operations)

    async def _batch(self, runtime: Runtime, operations: Sequence[Operation]) -> list[Result]:
        results: list[Result] = [None] * len(operations)
        puts: dict[int, Put] = {}
        for number, operation in enumerate(operations):
            try:
                if isinstance(operation, Put):
                    _check_put(operation)
                    puts[number] = operation
                else:
                    results[number] = await self._read(runtime, operation)
            except HoldfastError as error:
                results[number] = error
        for number, done in (await self._write(runtime, puts)).items():
            results[number] = done
        return results

    async def _read(self, runtime: Runtime, operation: Get | Search | ListNamespaces) -> Result:
        if isinstance(operation, Get):
            return await runtime.store(
                self._storage.documents.get,
                documents.check_labels(operation.namespace, prefix=False),
                documents.check_key(operation.key),
                operation.refresh,
            )
        if isinstance(operation, ListNamespaces):
            return await runtime.store(self._storage.documents.namespaces, _below(operation.prefix))
        return await self._search(runtime, operation)

    # -- reading --------------------------------------------------------------------------------

    async def _search(self, runtime: Runtime, search: Search) -> list[ItemMatch]:
        _check_search(search)
        made = Region.of_namespace if search.exact else Region.of_prefix
        region = made(search.prefix)
        tree = None if not search.filters else parse(search.filters, own_fields=False)
        if not search.query or not search.query.strip() or self._embedder is None:
            found = await runtime.store(
                self._storage.documents.page,
                region,
                tree,
                search.limit,
                search.offset,
                search.refresh,
            )
            return [ItemMatch(item) for item in found]
        await runtime.store(self._storage.file.check_embedder, self._embedder.fingerprint)
        asked = await runtime.compute(cues.read, search.query, (), utc_now())
        vector = await runtime.embed_query(self._embedder, search.query)
        probe = Probe(
            vector=indexing.unit_vectors([vector], 1)[0],
            keywords=KeywordQuery(asked.groups, asked.pairs, asked.quotes),
            rank=ranking.items[search.mode],
            limit=search.limit,
            offset=search.offset,
            kinds=(),
            tree=tree,
            min_score=search.min_score,
        )
        hits = await runtime.store(self._storage.documents.search, region, probe, search.refresh)
        return [ItemMatch(hit.item, hit.score, hit.parts, hit.text) for hit in hits]

    # -- writing --------------------------------------------------------------------------------

    async def _write(self, runtime: Runtime, puts: Mapping[int, Put]) -> dict[int, Result]:
        if not puts:
            return {}
        last = {(tuple(put.namespace), put.key): number for number, put in puts.items()}
        kept = {number: puts[number] for number in sorted(last.values())}
        drafts = await self._drafts(runtime, list(kept.values()))
        fingerprint = "" if self._embedder is None else self._embedder.fingerprint
        done = await runtime.store(self._storage.documents.put, drafts, fingerprint)
        results: dict[int, Result] = dict.fromkeys(puts)
        return results | dict(zip(kept, done, strict=True))

    async def _drafts(
        self, runtime: Runtime, puts: Sequence[Put]
    ) -> list[ItemDraft | tuple[tuple[str, ...], str]]:
        """Return what storage writes: a draft a put, (namespace, key) a deletion."""
        texts = [text for put in puts for text in self._texts(put)]
        vectors = np.zeros((0, 0), dtype=np.float32)
        if texts and self._embedder is not None:
            vectors = indexing.unit_vectors(await runtime.embed(self._embedder, texts), len(texts))
        drafts: list[ItemDraft | tuple[tuple[str, ...], str]] = []
        start = 0
        for put in puts:
            own = self._texts(put)
            if put.value is None:
                drafts.append((tuple(put.namespace), put.key))
                continue
            drafts.append(_draft(put, own, vectors[start : start + len(own)]))
            start += len(own)
        return drafts

    def _texts(self, put: Put) -> list[str]:
        if put.value is None or self._embedder is None:
            return []
        return documents.check_texts(put.texts)

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
        return _matches(self.batch([search]))

    async def asearch(self, search: Search) -> list[ItemMatch]:
        """Async twin of `search`."""
        return _matches(await self.abatch([search]))

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


def _below(prefix: Labels) -> Region:
    return Region.of_prefix(documents.check_labels(prefix, prefix=True))


def _result(results: list[Result]) -> Result:
    if isinstance(results[0], HoldfastError):
        raise results[0]
    return results[0]


def _matches(results: list[Result]) -> list[ItemMatch]:
    found = _result(results)
    return (
        [match for match in found if isinstance(match, ItemMatch)]
        if isinstance(found, list)
        else []
    )


def _draft(
    put: Put, texts: Sequence[str], vectors: np.ndarray[Any, np.dtype[np.float32]]
) -> ItemDraft:
    terms, passages = indexing.index_texts(texts)
    return ItemDraft(
        tuple(put.namespace),
        put.key,
        documents.check_value(put.value),
        None if put.lifetime is None else put.lifetime // MICROSECOND,
        tuple(texts),
        vectors,
        terms,
        passages,
    )


def _check_put(put: Put) -> None:
    documents.check_labels(put.namespace, prefix=False)
    documents.check_key(put.key)
    documents.check_texts(put.texts)
    documents.check_lifetime(put.lifetime)
    documents.check_value(put.value)


def _check_search(search: Search) -> None:
    documents.check_labels(search.prefix, prefix=not search.exact)
    documents.check_bounds(search.limit, search.offset, search.min_score)
    if search.query and search.query.strip():
        check_text(search.query)
    if search.mode not in ranking.items:
        raise InvalidInputError(
            f"unknown mode {search.mode!r}; allowed are {', '.join(ranking.items)}"
        )
