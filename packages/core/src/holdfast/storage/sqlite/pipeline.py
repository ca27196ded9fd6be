"""What the pipeline asks of a file: turns to read, neighbours of facts, and one commit for all.

Neighbours are read, a model thinks, others write. So the commit reads them again, inside its
transaction, and decides on those.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace

from holdfast.storage.contract.memories import Draft
from holdfast.storage.contract.pipeline import (
    BATCH_CHARACTERS,
    CommitPlan,
    LeaseLost,
    Material,
    NameMatches,
    NameQuery,
    NeighbourQuery,
    Neighbours,
    Write,
)
from holdfast.storage.contract.reach import NAMESPACE_BITS, Reach
from holdfast.storage.index.loading import Reading
from holdfast.storage.sqlite import (
    entity_resolution,
    log,
    namespaces,
    queue,
    records,
    session_turns,
    versions,
)
from holdfast.storage.sqlite.database import Connection
from holdfast.storage.sqlite.file import File
from holdfast.storage.sqlite.neighbours import nearby
from holdfast.types import Change, Record, Scope


class SqlitePipeline:
    """The pipeline's operations on a file, each one transaction.

    Args:
        file: The file.
        lease: Seconds for which a claim keeps other workers away.

    Attributes:
        worker: Names this process.
    """

    def __init__(self, file: File, lease: float = queue.LEASE) -> None:
        self._file = file
        self._lease = int(lease * 1e6)
        self.worker = uuid.uuid4().hex

    # -- the queue ------------------------------------------------------------------------------

    def claiming(self, now: int) -> queue.Claim:
        """Return a claim of this process that begins now."""
        return queue.Claim(self.worker, now, now + self._lease)

    def claim(self, reach: Reach | None = None) -> list[int]:
        """See `PipelineStorage`."""
        with self._file.database.write() as connection:
            return queue.claim(connection, self.claiming(self._file.now()), reach)

    def waiting(self, reach: Reach | None = None) -> int:
        """Return how many turns wait in a reach or in the file, parked ones not counted."""
        with self._file.database.read() as connection:
            return queue.backlog(connection, reach).waiting

    def forget(self, row_ids: Sequence[int]) -> None:
        """See `PipelineStorage`."""
        with self._file.database.write() as connection:
            queue.forget(connection, self.worker, row_ids)

    def failed(self, row_ids: Sequence[int], error: str, *, readable: bool) -> None:
        """Put turns back, to be tried again later or parked; sooner parked if not `readable`."""
        most = queue.PATIENCE if readable else queue.MOST_ATTEMPTS
        with self._file.database.write() as connection:
            queue.failed(connection, self.worker, row_ids, error, self._file.now(), most)

    def release(self, row_ids: Sequence[int]) -> int:
        """See `PipelineStorage`."""
        with self._file.database.write() as connection:
            return queue.release(connection, self.worker, row_ids)

    def retry(self, reach: Reach | None = None) -> int:
        """See `PipelineStorage`."""
        with self._file.database.write() as connection:
            now = self._file.now()
            queue.retry(connection, now, reach, "unembedded")
            return queue.retry(connection, now, reach)

    def next_due(self, *, extract: bool = True) -> float | None:
        """See `PipelineStorage`."""
        now = self._file.now()
        with self._file.database.read() as connection:
            both = queue.next_unembedded(connection, now), queue.next_due(connection, now)
        due = min((one for one in both[: 1 + extract] if one is not None), default=None)
        return None if due is None else max(0.0, (due - now) / 1e6)

    # -- reading --------------------------------------------------------------------------------

    def material(self, row_ids: Sequence[int]) -> Material | None:
        """See `PipelineStorage`."""
        with self._file.database.read() as connection:
            claimed = records.fetch(connection, row_ids)
            turns = session_turns.as_they_stand(connection, claimed, self._file.now())
            if not turns:
                return None
            first = min(claimed)
            return Material(
                next(iter(turns.values())).scope,
                turns,
                tuple(session_turns.turns_before(connection, first, self._file.now())),
                records.summary_of(connection, first >> NAMESPACE_BITS),
                tuple(claimed),
            )

    def whole_run(self, scope: Scope) -> Material | None:
        """See `PipelineStorage`."""
        with self._file.database.read() as connection:
            namespace = namespaces.known_scope(connection, scope)
            turns = {} if namespace is None else session_turns.turns_since(connection, namespace, 0)
            return Material(scope, turns) if turns else None

    def nearby(self, reach: Reach, approaches: Sequence[NeighbourQuery]) -> Neighbours:
        """See `PipelineStorage`."""
        with self._file.viewing(Reading("records", reach)) as seen:
            return nearby(*seen, reach, approaches, self._file.now())

    def alike(
        self, reach: Reach, user: str, wanted: Sequence[NameQuery], least: float
    ) -> NameMatches:
        """See `PipelineStorage`."""
        return entity_resolution.alike(self._file, reach, user, wanted, least)

    def cited(self, reach: Reach, keys: Sequence[str]) -> dict[int, Record]:
        """See `PipelineStorage`."""
        with self._file.database.read() as connection:
            now = self._file.now()
            return dict(sorted(records.current(connection, reach, key, now) for key in keys))

    # -- writing --------------------------------------------------------------------------------

    def commit(self, outcome: CommitPlan, fingerprint: str) -> list[Change] | None:
        """See `PipelineStorage`."""
        reading = Reading("records", outcome.reach)
        with self._file.viewing(reading, writing=True) as (loader, view):
            connection = loader.connection
            near = nearby(loader, view, outcome.reach, outcome.approaches, self._file.now())
            steps = outcome.decide(near)
            if steps is None:
                return None
            if not queue.done(connection, self.worker, outcome.turns):
                raise LeaseLost
            now, seq = self._file.now(), log.last(connection)
            namespace = namespaces.scope_number(connection, outcome.scope)
            for step in steps:
                if step.draft is not None:
                    dimension = step.draft.indexed.vectors.shape[1]
                    self._file.claim_embedder(connection, fingerprint, dimension)
                _apply(connection, outcome.scope, namespace, step, now)
            return versions.changes_since(connection, seq)

    # -- summaries ------------------------------------------------------------------------------

    def claim_summary(self, after: int, reach: Reach | None = None) -> Material | None:
        """See `PipelineStorage`."""
        with self._file.database.write() as connection:
            by = self.claiming(self._file.now())
            while (namespace := queue.claim_summary(connection, by, after, reach)) is not None:
                summary = records.summary_of(connection, namespace)
                turns = session_turns.turns_since(
                    connection, namespace, session_turns.covered(connection, summary)
                )
                if turns:
                    some = session_turns.readable(turns, BATCH_CHARACTERS)
                    return Material(next(iter(some.values())).scope, some, (), summary)
                queue.summarised(connection, self.worker, namespace, 0)
        return None

    def save_summary(self, material: Material, draft: Draft, fingerprint: str) -> Change | None:
        """See `PipelineStorage`."""
        with self._file.database.write() as connection:
            now, seq = self._file.now(), log.last(connection)
            last = max(material.turns)
            namespace = last >> NAMESPACE_BITS
            left = len(session_turns.turns_since(connection, namespace, last))
            if not queue.summarised(connection, self.worker, namespace, left):
                return None
            self._file.claim_embedder(connection, fingerprint, draft.indexed.vectors.shape[1])
            old = records.summary_of(connection, namespace)
            if old is None:
                records.add(connection, material.scope, [draft], now)
            else:
                versions.replace(
                    connection, material.scope, _row_of(connection, old.id), draft, now
                )
            return versions.changes_since(connection, seq)[0]

    def postpone_summary(self, material: Material, seconds: float) -> None:
        """See `PipelineStorage`."""
        with self._file.database.write() as connection:
            namespace = next(iter(material.turns)) >> NAMESPACE_BITS
            until = self._file.now() + int(seconds * 1e6)
            queue.release_summary(connection, self.worker, namespace, until)


def _row_of(connection: Connection, key: str) -> int:
    row = connection.execute(
        "SELECT id FROM records WHERE key = ? AND retired_at IS NULL ORDER BY version DESC LIMIT 1",
        (key,),
    ).fetchone()
    return int(row[0])


def _apply(connection: Connection, scope: Scope, namespace: int, step: Write, now: int) -> None:
    if step.event in ("UPDATE", "DELETE") and not versions.is_newest(connection, step.target or 0):
        # A turn that is read late, or again, meets what had its place taken since: it ends nothing.
        if step.draft is None:
            return
        step = replace(step, event="ADD")
    match step.event:
        case "ADD":
            assert step.draft is not None
            records.add(connection, scope, [step.draft], now)
        case "UPDATE":
            assert step.draft is not None
            assert step.target is not None
            ends = now if step.closes_at is None else step.closes_at
            versions.supersede(connection, scope, step.target, step.draft, ends, now, step.sources)
        case "DELETE":
            assert step.target is not None
            ends = now if step.closes_at is None else step.closes_at
            versions.end(connection, namespace, step.target, ends, now, step.reason, step.sources)
        case "NONE":
            target = step.target or _just_added(connection, namespace, step.digest)
            if target is not None:
                versions.confirm(connection, namespace, target, now, step.reason, step.sources)


def _just_added(connection: Connection, namespace: int, digest: str) -> int | None:
    row = connection.execute(
        "SELECT id FROM records WHERE digest = ? AND id >= ? AND id < ? AND kind = 'fact'"
        " AND retired_at IS NULL ORDER BY id DESC LIMIT 1",
        (digest, namespace << NAMESPACE_BITS, namespace + 1 << NAMESPACE_BITS),
    ).fetchone()
    return None if row is None else int(row[0])
