"""The log: every write. Views follow it, history is read from it.

A change is named by its namespace and its position there, ``namespace << 32 | position``: positions
count the entries of a namespace in the order in which they are committed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
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
    """One write to one record or document; `before` and `after` are row ids of its versions."""

    namespace: int
    operation: Operation
    at: int
    before: int | None = None
    after: int | None = None
    key: str | None = None
    reason: str | None = None
    sources: Sequence[str] = ()


_APPEND = (
    "INSERT INTO log"
    " (namespace, operation, at, before, after, key, reason, sources, words, position)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def append(connection: Connection, entries: Iterable[Entry]) -> int:
    """Write entries in order; return the change that the last one is, 0 if there are none."""
    rows = [_row(entry) for entry in entries]
    if not rows:
        return 0
    heads = {
        namespace: advance(connection, namespace, count) - count
        for namespace, count in Counter(row[0] for row in rows).items()
    }
    for number, row in enumerate(rows):
        heads[row[0]] += 1
        rows[number] = (*row, heads[row[0]])
    connection.executemany(_APPEND, rows)
    return change_of(rows[-1][0], rows[-1][-1])


def advance(connection: Connection, namespace: int, count: int) -> int:
    """Take the next positions of a namespace; return the last of them."""
    row = connection.execute(
        "UPDATE namespaces SET head = head + ? WHERE no = ? RETURNING head", (count, namespace)
    ).fetchone()
    return int(row[0])


def change_of(namespace: int, position: int) -> int:
    """Return the number by which a change is known."""
    return namespace << NAMESPACE_BITS | position


def position_of(change: int) -> int:
    """Return the position of a change in the log of its namespace."""
    return change & (1 << NAMESPACE_BITS) - 1


def _row(entry: Entry) -> tuple[Any, ...]:
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


def touched(
    connection: Connection, cursor: Mapping[int, int], since: int
) -> tuple[list[int], dict[int, int]] | None:
    """Return the rows of namespaces that were written behind a cursor, oldest first.

    An entry may name a row of another namespace: what a fact of one session became in the next.
    A view of these namespaces must not show it, so it is left out.

    Args:
        connection: An open transaction.
        cursor: A position by namespace.
        since: The number of the last entry when the cursor stood there.

    Returns:
        Row ids, and the positions that changed; None if so much was written that building anew
        costs less.
    """
    if len(cursor) <= FEW:
        rows = [row for one in cursor.items() for row in connection.execute(_BEHIND, one)]
        rows.sort()
    elif last(connection) - since > TOO_FAR:
        return None
    else:
        entries = connection.execute(_SINCE, (since,))
        rows = [row for row in entries if row[1] in cursor and row[2] > cursor[row[1]]]
    if len(rows) > TOO_FAR:
        return None
    written = dict.fromkeys(row_id for row in rows for row_id in row[3:] if row_id is not None)
    moved = {namespace: position for _, namespace, position, _, _ in rows}
    return [row_id for row_id in written if row_id >> NAMESPACE_BITS in cursor], moved


_ENTRY = "SELECT seq, namespace, position, before, after FROM log"
_BEHIND = f"{_ENTRY} WHERE namespace = ? AND position > ? ORDER BY position LIMIT {TOO_FAR + 1}"
_SINCE = f"{_ENTRY} WHERE seq > ? ORDER BY seq"
