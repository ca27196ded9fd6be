"""The shapes of a stored value, and the bytes of manifests, metadata and writes in their rows.

Metadata is JSON. What JSON and msgpack represent alike is stored as msgpack, which takes a fifth of
the time to write.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import ormsgpack

from holdfast_langgraph.checkpoint.compression import SHORT, compress, decompress
from holdfast_langgraph.checkpoint.recent import Digest, PreviousList

TypedBytes: TypeAlias = tuple[str, bytes]
"""Type and bytes, as a serializer gives and takes them."""

Blobs: TypeAlias = dict[Digest, TypedBytes]

Stored: TypeAlias = "int | tuple[str | None, Any] | list[int | bytes]"
"""A blob's id; type and bytes, or None and a short plain value; or chunks to be joined, each a
blob's id or bytes that stand for themselves."""

Chunk: TypeAlias = "tuple[Digest] | bytes | int"
"""A blob by its digest, bytes as they are, or a blob by its id."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A value that becomes one blob."""

    digest: Digest


@dataclass(frozen=True, slots=True)
class Chunked:
    """A value in chunks.

    Attributes:
        chunks: The first is the head of the list or mapping.
        listed: For a list: what the next one is compared with.
    """

    chunks: list[Chunk]
    listed: PreviousList | None = None


Draft: TypeAlias = "Whole | Chunked | Stored"
"""A value ready to be stored; a short one, and one that is stored already, needs no blob."""

NumberedWrite: TypeAlias = tuple[int, str, Stored]
"""One write of a task: index, channel, value."""

_COMPRESSED = b"\xc1"  # the one byte with which no msgpack begins
# What msgpack would write and JSON would not, or differently, is refused.
_AS_JSON = (
    ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_UUID
)
_to_json = json.JSONEncoder(ensure_ascii=False).encode


# -- references to blobs --------------------------------------------------------------------------


def resolve(draft: Draft, ids: Mapping[Digest, int]) -> Stored:
    """Return what is stored for a draft, given the ids of its blobs."""
    if isinstance(draft, Whole):
        return ids[draft.digest]
    if isinstance(draft, Chunked):
        return [ids[chunk[0]] if isinstance(chunk, tuple) else chunk for chunk in draft.chunks]
    return draft


def resolve_all(drafts: Mapping[str, Draft], ids: Mapping[Digest, int]) -> Mapping[str, Stored]:
    """Resolve drafts by channel; return the same mapping where none names a blob to come."""
    for draft in drafts.values():
        if not isinstance(draft, tuple):
            return {channel: resolve(draft, ids) for channel, draft in drafts.items()}
    return cast("Mapping[str, Stored]", drafts)


def previous_lists(
    drafts: Mapping[str, Draft], manifest: Mapping[str, Stored]
) -> dict[str, PreviousList]:
    """Return the lists just stored, by channel, for the next put to compare with."""
    return {
        name: listed
        for name, draft in drafts.items()
        if (listed := previous_list(draft, manifest[name])) is not None
    }


def previous_list(draft: Draft, stored: Stored) -> PreviousList | None:
    """Return a list just stored for the next put to compare with; None for another value."""
    if not isinstance(draft, Chunked) or draft.listed is None or not isinstance(stored, list):
        return None
    draft.listed.chunks = tuple(stored[1:])
    return draft.listed


def references(stored: Stored) -> Iterator[int]:
    """Yield the id of every blob a stored value needs."""
    if isinstance(stored, int):
        yield stored
    elif isinstance(stored, list):
        yield from (chunk for chunk in stored if isinstance(chunk, int))


def renumber(stored: Stored, ids: Mapping[int, int]) -> Stored:
    """Return a stored value with the ids that its blobs have in another thread."""
    if isinstance(stored, int):
        return ids[stored]
    if isinstance(stored, tuple):
        return stored
    return [ids[chunk] if isinstance(chunk, int) else chunk for chunk in stored]


# -- bytes in rows --------------------------------------------------------------------------------


def pack_metadata(metadata: Mapping[str, Any]) -> bytes | str:
    """Write metadata.

    Raises:
        TypeError: It is not JSON.
    """
    try:
        return ormsgpack.packb(metadata, option=_AS_JSON)
    except TypeError:  # keys that are no strings, lone surrogates, numbers too large ...
        text = _to_json(metadata)
        return text if text.isascii() else text.encode("utf-8", "ignore").decode()


def unpack_metadata(data: bytes | str) -> dict[str, Any]:
    """Read what `pack_metadata` wrote."""
    metadata: dict[str, Any] = (
        json.loads(data) if isinstance(data, str) else ormsgpack.unpackb(data)
    )
    return metadata


def pack_writes(writes: Sequence[NumberedWrite]) -> bytes:
    """Write all that a task wrote in one call, compressed if it is long."""
    data = ormsgpack.packb(writes)
    return data if len(data) < SHORT else _COMPRESSED + compress(data)


def unpack_writes(data: bytes) -> list[NumberedWrite]:
    """Read what `pack_writes` wrote."""
    writes = ormsgpack.unpackb(decompress(data[1:]) if data[:1] == _COMPRESSED else data)
    return [(index, channel, _stored(value)) for index, channel, value in writes]


def pack_manifest(manifest: Mapping[str, Stored]) -> bytes:
    """Write stored values by channel."""
    return ormsgpack.packb(manifest)


def unpack_manifest(data: bytes) -> dict[str, Stored]:
    """Read what `pack_manifest` wrote."""
    return {channel: _stored(value) for channel, value in ormsgpack.unpackb(data).items()}


def _stored(value: Any) -> Stored:
    # msgpack has one kind of array; chunks begin with the bytes of a head.
    if isinstance(value, list) and not isinstance(value[0], bytes):
        return (value[0], value[1])
    stored: Stored = value
    return stored
