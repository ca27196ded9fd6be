"""The embedded storage: each method is one whole operation, one transaction, one thread hop."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from holdfast.errors import EmbedderMismatchError, InvalidInputError, RecordNotFoundError
from holdfast.filters import Filter
from holdfast.storage import (
    check,
    codec,
    erasure,
    items,
    listing,
    log,
    queue,
    records,
    reembedding,
    transfer,
    versions,
)
from holdfast.storage.conditions import Condition, path_sql
from holdfast.storage.database import Connection, Database, Durability
from holdfast.storage.items import Item, ItemDraft
from holdfast.storage.namespaces import Region
from holdfast.storage.queue import Backlog
from holdfast.storage.records import Draft, Indexed
from holdfast.storage.schema import STEPS
from holdfast.storage.searching import Found, FoundItem, Probe, find_items, find_records
from holdfast.storage.views import Known, Reading, View, Views
from holdfast.types import KINDS, Change, Kind, Metadata, Page, Record, Scope, utc_now

VIEW_BUDGET = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Added:
    """What `Storage.add` did: the records in the order of the drafts, and which are new."""

    changes: tuple[Change, ...]
    rows: tuple[int, ...]


class EmbeddedStorage:
    """SQLite is the truth; views over FAISS and postings are how memory sees it.

    Args:
        path, key, durability: See `Database`.
        indexed: Metadata fields that get an index of their own, e.g. ``"topic"``.
        view_budget: Bytes that views may hold in memory.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        key: str | bytes | None = None,
        durability: Durability = "normal",
        indexed: Sequence[str] = (),
        view_budget: int = VIEW_BUDGET,
    ) -> None:
        self.database = Database(path, key=key, durability=durability)
        self.database.migrate("core", STEPS)
        self._views = Views(view_budget)
        self._clock = Clock()
        self.worker = uuid.uuid4().hex
        for name in indexed:
            self._index(name)

    def close(self) -> None:
        """Close the file; views go with it."""
        self._views.clear()
        self.database.close()

    def now(self) -> int:
        """Return record time: microseconds, never the same twice in this process."""
        return self._clock.tick()

    def _index(self, name: str) -> None:
        path = path_sql(tuple(name.removeprefix("metadata.").split(".")))
        # In hex, for SQLite takes two names that differ in case alone for one.
        label = name.encode().hex()
        with self.database.write() as connection:
            connection.execute(
                f"CREATE INDEX IF NOT EXISTS records_by_{label}"
                f" ON records(json_extract(metadata, {path}))"
            )

    # -- the embedder ---------------------------------------------------------------------------

    def embedder(self) -> tuple[str, int] | None:
        """Return fingerprint and dimension of the vectors in the file; None in a new one.

        Asked of the file each time: any process may re-embed it.
        """
        with self.database.read() as connection:
            return _embedder(connection)

    def check_embedder(self, fingerprint: str) -> None:
        """Raise `EmbedderMismatchError` unless the file was written with this embedder."""
        known = self.embedder()
        if known is not None and known[0] != fingerprint:
            raise EmbedderMismatchError(known[0], fingerprint)

    def claim_embedder(self, connection: Connection, fingerprint: str, dimension: int) -> None:
        """Note the embedder of a new file; refuse another one's vectors."""
        known = _embedder(connection)
        if known is None:
            connection.execute("REPLACE INTO properties VALUES ('embedder', ?)", (fingerprint,))
            connection.execute("REPLACE INTO properties VALUES ('dimension', ?)", (dimension,))
        elif known != (fingerprint, dimension):
            given = f"{fingerprint} of {dimension} dimensions"
            raise EmbedderMismatchError(f"{known[0]} of {known[1]} dimensions", given)

    # -- writing --------------------------------------------------------------------------------

    def known_messages(self, scope: Scope, message_ids: Sequence[str]) -> set[str]:
        """Return those of the message ids that this scope has stored or erased before."""
        with self.database.read() as connection:
            return records.known_messages(connection, scope, message_ids)

    def add(
        self, scope: Scope, drafts: Sequence[Draft], fingerprint: str, *, extract: bool
    ) -> Added:
        """Store drafts; one whose message id is known is left out. Queue turns if `extract`.

        Raises:
            EmbedderMismatchError: The vectors are of another embedder than the file's.
        """
        with self.database.write() as connection:
            now = self.now()
            ids = [draft.message_id for draft in drafts if draft.message_id is not None]
            known = records.known_messages(connection, scope, ids) if ids else set()
            fresh = [draft for draft in _first_of_each(drafts) if draft.message_id not in known]
            if not fresh:
                return Added((), ())
            dimension = fresh[0].indexed.vectors.shape[1]
            self.claim_embedder(connection, fingerprint, dimension)
            rows = records.add(connection, scope, fresh, now)
            if extract:
                queue.put(connection, rows, now)
            found = records.fetch(connection, rows)
            last = log.last(connection)
        made = tuple(found[row] for row in rows)
        first = last - len(made) + 1
        return Added(
            tuple(_added(record, first + offset) for offset, record in enumerate(made)),
            tuple(rows),
        )

    def amend(self, region: Region, key: str, columns: Metadata) -> Change:
        """Give a record other columns than its text; return the change.

        Raises:
            RecordNotFoundError: It is not in the region.
        """
        with self.database.write() as connection:
            now = self.now()
            old, _ = records.current(connection, region, key, now)
            versions.amend(connection, old, columns, now, "caller")
            return versions.change(connection, region, log.last(connection))

    def rewrite(
        self,
        region: Region,
        key: str,
        text: str,
        indexed: Indexed,
        columns: Metadata,
        fingerprint: str,
    ) -> Change:
        """Give a record another text; the old one holds until now. Return the change.

        Raises:
            RecordNotFoundError: It is not in the region.
            EmbedderMismatchError: The vectors are of another embedder than the file's.
        """
        with self.database.write() as connection:
            now = self.now()
            self.claim_embedder(connection, fingerprint, indexed.vectors.shape[1])
            old, _ = records.current(connection, region, key, now)
            versions.rewrite(connection, old, text, indexed, columns, now, "caller")
            return versions.change(connection, region, log.last(connection))

    def erase(self, region: Region, key: str) -> Change:
        """Erase a record and what rested on it alone; the bytes go as soon as readers allow.

        Raises:
            RecordNotFoundError: It is not in the region.
        """
        with self.database.write() as connection:
            # Also what has expired, ended or was undone: its words are still in the file.
            if not records.versions(connection, region, records.check_key(key)):
                raise RecordNotFoundError(key)
            erasure.erase(connection, [key], self.now(), keep_away=True)
            gone = versions.history(connection, region, key)[-1]
        erasure.finish(self.database)
        return gone

    def erase_region(self, region: Region) -> int:
        """Erase every record of a region; return how many there were."""
        with self.database.write() as connection:
            gone = erasure.erase_region(connection, region, self.now())
        erasure.finish(self.database)
        return len(gone)

    def purge(self) -> int:
        """Erase expired records and finish erasures that waited for readers."""
        with self.database.write() as connection:
            gone = erasure.purge_expired(connection, self.now())
        erasure.finish(self.database)
        return len(gone)

    def undo(self, region: Region, change: Change) -> Change:
        """Take back the newest change of a record; see `versions.undo`."""
        with self.database.write() as connection:
            seq = versions.undo(connection, region, change, self.now())
            return versions.change(connection, region, seq)

    # -- reading --------------------------------------------------------------------------------

    def get(self, region: Region, key: str) -> Record:
        """Return a record.

        Raises:
            RecordNotFoundError: It is not in the region.
        """
        with self.database.read() as connection:
            return records.current(connection, region, key, self.now())[1]

    def history(self, region: Region, key: str) -> list[Change]:
        """Return a record's changes, oldest first."""
        with self.database.read() as connection:
            return versions.history(connection, region, key)

    def page(
        self,
        region: Region,
        *,
        tree: Filter | None,
        kinds: Sequence[Kind] | None,
        order: str,
        limit: int,
        cursor: str | None,
    ) -> Page:
        """Return one page of records; see `listing.page`."""
        with self.database.read() as connection:
            return listing.page(
                connection,
                region,
                self.now(),
                tree=tree,
                kinds=kinds or KINDS,
                order=order,
                limit=limit,
                cursor=cursor,
            )

    def recent_turns(self, region: Region, limit: int) -> list[Record]:
        """Return the newest turns, oldest first."""
        with self.database.read() as connection:
            return listing.recent_turns(connection, region, self.now(), limit)

    def speakers(self, region: Region) -> frozenset[str]:
        """Return the names of everyone who speaks in a region."""
        known = self.embedder()
        if known is None:
            return frozenset()
        with self._view(Reading("records", region), known) as (_, view):
            return frozenset(view.rows.speakers)

    def search(self, region: Region, probe: Probe, *, as_of: int | None = None) -> list[Found]:
        """Rank the region's records for a probe; whole records, in the same snapshot."""
        known = self.embedder()
        if known is None:
            return []
        _check_dimension(probe, known)
        with self._view(Reading("records", region, as_of), known) as (connection, view):
            return find_records(connection, view, probe, self.now())

    @contextmanager
    def _view(self, reading: Reading, known: Known) -> Iterator[tuple[Connection, View]]:
        """Lend a view at the snapshot of a connection; nobody else uses it meanwhile."""
        view = self._views.get(reading, known)
        # The lock comes first: a snapshot taken before it could be older than the view.
        with view.lock, self.database.read() as connection:
            if (now := _embedder(connection)) != known:
                raise EmbedderMismatchError(now[0] if now else "none", known[0])
            view.follow(connection)
            yield connection, view

    # -- items ----------------------------------------------------------------------------------

    def put_items(
        self, drafts: Sequence[ItemDraft | tuple[tuple[str, ...], str]], fingerprint: str
    ) -> list[bool | None]:
        """Write drafts, delete what is only named, in order; say of each deletion if it was there.

        Raises:
            EmbedderMismatchError: The vectors are of another embedder than the file's.
        """
        with self.database.write() as connection:
            now = self.now()
            return [self._put_item(connection, draft, fingerprint, now) for draft in drafts]

    def _put_item(
        self,
        connection: Connection,
        draft: ItemDraft | tuple[tuple[str, ...], str],
        fingerprint: str,
        now: int,
    ) -> bool | None:
        if isinstance(draft, tuple):
            return items.delete(connection, *draft, now)
        if draft.passages:
            self.claim_embedder(connection, fingerprint, draft.vectors.shape[1])
        items.put(connection, draft, now)
        return None

    def get_item(self, labels: Sequence[str], key: str, refresh: bool) -> Item | None:
        """Return an item, or None; begin its lifetime anew if asked."""
        with self.database.read() as connection:
            found = items.get(connection, labels, key, self.now())
        if found is None:
            return None
        self._refresh([found] if refresh else [])
        return found[1]

    def list_items(
        self, region: Region, tree: Filter | None, limit: int, offset: int, refresh: bool
    ) -> list[Item]:
        """Return items that a filter lets through, the latest put first."""
        condition = Condition("r.value")
        where = "TRUE" if tree is None else condition.sql(tree)
        with self.database.read() as connection:
            found = items.page(
                connection, region, self.now(), where, condition.values, limit, offset
            )
        self._refresh(found if refresh else [])
        return [item for _, item in found]

    def search_items(self, region: Region, probe: Probe, refresh: bool) -> list[FoundItem]:
        """Rank the region's items for a probe."""
        known = self.embedder()
        if known is None:
            return []
        _check_dimension(probe, known)
        with self._view(Reading("items", region), known) as (connection, view):
            found = find_items(connection, view, probe, self.now())
        self._refresh([(hit.row_id, hit.item) for hit in found] if refresh else [])
        return found

    def item_namespaces(self, region: Region) -> list[tuple[str, ...]]:
        """Return the namespaces that hold an item."""
        with self.database.read() as connection:
            return items.labels(connection, region, self.now())

    def sweep_items(self) -> int:
        """Delete expired items, a thousand a transaction; return how many."""
        total = 0
        while True:
            with self.database.write() as connection:
                gone = items.drop_expired(connection, self.now())
            total += gone
            if not gone:
                return total

    def _refresh(self, read: Sequence[tuple[int, Item]]) -> None:
        mortal = [row_id for row_id, item in read if item.lifetime is not None]
        if mortal:
            with self.database.write() as connection:
                items.refresh(connection, mortal, self.now())

    # -- upkeep ---------------------------------------------------------------------------------

    def stats(self, region: Region | None) -> dict[str, Any]:
        """Count what a region, or the whole file, holds."""
        with self.database.read() as connection:
            counted = check.counts(connection, region, self.now())
            return counted | {"backlog": self._backlog(connection, region)}

    def _backlog(self, connection: Connection, region: Region | None) -> Backlog:
        return queue.backlog(connection, region)

    def check(self) -> list[str]:
        """Compare rows, vectors, terms, log and views; return what is wrong, nothing if sound."""
        with self.database.read() as connection:
            wrong = check.rows(connection)
        known = self.embedder()
        for cached in self._views:
            if known is not None and known == cached.embedder:
                with self._view(cached.reading, known) as (connection, view):
                    wrong += check.view(connection, view)
        return wrong

    def export(self, region: Region | None) -> Iterator[transfer.Line]:
        """Yield the lines of an export."""
        with self.database.read() as connection:
            first = transfer.header(connection)
        yield first
        yield from transfer.lines(self.database, region)

    def import_(
        self, lines: Iterable[transfer.Line], progress: Callable[[int], None] | None = None
    ) -> int:
        """Write the lines of an export; return how many records and items were new.

        Raises:
            InvalidInputError: The lines are no export, or mix with other memories.
            EmbedderMismatchError: The export's vectors are of another embedder.
        """
        source, importer, written, seen = iter(lines), transfer.Importer(), 0, 0
        self._import_header(next(source, {}))
        while batch := [line for _, line in zip(range(transfer.PAGE), source, strict=False)]:
            with self.database.write() as connection:
                written += importer.write(connection, batch)
            seen += len(batch)
            if progress is not None:
                progress(seen)
        return written

    def _import_header(self, line: transfer.Line) -> None:
        if line.get("format") != transfer.FORMAT or line.get("version") != transfer.VERSION:
            raise InvalidInputError(
                f"the first line is no header of a {transfer.FORMAT} of version {transfer.VERSION}"
            )
        if line["embedder"] is not None:
            with self.database.write() as connection:
                self.claim_embedder(connection, line["embedder"], line["dimension"])

    def reembedding_left(self, fingerprint: str, limit: int) -> tuple[list[reembedding.Job], int]:
        """Return the next texts to embed anew, and how many are left in all."""
        with self.database.write() as connection:
            return reembedding.left(connection, fingerprint, limit)

    def reembedding_save(self, done: Sequence[tuple[int, codec.Floats]]) -> None:
        """Keep new vectors beside the old ones."""
        with self.database.write() as connection:
            reembedding.save(connection, done)

    def reembedding_finish(self, fingerprint: str) -> bool:
        """Let the new vectors take the old ones' place; False if texts came in meanwhile."""
        with self.database.write() as connection:
            finished = reembedding.finish(connection, fingerprint)
        if finished:
            self._views.clear()
        return finished


