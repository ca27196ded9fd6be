"""Storing a checkpoint or a task's writes: serialize first, then one short transaction.

The bytes are made before the write begins, from what is known of the thread. If the thread has been
pruned or deleted meanwhile, the transaction changes nothing and all starts over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from holdfast.tables import Database
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
)

from holdfast_langgraph.checkpoint import rows
from holdfast_langgraph.checkpoint.address import Address
from holdfast_langgraph.checkpoint.recent import NO_HEAD, Digest, Head, RecentThreads, ThreadState
from holdfast_langgraph.checkpoint.serializer import MSGPACK
from holdfast_langgraph.checkpoint.stored import (
    Blobs,
    Draft,
    Stored,
    previous_lists,
    resolve,
    resolve_all,
)
from holdfast_langgraph.checkpoint.threads import Retention, is_due, prune, retained
from holdfast_langgraph.checkpoint.values import Codec

# A chunk is a message or a run of some; larger blobs are values of their own.
MOST_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class WriteContext:
    """What a write works with."""

    database: Database
    codec: Codec
    recent: RecentThreads
    retention: Retention | None


def store_checkpoint(
    context: WriteContext,
    address: Address,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    new_versions: ChannelVersions,
) -> None:
    """Store a checkpoint under its parent's address; then delete what retention does not keep."""
    codec, retention = context.codec, context.retention
    columns = rows.checkpoint_columns(
        address, checkpoint["id"], metadata, codec.dump_body(checkpoint)
    )

    def attempt(state: ThreadState) -> None:
        head = _head(context, state, address)
        drafts, blobs = _draft(codec, state.salt, head, address, checkpoint, new_versions)
        ids, added, sealed = _divide(codec, state, blobs)
        with context.database.write() as connection:
            thread = state.no or rows.add_thread(connection, address.thread_id, state.salt)
            if address.owner not in state.owners:
                rows.add_owner(connection, thread, address.owner)
            ids |= rows.add_blobs(connection, thread, sealed)
            manifest = resolve_all(drafts, ids)
            rows.add_checkpoint(connection, (thread, state.epoch), columns, manifest)
            pruned = retention is not None and is_due(connection, thread, address.ns, retention)
            if retention is not None and pruned:
                prune(connection, thread, retained(retention))
                context.database.expect_erasure(connection)
        if pruned:
            context.recent.drop(address.thread_id)
            return
        state.note_head(address.ns, _next_head(checkpoint, drafts, manifest, head))
        _keep(context, address, state, thread, ids, added)

    _retry(context, address.thread_id, attempt)


def store_writes(
    context: WriteContext,
    address: Address,
    writes: Sequence[tuple[str, Any]],
    task: tuple[str, str],
) -> None:
    """Store the writes of a task (its id and path) after the checkpoint at an address."""
    codec = context.codec
    channels = [channel for channel, _ in writes]
    indexes = [WRITES_IDX_MAP.get(channel, at) for at, channel in enumerate(channels)]
    replaces = max(indexes) < 0  # errors, interrupts and the like, and nothing else

    def attempt(state: ThreadState) -> None:
        blobs: Blobs = {}
        drafts = [codec.encode_write(value, state.salt, blobs) for _, value in writes]
        ids, added, sealed = _divide(codec, state, blobs)
        with context.database.write() as connection:
            thread = state.no or rows.add_thread(connection, address.thread_id, state.salt)
            if address.owner not in state.owners:
                rows.add_owner(connection, thread, address.owner)
            ids |= rows.add_blobs(connection, thread, sealed)
            if replaces:
                rows.remove_writes(
                    connection,
                    (thread, address.ns, address.checkpoint_id),
                    lambda task_id, write: task_id == task[0] and write[0] in indexes,
                )
            stored = [resolve(draft, ids) for draft in drafts]
            numbered = tuple(zip(indexes, channels, stored, strict=True))
            rows.add_writes(connection, (thread, state.epoch), address, task, numbered)
        if blobs or state.no is None or address.owner not in state.owners:
            _keep(context, address, state, thread, ids, added)

    _retry(context, address.thread_id, attempt)


