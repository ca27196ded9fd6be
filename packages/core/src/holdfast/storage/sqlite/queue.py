"""The durable queues: turns that wait for extraction, records that wait for their vectors.

A claim is a lease: a worker that dies loses it when it runs out, and another takes over. At most
one worker holds a turn. The tables `queue` and `unembedded` have the same columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from holdfast.storage.contract.pipeline import BATCH_TURNS, batches
from holdfast.storage.contract.reach import NAMESPACE_BITS, Reach
from holdfast.storage.sqlite.database import Connection
from holdfast.storage.sqlite.namespaces import within

Table: TypeAlias = Literal["queue", "unembedded"]

BATCH_RECORDS = 64  # embedded by one model call
MOST = (1 << 63) - 1  # no row id is larger
LEASE = 600.0  # seconds; longer than any model call with its retries
MOST_ATTEMPTS = 5  # at an answer that cannot be read
PATIENCE = 12  # attempts at a model that fails; with the delays between them more than an hour
FIRST_DELAY = 2_000_000  # microseconds; doubles with each attempt
MOST_DOUBLED = 10  # times
SKEW = 60_000_000  # microseconds by which clocks may differ

# Whether a turn is due, and whether a worker holds it (or a summary), at a moment that is bound.
# A time further ahead than any that is written comes of a wrong clock: such a turn is due,
# and such a claim is none.
_LATEST = (FIRST_DELAY << MOST_DOUBLED) + SKEW
_LONGEST = int(LEASE * 1e6) + SKEW
_DUE = f"(due_at - ? NOT BETWEEN 1 AND {_LATEST})"
_HELD = f"(claimed_until - ? BETWEEN 1 AND {_LONGEST})"


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker, when it takes turns, and until when no other may (microseconds)."""

    worker: str
    now: int
    until: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in a queue: rows to be tried, rows given up, and the newest error."""

    waiting: int = 0
    parked: int = 0
    error: str | None = None


def put(connection: Connection, row_ids: Sequence[int], now: int, by: Claim | None) -> None:
    """Queue turns; whoever stored them may claim them at once, before any other worker can."""
    worker, until = (None, None) if by is None else (by.worker, by.until)
    connection.executemany(
        "INSERT OR IGNORE INTO queue (record, due_at, worker, claimed_until) VALUES (?, ?, ?, ?)",
        [(row_id, now, worker, until) for row_id in row_ids],
    )


def _within(reach: Reach | None, number: str) -> tuple[str, tuple[str, ...]]:
    """Return the condition that a namespace's number lies in a reach, and what it binds."""
    if reach is None:
        return "", ()
    inside = f"SELECT n.no FROM namespaces n WHERE {within(reach).condition}"
    return f" AND {number} IN ({inside})", within(reach).parameters


def claim(connection: Connection, by: Claim, reach: Reach | None = None) -> list[int]:
    """Take a batch of due turns of the namespace that has waited longest; return their row ids.

    Turns of one run are extracted in order: a namespace of which a turn is held is left alone.
    The last attempt before turns are parked takes them one by one, that a bad one spares the rest.
    """
    within, values = _within(reach, f"record >> {NAMESPACE_BITS}")
    first = connection.execute(
        f"SELECT record, attempts FROM queue WHERE parked = 0 AND {_DUE}"
        f" AND record >> {NAMESPACE_BITS} NOT IN (SELECT record >> {NAMESPACE_BITS} FROM queue"
        f" WHERE {_HELD}){within} ORDER BY due_at, record LIMIT 1",
        (by.now, by.now, *values),
    ).fetchone()
    if first is None:
        return []
    row_id, attempts = first
    low = row_id >> NAMESPACE_BITS << NAMESPACE_BITS
    rows = connection.execute(
        "SELECT q.record, coalesce(length(r.text), 0) FROM queue q LEFT JOIN records r"
        " ON r.id = q.record WHERE q.record >= ? AND q.record < ? AND q.parked = 0"
        f" AND {_DUE} AND q.attempts = ? ORDER BY q.record LIMIT ?",
        (low, low + (1 << NAMESPACE_BITS), by.now, attempts, BATCH_TURNS),
    ).fetchall()
    batch = batches(rows)[0]
    return hold(connection, batch[:1] if attempts == MOST_ATTEMPTS - 1 else batch, by)


