"""The statements of a read, and checkpoint tuples from their rows."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

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

_TABLES = "langgraph_all c JOIN langgraph_threads t ON t.no = c.thread"
_ROW = (
    "SELECT c.id, t.thread_id, t.no, t.salt, t.epoch, c.ns, c.checkpoint_id, c.parent_id,"
    " c.metadata, c.type, c.body, c.manifest FROM langgraph_checkpoints c"
    " JOIN langgraph_threads t ON t.no = c.thread WHERE c.id = ? AND c.buried = 0"
)


class Row(NamedTuple):
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


class Write(NamedTuple):
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
    where = [("t.thread_id = ?", address.thread_id), ("c.ns = ?", address.ns)]
    if address.checkpoint_id is not None:
        where.append(("c.checkpoint_id = ?", address.checkpoint_id))
    ids = find_ids(connection, where, 1)
    return read_row(connection, ids[0]) if ids else None


def find_ids(
    connection: Connection, where: Iterable[tuple[str, Any]], most: int | None
) -> list[int]:
    """Return the row ids of the checkpoints that meet conditions, newest first.

    Args:
        connection: An open read.
        where: SQL with its value.
        most: How many at most.
    """
    conditions = "".join([f" AND {sql}" for sql, _ in where])
    # Only by columns of its result is a view sorted through an index, and only where the limit
    # stands in the statement is no more sorted than that. So ids come first, and rows by id.
    limit = "" if most is None else f" LIMIT {most:d}"
    rows = connection.execute(
        f"SELECT c.id, c.checkpoint_id FROM {_TABLES} WHERE c.buried = 0{conditions}"
        f" ORDER BY c.checkpoint_id DESC, c.id DESC{limit}",
        [value for _, value in where],
    )
    return [row[0] for row in rows]


def read_row(connection: Connection, id: int) -> Row | None:
    """Return a checkpoint by the id of its row; None if it is gone."""
    row = connection.execute(_ROW, (id,)).fetchone()
    return None if row is None else Row._make((*row[:-1], unpack_manifest(row[-1], id)))


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
        "SELECT id, task_path, task_id, idx, channel, value FROM langgraph_pending"
        " WHERE thread = ? AND ns = ? AND checkpoint_id = ?",
        (thread, ns, checkpoint_id),
    ).fetchall()
    writes: dict[tuple[str, int], Write] = {}
    for _, path, task_id, *row in sorted(rows):  # what came first under an index is in force
        for write in unpack_row(*row):
            writes.setdefault((task_id, write[0]), Write(path, task_id, *write))
    return sorted(writes.values(), key=_place)


def _place(write: Write) -> Any:
    return writes_sort_key(write.task_path, write.task_id, write.idx)


def find_blobs(
    connection: Connection, values: Iterable[Stored], plain: Collection[int] = ()
) -> dict[int, Sealed]:
    """Return type and data of every blob that these values name, parts in `plain` left out."""
    numbers: set[int] = set()
    for value in values:
        if isinstance(value, int):
            numbers.add(value)
        elif isinstance(value, list):
            numbers.update([part for part in value if isinstance(part, int) and part not in plain])
    if not numbers:
        return {}
    found = read_blobs(connection, sorted(numbers))
    return {number: sealed for number, (_, sealed) in found.items()}


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
