"""Checkpoint tuples from their rows, and listing them, newest first, page by page.

A listing reads the keys with its first page. No transaction outlives its page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

from holdfast import FilterError
from holdfast.tables import Connection
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    PendingWrite,
)

from holdfast_langgraph.checkpoint.address import config_of
from holdfast_langgraph.checkpoint.rows import (
    CheckpointRow,
    WriteRow,
    find_blobs,
    find_ids,
    find_writes,
    read_row,
)
from holdfast_langgraph.checkpoint.stored import Stored, TypedBytes, unpack_metadata
from holdfast_langgraph.checkpoint.values import Codec

FIRST_PAGE = 4  # often only the newest are wanted
LARGEST_PAGE = 64
_KEY = re.compile(r"[A-Za-z0-9_.-]+")

Fetched: TypeAlias = tuple[CheckpointRow, list[WriteRow], dict[int, TypedBytes]]
"""A checkpoint, its writes in order, and the blobs both need that are not opened yet."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which checkpoints.

    Attributes:
        where: SQL conditions with their values.
        metadata: Keys (a dot leads into a nested object) and the JSON values they must equal.
        limit: How many at most.
    """

    where: tuple[tuple[str, Any], ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None


def read_query(
    config: RunnableConfig | None,
    filter: Mapping[str, Any] | None,
    before: RunnableConfig | None,
    limit: int | None,
) -> Query:
    """Return a checked query; for its arguments see `HoldfastSaver.list`.

    Raises:
        FilterError: A filter key is malformed.
    """
    where: list[tuple[str, Any]] = []
    given = config["configurable"] if config is not None else {}
    if config is not None:
        where.append(("t.thread_id = ?", str(given["thread_id"])))
    if given.get("checkpoint_ns") is not None:
        where.append(("c.ns = ?", given["checkpoint_ns"]))
    if given.get("checkpoint_id"):
        where.append(("c.checkpoint_id = ?", given["checkpoint_id"]))
    end = before["configurable"].get("checkpoint_id") if before is not None else None
    if end:
        where.append(("c.checkpoint_id < ?", end))
    return Query(tuple(where), _check_filter(filter) if filter else {}, limit)


def _check_filter(filter: Mapping[str, Any]) -> Mapping[str, Any]:
    for key in filter:
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise FilterError(
                f"Invalid filter key: {key!r}; a key has letters, digits, '_', '-', and '.' before"
                " the key of a nested object"
            )
    # As metadata itself is stored: a tuple is a list, a key is a string.
    checked: Mapping[str, Any] = json.loads(json.dumps(filter, default=str))
    return checked


def find_listed(connection: Connection, query: Query) -> list[int]:
    """Return the row ids of the checkpoints in question, newest first.

    With a metadata filter any number may have to be looked at, so none is left out here.
    """
    if query.limit is not None and query.limit <= 0:
        return []
    return find_ids(connection, query.where, None if query.metadata else query.limit)


def read_page(connection: Connection, query: Query, ids: Sequence[int]) -> list[CheckpointRow]:
    """Return the checkpoints of a page that match; one deleted meanwhile is passed over."""
    rows = [read_row(connection, id) for id in ids]
    return [row for row in rows if row is not None and _matches(row, query.metadata)]


def _matches(row: CheckpointRow, wanted: Mapping[str, Any]) -> bool:
    if not wanted:
        return True
    metadata = unpack_metadata(row.metadata)
    return all(_lookup(metadata, key) == value for key, value in wanted.items())


def _lookup(metadata: Mapping[str, Any], key: str) -> Any:
    """Return the value of a key, or of a path of keys; None where there is none."""
    if key in metadata:
        return metadata[key]
    value: Any = metadata
    for step in key.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


# -- checkpoint tuples ----------------------------------------------------------------------------


def fetch(
    connection: Connection, rows: Sequence[CheckpointRow], plain: Mapping[int, Collection[int]]
) -> list[Fetched]:
    """Add what the tuples of checkpoints need.

    Args:
        connection: An open read.
        rows: The checkpoints.
        plain: By thread, the numbers of chunks that are opened already.
    """
    writes = [find_writes(connection, row.thread, row.ns, row.checkpoint_id) for row in rows]
    needed: dict[int, list[Stored]] = {}
    for row, some in zip(rows, writes, strict=True):
        values = [*row.manifest.values(), *(write.value for write in some)]
        needed.setdefault(row.thread, []).extend(values)
    blobs = {
        thread: find_blobs(connection, thread, values, plain[thread])
        for thread, values in needed.items()
    }
    return [(row, some, blobs[row.thread]) for row, some in zip(rows, writes, strict=True)]


def assemble(
    codec: Codec, fetched: Fetched, config: RunnableConfig | None, plain: dict[int, bytes]
) -> CheckpointTuple:
    """Return the tuple that LangGraph expects.

    Args:
        codec: Reads the values.
        fetched: What the file holds.
        config: The caller's own, handed back; None: one that names the checkpoint.
        plain: Chunks that were opened before; those opened now are added.
    """
    row, writes, blobs = fetched
    body = codec.serde.loads_typed((row.type, row.body))
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
    write: WriteRow,
    blobs: Mapping[int, TypedBytes],
    plain: dict[int, bytes] | None = None,
) -> PendingWrite:
    """Return a write as LangGraph expects it."""
    return write.task_id, write.channel, codec.decode(write.value, blobs, plain)
