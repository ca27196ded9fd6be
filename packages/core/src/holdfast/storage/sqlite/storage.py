"""The embedded storage: each method is one whole operation, one transaction, one thread hop."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TypeVar

from holdfast.errors import RecordNotFoundError
from holdfast.storage.contract import damage
from holdfast.storage.contract.edits import Labels, Rows
from holdfast.storage.contract.filters import Filter
from holdfast.storage.contract.memories import Added, Draft, Indexed, Overview
from holdfast.storage.contract.reach import NAMESPACE_BITS, Reach
from holdfast.storage.contract.search import Found, Probe
from holdfast.storage.contract.storage import VIEW_BUDGET
from holdfast.storage.index import graph_boost
from holdfast.storage.index.loading import GraphReading, Reading
from holdfast.storage.index.views import View
from holdfast.storage.sqlite import (
    document_edits,
    erasure,
    listing,
    log,
    package_tables,
    queue,
    records,
    versions,
)
from holdfast.storage.sqlite.database import Durability
from holdfast.storage.sqlite.document_edits import SqliteRows
from holdfast.storage.sqlite.documents import SqliteDocuments
from holdfast.storage.sqlite.embedding import SqliteEmbedding
from holdfast.storage.sqlite.file import File, lending
from holdfast.storage.sqlite.graph import SqliteGraph
from holdfast.storage.sqlite.maintenance import SqliteMaintenance
from holdfast.storage.sqlite.pipeline import SqlitePipeline
from holdfast.storage.sqlite.searches import find_records
from holdfast.types import KINDS, Change, Changes, Kind, Metadata, Page, Record, Scope

T = TypeVar("T")

# Turns of the run at hand that a context may show.
RECENT = 6


class SqliteStorage:
    """Operations on memories; those on documents, and on the file as a whole, are beside them.

    Args:
        path, key, durability, indexed, view_budget: See `File`.
        lease: See `Derivation`.

    Attributes:
        file: What all operations share.
        documents: Operations on documents.
        pipeline, graph, maintenance: The other groups of operations.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        key: str | bytes | None = None,
        durability: Durability = "normal",
        indexed: Sequence[str] = (),
        view_budget: int = VIEW_BUDGET,
        lease: float = queue.LEASE,
    ) -> None:
        self.file = File(
            path, key=key, durability=durability, indexed=indexed, view_budget=view_budget
        )
        self.database = self.file.database
        self.documents = SqliteDocuments(self.file)
        self.pipeline = SqlitePipeline(self.file, lease)
        self.graph = SqliteGraph(self.file)
        self.maintenance = SqliteMaintenance(self.file)
        self.embedding = SqliteEmbedding(self.file, self.pipeline)

    @property
    def path(self) -> Path:
        """See `Storage`."""
        return self.database.path

    @property
    def in_memory(self) -> bool:
        """See `Storage`."""
        return self.database.in_memory

    @property
    def closed(self) -> bool:
        """See `Storage`."""
        return self.database.closed

    def read_documents(self, owner: Scope, work: Callable[[Rows], T]) -> T:
        """See `Storage`."""
        with self.database.read() as connection:
            return work(SqliteRows(connection, owner, self.file.now()))

    def edit_documents(self, owner: Scope, work: Callable[[Rows], T], *, erases: bool = False) -> T:
        """See `Storage`."""
        with self.database.write() as connection:
            result = work(SqliteRows(connection, owner, self.file.now()))
        if erases:
            self.database.finish_erasure()
        return result

    def document_owners(self, labels: Labels, covering: Scope | None) -> list[Scope]:
        """See `Storage`."""
        with self.database.read() as connection:
            return document_edits.owners(connection, labels, covering)

    def embedder(self) -> tuple[str, int] | None:
        """See `Storage`."""
        return self.file.embedder()

    def knows(self, fingerprint: str) -> bool:
        """See `Storage`."""
        return self.file.knows(fingerprint)

    def check_embedder(self, fingerprint: str) -> None:
        """See `Storage`."""
        self.file.check_embedder(fingerprint)

    def close(self) -> None:
        """See `Storage`."""
        self.file.close()

    # -- writing --------------------------------------------------------------------------------

    def known_messages(self, scope: Scope, message_ids: Sequence[str]) -> set[str]:
        """See `MemoryStorage`."""
        with self.database.read() as connection:
            return records.known_messages(connection, scope, message_ids)

    def add(
        self,
        scope: Scope,
        drafts: Sequence[Draft],
        fingerprint: str,
        *,
        extract: bool,
        hold: bool = False,
    ) -> Added:
        """See `MemoryStorage`."""
        with self.database.write() as connection:
            now = self.file.now()
            ids = [draft.message_id for draft in drafts if draft.message_id is not None]
            known = records.known_messages(connection, scope, ids) if ids else set()
            fresh = [draft for draft in _first_of_each(drafts) if draft.message_id not in known]
            if not fresh:
                return Added((), ())
            dimension = fresh[0].indexed.vectors.shape[1]
            self.file.claim_embedder(connection, fingerprint, dimension)
            new = records.add(connection, scope, fresh, now)
            first = new.rows[0] >> NAMESPACE_BITS << NAMESPACE_BITS
            others = queue.is_unembedded_due(connection, now, first, new.rows[0])
            if extract:
                claim = self.pipeline.claiming(now) if hold else None
                queue.put(connection, new.rows, now, claim)
                queue.count_turns(connection, new.rows[0] >> NAMESPACE_BITS, len(new.rows))
        first = log.position_of(new.change) - len(new.rows) + 1
        changes = (_added(record, first + offset) for offset, record in enumerate(new.records))
        return Added(tuple(changes), new.rows, others)

    def amend(self, reach: Reach, key: str, columns: Metadata) -> Change:
        """See `MemoryStorage`."""
        with self.database.write() as connection:
            now = self.file.now()
            old, _ = versions.changeable(connection, reach, key, now)
            seq = log.last(connection)
            versions.amend(connection, old, columns, now, "caller")
            return versions.changes_since(connection, seq)[0]

    def rewrite(
        self,
        reach: Reach,
        key: str,
        text: str,
        indexed: Indexed,
        columns: Metadata,
        fingerprint: str,
    ) -> Change:
        """See `MemoryStorage`."""
        with self.database.write() as connection:
            now = self.file.now()
            self.file.claim_embedder(connection, fingerprint, indexed.vectors.shape[1])
            old, _ = versions.changeable(connection, reach, key, now)
            seq = log.last(connection)
            versions.rewrite(connection, old, text, indexed, columns, now, "caller")
            return versions.changes_since(connection, seq)[0]

    def erase(self, reach: Reach, keys: Sequence[str]) -> Changes:
        """See `MemoryStorage`."""
        with self.database.write() as connection:
            # Also what has expired, ended or was undone: its words are still in the file.
            missing = [key for key in keys if not records.is_here(connection, reach, key)]
            if missing:
                raise RecordNotFoundError(*missing)
            erasure.erase(connection, keys, self.file.now(), keep_away=True, reach=reach)
            gone = tuple(versions.erased(connection, reach, key) for key in keys)
        self.database.finish_erasure()
        return Changes(gone)

    def erase_reach(self, reach: Reach, tree: Filter | None = None) -> int:
        """Erase a reach, or its records that a filter lets through; return how many records."""
        with self.database.write() as connection:
            now = self.file.now()
            gone = erasure.erase_reach(connection, reach, now, tree)
            if tree is None and package_tables.erase(connection, reach):
                log.expect_erasure(connection, now)
        self.database.finish_erasure()
        return gone

    def undo(self, reach: Reach, change: Change) -> Change:
        """Take back the newest change of a record; see `versions.undo`."""
        with self.database.write() as connection:
            undone = versions.undo(connection, reach, change, self.file.now())
            return versions.change(connection, reach, undone)

    # -- reading --------------------------------------------------------------------------------

    def get(self, reach: Reach, key: str) -> Record:
        """See `MemoryStorage`."""
        with self.database.read() as connection:
            return records.current(connection, reach, key, self.file.now())[1]

    def get_many(self, reach: Reach, keys: Sequence[str]) -> list[Record]:
        """See `MemoryStorage`."""
        with self.database.read() as connection:
            return records.current_of_each(connection, reach, keys, self.file.now())

    def history(self, reach: Reach, key: str) -> list[Change]:
        """See `MemoryStorage`."""
        with self.database.read() as connection:
            return versions.history(connection, reach, key)

    def page(
        self,
        reach: Reach,
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
                reach,
                self.file.now(),
                tree=tree,
                kinds=kinds or KINDS,
                order=order,
                limit=limit,
                cursor=cursor,
            )

    def count(self, reach: Reach, tree: Filter | None, kinds: Sequence[Kind]) -> int:
        """See `MemoryStorage`."""
        with self.database.read() as connection:
            return listing.count(connection, reach, self.file.now(), tree, kinds)

    def scopes(self, reach: Reach) -> list[Scope]:
        """See `MemoryStorage`."""
        with self.database.read() as connection:
            return listing.scopes(connection, reach)

    def overview(self, scope: Scope) -> Overview:
        """Look into a scope: how much there is, whether it changed, what was said last."""
        reach, now = Reach.of_scope(scope), self.file.now()
        with self.file.viewing(Reading("records", reach)) as (loader, view):
            turns, characters = view.rows.turns(now)
            summary = records.summary(loader.connection, scope)
            recent = (
                listing.recent_turns(loader.connection, reach, now, RECENT) if scope.run_id else []
            )
            until = view.rows.next_change(now)
            return Overview(turns, characters, view.change, until, summary, tuple(recent))

    def speakers(self, reach: Reach, *, newest: bool = True) -> frozenset[str]:
        """Return the names of everyone who speaks in a reach.

        Without `newest`, as the last search found it: that costs no look into the file.
        """
        reading = Reading("records", reach)
        view = None if newest else self.file.views.find(reading)
        if view is not None:
            with view.lock:
                return frozenset(view.rows.speakers)
        with self.file.viewing(reading) as (_, view):
            return frozenset(view.rows.speakers)

    def search(
        self,
        reach: Reach,
        probe: Probe,
        *,
        as_of: int | None = None,
        speakers: frozenset[str] | None = None,
        query: str | None = None,
    ) -> list[Found] | None:
        """See `MemoryStorage`."""
        network = None if query is None else self.file.graphs.get(GraphReading(reach, as_of))
        locked = nullcontext() if network is None else lending(network)
        # Both are locked before the snapshot is taken, always in this order.
        with locked, self.file.viewing(Reading("records", reach, as_of)) as (loader, view):
            if _outdated(view, speakers):
                return None
            now, boost = self.file.now(), None
            if network is not None and query is not None:
                with damage.Reading("the relations of a view"):
                    network.follow(loader)
                asked = graph_boost.Asked(query, probe.vector, probe.valid_at, now)
                boost = partial(graph_boost.boosts, network=network, asked=asked)
            return find_records(loader, view, probe, now, boost)


def _outdated(view: View, speakers: frozenset[str] | None) -> bool:
    """Return whether others speak than when a question was read."""
    live = view.reading.as_of is None
    return live and speakers is not None and speakers != view.rows.speakers.keys()


def _first_of_each(drafts: Sequence[Draft]) -> Iterator[Draft]:
    """Leave out a message that comes twice in one call."""
    seen: set[str] = set()
    for draft in drafts:
        if draft.message_id is None:
            yield draft
        elif draft.message_id not in seen:
            seen.add(draft.message_id)
            yield draft


def _added(record: Record, position: int) -> Change:
    return Change(
        "ADD",
        record.id,
        None,
        record,
        sources=record.sources,
        at=record.created_at,
        position=position,
    )
