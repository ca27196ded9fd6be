"""The history of delta channels: their writes along the parent chain back to a stored value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from holdfast import Connection
from langgraph.checkpoint.base import DeltaChannelHistory

from holdfast_langgraph.checkpoint.address import Address
from holdfast_langgraph.checkpoint.encoding import Codec
from holdfast_langgraph.checkpoint.forms import Sealed, Stored
from holdfast_langgraph.checkpoint.packing import unpack_manifest
from holdfast_langgraph.checkpoint.reading import (
    Write,
    find,
    find_blobs,
    find_writes,
    pending,
)


@dataclass(slots=True)
class Trail:
    """What one channel left on the way: writes from the newest back, and where they start."""

    writes: list[Write] = field(default_factory=list)
    seed: list[Stored] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Ancestor:
    """A checkpoint on the parent chain."""

    thread: int
    checkpoint_id: str
    manifest: Mapping[str, Stored]


def trace(
    connection: Connection, address: Address, channels: Sequence[str]
) -> tuple[dict[str, Trail], dict[int, Sealed]]:
    """Follow the parents of a checkpoint; return each channel's trail, and the blobs they need.

    The writes of the checkpoint itself are still pending and left out; those of the ancestor that
    holds the value came after that value and belong to the trail.
    """
    trails = {channel: Trail() for channel in channels}
    searching = set(channels)
    for ancestor in _ancestors(connection, address):
        writes = find_writes(connection, ancestor.thread, address.ns, ancestor.checkpoint_id)
        for write in reversed(writes):
            if write.channel in searching:
                trails[write.channel].writes.append(write)
        for channel in searching & ancestor.manifest.keys():
            trails[channel].seed = [ancestor.manifest[channel]]
            searching.discard(channel)
        if not searching:
            break
    values = [write.value for trail in trails.values() for write in trail.writes]
    values += [seed for trail in trails.values() for seed in trail.seed]
    return trails, find_blobs(connection, values)


def _ancestors(connection: Connection, address: Address) -> Iterator[Ancestor]:
    """Yield parents, nearest first; a chain that bites its tail ends there."""
    target = find(connection, address)
    if target is None:
        return
    seen = {target.checkpoint_id}
    parent = target.parent_id
    while parent is not None and parent not in seen:
        seen.add(parent)
        row = connection.execute(
            "SELECT id, parent_id, manifest FROM langgraph_all"
            " WHERE thread = ? AND ns = ? AND checkpoint_id = ?",
            (target.thread, address.ns, parent),
        ).fetchone()
        if row is None:
            return
        yield Ancestor(target.thread, parent, unpack_manifest(row[2], row[0]))
        parent = row[1]


def tell(
    codec: Codec, trails: Mapping[str, Trail], blobs: Mapping[int, Sealed]
) -> dict[str, DeltaChannelHistory]:
    """Return what LangGraph expects: writes oldest first, the seed where there is one."""
    told: dict[str, DeltaChannelHistory] = {}
    for channel, trail in trails.items():
        writes = [pending(codec, write, blobs) for write in reversed(trail.writes)]
        told[channel] = {"writes": writes}
        for seed in trail.seed:
            told[channel]["seed"] = codec.decode(seed, blobs)
    return told
