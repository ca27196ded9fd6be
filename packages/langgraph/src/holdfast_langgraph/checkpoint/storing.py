"""Storing a checkpoint or a task's writes: serialize first, then one short transaction.

The bytes are made before the file's pen is taken, from what is known of the thread. If the thread
has been swept or deleted meanwhile, the transaction changes nothing and all starts over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from holdfast import Connection, Database
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
)

from holdfast_langgraph.checkpoint import filing
from holdfast_langgraph.checkpoint.address import Address
from holdfast_langgraph.checkpoint.cutting import MSGPACK
from holdfast_langgraph.checkpoint.encoding import Codec
from holdfast_langgraph.checkpoint.forms import (
    MOST_CARRIED,
    Blobs,
    Digest,
    Draft,
    Stored,
    carried_numbers,
    pasts_of,
    placed,
    settle,
    settled,
)
from holdfast_langgraph.checkpoint.pruning import Retention, is_due, prune, retained
from holdfast_langgraph.checkpoint.reading import digests_of
from holdfast_langgraph.checkpoint.recent import NO_HEAD, Head, Known, Recent
from holdfast_langgraph.checkpoint.writing import (
    CheckpointThereError,
    ThreadMovedError,
    add_blobs,
    add_next,
    add_thread,
    add_writes,
    checkpoint_row,
    find_thread,
    take_back,
)

# A part is a message or a run of some; larger blobs are values of their own.
MOST_PART = 1 << 16
HEAVIEST = 1 << 17  # bytes that a checkpoint's row carries


@dataclass(frozen=True, slots=True)
class Desk:
    """What storing works with.

    Attributes:
        inside: As many entries as threads are writing just now.
    """

    database: Database
    codec: Codec
    recent: Recent
    retention: Retention | None
    inside: list[None] = field(default_factory=list)

    def open(self, *, single: bool) -> AbstractContextManager[Connection]:
        """Open what a write needs: one statement is a transaction of its own, and quicker so.

        With full durability writers that wait for one another share a commit, so they need one.
        """
        if single and (len(self.inside) == 1 or self.database.durability == "normal"):
            return self.database.bare()
        return self.database.write()


def store_checkpoint(
    desk: Desk,
    address: Address,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    new_versions: ChannelVersions,
) -> None:
    """Store a checkpoint under its parent's address; then let go what retention does not keep."""
    body = desk.codec.dump_body(checkpoint)
    row = checkpoint_row(address, checkpoint["id"], metadata, body)

    def attempt(known: Known, carrying: bool = True) -> None:
        head = _latest(desk, known, address)
        drafts, blobs = _draft(desk.codec, known.salt, head, address, checkpoint, new_versions)
        numbers, plain, sealed = _sort(desk.codec, known, blobs)
        carried = sealed if carrying and _is_light(sealed) else {}
        goes_on = carried is sealed and _goes_on(desk, known, head, address, checkpoint["id"])
        with desk.open(single=goes_on) as connection:
            thread = known.no or add_thread(connection, address.thread_id, known.salt)
            if carried:
                numbers |= carried_numbers(0, carried)
            elif sealed:
                numbers |= add_blobs(connection, thread, sealed)
            manifest = settled(drafts, numbers)
            add = add_next if goes_on else filing.add_filed
            at = add(connection, (thread, known.epoch), row, manifest, carried)
            if desk.retention and is_due(connection, thread, address.ns, desk.retention):
                prune(connection, thread, retained(desk.retention))
                desk.database.expect_erasure(connection)
                desk.recent.drop(address.thread_id)
                return
        if carried:
            numbers |= carried_numbers(at, carried)
            manifest = {channel: placed(value, at) for channel, value in manifest.items()}
        known.note(thread, numbers)
        if plain:
            known.note_plain(desk.codec, _parts(plain, numbers))
        known.note_head(address.ns, _head(checkpoint, drafts, manifest, head))
        desk.recent.keep(address.thread_id, known)
        if goes_on and filing.is_due(at):
            filing.file_all(desk.database)

    try:
        _settle(desk, address.thread_id, attempt)
    except CheckpointThereError:
        _settle(desk, address.thread_id, partial(attempt, carrying=False))


