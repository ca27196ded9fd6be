"""`RecordStorage`: CrewAI's storage protocol over Holdfast's memories; for `HoldfastMemory`.

A scope path is the memory's ``app_id``, and what the tenant stored without one lies at the root;
user, agent and run name the tenant and are bound once, so nothing here can name another's. What a
stock CrewAI `Memory` keeps goes to `HoldfastStorage`.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from crewai.memory.types import MemoryRecord, ScopeInfo
from holdfast import Changes, Match, Memory, Message, Record, RecordNotFoundError, Within

from holdfast_crewai import translation
from holdfast_crewai.backend import Backend
from holdfast_crewai.last_access import LastAccess
from holdfast_crewai.opening import OnFirstUse
from holdfast_crewai.paths import children, normal

PAGE = 1000
NEWEST_FIRST = "-occurred_at"


class RecordStorage(Backend):
    """Memories below a path, as CrewAI asks for them.

    Args:
        opening: Opens the file; called again when it is used after `close`.
        ids: The tenant: some of ``user_id``, ``agent_id``, ``run_id``.
        text_of: Finds the text that a vector was made of; None for an unknown one.
        owned: Close the file with the storage; False if it is somebody else's.
    """

    def __init__(
        self,
        opening: Callable[[], Memory],
        ids: Mapping[str, str],
        text_of: Callable[[Sequence[float]], str | None] = lambda vector: None,
        *,
        owned: bool = True,
    ) -> None:
        self._opening = opening
        self._ids = dict(ids)
        self._text_of = text_of
        self._owned = owned
        self._file = OnFirstUse(self._opened)

    # -- the file -------------------------------------------------------------------------------

    def _opened(self) -> tuple[Memory, Memory, LastAccess]:
        core = self._opening()
        tenant = core.scoped(**self._ids) if self._ids else core
        below = core.scoped(**self._ids, app_id=self._below(None))
        return core, below, LastAccess(tenant.documents)

    def _below(self, path: str | None) -> Within:
        """Return what lies at a path and below; what the tenant stored without one is the root's.

        Without a tenant only paths are read: what has none might be anybody's.
        """
        top = normal(path)
        return Within(top, or_none=top == "/" and bool(self._ids))

    @property
    def core(self) -> Memory:
        """The whole file."""
        return self._file.get()[0]

    @property
    def memories(self) -> Memory:
        """The tenant's part of it, which reaches no other."""
        return self._file.get()[1]

    @property
    def last_access(self) -> LastAccess:
        """When records were last read."""
        return self._file.get()[2]

    def close(self) -> None:
        """Close the file; using the storage again opens it again."""
        opened = self._file.release()
        if opened is not None:
            opened[2].flush()
            if self._owned:
                opened[0].close()

    # -- writing --------------------------------------------------------------------------------

    def save(self, records: list[MemoryRecord]) -> None:
        """Store records as they are stated; each gets the id it is stored under."""
        for record, stored in zip(records, self.remember(records, stated=True)[0], strict=True):
            record.id = stored.id

    def remember(
        self, records: Sequence[MemoryRecord], *, stated: bool
    ) -> tuple[list[MemoryRecord], int]:
        """Store records; return them as stored, and how many wait for a model to derive facts.

        The same words in one place are stored once. Nothing private is given to a model.

        Args:
            records: What to store; their ids become those they are stored under.
            stated: They are facts already: no model is asked.

        Raises:
            ScopeError: A path is too long to be an id.
            ProviderError: The embedder failed; nothing of this place is stored.
        """
        groups: dict[tuple[str, bool, float], list[int]] = defaultdict(list)
        for number, record in enumerate(records):
            groups[normal(record.scope), record.private, record.importance].append(number)
        stored: dict[int, MemoryRecord] = {}
        waiting = 0
        for numbers in groups.values():
            found, pending = self._remember([records[number] for number in numbers], stated)
            stored.update(zip(numbers, map(translation.memory_record, found), strict=True))
            waiting += pending
        return [stored[number] for number in range(len(records))], waiting

    def _remember(self, records: Sequence[MemoryRecord], stated: bool) -> tuple[list[Record], int]:
        """Store records of one path, privacy and importance; return them, and how many wait."""
        first = records[0]
        place = translation.app_id(first.scope, first.private)
        options: dict[str, Any] = {
            "app_id": place,
            "kind": "fact" if stated and not first.private else "turn",
            "importance": first.importance,
            "infer": not stated and not first.private,
            "wait": not self.memories.derives,
        }
        messages = [translation.message(record, place) for record in records]
        added = self.memories.add(messages, **options)
        known = {record.message_id: record for record in added.records}
        stored, waiting = [], added.pending
        for message in messages:
            record = known.get(message.id) or self._known(place, message)
            if record is None:  # said before, but changed or superseded since
                again = self.memories.add([replace(message, id=None)], **options)
                record, waiting = again.records[0], waiting + again.pending
            stored.append(record)
        return stored, waiting

    def flush(self, scope_prefix: str | None) -> Changes:
        """Derive facts from what waits at a path and below, and from nobody else's turns."""
        return self.memories.flush(app_id=self._below(scope_prefix))

    def _known(self, place: str, message: Message) -> Record | None:
        """Return the record that holds these words in a place already."""
        said = {"text": message.content}
        for record in self.memories.list(app_id=place, filters=said):
            if record.message_id == message.id:
                return record
        return None

    def update(self, record: MemoryRecord) -> None:
        """Write a record's new state over the stored one; a move to another path is a new record.

        Raises:
            RecordNotFoundError: There is no such record.
        """
        old = self.memories.get(record.id)
        if translation.app_id(record.scope, record.private) != (old.scope.app_id or "/"):
            gone = record.id
            self.save([record])
            self.memories.delete(gone)
            return
        self.memories.update(
            record.id,
            record.content if record.content != old.text else None,
            metadata={**_derived(old), **translation.metadata(record)},
            importance=record.importance,
        )

    def touch_records(self, record_ids: Sequence[str]) -> None:
        """Note that records were read; written later, many at once."""
        self.last_access.touch(record_ids)

    def delete(
        self,
        scope_prefix: str | None = None,
        categories: list[str] | None = None,
        record_ids: list[str] | None = None,
        older_than: datetime | None = None,
        metadata_filter: dict[str, Any] | None = None,
    ) -> int:
        """Erase the records for which everything asked holds; return how many."""
        asked = translation.criteria(categories, metadata_filter, older_than, record_ids)
        return self.memories.delete_all(
            app_id=self._below(scope_prefix), filters={"AND": asked} if asked else {}
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
        """Find records by the text a vector was made of.

        Raises:
            ValueError: The vector is of no text that this memory's embedder was given.
        """
        text = self._text_of(query_embedding)
        if text is None:
            raise ValueError(
                "a HoldfastMemory searches by text: call recall(query), or give search() a vector "
                "that this memory's own embedder made"
            )
        asked = translation.criteria(categories, metadata_filter)
        found = self.find(text, scope_prefix, asked, limit)
        return [pair for pair in found if pair[1] >= min_score]

    def find(
        self,
        query: str,
        scope_prefix: str | None,
        asked: Sequence[Mapping[str, Any]] = (),
        limit: int = 10,
    ) -> list[tuple[MemoryRecord, float]]:
        """Find records by text: hybrid search, everything asked holding before the limit."""
        question = self._question(scope_prefix, asked, limit)
        return self._records(self.memories.search(query, **question))

    async def afind(
        self,
        query: str,
        scope_prefix: str | None,
        asked: Sequence[Mapping[str, Any]] = (),
        limit: int = 10,
    ) -> list[tuple[MemoryRecord, float]]:
        """Async twin of `find`."""
        question = self._question(scope_prefix, asked, limit)
        found = await self.memories.asearch(query, **question)
        return await asyncio.to_thread(self._records, found)

    def _question(
        self, scope_prefix: str | None, asked: Sequence[Mapping[str, Any]], limit: int
    ) -> dict[str, Any]:
        filters = {"AND": list(asked)} if asked else None
        return {"app_id": self._below(scope_prefix), "filters": filters, "limit": limit}

    def has_private(self, scope_prefix: str | None) -> bool:
        """Return whether private records lie below a path."""
        scopes = self.memories.scopes(app_id=self._below(scope_prefix))
        return any((scope.app_id or "").endswith(translation.PRIVATE) for scope in scopes)

    def _records(self, found: Sequence[Match]) -> list[tuple[MemoryRecord, float]]:
        """Leave out a turn whose fact is found too; scale scores to 0..1."""
        told = {source for match in found for source in match.record.sources}
        kept = [match for match in found if match.record.id not in told]
        times = self.last_access.times([match.record.id for match in kept])
        best = max((match.score for match in kept), default=0.0)
        scale = max(1.0, best)
        return [
            (
                translation.memory_record(match.record, times.get(match.record.id)),
                min(1.0, max(0.0, match.score / scale)),
            )
            for match in kept
        ]

    def get_record(self, record_id: str) -> MemoryRecord | None:
        """Return a record of the tenant, or None."""
        try:
            found = self.memories.get(record_id)
        except RecordNotFoundError:
            return None
        return translation.memory_record(found, self.last_access.times([record_id]).get(record_id))

    def list_records(
        self, scope_prefix: str | None = None, limit: int = 200, offset: int = 0
    ) -> list[MemoryRecord]:
        """Return records at a path and below, newest first."""
        if limit <= 0 or offset < 0:
            return []
        found = []
        for position, record in enumerate(self._all(scope_prefix)):
            if position >= offset + limit:
                break
            if position >= offset:
                found.append(record)
        times = self.last_access.times([record.id for record in found])
        return [translation.memory_record(record, times.get(record.id)) for record in found]

    def _all(self, scope_prefix: str | None) -> Iterator[Record]:
        cursor = None
        while True:
            page = self.memories.list(
                app_id=self._below(scope_prefix), order=NEWEST_FIRST, limit=PAGE, cursor=cursor
            )
            yield from page
            cursor = page.cursor
            if cursor is None:
                return

    # -- what there is --------------------------------------------------------------------------

    def get_scope_info(self, scope: str) -> ScopeInfo:
        """Count what lies at a path and below."""
        records = [translation.memory_record(record) for record in self._all(scope)]
        return ScopeInfo(
            path=normal(scope),
            record_count=len(records),
            categories=sorted({name for record in records for name in record.categories}),
            oldest_record=records[-1].created_at if records else None,
            newest_record=records[0].created_at if records else None,
            child_scopes=self.list_scopes(scope),
        )

    def list_scopes(self, parent: str = "/") -> list[str]:
        """Return the paths one step below a path."""
        scopes = self.memories.scopes(app_id=self._below(parent))
        return children(parent, (translation.path_of(scope.app_id) for scope in scopes))

    def list_categories(self, scope_prefix: str | None = None) -> dict[str, int]:
        """Count records by category."""
        counted = Counter(
            name
            for record in self._all(scope_prefix)
            for name in translation.memory_record(record).categories
        )
        return dict(counted)

    def count(self, scope_prefix: str | None = None) -> int:
        """Count the records at a path and below."""
        return sum(1 for _ in self._all(scope_prefix))


def _derived(record: Record) -> dict[str, Any]:
    """Return what the pipeline noted of a fact, and CrewAI does not show."""
    category = record.metadata.get("category")
    return {"category": category} if record.sources and category else {}
