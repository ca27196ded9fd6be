"""Pruning, hiding and copying threads, and collecting the blobs that nothing names any more.

A delta channel is rebuilt from writes of earlier checkpoints. Where a checkpoint that stays needs
such a checkpoint, that one is hidden instead of deleted: it loses all but those writes and values,
and no read returns it but the rebuilding.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from holdfast import InvalidInputError
from holdfast.tables import Connection

from holdfast_langgraph.checkpoint.rows import (
    add_blobs,
    add_thread,
    blob_rows,
    find_thread,
    remove_writes,
)
from holdfast_langgraph.checkpoint.stored import (
    Stored,
    pack_manifest,
    pack_writes,
    references,
    renumber,
    unpack_manifest,
    unpack_metadata,
    unpack_writes,
)

DELTA_COUNTERS = "counters_since_delta_snapshot"
TABLES = ("langgraph_checkpoints", "langgraph_writes", "langgraph_owners")


@dataclass(frozen=True, slots=True)
class Retention:
    """What to keep of each thread; the newest checkpoint of each namespace always stays.

    Attributes:
        last: So many of the newest checkpoints of each namespace. A put prunes once there are a
            quarter more.
        age: Checkpoints stored at most this long ago. A put prunes once the oldest is a tenth
            older; `HoldfastSaver.sweep` also deletes threads idle for longer.
    """

    last: int | None = None
    age: timedelta | None = None

    def __post_init__(self) -> None:
        if self.last is not None and self.last < 1:
            raise InvalidInputError(f"retention must keep at least 1 checkpoint, not {self.last}")
        if self.age is not None and self.age <= timedelta(0):
            raise InvalidInputError(f"a retention age must be positive, not {self.age}")

    def cutoff(self, slack: float = 0.0) -> int:
        """Return the record time (microseconds) before which a checkpoint is too old."""
        if self.age is None:
            return 0
        return time.time_ns() // 1000 - int((1 + slack) * self.age / timedelta(microseconds=1))


@dataclass(frozen=True, slots=True)
class CheckpointSummary:
    """What pruning looks at of a checkpoint."""

    id: int
    ns: str
    checkpoint_id: str
    parent_id: str | None
    run_id: str | None
    created_at: int
    hidden: bool
    metadata: bytes | str
    manifest: Mapping[str, Stored]

    def open_channels(self) -> set[str]:
        """Return the delta channels whose value lies with its ancestors."""
        if self.hidden:
            return set()
        counters = unpack_metadata(self.metadata).get(DELTA_COUNTERS) or {}
        return set(counters) - set(self.manifest)


Keep = Callable[[Sequence[CheckpointSummary]], "set[int]"]
"""Picks the row ids that stay, from the visible checkpoints of one namespace, newest first."""


def latest(summaries: Sequence[CheckpointSummary]) -> set[int]:
    """Keep the newest."""
    return {summaries[0].id}


def retained(retention: Retention) -> Keep:
    """Keep what a retention keeps."""
    cutoff = retention.cutoff()

    def keep(summaries: Sequence[CheckpointSummary]) -> set[int]:
        young = {one.id for one in summaries[: retention.last] if one.created_at >= cutoff}
        return young | {summaries[0].id}

    return keep


def without_runs(run_ids: Collection[str]) -> Keep:
    """Keep what other runs made."""

    def keep(summaries: Sequence[CheckpointSummary]) -> set[int]:
        return {one.id for one in summaries if one.run_id not in run_ids}

    return keep


# -- pruning --------------------------------------------------------------------------------------


def prune(connection: Connection, thread: int, keep: Keep) -> int:
    """Delete the checkpoints of a thread that do not stay; return how many.

    The writes and blobs that nothing needs any more go with them; if no checkpoint stays, so
    does the thread.
    """
    summaries = _summaries(connection, thread)
    visible = [one for one in summaries if not one.hidden]
    staying = _staying(visible, keep)
    if len(staying) == len(visible):
        return 0
    if not staying:
        delete_thread(connection, thread)
        return len(visible)
    needed = _needed(summaries, staying)
    for one in summaries:
        if one.id in needed:
            _hide(connection, thread, one, needed[one.id])
        elif one.id not in staying:
            _delete(connection, thread, one)
    _collect_garbage(connection, thread)
    return len(visible) - len(staying)


def _summaries(connection: Connection, thread: int) -> list[CheckpointSummary]:
    rows = connection.execute(
        "SELECT id, ns, checkpoint_id, parent_id, run_id, created_at, hidden, metadata, manifest"
        " FROM langgraph_checkpoints WHERE thread = ? ORDER BY checkpoint_id DESC, id DESC",
        (thread,),
    )
    return [CheckpointSummary(*(*row[:-1], unpack_manifest(row[-1]))) for row in rows]


def _staying(visible: Sequence[CheckpointSummary], keep: Keep) -> set[int]:
    staying: set[int] = set()
    for ns in {one.ns for one in visible}:
        staying |= keep([one for one in visible if one.ns == ns])
    return staying


def _needed(
    summaries: Sequence[CheckpointSummary], staying: Collection[int]
) -> dict[int, set[str]]:
    """Return the row ids to hide, and for which channels."""
    by_key = {(one.ns, one.checkpoint_id): one for one in summaries}
    needed: dict[int, set[str]] = {}
    for one in summaries:
        if one.id not in staying:
            continue
        searching = one.open_channels()
        for ancestor in _ancestors(one, by_key):
            if not searching:
                break
            if ancestor.id not in staying:
                needed.setdefault(ancestor.id, set()).update(searching)
            searching = searching - set(ancestor.manifest)
    return needed


def _ancestors(
    summary: CheckpointSummary, by_key: Mapping[tuple[str, str], CheckpointSummary]
) -> Iterator[CheckpointSummary]:
    seen = {summary.id}
    while summary.parent_id is not None:
        parent = by_key.get((summary.ns, summary.parent_id))
        if parent is None or parent.id in seen:
            return
        seen.add(parent.id)
        yield parent
        summary = parent


def _hide(
    connection: Connection, thread: int, summary: CheckpointSummary, channels: set[str]
) -> None:
    manifest = {name: value for name, value in summary.manifest.items() if name in channels}
    connection.execute(
        "UPDATE langgraph_checkpoints SET hidden = 1, run_id = NULL, metadata = '{}',"
        " type = 'null', body = x'', manifest = ? WHERE id = ?",
        (pack_manifest(manifest), summary.id),
    )
    where = thread, summary.ns, summary.checkpoint_id
    remove_writes(connection, where, lambda _, write: write[1] not in channels)


def _delete(connection: Connection, thread: int, summary: CheckpointSummary) -> None:
    connection.execute("DELETE FROM langgraph_checkpoints WHERE id = ?", (summary.id,))
    connection.execute(
        "DELETE FROM langgraph_writes WHERE thread = ? AND ns = ? AND checkpoint_id = ?",
        (thread, summary.ns, summary.checkpoint_id),
    )


def delete_thread(connection: Connection, thread: int) -> None:
    """Delete a thread and everything in it, writes without a checkpoint too."""
    for table in TABLES:
        connection.execute(f"DELETE FROM {table} WHERE thread = ?", (thread,))
    connection.execute("DELETE FROM langgraph_blobs WHERE id >= ? AND id < ?", blob_rows(thread))
    connection.execute("DELETE FROM langgraph_threads WHERE no = ?", (thread,))


def _collect_garbage(connection: Connection, thread: int) -> None:
    """Delete the blobs of a thread that nothing names; ids read earlier may be stale then."""
    manifests = connection.execute(
        "SELECT manifest FROM langgraph_checkpoints WHERE thread = ?", (thread,)
    )
    values = [value for row in manifests for value in unpack_manifest(row[0]).values()]
    writes = connection.execute("SELECT value FROM langgraph_writes WHERE thread = ?", (thread,))
    values += [value for row in writes for _, _, value in unpack_writes(row[0])]
    named = {id for value in values for id in references(value)}
    connection.execute(
        "DELETE FROM langgraph_blobs WHERE id >= ?1 AND id < ?2"
        " AND id - ?1 NOT IN (SELECT value FROM json_each(?3))",
        (*blob_rows(thread), json.dumps(sorted(named))),
    )
    connection.execute("UPDATE langgraph_threads SET epoch = epoch + 1 WHERE no = ?", (thread,))


# -- which threads, and when ----------------------------------------------------------------------


def threads_of_runs(connection: Connection, run_ids: Sequence[str]) -> list[int]:
    """Return the numbers of the threads that any of these runs wrote to."""
    rows = connection.execute(
        "SELECT DISTINCT thread FROM langgraph_checkpoints"
        " WHERE run_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(run_ids)),),
    )
    return [row[0] for row in rows]


def all_threads(connection: Connection) -> list[int]:
    """Return the number of every thread."""
    return [row[0] for row in connection.execute("SELECT no FROM langgraph_threads")]


def is_due(connection: Connection, thread: int, ns: str, retention: Retention) -> bool:
    """Return whether a namespace holds so much that it is worth pruning."""
    where = "FROM langgraph_checkpoints WHERE thread = ? AND ns = ? AND hidden = 0"
    if retention.last is not None:
        most = retention.last + retention.last // 4
        beyond = connection.execute(
            f"SELECT 1 {where} ORDER BY checkpoint_id DESC LIMIT 1 OFFSET ?", (thread, ns, most)
        ).fetchone()
        if beyond is not None:
            return True
    oldest = connection.execute(
        f"SELECT created_at {where} ORDER BY checkpoint_id LIMIT 1", (thread, ns)
    ).fetchone()
    return retention.age is not None and oldest[0] < retention.cutoff(slack=0.1)


def retire(connection: Connection, thread: int, retention: Retention) -> int:
    """Apply a retention to a thread, and delete it if it was idle for longer than the age."""
    count, newest = connection.execute(
        "SELECT count(*), max(created_at) FROM langgraph_checkpoints"
        " WHERE thread = ? AND hidden = 0",
        (thread,),
    ).fetchone()
    if count and newest < retention.cutoff():
        delete_thread(connection, thread)
        return int(count)
    return prune(connection, thread, retained(retention))


# -- copying --------------------------------------------------------------------------------------


def copy_thread(connection: Connection, source_id: str, target_id: str) -> None:
    """Copy a thread, hidden checkpoints too; what the target has under equal ids is replaced."""
    source = find_thread(connection, source_id)
    if source is None or source.no is None or source_id == target_id:
        return
    target = find_thread(connection, target_id)
    # A new thread takes over the salt, so that it finds the blobs it was given.
    number = (target and target.no) or add_thread(connection, target_id, source.salt)
    connection.execute(
        "INSERT OR IGNORE INTO langgraph_owners SELECT ?, user_id, agent_id, app_id"
        " FROM langgraph_owners WHERE thread = ?",
        (number, source.no),
    )
    ids = _copy_blobs(connection, source.no, number)
    _copy_checkpoints(connection, source.no, number, ids)
    _copy_writes(connection, source.no, number, ids)


def _copy_blobs(connection: Connection, source: int, target: int) -> dict[int, int]:
    """Copy the blobs that the target does not have; return the number there of each."""
    here = _digests(connection, source)
    known = {digest: number for number, digest in _digests(connection, target).items()}
    missing = {
        digest: connection.execute(
            "SELECT type, data FROM langgraph_blobs WHERE id = ?",
            (blob_rows(source)[0] + number,),
        ).fetchone()
        for number, digest in here.items()
        if digest not in known
    }
    known |= add_blobs(connection, target, missing)
    return {number: known[digest] for number, digest in here.items()}


def _digests(connection: Connection, thread: int) -> dict[int, bytes]:
    """Return the digest of every blob of a thread, by number."""
    return dict(
        connection.execute(
            "SELECT id - ?1, digest FROM langgraph_blobs WHERE id >= ?1 AND id < ?2",
            blob_rows(thread),
        ).fetchall()
    )


def _copy_checkpoints(
    connection: Connection, source: int, target: int, ids: Mapping[int, int]
) -> None:
    columns = (
        "ns, checkpoint_id, parent_id, run_id, created_at, hidden, metadata, type, body, manifest"
    )
    rows = connection.execute(
        f"SELECT {columns} FROM langgraph_checkpoints WHERE thread = ? ORDER BY id", (source,)
    ).fetchall()
    connection.executemany(
        f"REPLACE INTO langgraph_checkpoints(thread, {columns})"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(target, *row[:-1], _renumbered(row[-1], ids)) for row in rows],
    )


def _renumbered(manifest: bytes, ids: Mapping[int, int]) -> bytes:
    values = unpack_manifest(manifest).items()
    return pack_manifest({name: renumber(value, ids) for name, value in values})


def _copy_writes(connection: Connection, source: int, target: int, ids: Mapping[int, int]) -> None:
    columns = "ns, checkpoint_id, task_id, task_path, value"
    rows = connection.execute(
        f"SELECT {columns} FROM langgraph_writes WHERE thread = ? ORDER BY id", (source,)
    ).fetchall()
    connection.executemany(
        "DELETE FROM langgraph_writes"
        " WHERE thread = ? AND ns = ? AND checkpoint_id = ? AND task_id = ?",
        [(target, *row[:3]) for row in rows],
    )
    connection.executemany(
        f"INSERT INTO langgraph_writes(thread, {columns}) VALUES (?, ?, ?, ?, ?, ?)",
        [(target, *row[:-1], _renumbered_writes(row[-1], ids)) for row in rows],
    )


def _renumbered_writes(data: bytes, ids: Mapping[int, int]) -> bytes:
    writes = unpack_writes(data)
    return pack_writes([(at, channel, renumber(value, ids)) for at, channel, value in writes])