def store_writes(
    desk: Desk, address: Address, writes: Sequence[tuple[str, Any]], task: tuple[str, str]
) -> None:
    """Store the writes of a task (its id and path) after the checkpoint at an address."""
    codec = desk.codec
    channels = [channel for channel, _ in writes]
    indexes = [WRITES_IDX_MAP.get(channel, at) for at, channel in enumerate(channels)]
    replaces = max(indexes) < 0  # errors, interrupts and the like, and nothing else

    def attempt(known: Known) -> None:
        blobs: Blobs = {}
        drafts = [codec.encode_write(value, known.salt, blobs) for _, value in writes]
        numbers, plain, sealed = _sort(codec, known, blobs)
        single = known.no is not None and not sealed and not replaces
        with desk.open(single=single) as connection:
            thread = known.no or add_thread(connection, address.thread_id, known.salt)
            if sealed:
                numbers |= add_blobs(connection, thread, sealed)
            if replaces:
                take_back(connection, thread, address, task[0], indexes)
            stored = [settle(draft, numbers) for draft in drafts]
            numbered = tuple(zip(indexes, channels, stored, strict=True))
            at = add_writes(connection, (thread, known.epoch), address, task, numbered)
        if blobs or known.no is None:
            known.note(thread, numbers)
            known.note_plain(codec, _parts(plain, numbers))
            desk.recent.keep(address.thread_id, known)
        if filing.is_due(at):
            filing.file_all(desk.database)

    _settle(desk, address.thread_id, attempt)


def _is_light(blobs: Blobs) -> bool:
    """Say whether a row can carry these blobs; filing it reads them once more."""
    if len(blobs) > MOST_CARRIED:
        return False
    return not blobs or sum([len(data) for _, data in blobs.values()]) <= HEAVIEST


def _goes_on(desk: Desk, known: Known, head: Head, address: Address, checkpoint_id: str) -> bool:
    """Say whether a checkpoint follows the one written last, so that nobody can have put it."""
    follows = address.checkpoint_id == head.checkpoint_id < checkpoint_id
    return follows and known.no is not None and desk.retention is None


def _sort(codec: Codec, known: Known, blobs: Blobs) -> tuple[dict[Digest, int], Blobs, Blobs]:
    """Return the numbers of the blobs that the thread has, and the others, plain and sealed."""
    if not blobs:
        return {}, {}, {}
    numbers, plain = known.sorted(blobs)
    return numbers, plain, {digest: codec.seal(*blob) for digest, blob in plain.items()}


def _latest(desk: Desk, known: Known, address: Address) -> Head:
    """Return the checkpoint written last; if that is not the parent, learn what the parent names.

    So a message is not stored again by the next process, or in a fork.
    """
    head = known.heads.get(address.ns, NO_HEAD)
    if address.checkpoint_id not in (None, head.checkpoint_id) and known.no is not None:
        with desk.database.read() as connection:
            known.note_numbers(digests_of(connection, known.no, address))
    return head


def _settle(desk: Desk, thread_id: str, attempt: Callable[[Known], None]) -> None:
    """Attempt a write until the thread was as it was known."""
    while True:
        known = desk.recent.get(thread_id)
        if known is None:
            with desk.database.read() as connection:
                known = find_thread(connection, thread_id) or Known.nothing()
        desk.inside.append(None)
        try:
            attempt(known)
        except ThreadMovedError:
            desk.recent.drop(thread_id)
        else:
            return
        finally:
            desk.inside.pop()


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
        if codec.spares(value):
            drafts[channel] = None, value
        elif channel not in new_versions and _unchanged(channel, versions, parent):
            drafts[channel] = parent.manifest[channel]
        else:
            drafts[channel] = codec.encode(value, salt, blobs, head.pasts.get(channel))
    return drafts, blobs


def _head(
    checkpoint: Checkpoint,
    drafts: Mapping[str, Draft],
    manifest: Mapping[str, Stored],
    before: Head,
) -> Head:
    """Return what is worth knowing of the checkpoint just stored."""
    versions, pasts, weight = checkpoint.get("channel_versions", {}), before.pasts, before.weight
    if manifest is not drafts:
        pasts = {**pasts, **pasts_of(drafts, manifest)}
        weight = sum([past.weight for past in pasts.values()])
    return Head(checkpoint["id"], dict(versions), manifest, pasts, weight)


def _parts(blobs: Blobs, numbers: Mapping[Digest, int]) -> dict[int, bytes]:
    """Return the plain bytes of what may be parts of a list, by number."""
    return {
        numbers[digest]: data
        for digest, (type_, data) in blobs.items()
        if type_ == MSGPACK and len(data) <= MOST_PART
    }


def _unchanged(channel: str, versions: ChannelVersions, head: Head) -> bool:
    version = versions.get(channel)
    return (
        version is not None and version == head.versions.get(channel) and channel in head.manifest
    )
