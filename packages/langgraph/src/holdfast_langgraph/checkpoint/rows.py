"""The statements of reads and writes: threads, checkpoints, writes of tasks, blobs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from holdfast import Scope, ScopeError
from holdfast.tables import Connection
from langgraph.checkpoint.base import writes_sort_key

from holdfast_langgraph.checkpoint.address import Address, Owner
from holdfast_langgraph.checkpoint.recent import Digest, ThreadState
from holdfast_langgraph.checkpoint.schema import THREAD_BITS
from holdfast_langgraph.checkpoint.stored import (
    Blobs,
    NumberedWrite,
    Stored,
    TypedBytes,
    pack_manifest,
    pack_metadata,
    pack_writes,
    references,
    unpack_manifest,
    unpack_writes,
)

_TABLES = "langgraph_checkpoints c JOIN langgraph_threads t ON t.no = c.thread"
_COLUMNS = (
    "c.id, t.thread_id, t.no, t.salt, t.epoch, c.ns, c.checkpoint_id, c.parent_id,"
    " c.metadata, c.type, c.body, c.manifest"
)
_ADD_CHECKPOINT = (
    "INSERT INTO langgraph_checkpoints(thread, ns, checkpoint_id, parent_id, run_id, created_at,"
    " metadata, type, body, manifest) SELECT no, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM langgraph_threads"
    " WHERE no = ? AND epoch = ? ON CONFLICT(thread, ns, checkpoint_id) DO UPDATE SET"
    " parent_id = excluded.parent_id, run_id = excluded.run_id, created_at = excluded.created_at,"
    " hidden = 0, metadata = excluded.metadata, type = excluded.type, body = excluded.body,"
    " manifest = excluded.manifest"
)
_ADD_WRITES = (
    "INSERT INTO langgraph_writes(thread, ns, checkpoint_id, task_id, task_path, value)"
    " SELECT no, ?, ?, ?, ?, ? FROM langgraph_threads WHERE no = ? AND epoch = ?"
)
_WRITES = (
    "INSERT INTO langgraph_writes(thread, ns, checkpoint_id, task_id, task_path, value)"
    " SELECT no, ?, ?, ?, ?, ? FROM langgraph_threads WHERE no = ? AND epoch = ?"
)
_ADD_BLOB = "INSERT OR IGNORE INTO langgraph_blobs(thread, digest, type, data) VALUES (?, ?, ?, ?)"
_WRITES = (
    "SELECT id, value, task_path, task_id FROM langgraph_writes"
    " WHERE thread = ? AND ns = ? AND checkpoint_id = ?"
)


class ThreadMovedError(Exception):
    """The thread was pruned, deleted or made by another writer since it was looked at."""


class CheckpointRow(NamedTuple):
    """A checkpoint as it lies in the file; `manifest` is unpacked."""

    id: int
    thread_id: str
    thread: int
    salt: bytes
    epoch: int
    ns: str
    checkpoint_id: str
    parent_id: str | None
    metadata: bytes | str
    type: str
    body: bytes
    manifest: Mapping[str, Stored]


class WriteRow(NamedTuple):
    """One write of a task as it lies in the file."""

    task_path: str
    task_id: str
    idx: int
    channel: str
    value: Stored


# -- writing --------------------------------------------------------------------------------------


def find_thread(connection: Connection, thread_id: str) -> ThreadState | None:
    """Return a thread as the file has it."""
    row = connection.execute(
        "SELECT no, salt, epoch FROM langgraph_threads WHERE thread_id = ?", (thread_id,)
    ).fetchone()
    return None if row is None else ThreadState(*row)


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


def add_owner(connection: Connection, thread: int, owner: Owner) -> None:
    """Note whose a thread is; ids that no scope can have are left out."""
    ids = [name if _names_scope(name) else "" for name in owner]
    if any(ids):
        connection.execute(
            "INSERT OR IGNORE INTO langgraph_owners VALUES (?, ?, ?, ?)", (thread, *ids)
        )


def _names_scope(name: str) -> bool:
    try:
        return bool(Scope(name))
    except ScopeError:
        return False


def add_blobs(connection: Connection, thread: int, blobs: Blobs) -> dict[Digest, int]:
    """Store blobs; return their numbers in the thread.

    Args:
        connection: An open write.
        thread: Its number.
        blobs: Type and bytes as the file holds them, by digest.
    """
    if not blobs:
        return {}
    first, end = blob_rows(thread)
    (last,) = connection.execute(
        "SELECT max(id) FROM langgraph_blobs WHERE id >= ? AND id < ?", (first, end)
    ).fetchone()
    next_id = first + 1 if last is None else last + 1
    connection.executemany(
        "INSERT INTO langgraph_blobs(id, digest, type, data) VALUES (?, ?, ?, ?)",
        [(id, digest, *blob) for id, (digest, blob) in enumerate(blobs.items(), next_id)],
    )
    return {digest: id - first for id, digest in enumerate(blobs, next_id)}


def blob_rows(thread: int) -> tuple[int, int]:
    """Return the row ids between which a thread's blobs lie; the end is outside."""
    return thread << THREAD_BITS, thread + 1 << THREAD_BITS


def checkpoint_columns(
    address: Address, checkpoint_id: str, metadata: Mapping[str, Any], body: TypedBytes
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
    columns: tuple[object, ...],
    manifest: Mapping[str, Stored],
) -> None:
    """Store a checkpoint, in place of one with the same id.

    Args:
        connection: An open write.
        thread: Its number, and the epoch it must still be in.
        columns: See `checkpoint_columns`.
        manifest: The channel values.

    Raises:
        ThreadMovedError: The thread has been pruned or deleted.
    """
    cursor = connection.execute(_ADD_CHECKPOINT, (*columns, pack_manifest(manifest), *thread))
    if cursor.rowcount != 1:
        raise ThreadMovedError(thread)


