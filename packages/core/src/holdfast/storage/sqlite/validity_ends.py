"""When a version ends: an end is set, and the one it takes the place of is kept beside it.

"Lives in Lyon until May" has an end that is yet to come. Something else may end it sooner; when
that is undone, or erased, May holds again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from holdfast.storage.sqlite.database import Connection
from holdfast.types import Metadata

COLUMNS = ("closed_at", "had_to", "had_since")
"""What is kept of an end: when another took its place, the end, and since when it was known."""


def close(connection: Connection, row_id: int, valid_to: int, now: int) -> None:
    """End the time in which a record holds; it stays readable."""
    connection.execute(
        "REPLACE INTO ends SELECT id, ?, valid_to, closed_at FROM records"
        " WHERE id = ? AND valid_to IS NOT NULL",
        (now, row_id),
    )
    connection.execute(
        "UPDATE records SET valid_to = ?, closed_at = ? WHERE id = ?", (valid_to, now, row_id)
    )


def before(connection: Connection, row_id: int, at: int) -> Metadata:
    """Return the end that a version had before it was closed at a moment; none is an end, too."""
    row = connection.execute(
        "SELECT had_to, had_since FROM ends WHERE record = ? AND closed_at = ?", (row_id, at)
    ).fetchone()
    return dict(zip(("valid_to", "closed_at"), row or (None, None), strict=True))


def keep(connection: Connection, row_id: int, kept: Iterable[Iterable[Any]]) -> None:
    """Write what an export tells of a version's former ends: `COLUMNS` of each."""
    connection.executemany(
        "INSERT OR IGNORE INTO ends VALUES (?, ?, ?, ?)", [(row_id, *values) for values in kept]
    )
