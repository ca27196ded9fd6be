"""The statements of a read, and checkpoint tuples from their rows."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from holdfast import Connection
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    PendingWrite,
    writes_sort_key,
)

from holdfast_langgraph.checkpoint.address import Address, config_of
from holdfast_langgraph.checkpoint.encoding import Codec
from holdfast_langgraph.checkpoint.forms import Digest, Sealed, Stored, carrier, references
from holdfast_langgraph.checkpoint.packing import (
    unpack_carried,
    unpack_manifest,
    unpack_metadata,
    unpack_row,
)

COLUMNS = (
    "c.id, t.thread_id, t.no, t.salt, t.epoch, c.ns, c.checkpoint_id, c.parent_id, c.metadata,"
    " c.type, c.body, c.manifest"
)
TABLES = "langgraph_all c JOIN langgraph_threads t ON t.no = c.thread"


@dataclass(frozen=True, slots=True)
class Row:
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


@dataclass(frozen=True, slots=True)
class Write:
    """A pending write as it lies in the file; `value` is unpacked."""

    task_path: str
    task_id: str
    idx: int
    channel: str
    value: Stored


Fetched = tuple[Row, list[Write], dict[int, Sealed]]
"""A checkpoint, its writes in order, and the blobs both need and nobody has opened yet."""


def find(connection: Connection, address: Address) -> Row | None:
    """Return the checkpoint at an address; the latest where it names none."""
    which, values = "", [address.thread_id, address.ns]
    if address.checkpoint_id is not None:
        which = " AND c.checkpoint_id = ?"
        values.append(address.checkpoint_id)
    row = connection.execute(
        f"SELECT {COLUMNS} FROM {TABLES} WHERE t.thread_id = ? AND c.ns = ? AND c.buried = 0"
        f"{which} ORDER BY c.checkpoint_id DESC, c.id DESC LIMIT 1",
        values,
    ).fetchone()
    return None if row is None else read_row(row)


def read_row(row: Sequence[Any]) -> Row:
    """Return a row of `COLUMNS` with its manifest unpacked."""
    return Row(*(*row[:-1], unpack_manifest(row[-1], row[0])))


def fetch(
    connection: Connection, rows: Sequence[Row], plain: Collection[int] = ()
) -> list[Fetched]:
    """Add what the tuples of checkpoints need, beside the parts whose plain bytes are known."""
    writes = [find_writes(connection, row.thread, row.ns, row.checkpoint_id) for row in rows]
    needed = [value for row in rows for value in row.manifest.values()]
    needed += [write.value for some in writes for write in some]
    blobs = find_blobs(connection, needed, plain)
    return [(row, some, blobs) for row, some in zip(rows, writes, strict=True)]


def find_writes(connection: Connection, thread: int, ns: str, checkpoint_id: str) -> list[Write]:
    """Return the writes that follow a checkpoint, in the order a run applies them."""
    rows = connection.execute(
        "SELECT task_path, task_id, idx, channel, value FROM langgraph_writes"
        " WHERE thread = ? AND ns = ? AND checkpoint_id = ? ORDER BY task_id, idx",
        (thread, ns, checkpoint_id),
    )
    # A row of its own takes the place of what a bundle has under the same index.
    writes = {
        (task_id, write[0]): Write(path, task_id, *write)
        for path, task_id, *row in rows
        for write in unpack_row(*row)
    }
    return sorted(writes.values(), key=_place)


def _place(write: Write) -> Any:
    return writes_sort_key(write.task_path, write.task_id, write.idx)


def find_blobs(
    connection: Connection, values: Iterable[Stored], plain: Collection[int] = ()
) -> dict[int, Sealed]:
    """Return type and data of every blob that these values name, parts in `plain` left out."""
    numbers = sorted(
        {
            number
            for value in values
            for number in references(value)
            if number not in plain or isinstance(value, int)
        }
    )
    if not numbers:
        return {}
    return {number: sealed for number, (_, sealed) in read_blobs(connection, numbers).items()}


def read_blobs(connection: Connection, numbers: Sequence[int]) -> dict[int, tuple[Digest, Sealed]]:
    """Return the digest, type and data of blobs by number; one that is gone is left out."""
    found: dict[int, tuple[Digest, Sealed]] = {}
    own = [number for number in numbers if number > 0]
    if own:
        for row in connection.execute(
            "SELECT id, digest, type, data FROM langgraph_blobs"
            " WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(own),),
        ):
            found[row[0]] = row[1], (row[2], row[3])
    places = {number: carrier(number) for number in numbers if number < 0}
    rows = read_carried(connection, {row for row, _ in places.values()})
    for number, (row, at) in places.items():
        blob = rows[row][at] if row in rows else None
        if blob is not None:
            found[number] = blob
    return found


def read_carried(
    connection: Connection, rows: Collection[int]
) -> dict[int, list[tuple[Digest, Sealed] | None]]:
    """Return the blobs that some of these rows carry, by row."""
    if not rows:
        return {}
    return {
        row: unpack_carried(data)
        for row, data in connection.execute(
            "SELECT id, carried FROM langgraph_checkpoints"
            " WHERE carried IS NOT NULL AND id IN (SELECT value FROM json_each(?))",
            (json.dumps(sorted(rows)),),
        )
    }


def digests_of(connection: Connection, thread: int, address: Address) -> dict[Digest, int]:
    """Return the numbers of the blobs that a checkpoint names, by digest."""
    row = connection.execute(
        "SELECT id, manifest FROM langgraph_all WHERE thread = ? AND ns = ? AND checkpoint_id = ?",
        (thread, address.ns, address.checkpoint_id),
    ).fetchone()
    if row is None:
        return {}
    values = unpack_manifest(row[1], row[0]).values()
    numbers = sorted({number for value in values for number in references(value)})
    return {digest: number for number, (digest, _) in read_blobs(connection, numbers).items()}


def assemble(
    codec: Codec,
    fetched: Fetched,
    config: RunnableConfig | None = None,
    plain: dict[int, bytes] | None = None,
) -> CheckpointTuple:
    """Return the tuple that LangGraph expects.

    Args:
        codec: Reads the values.
        fetched: What the file holds.
        config: The caller's own, handed back; by default one that names the checkpoint.
        plain: Parts that were opened before; those opened now are added.
    """
    row, writes, blobs = fetched
    plain = {} if plain is None else plain
    body = codec.load_body(row.type, row.body)
    values = {channel: codec.decode(value, blobs, plain) for channel, value in row.manifest.items()}
    parent = row.parent_id
    return CheckpointTuple(
        config or config_of(row.thread_id, row.ns, row.checkpoint_id),
        cast(Checkpoint, {**body, "id": row.checkpoint_id, "channel_values": values}),
        cast(CheckpointMetadata, unpack_metadata(row.metadata)),
        config_of(row.thread_id, row.ns, parent) if parent else None,
        [pending(codec, write, blobs, plain) for write in writes],
    )


def pending(
    codec: Codec,
    write: Write,
    blobs: Mapping[int, Sealed],
    plain: dict[int, bytes] | None = None,
) -> PendingWrite:
    """Return a write as LangGraph knows it."""
    return write.task_id, write.channel, codec.decode(write.value, blobs, plain)
