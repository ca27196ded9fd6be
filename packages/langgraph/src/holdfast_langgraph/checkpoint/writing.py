"""The statements of a write: threads, blobs, checkpoints, pending writes."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from holdfast import Connection

from holdfast_langgraph.checkpoint.address import Address
from holdfast_langgraph.checkpoint.forms import Blobs, Digest, Stored, pack, pack_manifest
from holdfast_langgraph.checkpoint.recent import Known

MOST_PARAMETERS = 500


class ThreadMovedError(Exception):
    """The thread was swept, deleted or made by someone else since it was looked at."""


def find_thread(connection: Connection, thread_id: str) -> Known | None:
    """Return a thread as the file has it."""
    row = connection.execute(
        "SELECT no, salt, epoch FROM langgraph_threads WHERE thread_id = ?", (thread_id,)
    ).fetchone()
    return None if row is None else Known(row[0], row[1], row[2])


def claim_thread(connection: Connection, thread_id: str, known: Known) -> int:
    """Return the number of a thread that is still as it was known; make a new one.

    Raises:
        ThreadMovedError: It is not; look again.
    """
    now = find_thread(connection, thread_id)
    if now is None and known.no is None:
        return add_thread(connection, thread_id, known.salt)
    if now is None or now.no is None or (now.no, now.epoch) != (known.no, known.epoch):
        raise ThreadMovedError(thread_id)
    return now.no


def add_thread(connection: Connection, thread_id: str, salt: bytes) -> int:
    """Make a thread; return its number."""
    cursor = connection.execute(
        "INSERT INTO langgraph_threads(thread_id, salt) VALUES (?, ?)", (thread_id, salt)
    )
    return int(cursor.lastrowid or 0)


def add_blobs(connection: Connection, thread: int, blobs: Blobs) -> dict[Digest, int]:
    """Store the blobs that the thread does not have; return the numbers of all of them.

    Args:
        connection: An open write.
        thread: Its number.
        blobs: Type and bytes (sealed) by digest.
    """
    numbers = _numbers(connection, thread, list(blobs))
    for digest, (type_, data) in blobs.items():
        if digest not in numbers:
            cursor = connection.execute(
                "INSERT INTO langgraph_blobs(thread, digest, type, data) VALUES (?, ?, ?, ?)",
                (thread, digest, type_, data),
            )
            numbers[digest] = int(cursor.lastrowid or 0)
    return numbers


def _numbers(connection: Connection, thread: int, digests: Sequence[Digest]) -> dict[Digest, int]:
    found: dict[Digest, int] = {}
    rest = iter(digests)
    while some := list(islice(rest, MOST_PARAMETERS)):
        marks = ",".join("?" * len(some))
        found.update(
            connection.execute(
                f"SELECT digest, id FROM langgraph_blobs WHERE thread = ? AND digest IN ({marks})",
                (thread, *some),
            ).fetchall()
        )
    return found


def add_checkpoint(
    connection: Connection,
    thread: int,
    address: Address,
    checkpoint_id: str,
    metadata: Mapping[str, Any],
    body: tuple[str, bytes],
    manifest: Mapping[str, Stored],
) -> None:
    """Store a checkpoint, in place of one with the same id.

    Args:
        connection: An open write.
        thread: Its number.
        address: Of the parent.
        checkpoint_id: Its own.
        metadata: JSON.
        body: Type and bytes of the checkpoint without its channel values.
        manifest: The channel values.
    """
    run_id = metadata.get("run_id")
    connection.execute(
        "INSERT OR REPLACE INTO langgraph_checkpoints(thread, ns, checkpoint_id, parent_id, run_id,"
        " created_at, metadata, type, body, manifest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            thread,
            address.ns,
            checkpoint_id,
            address.checkpoint_id,
            None if run_id is None else str(run_id),
            time.time_ns() // 1000,
            json.dumps(metadata, ensure_ascii=False).encode("utf-8", "ignore").decode(),
            *body,
            pack_manifest(manifest),
        ),
    )


def add_writes(
    connection: Connection,
    thread: int,
    address: Address,
    task: tuple[str, str],
    writes: Sequence[tuple[int, str, Stored]],
    *,
    replace: bool,
) -> None:
    """Store the writes of a task.

    Args:
        connection: An open write.
        thread: Its number.
        address: The checkpoint they follow.
        task: Its id and its path.
        writes: Index, channel, value.
        replace: In place of earlier ones with the same index; else those stay.
    """
    verb = "REPLACE" if replace else "IGNORE"
    task_id, path = task
    connection.executemany(
        f"INSERT OR {verb} INTO langgraph_writes(thread, ns, checkpoint_id, task_id, idx,"
        " task_path, channel, value) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (thread, address.ns, address.checkpoint_id, task_id, idx, path, channel, pack(value))
            for idx, channel, value in writes
        ],
    )
