"""How manifests, metadata, the values of writes, and the blobs that a row carries lie in the file.

Metadata is JSON. What JSON and msgpack hold alike lies there as msgpack, which takes a fifth of the
time to write.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

import ormsgpack

from holdfast_langgraph.checkpoint.forms import Blobs, Digest, Sealed, Stored, placed, renumber
from holdfast_langgraph.checkpoint.zipping import SHORT, deflated, inflated

Numbered: TypeAlias = tuple[int, str, Stored]
"""One write of a task: index, channel, value."""

_ZIPPED = b"\xc1"  # the one byte with which no msgpack begins
_BUNDLE = ""  # the one key of a map, which no stored value is
# What msgpack would write and JSON would not, or otherwise, is refused.
_AS_JSON = (
    ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_UUID
)
_to_json = json.JSONEncoder(ensure_ascii=False).encode


def pack_metadata(metadata: Mapping[str, Any]) -> bytes | str:
    """Write metadata.

    Raises:
        TypeError: It is not JSON.
    """
    try:
        return ormsgpack.packb(metadata, option=_AS_JSON)
    except TypeError:  # keys that are no strings, halves of characters, numbers too large ...
        told = _to_json(metadata)
        return told if told.isascii() else told.encode("utf-8", "ignore").decode()


def unpack_metadata(data: bytes | str) -> dict[str, Any]:
    """Read what `pack_metadata` wrote."""
    metadata: dict[str, Any] = (
        json.loads(data) if isinstance(data, str) else ormsgpack.unpackb(data)
    )
    return metadata


def pack_bundle(writes: Sequence[Numbered]) -> bytes:
    """Write all that a task wrote in one call, zipped if it is long."""
    data = ormsgpack.packb({_BUNDLE: writes})
    return data if len(data) < SHORT else _ZIPPED + deflated(data)


def unpack_row(idx: int, channel: str, data: bytes) -> list[Numbered]:
    """Return the writes of a row: those of its bundle, or the one it is."""
    value = ormsgpack.unpackb(inflated(data[1:]) if data[:1] == _ZIPPED else data)
    if isinstance(value, dict):
        return [(at, name, _read(one)) for at, name, one in value[_BUNDLE]]
    return [(idx, channel, _read(value))]


def renumbered(idx: int, channel: str, data: bytes, numbers: Mapping[int, int]) -> bytes:
    """Return the value of a row with other numbers for those of its blobs that have moved."""
    row = unpack_row(idx, channel, data)
    return pack_bundle([(at, name, renumber(value, numbers)) for at, name, value in row])


def pack_manifest(manifest: Mapping[str, Stored]) -> bytes:
    """Write stored values by channel."""
    return ormsgpack.packb(manifest)


def unpack_manifest(data: bytes, row: int) -> dict[str, Stored]:
    """Read what `pack_manifest` wrote into a row."""
    values = ormsgpack.unpackb(data)
    return {channel: placed(_read(value), row) for channel, value in values.items()}


def _read(value: Any) -> Stored:
    # msgpack has one kind of array; parts begin with the bytes of a head.
    if isinstance(value, list) and not isinstance(value[0], bytes):
        return (value[0], value[1])
    stored: Stored = value
    return stored


def pack_carried(blobs: Blobs) -> bytes | None:
    """Write the blobs that a row carries."""
    if not blobs:
        return None
    return ormsgpack.packb([(digest, *sealed) for digest, sealed in blobs.items()])


def unpack_carried(data: bytes) -> list[tuple[Digest, Sealed] | None]:
    """Read what `pack_carried` wrote; None where a blob was let go."""
    return [
        None if blob is None else (blob[0], (blob[1], blob[2])) for blob in ormsgpack.unpackb(data)
    ]


def without(data: bytes, kept: Collection[int]) -> bytes:
    """Let go of the carried blobs whose places are not kept; the others keep theirs."""
    blobs = ormsgpack.unpackb(data)
    return ormsgpack.packb([blob if at in kept else None for at, blob in enumerate(blobs)])
