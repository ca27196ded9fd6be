"""Filing: a table's rows get their entries in its index some at a time.

A put that goes on where its thread's last one ended leaves its row unfiled, and so do a task's
writes: each writes one page instead of two. No filed row is younger than an unfiled one: the
unfiled are the last of their table, few enough to be read through, and the views `langgraph_all`
and `langgraph_pending` show both kinds. Whoever puts otherwise, copies or deletes files them first.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from holdfast import Connection, Database, StorageError

from holdfast_langgraph.checkpoint.forms import Blobs, Stored
from holdfast_langgraph.checkpoint.sweeping import sweep
from holdfast_langgraph.checkpoint.writing import add_checkpoint

MOST_UNFILED = 32

_LAST = "SELECT id FROM {} NOT INDEXED WHERE filed = 1 ORDER BY id DESC LIMIT 1"
_FILE = "UPDATE OR IGNORE {} SET filed = 1 WHERE filed = 0 AND id > ?"
_LEFT = (
    "SELECT id, thread, ns, checkpoint_id FROM langgraph_checkpoints NOT INDEXED"
    " WHERE filed = 0 AND id > ? ORDER BY id"
)
_FILED = (
    "SELECT id FROM langgraph_checkpoints"
    " WHERE filed = 1 AND thread = ? AND ns = ? AND checkpoint_id = ?"
)
_SET = "UPDATE langgraph_checkpoints SET filed = ? WHERE id = ?"


def is_due(row: int) -> bool:
    """Say whether whoever has put this row should file it and those before it."""
    return row % MOST_UNFILED == 0


def file_all(database: Database) -> None:
    """File every row, in a transaction of its own; if that fails, the next one makes up."""
    with suppress(StorageError), database.write() as connection:
        file(connection)


def add_filed(
    connection: Connection,
    thread: tuple[int, int],
    row: tuple[object, ...],
    manifest: Mapping[str, Stored],
    carried: Blobs,
) -> int:
    """Do as `add_checkpoint`, with every checkpoint filed."""
    file(connection)
    return add_checkpoint(connection, thread, row, manifest, carried)


def file(connection: Connection) -> None:
    """File every row; of checkpoints that two savers have put, the youngest stays."""
    _file(connection, "langgraph_tasks")
    last = _file(connection, "langgraph_checkpoints")
    going: dict[int, list[int]] = {}
    for younger, thread, *place in connection.execute(_LEFT, (last,)).fetchall():
        (older,) = connection.execute(_FILED, (thread, *place)).fetchone()
        connection.execute(_SET, (0, older))
        connection.execute(_SET, (1, younger))
        going.setdefault(thread, []).append(older)
    for thread, rows in going.items():
        sweep(connection, thread, rows)


def _file(connection: Connection, table: str) -> int:
    """File the rows of a table; return the id of the last that was filed before."""
    last: int = (connection.execute(_LAST.format(table)).fetchone() or (0,))[0]
    connection.execute(_FILE.format(table), (last,))
    return last
