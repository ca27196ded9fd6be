"""The log: every write, in order. Views follow it, history is read from it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zlib import crc32

from holdfast.storage.contract.codec import to_json
from holdfast.storage.contract.exports import Operation
from holdfast.storage.contract.reach import NAMESPACE_BITS
from holdfast.storage.sqlite import wal_erasure
from holdfast.storage.sqlite.database import Connection

# Up to so many namespaces are asked for one by one through the index; beyond, one scan is less.
FEW = 64
# A view this far behind is cheaper to build anew than to bring up to date.
TOO_FAR = 50_000

expect_erasure = wal_erasure.expect


@dataclass(frozen=True, slots=True)
class Entry:
    """One write to one record or item; `before` and `after` are row ids of its versions."""

    namespace: int
    operation: Operation
    at: int
    before: int | None = None
    after: int | None = None
    key: str | None = None
    reason: str | None = None
    sources: Sequence[str] = ()


_APPEND = (
    "INSERT INTO log (namespace, operation, at, before, after, key, reason, sources, words)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def append(connection: Connection, entries: Iterable[Entry]) -> int:
    """Write entries in order; return the number of the last, 0 if there are none."""
    rows = [_row(entry) for entry in entries]
    if rows[:-1]:
        connection.executemany(_APPEND, rows[:-1])
    return connection.execute(_APPEND, rows[-1]).lastrowid or 0 if rows else 0


def _row(entry: Entry) -> tuple[object, ...]:
    sources = to_json(list(entry.sources)) if entry.sources else None
    return (
        entry.namespace,
        entry.operation,
        entry.at,
        entry.before,
        entry.after,
        entry.key,
        entry.reason,
        sources,
        words(entry.reason, sources),
    )


def words(reason: str | None, sources: str | None) -> int | None:
    """Return the sum of an entry's words, which shows damage; None: it has none."""
    if reason is None and sources is None:
        return None
    return crc32(f"{reason or ''}\0{sources or ''}".encode())


def embedded(connection: Connection, row_ids: Iterable[int], now: int) -> None:
    """Tell views of records that have got their vectors; it is no part of their history."""
    append(connection, (Entry(row >> NAMESPACE_BITS, "EMBED", now, row) for row in row_ids))


def last(connection: Connection) -> int:
    """Return the number of the newest entry; 0 in a new file."""
    row = connection.execute("SELECT max(seq) FROM log").fetchone()
    return int(row[0] or 0)


def touched(connection: Connection, namespaces: Sequence[int], after: int) -> list[int] | None:
    """Return the rows of these namespaces that were written since entry `after`, oldest first.

    An entry may name a row of another namespace: what a fact of one session became in the next.
    Whoever follows these namespaces must not see it, so it is left out.

    Returns:
        Row ids; None if so much was written that building anew costs less.
    """
    wanted = set(namespaces)
    if len(namespaces) > FEW and last(connection) - after > TOO_FAR:
        return None
    if len(namespaces) <= FEW:
        marks = ",".join("?" * len(namespaces))
        rows = connection.execute(
            f"SELECT seq, before, after FROM log WHERE namespace IN ({marks}) AND seq > ?"
            f" ORDER BY seq LIMIT {TOO_FAR + 1}",
            (*namespaces, after),
        ).fetchall()
        pairs = [(before, behind) for _, before, behind in rows]
    else:
        rows = connection.execute(
            "SELECT namespace, before, after FROM log WHERE seq > ? ORDER BY seq", (after,)
        ).fetchall()
        pairs = [(before, behind) for namespace, before, behind in rows if namespace in wanted]
    if len(pairs) > TOO_FAR:
        return None
    written = dict.fromkeys(row for pair in pairs for row in pair if row is not None)
    return [row for row in written if row >> NAMESPACE_BITS in wanted]
