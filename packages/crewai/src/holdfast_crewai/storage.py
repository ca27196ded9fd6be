"""`HoldfastStorage`: what a stock CrewAI `Memory` keeps its records in."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import numpy as np
from crewai.memory.storage.backend import EmbeddingDimensionMismatchError
from crewai.memory.types import MemoryRecord, ScopeInfo
from holdfast import Embedder, EmbedderMismatchError, Scope
from holdfast.documents import Collection, Document, Put

from holdfast_crewai.backend import Backend
from holdfast_crewai.embedders import EmbeddingCallable, RememberingCallable
from holdfast_crewai.last_access import LastAccess
from holdfast_crewai.opening import OnFirstUse
from holdfast_crewai.paths import IDS, Spec, children, labels, normal
from holdfast_crewai.translation import naive

# CrewAI hands over vectors and never says whose; the file refuses those of another length.
FINGERPRINT = "crewai"
_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)


class HoldfastStorage(Backend):
    """CrewAI's storage on one Holdfast file, for those who keep CrewAI's own analysis.

        storage = HoldfastStorage("memory.db", user_id="ada")
        Memory(storage=storage, embedder=storage.embedding(embed), llm=llm)

    Scores are cosines between 0 and 1, lifted by shared words where the query's words are known
    (`embedding`). All filters hold before the limit. A record of a known id replaces the stored
    one. Other processes' writes are seen at once.

    Args:
        path: The file, or ``holdfast:/data/memory.db?user_id=ada``.
        user_id, agent_id, run_id: The tenant: nothing outside it can be named, and
            `holdfast.Memory.delete_all` of it erases all of it. Without any, ``stats(check=True)``
            counts the records as `unowned`, and `reset` erases them.
        key: Encrypts the file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        key: str | bytes | None = None,
    ) -> None:
        spec = Spec.read(path)
        given = dict(zip(IDS, (user_id, agent_id, run_id), strict=True))
        ids = {**spec.ids, **{name: value for name, value in given.items() if value is not None}}
        self.spec = Spec(spec.path, ids)
        self._key = key
        self._file = OnFirstUse(self._opened)
        self.embedder: RememberingCallable | None = None

    def __repr__(self) -> str:
        return f"HoldfastStorage({str(self.spec)!r})"

    # -- the file -------------------------------------------------------------------------------

    def _opened(self) -> tuple[Collection, LastAccess]:
        # One label whatever the tenant is made of: no path leads into another's.
        prefix = ("crewai", "tenant?" + urlencode(self.spec.ids))
        found = Collection(
            self.spec.path,
            prefix,
            fingerprint=FINGERPRINT,
            owner=Scope(**self.spec.ids) if self.spec.ids else None,
            key=self._key,
        )
        return found, LastAccess(found.documents)

    @property
    def _collection(self) -> Collection:
        return self._file.get()[0]

    @property
    def _last_access(self) -> LastAccess:
        return self._file.get()[1]

    def close(self) -> None:
        """Close the file; using the storage again opens it again."""
        opened = self._file.release()
        if opened is not None:
            opened[1].flush()
            opened[0].close()

    def embedding(self, embed: Embedder | EmbeddingCallable) -> RememberingCallable:
        """Return an embedder that lets this storage know the words of a query.

        CrewAI searches storages by vector alone; give the result to ``Memory(embedder=...)`` and
        searches are hybrid. Vectors of a `holdfast.Embedder` are stored under its name, so that
        a `HoldfastMemory` with the same embedder may share the file.
        """
        self.embedder = RememberingCallable(embed)
        return self.embedder

    def _text_of(self, vector: Sequence[float]) -> str | None:
        return None if self.embedder is None else self.embedder.text_of(vector)

    def _maker_of(self, vectors: Sequence[Sequence[float]]) -> str:
        """Return whose vectors these are; unknown ones of the same length are the file's own."""
        known = None if self.embedder is None else self.embedder.maker_of(vectors)
        alike = any(len(vector) == self._collection.dimension for vector in vectors)
        return known or (self._collection.embedder if alike else None) or FINGERPRINT

    # -- writing --------------------------------------------------------------------------------

    def save(self, records: list[MemoryRecord]) -> None:
        """Store records in one transaction; one of a known id replaces the stored one.

        Raises:
            EmbeddingDimensionMismatchError: A vector is of another length than the stored ones.
            EmbedderMismatchError: The vectors are known to be another embedder's than the stored.
            TypeError: Metadata is not JSON serializable.
        """
        puts = [_put(record, record.embedding) for record in records]
        vectors = [record.embedding for record in records if record.embedding]
        try:
            self._collection.put(puts, fingerprint=self._maker_of(vectors))
        except EmbedderMismatchError as error:
            sizes = sorted(set(map(len, vectors)))
            stored = self._collection.dimension or sizes[0]
            if sizes == [stored]:
                raise
            other = next(size for size in sizes if size != stored)
            raise EmbeddingDimensionMismatchError(stored, other) from error

    def update(self, record: MemoryRecord) -> None:
        """Replace the record of the same id; without a vector it keeps its old one.

        Raises:
            EmbeddingDimensionMismatchError: The vector is of another length than the stored ones.
            TypeError: Metadata is not JSON serializable; the old record stays.
        """
        if record.embedding is None:
            old = self.get_record(record.id)
            if old is not None and old.content == record.content:
                record = record.model_copy(update={"embedding": old.embedding})
        self.save([record])
        self._last_access.set(record.id, record.last_accessed)

    def touch_records(self, record_ids: Sequence[str]) -> None:
        """Note that records were read; written later, many at once."""
        self._last_access.touch(record_ids)

    def delete(
        self,
        scope_prefix: str | None = None,
        categories: list[str] | None = None,
        record_ids: list[str] | None = None,
        older_than: datetime | None = None,
        metadata_filter: dict[str, Any] | None = None,
    ) -> int:
        """Delete the records for which everything asked holds; return how many."""
        return self._collection.delete(
            labels(scope_prefix),
            filters=_filters(categories, metadata_filter, older_than),
            keys=record_ids,
        )

    # -- reading --------------------------------------------------------------------------------

    def search(
        self,
        query_embedding: list[float],
        scope_prefix: str | None = None,
        categories: list[str] | None = None,
        metadata_filter: dict[str, Any] | None = None,
        limit: int = 10,
        min_score: float = 0.0,
    ) -> list[tuple[MemoryRecord, float]]:
        """Return the nearest records, best first; every filter holds before the limit.

        Raises:
            EmbeddingDimensionMismatchError: The vector is of another length than the stored ones.
        """
        try:
            found = self._collection.search(
                query_embedding,
                labels(scope_prefix),
                words=self._text_of(query_embedding) or "",
                filters=_filters(categories, metadata_filter),
                limit=limit,
                min_score=min_score if min_score > 0 else None,
            )
        except EmbedderMismatchError as error:
            stored = self._collection.dimension
            if stored is None or not self._collection.counts():
                return []
            raise EmbeddingDimensionMismatchError(stored, len(query_embedding)) from error
        times = self._last_access.times([match.document.key for match in found])
        return [
            (_record(match.document, times), min(1.0, max(0.0, match.score or 0.0)))
            for match in found
        ]

    def get_record(self, record_id: str) -> MemoryRecord | None:
        """Return a record with its vector, or None."""
        for item, vector in self._collection.get([record_id]):
            record = _record(item, self._last_access.times([record_id]))
            if vector is not None:
                unit = np.asarray(vector, dtype=np.float32)
                record.embedding = (unit * np.float32(item.value["length"])).tolist()
            return record
        return None

    def list_records(
        self, scope_prefix: str | None = None, limit: int = 200, offset: int = 0
    ) -> list[MemoryRecord]:
        """Return records at a path and below, newest first."""
        found = self._collection.list(
            labels(scope_prefix), order="-created", limit=limit, offset=offset
        )
        times = self._last_access.times([item.key for item in found])
        return [_record(item, times) for item in found]

    # -- what there is --------------------------------------------------------------------------

    def get_scope_info(self, scope: str) -> ScopeInfo:
        """Count what lies at a path and below."""
        at = labels(scope)
        oldest = self._collection.list(at, order="created", limit=1)
        newest = self._collection.list(at, order="-created", limit=1)
        return ScopeInfo(
            path=normal(scope),
            record_count=self.count(scope),
            categories=sorted(self.list_categories(scope)),
            oldest_record=_created(oldest[0]) if oldest else None,
            newest_record=_created(newest[0]) if newest else None,
            child_scopes=self.list_scopes(scope),
        )

    def list_scopes(self, parent: str = "/") -> list[str]:
        """Return the paths one step below a path."""
        below = self._collection.namespaces(labels(parent))
        return children(parent, ("/" + "/".join(steps) for steps in below))

    def list_categories(self, scope_prefix: str | None = None) -> dict[str, int]:
        """Count records by category."""
        return self._collection.tally("categories", labels(scope_prefix))

    def count(self, scope_prefix: str | None = None) -> int:
        """Count the records at a path and below."""
        return sum(self._collection.counts(labels(scope_prefix)).values())


