"""The shapes of a stored value, and what can be done with one without reading it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import ormsgpack

Digest: TypeAlias = bytes

Stored: TypeAlias = "int | tuple[str, bytes] | list[int | bytes]"
"""One value: a blob's number; type and bytes; or parts to be joined, each a blob's number or bytes
that stand for themselves."""

Sealed: TypeAlias = tuple[str, bytes]
"""Type and bytes, as a serializer gives and takes them."""

Blobs: TypeAlias = dict[Digest, Sealed]


@dataclass(frozen=True, slots=True)
class Whole:
    """A value that will be one blob."""

    digest: Digest


@dataclass(frozen=True, slots=True)
class Prefix:
    """The part of a list that lies in runs: what a longer list most likely begins with.

    Attributes:
        length: Bytes of its elements.
        digest: Of those bytes.
        runs: How many blobs they take; once stored, their numbers.
    """

    length: int
    digest: Digest
    runs: int
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Parts:
    """A value that will be in parts: digests of blobs (True), bytes as they are (False), numbers.

    Attributes:
        parts: The first is the head of the list or mapping.
        prefix: Of a list that has runs, which then follow its head.
    """

    parts: list[tuple[bool, bytes] | int]
    prefix: Prefix | None = None


Draft: TypeAlias = "Whole | Parts | Stored"
"""A value ready to be stored; a short one, and one that is stored already, needs no blob."""


def settle(draft: Draft, numbers: Mapping[Digest, int]) -> Stored:
    """Turn a draft into what is stored, now that its blobs have numbers."""
    if isinstance(draft, Whole):
        return numbers[draft.digest]
    if isinstance(draft, Parts):
        return [
            part if isinstance(part, int) else numbers[part[1]] if part[0] else part[1]
            for part in draft.parts
        ]
    return draft


def prefix_of(draft: Draft, stored: Stored) -> Prefix | None:
    """Return the prefix of a list just stored, with the numbers of its runs."""
    if not isinstance(draft, Parts) or draft.prefix is None or not isinstance(stored, list):
        return None
    runs = stored[1 : 1 + draft.prefix.runs]
    numbers = tuple(part for part in runs if isinstance(part, int))
    return replace(draft.prefix, numbers=numbers)


def references(stored: Stored) -> Iterator[int]:
    """Yield the number of every blob a stored value needs."""
    if isinstance(stored, int):
        yield stored
    else:
        yield from (part for part in stored if isinstance(part, int))


def renumber(stored: Stored, numbers: Mapping[int, int]) -> Stored:
    """Return a stored value with other numbers for its blobs."""
    if isinstance(stored, int):
        return numbers[stored]
    if isinstance(stored, tuple):
        return stored
    return [numbers[part] if isinstance(part, int) else part for part in stored]


def pack(stored: Stored) -> bytes:
    """Write one stored value."""
    return ormsgpack.packb(stored)


def unpack(data: bytes) -> Stored:
    """Read what `pack` wrote."""
    return _read(ormsgpack.unpackb(data))


def pack_manifest(manifest: Mapping[str, Stored]) -> bytes:
    """Write stored values by channel."""
    return ormsgpack.packb(manifest)


def unpack_manifest(data: bytes) -> dict[str, Stored]:
    """Read what `pack_manifest` wrote."""
    return {channel: _read(value) for channel, value in ormsgpack.unpackb(data).items()}


def _read(value: Any) -> Stored:
    # msgpack has one kind of array; only type and bytes begin with a string.
    if isinstance(value, list) and isinstance(value[0], str):
        return (value[0], value[1])
    stored: Stored = value
    return stored
