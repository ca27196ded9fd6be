"""Turns of a run as the pipeline reads them: the new ones, those before, those not yet retold."""

from __future__ import annotations

from holdfast.storage.contract.reach import NAMESPACE_BITS
from holdfast.storage.sqlite import records
from holdfast.storage.sqlite.database import Connection
from holdfast.types import Record

# Turns before the new ones that a model is shown.
RECENT = 6


def as_they_stand(
    connection: Connection, claimed: dict[int, Record], now: int
) -> dict[int, Record]:
    """Return claimed turns in their newest words, without those taken back or expired."""
    found = {}
    for row_id, turn in sorted(claimed.items()):
        row = connection.execute(
            "SELECT id FROM records WHERE key = ? AND retired_at IS NULL AND valid_to IS NULL"
            " AND (expires_at IS NULL OR expires_at > ?) ORDER BY version DESC LIMIT 1",
            (turn.id, now),
        ).fetchone()
        if row is not None:
            found[row_id] = turn if row[0] == row_id else records.fetch(connection, row)[row[0]]
    return found


def turns_before(connection: Connection, first: int, now: int) -> list[Record]:
    """Return the last few turns before a row, oldest first."""
    low = first >> NAMESPACE_BITS << NAMESPACE_BITS
    rows = connection.execute(
        "SELECT id FROM records WHERE id >= ? AND id < ? AND kind = 'turn' AND retired_at IS NULL"
        " AND valid_to IS NULL AND (expires_at IS NULL OR expires_at > ?)"
        " ORDER BY id DESC LIMIT ?",
        (low, first, now, RECENT),
    ).fetchall()
    found = records.fetch(connection, [row[0] for row in rows])
    return [found[row[0]] for row in reversed(rows)]


def turns_since(connection: Connection, namespace: int, since: int) -> dict[int, Record]:
    """Return lasting turns: what retells one that expires would outlive it."""
    low = max(since + 1, namespace << NAMESPACE_BITS)
    rows = connection.execute(
        "SELECT id FROM records WHERE id >= ? AND id < ? AND kind = 'turn' AND retired_at IS NULL"
        " AND valid_to IS NULL AND expires_at IS NULL ORDER BY id",
        (low, namespace + 1 << NAMESPACE_BITS),
    ).fetchall()
    found = records.fetch(connection, [row[0] for row in rows])
    return {row[0]: found[row[0]] for row in rows}


def covered(connection: Connection, summary: Record | None) -> int:
    """Return the row id of the last turn that a summary retells, as it was first stored."""
    if summary is None or not summary.sources:
        return 0
    row = connection.execute(
        "SELECT min(id) FROM records WHERE key = ?", (summary.sources[-1],)
    ).fetchone()
    return int(row[0] or 0)


def readable(turns: dict[int, Record], most: int) -> dict[int, Record]:
    """Return the first turns, of at most so many characters; one at least."""
    kept: dict[int, Record] = {}
    size = 0
    for row_id, turn in turns.items():
        size += len(turn.text)
        if kept and size > most:
            break
        kept[row_id] = turn
    return kept
