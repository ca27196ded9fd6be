"""The durable queue of turns that wait for extraction. At most one worker holds a turn.

A claim is a lease: a worker that dies loses it when it runs out, and another takes over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.storage.database import Connection
from holdfast.storage.namespaces import Region
from holdfast.storage.schema import NAMESPACE_BITS

LEASE = 600_000_000  # microseconds; longer than any model call with its retries
MOST_ATTEMPTS = 5
BATCH_TURNS = 20  # of one run, read by one model call
BATCH_CHARACTERS = 24_000  # about 6,000 tokens
FIRST_DELAY = 2_000_000  # microseconds; doubles with each attempt


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits: turns to be tried, turns given up, and the newest error."""

    waiting: int = 0
    parked: int = 0
    error: str | None = None


def put(connection: Connection, row_ids: Sequence[int], now: int, holder: str | None) -> None:
    """Queue turns; `holder` claims them at once, so that no other worker takes them first."""
    until = None if holder is None else now + LEASE
    connection.executemany(
        "INSERT OR IGNORE INTO queue (record, due_at, worker, claimed_until) VALUES (?, ?, ?, ?)",
        [(row_id, now, holder, until) for row_id in row_ids],
    )


def claim(connection: Connection, worker: str, now: int) -> list[int]:
    """Take a batch of due turns of the namespace that has waited longest; return their row ids.

    Turns of one run are extracted in order: a namespace of which a turn is held is left alone.
    """
    first = connection.execute(
        "SELECT q.record FROM queue q WHERE q.parked = 0 AND q.due_at <= ?1"
        " AND coalesce(q.claimed_until, 0) <= ?1 AND NOT EXISTS (SELECT 1 FROM queue h"
        f" WHERE h.record >= q.record >> {NAMESPACE_BITS} << {NAMESPACE_BITS}"
        f" AND h.record < ((q.record >> {NAMESPACE_BITS}) + 1) << {NAMESPACE_BITS}"
        " AND h.claimed_until > ?1) ORDER BY q.due_at, q.record LIMIT 1",
        (now,),
    ).fetchone()
    if first is None:
        return []
    low = first[0] >> NAMESPACE_BITS << NAMESPACE_BITS
    rows = connection.execute(
        "SELECT q.record, coalesce(length(r.text), 0) FROM queue q LEFT JOIN records r"
        " ON r.id = q.record WHERE q.record >= ? AND q.record < ? AND q.parked = 0"
        " AND q.due_at <= ? ORDER BY q.record LIMIT ?",
        (low, low + (1 << NAMESPACE_BITS), now, BATCH_TURNS),
    ).fetchall()
    return hold(connection, worker, batches(rows)[0], now)


def batches(rows: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Divide (row id, characters) into batches that one model call can read."""
    made: list[list[int]] = [[]]
    size = 0
    for row_id, characters in rows:
        full = len(made[-1]) == BATCH_TURNS or size + characters > BATCH_CHARACTERS
        if made[-1] and full:
            made.append([])
            size = 0
        made[-1].append(row_id)
        size += characters
    return made


def hold(connection: Connection, worker: str, row_ids: Sequence[int], now: int) -> list[int]:
    """Claim these turns as far as nobody holds them; return the ones obtained."""
    return [
        row_id
        for row_id in row_ids
        if connection.execute(
            "UPDATE queue SET worker = ?, claimed_until = ?"
            " WHERE record = ? AND coalesce(claimed_until, 0) <= ?",
            (worker, now + LEASE, row_id, now),
        ).rowcount
    ]


def done(connection: Connection, worker: str, row_ids: Sequence[int]) -> bool:
    """Take turns off the queue; False when the worker lost one of them, and nothing is done."""
    held = sum(
        connection.execute(
            "SELECT count(*) FROM queue WHERE record = ? AND worker = ?", (row_id, worker)
        ).fetchone()[0]
        for row_id in row_ids
    )
    if held < len(row_ids):
        return False
    connection.executemany("DELETE FROM queue WHERE record = ?", [(row_id,) for row_id in row_ids])
    return True


def failed(
    connection: Connection, worker: str, row_ids: Sequence[int], error: str, now: int
) -> None:
    """Put turns back for a later try, each attempt later than the last; then park them."""
    connection.executemany(
        "UPDATE queue SET attempts = attempts + 1, worker = NULL, claimed_until = NULL, error = ?,"
        " due_at = ? + (? << min(attempts, 10)), parked = attempts + 1 >= ?"
        " WHERE record = ? AND worker = ?",
        [(error, now, FIRST_DELAY, MOST_ATTEMPTS, row_id, worker) for row_id in row_ids],
    )


def release(connection: Connection, worker: str, row_ids: Sequence[int]) -> None:
    """Give turns back untried."""
    connection.executemany(
        "UPDATE queue SET worker = NULL, claimed_until = NULL WHERE record = ? AND worker = ?",
        [(row_id, worker) for row_id in row_ids],
    )


def retry(connection: Connection, now: int) -> int:
    """Make everything due that nobody holds, parked turns included; return how many."""
    return connection.execute(
        "UPDATE queue SET parked = 0, attempts = 0, due_at = ?1"
        " WHERE (parked OR due_at > ?1) AND coalesce(claimed_until, 0) <= ?1",
        (now,),
    ).rowcount


def count_turns(connection: Connection, namespace: int, count: int) -> None:
    """Count turns that a rolling summary does not cover yet."""
    connection.execute(
        "INSERT INTO summaries (namespace, turns) VALUES (?, ?)"
        " ON CONFLICT (namespace) DO UPDATE SET turns = turns + excluded.turns",
        (namespace, count),
    )


def claim_summary(connection: Connection, worker: str, now: int, after: int) -> int | None:
    """Claim a namespace with at least so many turns since its summary; None: there is none."""
    row = connection.execute(
        "UPDATE summaries SET worker = ?, claimed_until = ? WHERE namespace ="
        " (SELECT namespace FROM summaries WHERE turns >= ? AND coalesce(claimed_until, 0) <= ?"
        " LIMIT 1) RETURNING namespace",
        (worker, now + LEASE, after, now),
    ).fetchone()
    return None if row is None else int(row[0])


def summarised(connection: Connection, namespace: int) -> None:
    """Begin to count anew."""
    connection.execute("DELETE FROM summaries WHERE namespace = ?", (namespace,))


def next_due(connection: Connection) -> int | None:
    """Return when the next turn may be tried, or None when nothing waits."""
    row = connection.execute(
        "SELECT min(max(due_at, coalesce(claimed_until, 0))) FROM queue WHERE parked = 0"
    ).fetchone()
    return None if row[0] is None else int(row[0])


def backlog(connection: Connection, region: Region | None) -> Backlog:
    """Count what waits in a region, or in the whole file."""
    where = "" if region is None else f" WHERE {region.condition}"
    source = (
        " FROM queue q"
        if region is None
        else f" FROM queue q JOIN namespaces n ON n.no = q.record >> {NAMESPACE_BITS}"
    )
    row = connection.execute(
        "SELECT coalesce(sum(NOT q.parked), 0), coalesce(sum(q.parked), 0), max(q.error)"
        f"{source}{where}",
        () if region is None else region.parameters,
    ).fetchone()
    return Backlog(*row)