def _retry(context: WriteContext, thread_id: str, attempt: Callable[[ThreadState], None]) -> None:
    """Attempt a write until the thread was as it was known."""
    while True:
        state = context.recent.get(thread_id)
        if state is None:
            with context.database.read() as connection:
                state = rows.find_thread(connection, thread_id) or ThreadState.new()
        try:
            attempt(state)
        except rows.ThreadMovedError:
            context.recent.drop(thread_id)
        else:
            return


def _divide(
    codec: Codec, state: ThreadState, blobs: Blobs
) -> tuple[dict[Digest, int], Blobs, Blobs]:
    """Return the ids of the blobs that the thread has, and the others, plain and for the file."""
    ids = {digest: state.ids[digest] for digest in blobs if digest in state.ids}
    plain = {digest: blob for digest, blob in blobs.items() if digest not in ids}
    return ids, plain, {digest: codec.seal(*blob) for digest, blob in plain.items()}


def _keep(
    context: WriteContext,
    address: Address,
    state: ThreadState,
    thread: int,
    ids: Mapping[Digest, int],
    added: Blobs,
) -> None:
    """Remember what a write has committed."""
    state.no = thread
    state.owners.add(address.owner)
    if ids:
        state.note_ids(ids)
    chunks = {
        ids[digest]: data
        for digest, (type_, data) in added.items()
        if type_ == MSGPACK and len(data) <= MOST_CHUNK
    }
    if chunks:
        state.note_plain(context.codec, chunks)
    context.recent.keep(address.thread_id, state)


def _head(context: WriteContext, state: ThreadState, address: Address) -> Head:
    """Return the checkpoint written last; where it is not the parent, read what the parent names.

    So a message is not stored again by another process, or in a fork.
    """
    head = state.heads.get(address.ns, NO_HEAD)
    if address.checkpoint_id not in (None, head.checkpoint_id) and state.no is not None:
        with context.database.read() as connection:
            state.note_ids(rows.digests_of(connection, state.no, address))
    return head


def _draft(
    codec: Codec,
    salt: bytes,
    head: Head,
    address: Address,
    checkpoint: Checkpoint,
    new_versions: ChannelVersions,
) -> tuple[dict[str, Draft], Blobs]:
    """Encode the channels that changed; the others are as the parent holds them."""
    parent = head if head.checkpoint_id == address.checkpoint_id else NO_HEAD
    versions = checkpoint.get("channel_versions", {})
    blobs: Blobs = {}
    drafts: dict[str, Draft] = {}
    for channel, value in checkpoint.get("channel_values", {}).items():
        if codec.keeps_plain(value):
            drafts[channel] = None, value
        elif channel not in new_versions and _unchanged(channel, versions, parent):
            drafts[channel] = parent.manifest[channel]
        else:
            drafts[channel] = codec.encode(value, salt, blobs, head.lists.get(channel))
    return drafts, blobs


def _unchanged(channel: str, versions: ChannelVersions, head: Head) -> bool:
    version = versions.get(channel)
    return (
        version is not None and version == head.versions.get(channel) and channel in head.manifest
    )


def _next_head(
    checkpoint: Checkpoint,
    drafts: Mapping[str, Draft],
    manifest: Mapping[str, Stored],
    before: Head,
) -> Head:
    """Return what is worth knowing of the checkpoint just stored."""
    versions, lists, weight = checkpoint.get("channel_versions", {}), before.lists, before.weight
    if manifest is not drafts:
        lists = {**lists, **previous_lists(drafts, manifest)}
        weight = sum([one.weight for one in lists.values()])
    return Head(checkpoint["id"], dict(versions), manifest, lists, weight)