def hold(connection: Connection, row_ids: Sequence[int], by: Claim) -> list[int]:
    """Claim these turns as far as nobody holds them; return the ones obtained."""
    return [
        row_id
        for row_id in row_ids
        if connection.execute(
            "UPDATE queue SET worker = ?, claimed_until = ? WHERE record = ?"
            f" AND {_HELD} IS NOT TRUE",
            (by.worker, by.until, row_id, by.now),
        ).rowcount
    ]


def put_unembedded(connection: Connection, row_ids: Sequence[int]) -> None:
    """Queue records that were written without vectors; due at once."""
    connection.executemany(
        "INSERT OR IGNORE INTO unembedded (record) VALUES (?)", [(row_id,) for row_id in row_ids]
    )


def is_unembedded_due(connection: Connection, now: int, first: int = 0, last: int = MOST) -> bool:
    """Say whether one of some rows waits for its vectors, and no worker holds it."""
    row = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM unembedded WHERE record BETWEEN ? AND ? AND parked = 0"
        f" AND {_DUE} AND {_HELD} IS NOT TRUE)",
        (first, last, now, now),
    ).fetchone()
    return bool(row[0])


def claim_unembedded(
    connection: Connection, by: Claim, reach: Reach | None = None
) -> list[tuple[Any, ...]]:
    """Take a batch of due records; return row id, kind, text, speaker and passages of each.

    After each failure a batch is half as large: in the end a record that fails is alone in its.
    """
    within, values = _within(reach, f"record >> {NAMESPACE_BITS}")
    rows = connection.execute(
        "SELECT u.attempts, r.id, r.kind, r.text, r.speaker, r.passages"
        " FROM unembedded u JOIN records r ON r.id = u.record"
        f" WHERE parked = 0 AND {_DUE} AND {_HELD} IS NOT TRUE{within}"
        f" ORDER BY u.attempts, u.record LIMIT {BATCH_RECORDS}",
        (by.now, by.now, *values),
    ).fetchall()
    alike = [row[1:] for row in rows if row[0] == rows[0][0]]
    batch = alike[: max(1, BATCH_RECORDS >> rows[0][0])] if rows else []
    connection.executemany(
        "UPDATE unembedded SET worker = ?, claimed_until = ? WHERE record = ?",
        [(by.worker, by.until, row[0]) for row in batch],
    )
    return batch


def embedded(connection: Connection, row_id: int) -> bool:
    """Take a record off those that wait for vectors; False: it has them, or is gone."""
    gone = connection.execute("DELETE FROM unembedded WHERE record = ?", (row_id,))
    return bool(gone.rowcount)


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
    forget(connection, worker, row_ids)
    return True


def forget(connection: Connection, worker: str, row_ids: Sequence[int]) -> None:
    """Take those turns off the queue that the worker still holds."""
    connection.executemany(
        "DELETE FROM queue WHERE record = ? AND worker = ?",
        [(row_id, worker) for row_id in row_ids],
    )


def failed(
    connection: Connection,
    worker: str,
    row_ids: Sequence[int],
    error: str,
    now: int,
    most: int,
    table: Table = "queue",
) -> None:
    """Put rows back for a later try, each attempt later than the last; then park them.

    Args:
        connection: An open write.
        worker: Who held them.
        row_ids: The rows.
        error: Why; kept for `backlog`.
        now: Record time.
        most: Attempts after which they are parked.
        table: Which queue.
    """
    connection.executemany(
        f"UPDATE {table} SET attempts = attempts + 1, worker = NULL, claimed_until = NULL,"
        f" error = ?, due_at = ? + (? << min(attempts, {MOST_DOUBLED})), parked = attempts + 1 >= ?"
        " WHERE record = ? AND worker = ?",
        [(error, now, FIRST_DELAY, most, row_id, worker) for row_id in row_ids],
    )


