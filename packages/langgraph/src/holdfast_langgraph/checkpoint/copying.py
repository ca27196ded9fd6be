"""Copying a thread: every checkpoint, buried ones too, with its writes and blobs."""

from __future__ import annotations

from collections.abc import Mapping

from holdfast import Connection

from holdfast_langgraph.checkpoint.filing import file
from holdfast_langgraph.checkpoint.forms import carried_number, renumber
from holdfast_langgraph.checkpoint.packing import (
    pack_manifest,
    renumbered,
    unpack_carried,
    unpack_manifest,
)
from holdfast_langgraph.checkpoint.writing import add_blobs, add_thread, find_thread


def copy_thread(connection: Connection, source_id: str, target_id: str) -> None:
    """Copy a thread to another id; what the other has under the same checkpoint ids is replaced."""
    source = find_thread(connection, source_id)
    if source is None or source.no is None or source_id == target_id:
        return
    file(connection)
    target = find_thread(connection, target_id)
    # A new thread takes over the salt, so that it finds the blobs it was given.
    number = (target and target.no) or add_thread(connection, target_id, source.salt)
    numbers = _copy_blobs(connection, source.no, number)
    numbers |= _copy_carried(connection, source.no, number)
    _copy_checkpoints(connection, source.no, number, numbers)
    _copy_writes(connection, source.no, number, numbers)


def _copy_blobs(connection: Connection, source: int, target: int) -> dict[int, int]:
    connection.execute(
        "INSERT OR IGNORE INTO langgraph_blobs(thread, digest, type, data)"
        " SELECT ?, digest, type, data FROM langgraph_blobs WHERE thread = ?",
        (target, source),
    )
    return dict(
        connection.execute(
            "SELECT s.id, t.id FROM langgraph_blobs s"
            " JOIN langgraph_blobs t ON t.digest = s.digest AND t.thread = ? WHERE s.thread = ?",
            (target, source),
        ).fetchall()
    )


def _copy_carried(connection: Connection, source: int, target: int) -> dict[int, int]:
    """Give blobs that a row carries rows of their own in the other thread."""
    numbers: dict[int, int] = {}
    for row, data in connection.execute(
        "SELECT id, carried FROM langgraph_all WHERE thread = ? AND carried IS NOT NULL",
        (source,),
    ).fetchall():
        for at, blob in enumerate(unpack_carried(data)):
            if blob is not None:
                added = add_blobs(connection, target, dict([blob]))
                numbers[carried_number(row, at)] = added[blob[0]]
    return numbers


def _copy_checkpoints(
    connection: Connection, source: int, target: int, numbers: Mapping[int, int]
) -> None:
    rows = connection.execute(
        "SELECT ns, checkpoint_id, parent_id, run_id, created_at, buried, metadata, type, body,"
        " id, manifest FROM langgraph_all WHERE thread = ? ORDER BY id",
        (source,),
    ).fetchall()
    # A row that is there keeps the blobs it carries: others may name them.
    connection.executemany(
        "INSERT INTO langgraph_checkpoints(thread, ns, checkpoint_id, parent_id, run_id,"
        " created_at, buried, metadata, type, body, manifest)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT(thread, ns, checkpoint_id) WHERE filed = 1 DO UPDATE SET"
        " parent_id = excluded.parent_id, run_id = excluded.run_id,"
        " created_at = excluded.created_at, buried = excluded.buried,"
        " metadata = excluded.metadata, type = excluded.type, body = excluded.body,"
        " manifest = excluded.manifest",
        [(target, *row[:-2], _renumbered(row[-2], row[-1], numbers)) for row in rows],
    )


def _renumbered(row: int, manifest: bytes, numbers: Mapping[int, int]) -> bytes:
    values = unpack_manifest(manifest, row)
    return pack_manifest({name: renumber(value, numbers) for name, value in values.items()})


def _copy_writes(
    connection: Connection, source: int, target: int, numbers: Mapping[int, int]
) -> None:
    columns = "ns, checkpoint_id, task_id, task_path, idx, channel, value"
    rows = connection.execute(
        f"SELECT {columns} FROM langgraph_tasks WHERE filed = 1 AND thread = ? ORDER BY id",
        (source,),
    ).fetchall()
    connection.executemany(
        "DELETE FROM langgraph_tasks"
        " WHERE filed = 1 AND thread = ? AND ns = ? AND checkpoint_id = ? AND task_id = ?",
        [(target, *row[:3]) for row in rows],
    )
    connection.executemany(
        f"INSERT INTO langgraph_tasks(filed, thread, {columns}) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (target, *where, idx, channel, renumbered(idx, channel, data, numbers))
            for *where, idx, channel, data in rows
        ],
    )