def add_writes(
    connection: Connection,
    thread: tuple[int, int],
    address: Address,
    task: tuple[str, str],
    writes: Sequence[NumberedWrite],
) -> None:
    """Store what a task has written; what it wrote before under the same index still counts.

    Args:
        connection: An open write.
        thread: Its number, and the epoch it must still be in.
        address: The checkpoint they follow.
        task: Its id and its path.
        writes: Index, channel, value.

    Raises:
        ThreadMovedError: The thread has been pruned or deleted.
    """
    values = (address.ns, address.checkpoint_id, *task, pack_writes(writes), *thread)
    if connection.execute(_ADD_WRITES, values).rowcount != 1:
        raise ThreadMovedError(thread)


def remove_writes(
    connection: Connection,
    where: tuple[object, ...],
    removes: Callable[[str, NumberedWrite], bool],
) -> None:
    """Delete writes that follow a checkpoint, and the rows of which none is left.

    Args:
        connection: An open write.
        where: Thread, namespace, checkpoint id.
        removes: Says of a task's id and a write whether it goes.
    """
    for id, value, _, task_id in connection.execute(_WRITES, where).fetchall():
        writes = unpack_writes(value)
        kept = [write for write in writes if not removes(task_id, write)]
        if not kept:
            connection.execute("DELETE FROM langgraph_writes WHERE id = ?", (id,))
        elif len(kept) < len(writes):
            connection.execute(
                "UPDATE langgraph_writes SET value = ? WHERE id = ?", (pack_writes(kept), id)
            )


# -- reading --------------------------------------------------------------------------------------


def find(connection: Connection, address: Address) -> CheckpointRow | None:
    """Return the checkpoint at an address; the latest where it names none."""
    where = [("t.thread_id = ?", address.thread_id), ("c.ns = ?", address.ns)]
    if address.checkpoint_id is not None:
        where.append(("c.checkpoint_id = ?", address.checkpoint_id))
    return _row(_select(connection, _COLUMNS, where, 1).fetchone())


def find_ids(
    connection: Connection, where: Sequence[tuple[str, Any]], most: int | None
) -> list[int]:
    """Return the row ids of the checkpoints that meet conditions, newest first.

    Args:
        connection: An open read.
        where: SQL with its value.
        most: How many at most.
    """
    return [row[0] for row in _select(connection, "c.id", where, most)]


def _select(
    connection: Connection, columns: str, where: Sequence[tuple[str, Any]], most: int | None
) -> Any:
    conditions = "".join([f" AND {sql}" for sql, _ in where])
    return connection.execute(
        f"SELECT {columns} FROM {_TABLES} WHERE c.hidden = 0{conditions}"
        " ORDER BY c.checkpoint_id DESC, c.id DESC LIMIT ?",
        [*(value for _, value in where), -1 if most is None else most],
    )


def read_row(connection: Connection, id: int) -> CheckpointRow | None:
    """Return a checkpoint by the id of its row; None if it is gone."""
    return _row(
        connection.execute(
            f"SELECT {_COLUMNS} FROM {_TABLES} WHERE c.id = ? AND c.hidden = 0", (id,)
        ).fetchone()
    )


def _row(row: Any) -> CheckpointRow | None:
    return None if row is None else CheckpointRow._make((*row[:-1], unpack_manifest(row[-1])))


def find_writes(connection: Connection, thread: int, ns: str, checkpoint_id: str) -> list[WriteRow]:
    """Return the writes that follow a checkpoint, in the order a run applies them."""
    found = connection.execute(_WRITES, (thread, ns, checkpoint_id)).fetchall()
    writes: dict[tuple[str, int], WriteRow] = {}
    for _, value, path, task_id in sorted(found):  # the first of an index counts
        for write in unpack_writes(value):
            writes.setdefault((task_id, write[0]), WriteRow(path, task_id, *write))
    return sorted(writes.values(), key=_order)


def _order(write: WriteRow) -> Any:
    return writes_sort_key(write.task_path, write.task_id, write.idx)


def find_blobs(
    connection: Connection, thread: int, values: Iterable[Stored], plain: Collection[int] = ()
) -> dict[int, TypedBytes]:
    """Return type and data of every blob that these values name, chunks in `plain` left out."""
    numbers: set[int] = set()
    for value in values:
        if isinstance(value, int):
            numbers.add(value)
        elif isinstance(value, list):
            numbers.update([one for one in value if isinstance(one, int) and one not in plain])
    return {row[0]: (row[2], row[3]) for row in _blobs(connection, thread, numbers)}


def _blobs(
    connection: Connection, thread: int, numbers: Collection[int]
) -> list[tuple[int, Digest, str, bytes]]:
    """Return number, digest, type and data of blobs; one that is gone is left out."""
    if not numbers:
        return []
    first, _ = blob_rows(thread)
    return connection.execute(
        "SELECT id - ?1, digest, type, data FROM langgraph_blobs"
        " WHERE id IN (SELECT ?1 + value FROM json_each(?2))",
        (first, json.dumps(sorted(numbers))),
    ).fetchall()


def digests_of(connection: Connection, thread: int, address: Address) -> dict[Digest, int]:
    """Return the numbers of the blobs that a checkpoint names, by digest."""
    row = connection.execute(
        "SELECT manifest FROM langgraph_checkpoints"
        " WHERE thread = ? AND ns = ? AND checkpoint_id = ?",
        (thread, address.ns, address.checkpoint_id),
    ).fetchone()
    values = unpack_manifest(row[0]).values() if row is not None else ()
    named = {id for value in values for id in references(value)}
    return {digest: number for number, digest, _, _ in _blobs(connection, thread, named)}