def release(
    connection: Connection, worker: str, row_ids: Sequence[int], table: Table = "queue"
) -> int:
    """Give rows back untried; return how many of them the worker still held."""
    return sum(
        connection.execute(
            f"UPDATE {table} SET worker = NULL, claimed_until = NULL"
            " WHERE record = ? AND worker = ?",
            (row_id, worker),
        ).rowcount
        for row_id in row_ids
    )


def retry(
    connection: Connection, now: int, reach: Reach | None = None, table: Table = "queue"
) -> int:
    """Make everything due that nobody holds, parked rows included; return how many."""
    within, values = _within(reach, f"record >> {NAMESPACE_BITS}")
    return connection.execute(
        f"UPDATE {table} SET parked = 0, attempts = 0, due_at = ?"
        f" WHERE (parked OR due_at > ?) AND {_HELD} IS NOT TRUE{within}",
        (now, now, now, *values),
    ).rowcount


def count_turns(connection: Connection, namespace: int, count: int) -> None:
    """Count turns that a rolling summary does not cover yet."""
    connection.execute(
        "INSERT INTO summaries (namespace, turns) VALUES (?, ?)"
        " ON CONFLICT (namespace) DO UPDATE SET turns = turns + excluded.turns",
        (namespace, count),
    )


def claim_summary(
    connection: Connection, by: Claim, after: int, reach: Reach | None = None
) -> int | None:
    """Claim a namespace with at least so many turns since its summary; None: there is none."""
    within, values = _within(reach, "namespace")
    row = connection.execute(
        "UPDATE summaries SET worker = ?, claimed_until = ? WHERE namespace ="
        f" (SELECT namespace FROM summaries WHERE turns >= ? AND {_HELD} IS NOT TRUE"
        f"{within} LIMIT 1) RETURNING namespace",
        (by.worker, by.until, after, by.now, *values),
    ).fetchone()
    return None if row is None else int(row[0])


def summarised(connection: Connection, worker: str, namespace: int, left: int) -> bool:
    """Count anew, from the turns that are still not covered; False: the claim was lost."""
    return bool(
        connection.execute(
            "UPDATE summaries SET turns = ?, worker = NULL, claimed_until = NULL"
            " WHERE namespace = ? AND worker = ?",
            (left, namespace, worker),
        ).rowcount
    )


def release_summary(connection: Connection, worker: str, namespace: int, until: int) -> None:
    """Give up the claim on a summary; it is not due before `until`."""
    connection.execute(
        "UPDATE summaries SET worker = NULL, claimed_until = ? WHERE namespace = ? AND worker = ?",
        (until, namespace, worker),
    )


def next_due(connection: Connection, now: int) -> int | None:
    """Return when the next turn may be tried, or None when nothing waits."""
    row = connection.execute(
        f"SELECT min(max(iif({_DUE}, 0, q.due_at), coalesce(h.until, 0))) FROM queue q"
        f" LEFT JOIN (SELECT record >> {NAMESPACE_BITS} AS no, max(claimed_until) AS until"
        f" FROM queue WHERE {_HELD} GROUP BY no) h"
        f" ON h.no = q.record >> {NAMESPACE_BITS} WHERE q.parked = 0",
        (now, now),
    ).fetchone()
    return None if row[0] is None else int(row[0])


def next_unembedded(connection: Connection, now: int) -> int | None:
    """Return when the next record may be embedded, or None when none waits."""
    row = connection.execute(
        f"SELECT min(max(iif({_DUE}, 0, due_at), iif({_HELD}, claimed_until, 0)))"
        " FROM unembedded WHERE parked = 0",
        (now, now),
    ).fetchone()
    return None if row[0] is None else int(row[0])


def backlog(connection: Connection, reach: Reach | None, table: Table = "queue") -> Backlog:
    """Count what waits in a reach, or in the whole file."""
    within, values = _within(reach, f"q.record >> {NAMESPACE_BITS}")
    row = connection.execute(
        # With one max() SQLite takes a bare column from the row where it is reached.
        "SELECT coalesce(sum(NOT q.parked), 0), coalesce(sum(q.parked), 0), q.error,"
        " max(CASE WHEN q.error IS NOT NULL THEN q.due_at END)"
        f" FROM {table} q WHERE TRUE{within}",
        values,
    ).fetchone()
    return Backlog(*row[:3])
