"""Deleting checkpoints: what goes, what a later delta channel still needs, which blobs are left.

A delta channel is rebuilt from writes of earlier checkpoints. Where a checkpoint that stays needs
such a checkpoint, that one is buried instead of deleted: it loses all but those writes and seeds,
and no read but the rebuilding ever sees it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from holdfast import Connection, InvalidInputError

from holdfast_langgraph.checkpoint import sweeping
from holdfast_langgraph.checkpoint.filing import file
from holdfast_langgraph.checkpoint.forms import Stored
from holdfast_langgraph.checkpoint.packing import pack_manifest, unpack_manifest, unpack_metadata
from holdfast_langgraph.checkpoint.writing import keep_writes

DELTA_COUNTERS = "counters_since_delta_snapshot"


@dataclass(frozen=True, slots=True)
class Retention:
    """What to keep of each thread; the newest checkpoint of each namespace always stays.

    Attributes:
        last: So many of the newest checkpoints of each namespace. A put clears away once there
            are a quarter more.
        age: Checkpoints stored at most this long ago. A put clears away once the oldest is a
            tenth older; `HoldfastSaver.sweep` also deletes threads idle for longer.
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
class Stone:
    """What pruning looks at of a checkpoint."""

    id: int
    ns: str
    checkpoint_id: str
    parent_id: str | None
    run_id: str | None
    created_at: int
    buried: bool
    metadata: bytes | str
    manifest: Mapping[str, Stored]

    def open_channels(self) -> set[str]:
        """Return the delta channels whose value lies with its ancestors."""
        if self.buried:
            return set()
        counters = unpack_metadata(self.metadata).get(DELTA_COUNTERS) or {}
        return set(counters) - set(self.manifest)


Keep = Callable[[Sequence[Stone]], "set[int]"]
"""Picks the row ids that stay, from the visible checkpoints of one namespace, newest first."""


def latest(stones: Sequence[Stone]) -> set[int]:
    """Keep the newest."""
    return {stones[0].id}


def retained(retention: Retention) -> Keep:
    """Keep what a retention keeps."""
    cutoff = retention.cutoff()

    def keep(stones: Sequence[Stone]) -> set[int]:
        young = {stone.id for stone in stones[: retention.last] if stone.created_at >= cutoff}
        return young | {stones[0].id}

    return keep


def without_runs(run_ids: Collection[str]) -> Keep:
    """Keep what other runs made."""

    def keep(stones: Sequence[Stone]) -> set[int]:
        return {stone.id for stone in stones if stone.run_id not in run_ids}

    return keep


def prune(connection: Connection, thread: int, keep: Keep) -> int:
    """Delete the checkpoints of a thread that do not stay; return how many.

    The writes and blobs that nothing needs any more go with them; if no checkpoint stays, so
    does the thread.
    """
    file(connection)
    stones = _stones(connection, thread)
    visible = [stone for stone in stones if not stone.buried]
    staying = _staying(visible, keep)
    if len(staying) == len(visible):
        return 0
    if not staying:
        delete_thread(connection, thread)
        return len(visible)
    needed = _needed(stones, staying)
    going: list[int] = []
    for stone in stones:
        if stone.id in needed:
            _bury(connection, thread, stone, needed[stone.id])
        elif stone.id not in staying:
            _drop_writes(connection, thread, stone)
            going.append(stone.id)
    sweeping.sweep(connection, thread, going)
    return len(visible) - len(staying)


def _staying(visible: Sequence[Stone], keep: Keep) -> set[int]:
    staying: set[int] = set()
    for ns in {stone.ns for stone in visible}:
        staying |= keep([stone for stone in visible if stone.ns == ns])
    return staying


def _stones(connection: Connection, thread: int) -> list[Stone]:
    rows = connection.execute(
        "SELECT id, ns, checkpoint_id, parent_id, run_id, created_at, buried, metadata, manifest"
        " FROM langgraph_all WHERE thread = ? ORDER BY checkpoint_id DESC, id DESC",
        (thread,),
    )
    return [Stone(*(*row[:-1], unpack_manifest(row[-1], row[0]))) for row in rows]


def _needed(stones: Sequence[Stone], staying: Collection[int]) -> dict[int, set[str]]:
    """Return the row ids to bury, and for which channels."""
    places = {(stone.ns, stone.checkpoint_id): stone for stone in stones}
    needed: dict[int, set[str]] = {}
    for stone in stones:
        if stone.id not in staying:
            continue
        searching = stone.open_channels()
        for ancestor in _chain(stone, places):
            if not searching:
                break
            if ancestor.id not in staying:
                needed.setdefault(ancestor.id, set()).update(searching)
            searching = searching - set(ancestor.manifest)
    return needed