def _put(record: MemoryRecord, vector: list[float] | None) -> Put:
    value = {
        "content": record.content,
        "categories": record.categories,
        # Through JSON, so that what cannot be stored is a TypeError as CrewAI has it.
        "metadata": json.loads(json.dumps(record.metadata)),
        "importance": record.importance,
        "created": (naive(record.created_at) - _EPOCH) // _MICROSECOND,
        "accessed": (naive(record.last_accessed) - _EPOCH) // _MICROSECOND,
        "source": record.source,
        "private": record.private,
        "length": math.hypot(*vector) or 1.0 if vector else 0.0,
    }
    return Put(
        labels(record.scope),
        record.id,
        value,
        [record.content],
        vectors=[vector] if vector else (),
    )


def _record(item: Document, times: Mapping[str, datetime]) -> MemoryRecord:
    value = item.value
    return MemoryRecord(
        id=item.key,
        content=value["content"],
        scope="/" + "/".join(item.namespace),
        categories=value["categories"],
        metadata=value["metadata"],
        importance=value["importance"],
        created_at=_created(item),
        last_accessed=times.get(item.key, _EPOCH + value["accessed"] * _MICROSECOND),
        source=value["source"],
        private=value["private"],
    )


def _created(item: Document) -> datetime:
    created: datetime = _EPOCH + item.value["created"] * _MICROSECOND
    return created


def _filters(
    categories: Sequence[str] | None,
    metadata_filter: Mapping[str, Any] | None,
    older_than: datetime | None = None,
) -> dict[str, Any]:
    asked: list[dict[str, Any]] = []
    if categories:
        asked.append({"OR": [{"categories": {"contains": name}} for name in categories]})
    for name, value in (metadata_filter or {}).items():
        asked.append({f"metadata.{name}": value})
    if older_than is not None:
        asked.append({"created": {"lt": (naive(older_than) - _EPOCH) // _MICROSECOND}})
    return {"AND": asked} if asked else {}
