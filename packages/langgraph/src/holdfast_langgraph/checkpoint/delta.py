"""The history of delta channels: their writes along the parent chain back to a stored value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from holdfast.tables import Connection
from langgraph.checkpoint.base import DeltaChannelHistory

from holdfast_langgraph.checkpoint.address import Address
from holdfast_langgraph.checkpoint.listing import pending
from holdfast_langgraph.checkpoint.rows import (
    CheckpointRow,
    WriteRow,
    find,
    find_blobs,
    find_writes,
)
from holdfast_langgraph.checkpoint.stored import Stored, TypedBytes, unpack_manifest
from holdfast_langgraph.checkpoint.values import Codec


@dataclass(slots=True)
class ChannelHistory:
    """A channel's writes, newest first, and in `seed` the stored value before them, if any."""

    writes: list[WriteRow] = field(default_factory=list)
    seed: list[Stored] = field(default_factory=list)


def read_history(
    connection: Connection, address: Address, channels: Sequence[str]
) -> tuple[dict[str, ChannelHistory], dict[int, TypedBytes]]:
    """Follow the parents of a checkpoint; return each channel's history, and the blobs it needs.

    The writes of the checkpoint itself are still pending and left out; those of the ancestor that
    holds the value came after that value and belong to the history.
    """
    histories = {channel: ChannelHistory() for channel in channels}
    searching = set(channels)
    target = find(connection, address)
    for row, manifest in _ancestors(connection, target):
        for write in reversed(find_writes(connection, *row)):
            if write.channel in searching:
                histories[write.channel].writes.append(write)
        for channel in searching & manifest.keys():
            histories[channel].seed = [manifest[channel]]
            searching.discard(channel)
        if not searching:
            break
    if target is None:
        return histories, {}
    values = [write.value for one in histories.values() for write in one.writes]
    values += [seed for one in histories.values() for seed in one.seed]
    return histories, find_blobs(connection, target.thread, values)


def _ancestors(
    connection: Connection, target: CheckpointRow | None
) -> Iterator[tuple[tuple[int, str, str], Mapping[str, Stored]]]:
    """Yield thread, namespace and id of parents, and manifests, nearest first; a circle ends."""
    if target is None:
        return
    seen = {target.checkpoint_id}
    parent = target.parent_id
    while parent is not None and parent not in seen:
        seen.add(parent)
        where = target.thread, target.ns, parent
        row = connection.execute(
            "SELECT parent_id, manifest FROM langgraph_checkpoints"
            " WHERE thread = ? AND ns = ? AND checkpoint_id = ?",
            where,
        ).fetchone()
        if row is None:
            return
        yield where, unpack_manifest(row[1])
        parent = row[0]


def decode_history(
    codec: Codec, histories: Mapping[str, ChannelHistory], blobs: Mapping[int, TypedBytes]
) -> dict[str, DeltaChannelHistory]:
    """Return what LangGraph expects: writes oldest first, the seed where there is one."""
    decoded: dict[str, DeltaChannelHistory] = {}
    for channel, history in histories.items():
        decoded[channel] = {
            "writes": [pending(codec, write, blobs) for write in reversed(history.writes)]
        }
        for seed in history.seed:
            decoded[channel]["seed"] = codec.decode(seed, blobs)
    return decoded