def _chain(stone: Stone, places: Mapping[tuple[str, str], Stone]) -> Iterator[Stone]:
    seen = {stone.id}
    while stone.parent_id is not None:
        parent = places.get((stone.ns, stone.parent_id))
        if parent is None or parent.id in seen:
            return
        seen.add(parent.id)
        yield parent
        stone = parent


def _bury(connection: Connection, thread: int, stone: Stone, channels: set[str]) -> None:
    manifest = {name: value for name, value in stone.manifest.items() if name in channels}
    connection.execute(
        "UPDATE langgraph_checkpoints SET buried = 1, run_id = NULL, metadata = '{}',"
        " type = 'null', body = x'', manifest = ? WHERE id = ?",
        (pack_manifest(manifest), stone.id),
    )
    _strip_writes(connection, thread, stone, channels)


def _strip_writes(
    connection: Connection, thread: int, stone: Stone, channels: Collection[str]
) -> None:
    """Keep what was written to these channels alone."""
    rows = connection.execute(
        "SELECT id, idx, channel, value FROM langgraph_tasks"
        " WHERE filed = 1 AND thread = ? AND ns = ? AND checkpoint_id = ?",
        (thread, stone.ns, stone.checkpoint_id),
    ).fetchall()
    for id, *row in rows:
        keep_writes(connection, id, row, lambda write: write[1] in channels)


def _drop_writes(connection: Connection, thread: int, stone: Stone) -> None:
    connection.execute(
        "DELETE FROM langgraph_tasks"
        " WHERE filed = 1 AND thread = ? AND ns = ? AND checkpoint_id = ?",
        (thread, stone.ns, stone.checkpoint_id),
    )


def delete_thread(connection: Connection, thread: int) -> None:
    """Delete a thread and everything in it."""
    file(connection)
    for table in ("langgraph_checkpoints", "langgraph_tasks", "langgraph_blobs"):
        filed = "" if table == "langgraph_blobs" else " AND filed = 1"
        connection.execute(f"DELETE FROM {table} WHERE thread = ?{filed}", (thread,))
    connection.execute("DELETE FROM langgraph_threads WHERE no = ?", (thread,))


def threads_of_runs(connection: Connection, run_ids: Sequence[str]) -> list[int]:
    """Return the numbers of the threads that any of these runs wrote to."""
    rows = connection.execute(
        "SELECT DISTINCT thread FROM langgraph_checkpoints"
        " WHERE run_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(run_ids)),),
    )
    return [row[0] for row in rows]


def is_due(connection: Connection, thread: int, ns: str, retention: Retention) -> bool:
    """Say whether a thread, all of it filed, holds so much that it is worth clearing away."""
    place: tuple[Any, ...] = (thread, ns)
    which = "FROM langgraph_checkpoints WHERE filed = 1 AND thread = ? AND ns = ? AND buried = 0"
    if retention.last is not None:
        most = retention.last + retention.last // 4
        beyond = connection.execute(
            f"SELECT 1 {which} ORDER BY checkpoint_id DESC LIMIT 1 OFFSET ?", (*place, most)
        ).fetchone()
        if beyond is not None:
            return True
    oldest = connection.execute(
        f"SELECT created_at {which} ORDER BY checkpoint_id LIMIT 1", place
    ).fetchone()
    return retention.age is not None and oldest[0] < retention.cutoff(slack=0.1)


def erase(connection: Connection, thread: int, keep: Keep | None) -> int:
    """Prune a thread; without `keep` delete it, writes that came before a checkpoint too."""
    if keep is not None:
        return prune(connection, thread, keep)
    delete_thread(connection, thread)
    return 0


def all_threads(connection: Connection) -> list[int]:
    """Return the number of every thread."""
    return [row[0] for row in connection.execute("SELECT no FROM langgraph_threads")]


def retire(connection: Connection, thread: int, retention: Retention) -> int:
    """Apply a retention to a thread, and delete it if it was idle for longer than the age."""
    count, newest = connection.execute(
        "SELECT count(*), max(created_at) FROM langgraph_all WHERE thread = ? AND buried = 0",
        (thread,),
    ).fetchone()
    if count and newest < retention.cutoff():
        delete_thread(connection, thread)
        return int(count)
    return prune(connection, thread, retained(retention))
