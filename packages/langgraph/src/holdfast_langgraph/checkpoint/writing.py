"""The statements of a write: threads, blobs, checkpoints, pending writes."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from holdfast import Connection

from holdfast_langgraph.checkpoint.address import Address
from holdfast_langgraph.checkpoint.forms import Blobs, Digest, Sealed, Stored
from holdfast_langgraph.checkpoint.packing import (
    Numbered,
    pack_bundle,
    pack_carried,
    pack_manifest,
    pack_metadata,
    unpack_row,
)
from holdfast_langgraph.checkpoint.recent import Known

_COLUMNS = (
    "thread, ns, checkpoint_id, parent_id, run_id, created_at, metadata, type, body, manifest,"
    " carried, filed"
)
_ROW = "SELECT no, ?, ?, ?, ?, ?, ?, ?, ?, ?, {} FROM langgraph_threads WHERE no = ? AND epoch = ?"
_ADD_NEXT = f"INSERT INTO langgraph_checkpoints({_COLUMNS}) {_ROW.format('?, 0')}"
_ADD_BARE = f"INSERT INTO langgraph_checkpoints({_COLUMNS}) {_ROW.format('NULL, 0')}"
# In place of a checkpoint with the same id; not if blobs come with it, for it keeps those it
# carries, and others may name them.
_ADD_CHECKPOINT = (
    f"INSERT INTO langgraph_checkpoints({_COLUMNS}) {_ROW.format('?, 1')}"
    " ON CONFLICT(thread, ns, checkpoint_id) WHERE filed = 1 DO UPDATE SET"
    " parent_id = excluded.parent_id, run_id = excluded.run_id, created_at = excluded.created_at,"
    " buried = 0, metadata = excluded.metadata, type = excluded.type, body = excluded.body,"
    " manifest = excluded.manifest WHERE excluded.carried IS NULL"
)
_ADD_WRITES = (
    "INSERT INTO langgraph_tasks(thread, ns, checkpoint_id, task_id, task_path, value)"
    " SELECT no, ?, ?, ?, ?, ? FROM langgraph_threads WHERE no = ? AND epoch = ?"
)


class ThreadMovedError(Exception):
    """The thread was swept, deleted or made by someone else since it was looked at."""


class CheckpointThereError(Exception):
    """A checkpoint with this id is there already, and another can bring no blobs in its row."""


def find_thread(connection: Connection, thread_id: str) -> Known | None:
    """Return a thread as the file has it."""
    row = connection.execute(
        "SELECT no, salt, epoch FROM langgraph_threads WHERE thread_id = ?", (thread_id,)
    ).fetchone()
    return None if row is None else Known(row[0], row[1], row[2])


def _check_thread(connection: Connection, thread: int, epoch: int) -> None:
    """Make sure that what was known of a thread still holds.

    Raises:
        ThreadMovedError: It has been swept or deleted.
    """
    row = connection.execute(
        "SELECT 1 FROM langgraph_threads WHERE no = ? AND epoch = ?", (thread, epoch)
    ).fetchone()
    if row is None:
        raise ThreadMovedError(thread)


def add_thread(connection: Connection, thread_id: str, salt: bytes) -> int:
    """Make a thread; return its number.

    Raises:
        ThreadMovedError: There is one.
    """
    cursor = connection.execute(
        "INSERT OR IGNORE INTO langgraph_threads(thread_id, salt) VALUES (?, ?)",
        (thread_id, salt),
    )
    if cursor.rowcount != 1:
        raise ThreadMovedError(thread_id)
    return int(cursor.lastrowid or 0)


def add_blobs(connection: Connection, thread: int, blobs: Blobs) -> dict[Digest, int]:
    """Store the blobs that the thread does not have; return the numbers of all of them.

    Args:
        connection: An open write.
        thread: Its number.
        blobs: Type and bytes (sealed) by digest.
    """
    numbers: dict[Digest, int] = {}
    for digest, (type_, data) in blobs.items():
        cursor = connection.execute(
            "INSERT OR IGNORE INTO langgraph_blobs(thread, digest, type, data) VALUES (?, ?, ?, ?)",
            (thread, digest, type_, data),
        )
        if cursor.rowcount == 1:
            numbers[digest] = int(cursor.lastrowid or 0)
        else:
            numbers[digest] = connection.execute(
                "SELECT id FROM langgraph_blobs WHERE thread = ? AND digest = ?", (thread, digest)
            ).fetchone()[0]
    return numbers


def checkpoint_row(
    address: Address, checkpoint_id: str, metadata: Mapping[str, Any], body: Sealed
) -> tuple[object, ...]:
    """Return the columns of a checkpoint beside its thread and its manifest.

    Args:
        address: Of the parent.
        checkpoint_id: Its own.
        metadata: JSON.
        body: The checkpoint without its channel values.
    """
    run_id = metadata.get("run_id")
    return (
        address.ns,
        checkpoint_id,
        address.checkpoint_id,
        None if run_id is None else str(run_id),
        time.time_ns() // 1000,
        pack_metadata(metadata),
        *body,
    )


def add_checkpoint(
    connection: Connection,
    thread: tuple[int, int],
    row: tuple[object, ...],
    manifest: Mapping[str, Stored],
    carried: Blobs,
) -> int:
    """Store a checkpoint, in place of one with the same id.

    Args:
        connection: An open write; every checkpoint is filed.
        thread: Its number, and the epoch it must still be in.
        row: See `checkpoint_row`.
        manifest: The channel values.
        carried: Blobs (sealed) that lie in the row itself.

    Returns:
        The id of its row, if blobs lie in it.

    Raises:
        ThreadMovedError: The thread has been swept or deleted.
        CheckpointThereError: Blobs come with it, and one with the same id is there.
    """
    cursor = connection.execute(
        _ADD_CHECKPOINT, (*row, pack_manifest(manifest), pack_carried(carried), *thread)
    )
    if cursor.rowcount != 1:
        _check_thread(connection, *thread)
        raise CheckpointThereError(row[1])
    return int(cursor.lastrowid or 0)


def add_next(
    connection: Connection,
    thread: tuple[int, int],
    row: tuple[object, ...],
    manifest: Mapping[str, Stored],
    carried: Blobs,
) -> int:
    """Store a checkpoint that nobody can have put before, unfiled; one statement.

    Args:
        connection: An open write, or a bare connection.
        thread, row, manifest, carried: As for `add_checkpoint`.

    Returns:
        The id of its row.

    Raises:
        ThreadMovedError: The thread has been swept or deleted.
    """
    values = (*row, pack_manifest(manifest))
    if carried:
        cursor = connection.execute(_ADD_NEXT, (*values, pack_carried(carried), *thread))
    else:
        cursor = connection.execute(_ADD_BARE, (*values, *thread))
    if cursor.rowcount != 1:
        raise ThreadMovedError(thread)
    return int(cursor.lastrowid or 0)


def add_writes(
    connection: Connection,
    thread: tuple[int, int],
    address: Address,
    task: tuple[str, str],
    writes: Sequence[Numbered],
) -> int:
    """Store what a task has written, unfiled; one statement.

    What it wrote before under the same index stays in force, for it lies before this.

    Args:
        connection: An open write, or a bare connection.
        thread: Its number, and the epoch it must still be in.
        address: The checkpoint they follow.
        task: Its id and its path.
        writes: Index, channel, value.

    Returns:
        The id of the row.

    Raises:
        ThreadMovedError: The thread has been swept or deleted.
    """
    values = (address.ns, address.checkpoint_id, *task, pack_bundle(writes), *thread)
    cursor = connection.execute(_ADD_WRITES, values)
    if cursor.rowcount != 1:
        raise ThreadMovedError(thread)
    return int(cursor.lastrowid or 0)


def take_back(
    connection: Connection, thread: int, address: Address, task_id: str, indexes: Collection[int]
) -> None:
    """Delete what a task has written under some indexes.

    Args:
        connection: An open write.
        thread: Its number.
        address: The checkpoint the writes follow.
        task_id: The task.
        indexes: Of the writes.
    """
    rows = connection.execute(
        "SELECT id, idx, channel, value FROM langgraph_pending"
        " WHERE thread = ? AND ns = ? AND checkpoint_id = ? AND task_id = ?",
        (thread, address.ns, address.checkpoint_id, task_id),
    ).fetchall()
    for id, *row in rows:
        keep_writes(connection, id, row, lambda write: write[0] not in indexes)


def keep_writes(
    connection: Connection, id: int, row: Sequence[Any], keep: Callable[[Numbered], bool]
) -> None:
    """Delete writes of a row, and the row if none is left.

    Args:
        connection: An open write.
        id: Of the row.
        row: Its index, channel and value.
        keep: Says of a write whether it stays.
    """
    writes = unpack_row(*row)
    kept = [write for write in writes if keep(write)]
    if not kept:
        connection.execute("DELETE FROM langgraph_tasks WHERE id = ?", (id,))
    elif len(kept) < len(writes):
        connection.execute(
            "UPDATE langgraph_tasks SET value = ? WHERE id = ?", (pack_bundle(kept), id)
        )
