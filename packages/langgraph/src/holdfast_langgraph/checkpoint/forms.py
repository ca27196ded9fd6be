"""The shapes of a stored value, and what can be done with one without reading it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

Digest: TypeAlias = bytes

Stored: TypeAlias = "int | tuple[str | None, Any] | list[int | bytes]"
"""One value: a blob's number; type and bytes, or None and a short plain value; or parts to be
joined, each a blob's number or bytes that stand for themselves."""

Sealed: TypeAlias = tuple[str, bytes]
"""Type and bytes, as a serializer gives and takes them."""

Blobs: TypeAlias = dict[Digest, Sealed]


@dataclass(frozen=True, slots=True)
class Whole:
    """A value that will be one blob."""

    digest: Digest


Piece: TypeAlias = "tuple[Digest] | bytes | int"
"""What a value will be made of: a blob by its digest, bytes as they are, a blob by its number."""


@dataclass(slots=True)
class Past:
    """A list as it was stored last: what the next one most likely begins with.

    Nothing of it changes once it is stored.

    Attributes:
        maker: The codec that cut it; another one's bytes may differ.
        kind: What `sight` is: the elements' likeness, or their msgpack.
        sight: What the list looked like, to be compared with the beginning of the next.
        count: Elements of it.
        runs: How many of the parts are runs; the others are one element each.
        settled: Bytes of `sight` that lie in runs.
        settled_count: Elements in runs.
        tail: Digest and msgpack of every element after the last run.
        parts: Of the stored list, after its head; known once it is stored.
    """

    maker: object
    kind: str
    sight: bytes = b""
    count: int = 0
    runs: int = 0
    settled: int = 0
    settled_count: int = 0
    tail: tuple[tuple[Digest, bytes], ...] = ()
    parts: tuple[int | bytes, ...] = ()

    @property
    def weight(self) -> int:
        """Return how many bytes it takes in memory at most, or nearly so."""
        return 2 * len(self.sight) + 500

    def within(self, maker: object, kind: str, sight: bytes) -> Past:
        """Return what a list that looks so begins with: all of this, its runs, or nothing."""
        if self.maker is maker and self.kind == kind:
            if sight.startswith(self.sight):
                return self
            settled = self.sight[: self.settled]
            if sight.startswith(settled):
                return Past(
                    maker,
                    kind,
                    settled,
                    self.settled_count,
                    self.runs,
                    self.settled,
                    self.settled_count,
                    (),
                    self.parts[: self.runs],
                )
        return Past(maker, kind)


@dataclass(frozen=True, slots=True)
class Parts:
    """A value that will be in parts.

    Attributes:
        parts: The first is the head of the list or mapping.
        past: Of a list: what will be worth knowing of it.
    """

    parts: list[Piece]
    past: Past | None = None


Draft: TypeAlias = "Whole | Parts | Stored"
"""A value ready to be stored; a short one, and one that is stored already, needs no blob."""


def settle(draft: Draft, numbers: Mapping[Digest, int]) -> Stored:
    """Turn a draft into what is stored, now that its blobs have numbers."""
    if isinstance(draft, Whole):
        return numbers[draft.digest]
    if isinstance(draft, Parts):
        return [numbers[part[0]] if isinstance(part, tuple) else part for part in draft.parts]
    return draft


def settled(drafts: Mapping[str, Draft], numbers: Mapping[Digest, int]) -> Mapping[str, Stored]:
    """Settle drafts by channel; if all are what is stored already, return them as they are."""
    for draft in drafts.values():
        if not isinstance(draft, tuple):
            return {channel: settle(draft, numbers) for channel, draft in drafts.items()}
    return cast("Mapping[str, Stored]", drafts)


def pasts_of(drafts: Mapping[str, Draft], manifest: Mapping[str, Stored]) -> dict[str, Past]:
    """Return what to remember of the lists just stored, by channel."""
    return {
        name: past
        for name, draft in drafts.items()
        if (past := past_of(draft, manifest[name])) is not None
    }


def past_of(draft: Draft, stored: Stored) -> Past | None:
    """Return what to remember of a list just stored."""
    if not isinstance(draft, Parts) or draft.past is None or not isinstance(stored, list):
        return None
    draft.past.parts = tuple(stored[1:])
    return draft.past


MOST_CARRIED = 16
"""So many blobs at most lie in a checkpoint's own row."""


def carried_number(row: int, at: int) -> int:
    """Return the number of a blob that a checkpoint's row carries: always below zero.

    A row's own manifest is written before the row has an id; there it counts as 0.
    """
    return -1 - MOST_CARRIED * row - at


def carried_numbers(row: int, digests: Iterable[Digest]) -> dict[Digest, int]:
    """Return the numbers of the blobs that a row carries, in their order."""
    first = carried_number(row, 0)
    return {digest: first - at for at, digest in enumerate(digests)}


def carrier(number: int) -> tuple[int, int]:
    """Return the row that carries a blob with a number below zero, and its place there."""
    return divmod(-1 - number, MOST_CARRIED)


def placed(stored: Stored, row: int) -> Stored:
    """Return a stored value of a row's own manifest as other rows may hold it."""
    shift = MOST_CARRIED * row
    if isinstance(stored, int):
        return stored - shift if -MOST_CARRIED <= stored < 0 else stored
    if isinstance(stored, tuple):
        return stored
    return [
        part - shift if isinstance(part, int) and -MOST_CARRIED <= part < 0 else part
        for part in stored
    ]


def references(stored: Stored) -> Iterator[int]:
    """Yield the number of every blob a stored value needs."""
    if isinstance(stored, int):
        yield stored
    else:
        yield from (part for part in stored if isinstance(part, int))


def renumber(stored: Stored, numbers: Mapping[int, int]) -> Stored:
    """Return a stored value with other numbers for those of its blobs that have moved."""
    if isinstance(stored, int):
        return numbers.get(stored, stored)
    if isinstance(stored, tuple):
        return stored
    return [numbers.get(part, part) if isinstance(part, int) else part for part in stored]