class Clock:
    """Microseconds of real time that never stand still or run back within a process."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def tick(self) -> int:
        """Return the time, later than any time returned before."""
        with self._lock:
            self._last = max(self._last + 1, codec.to_micros(utc_now()))
            return self._last


def _embedder(connection: Connection) -> tuple[str, int] | None:
    known = dict(
        connection.execute(
            "SELECT name, value FROM properties WHERE name IN ('embedder', 'dimension')"
        ).fetchall()
    )
    return (known["embedder"], int(known["dimension"])) if known else None


def _check_dimension(probe: Probe, known: Known) -> None:
    """Refuse a question's vector that only claims to be of the file's embedder."""
    given = len(probe.vector)
    if given != known[1]:
        raise EmbedderMismatchError(
            f"{known[0]} of {known[1]} dimensions", f"{known[0]} of {given} dimensions"
        )


def _first_of_each(drafts: Sequence[Draft]) -> Iterator[Draft]:
    """Leave out a message that comes twice in one call."""
    seen: set[str] = set()
    for draft in drafts:
        if draft.message_id is None:
            yield draft
        elif draft.message_id not in seen:
            seen.add(draft.message_id)
            yield draft


def _added(record: Record, seq: int) -> Change:
    return Change(
        "ADD", record.id, None, record, sources=record.sources, at=record.created_at, seq=seq
    )
