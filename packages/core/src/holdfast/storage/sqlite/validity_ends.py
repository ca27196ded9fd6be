"""When a version ends: an end is set, and the one it takes the place of is kept beside it.

"Lives in Lyon until May" has an end that is yet to come. Something else may end it sooner; when
that is undone, or erased, May holds again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from holdfast.storage.sqlite.database import Connection
from holdfast.types import Metadata

COLUMNS = ("closed_by", "had_to", "had_since", "had_by")
"""What is kept of an end: the change that put another in its place, the end, since when it was
known, and by which change."""


def close(connection: Connection, row_id: int, valid_to: int, now: int, change: int) -> None:
    """Let a change end the time in which a record holds; it stays readable."""
    connection.execute(
        "REPLACE INTO ends SELECT id, ?, valid_to, closed_at, closed_by FROM records"
        " WHERE id = ? AND valid_to IS NOT NULL",
        (change, row_id),
    )
    connection.execute(
        "UPDATE records SET valid_to = ?, closed_at = ?, closed_by = ? WHERE id = ?",
        (valid_to, now, change, row_id),
    )


def before(connection: Connection, row_id: int, change: int) -> Metadata:
    """Return the end that a version had before a change closed it; none is an end, too."""
    row = connection.execute(
        "SELECT had_to, had_since, had_by FROM ends WHERE record = ? AND closed_by = ?",
        (row_id, change),
    ).fetchone()
    names = ("valid_to", "closed_at", "closed_by")
    return dict(zip(names, row or (None, None, None), strict=True))


def keep(connection: Connection, row_id: int, kept: Iterable[Iterable[Any]]) -> None:
    """Write what an export tells of a version's former ends: `COLUMNS` of each."""
    connection.executemany(
        "INSERT OR IGNORE INTO ends VALUES (?, ?, ?, ?, ?)", [(row_id, *values) for values in kept]
    )
