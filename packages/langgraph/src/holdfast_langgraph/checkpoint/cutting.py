"""Cutting values up: what makes a growing conversation cost only its new messages.

msgpack writes an array as a head and its elements one after another, a map likewise, so the parts,
joined, are byte for byte what the serializer wrote for the whole, and are read by it in one go.

Runs of a list's elements lie together in one blob. A run ends after an element whose digest starts
with four zero bits (content-defined chunking; Muthitacharoen et al., "A Low-bandwidth Network
File System", 2001), so dropping old messages from the front leaves the later runs as they are.
The elements after the last end are blobs of their own.

A list is compared with what was stored last under its name; only what follows is cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from holdfast_langgraph.checkpoint.forms import Blobs, Digest, Past, Piece
from holdfast_langgraph.checkpoint.likeness import likeness
from holdfast_langgraph.checkpoint.msgpack import array_head, head_length, map_head, split_values

MSGPACK = "msgpack"
PART = b"/part"
RUN = b"/run"
INLINE_PART_BYTES = 16
RUN_ENDS = 16  # a digest's first byte below this ends a run: one in sixteen
LONGEST_RUN = 64
MOST_KEYS = 64
HEAVY_TEXT = 256

LIKENESS = "likeness"

# A union written where it is used would be made anew each time.
_TEXTS = (str, bytes)
_NUMBERS = (int, float)


class UncutError(Exception):
    """The serializer writes some part of a value in another format than msgpack."""


class Maker(Protocol):
    """What serializes and digests; see `Codec`."""

    @property
    def hides(self) -> bool:
        """Say whether nothing may lie in the file as it is."""

    def payload(self, value: object) -> bytes:
        """Return the msgpack of a value as it stands inside a list."""

    def array(self, elements: Sequence[object]) -> bytes:
        """Return the msgpack of a list."""

    def digest(self, kind: bytes, data: bytes, salt: bytes) -> Digest:
        """Return the digest of bytes."""


class Cutter:
    """Cuts one value into parts.

    Args:
        maker: Serializes and digests them.
        salt: The thread's.
        blobs: Takes the plain blobs.
    """

    def __init__(self, maker: Maker, salt: bytes, blobs: Blobs) -> None:
        self._maker = maker
        self._salt = salt
        # Behind a cipher only what betrays nothing may lie in a manifest: the heads of containers.
        self._short = 0 if maker.hides else INLINE_PART_BYTES
        self._blobs = blobs

    def mapping(self, value: dict[str, object], depth: int) -> list[Piece]:
        """Return the parts of a mapping; what `depth` allows inside it is cut up, too."""
        parts: list[Piece] = []
        self._add(parts, value, depth)
        joined: list[Piece] = []
        for part in parts:
            last = joined[-1] if joined else None
            if isinstance(part, bytes) and isinstance(last, bytes):
                joined[-1] = last + part
            else:
                joined.append(part)
        return joined

    def _add(self, parts: list[Piece], value: object, depth: int) -> None:
        if depth and isinstance(value, list) and is_composite(value):
            data = self._maker.array(value)
            begin = head_length(data)
            parts.append(data[:begin])
            parts += self._grown(Past(self._maker, MSGPACK), split_values(data, begin))[0]
        elif depth and isinstance(value, dict) and is_composite(value):
            parts.append(map_head(len(value)))
            for key, item in value.items():
                parts.append(self._part(self._maker.payload(key)))
                self._add(parts, item, depth - 1)
        else:
            parts.append(self._part(self._maker.payload(value)))

    def listing(self, elements: list[object], past: Past | None) -> tuple[list[Piece], Past]:
        """Return the parts of a list, and what to remember of it.

        Args:
            elements: Not empty.
            past: Of the list stored before.
        """
        maker, sight = self._maker, likeness(elements)
        if sight is not None:
            known = (past or Past(maker, LIKENESS)).within(maker, LIKENESS, sight)
            payloads = self._payloads(elements[known.count :])
        else:
            data = maker.array(elements)
            sight = data[head_length(data) :]
            known = (past or Past(maker, MSGPACK)).within(maker, MSGPACK, sight)
            payloads = split_values(sight, len(known.sight))
        parts, tail = self._grown(known, payloads)
        count, settled = len(elements), len(elements) - len(tail)
        if settled == known.settled_count:
            length = known.settled
        elif known.kind == LIKENESS:
            length = len(sight) - len(likeness(elements[settled:]) or b"")
        else:
            length = len(sight) - sum(len(payload) for _, payload in tail)
        runs = len(parts) - len(tail)
        past = Past(maker, known.kind, sight, count, runs, length, settled, tuple(tail))
        return [array_head(count), *parts], past

    def _payloads(self, elements: list[object]) -> list[bytes]:
        """Return the msgpack of each element."""
        if len(elements) <= 1:
            return [self._maker.payload(one) for one in elements]
        data = self._maker.array(elements)
        return split_values(data, head_length(data))

    def _grown(
        self, known: Past, payloads: Sequence[bytes]
    ) -> tuple[list[Piece], list[tuple[Digest, bytes]]]:
        """Return the parts of a list that goes on, and the elements after its last run."""
        parts: list[Piece] = list(known.parts[: known.runs])
        single, run = known.parts[known.runs :], list(known.tail)
        for payload in payloads:
            digest = self._maker.digest(PART, payload, self._salt)
            run.append((digest, payload))
            if digest[0] < RUN_ENDS or len(run) == LONGEST_RUN:
                parts.append(self._run(run))
                run, single = [], ()
        parts += single
        parts += [self._part(payload, digest) for digest, payload in run[len(single) :]]
        return parts, run

    def _run(self, run: Sequence[tuple[Digest, bytes]]) -> Piece:
        digest = run[0][0]
        if len(run) > 1:
            digest = self._maker.digest(RUN, b"".join(one for one, _ in run), self._salt)
        return self._file(digest, b"".join(payload for _, payload in run))

    def _part(self, payload: bytes, digest: Digest | None = None) -> Piece:
        if len(payload) <= self._short:
            return payload
        return self._file(digest or self._maker.digest(PART, payload, self._salt), payload)

    def _file(self, digest: Digest, payload: bytes) -> Piece:
        self._blobs[digest] = (MSGPACK, payload)
        return (digest,)


def is_composite(value: object) -> bool:
    """Say whether a value is worth cutting: a list or a mapping of more than small change.

    A list is judged by its two ends.
    """
    if type(value) is list:
        return bool(value) and not (_is_slight(value[0]) and _is_slight(value[-1]))
    if type(value) is dict:
        return (
            0 < len(value) <= MOST_KEYS
            and all(type(key) is str for key in value)
            and any(is_composite(item) or _is_heavy(item) for item in value.values())
        )
    return False


def _is_slight(element: object) -> bool:
    if isinstance(element, _TEXTS):
        return len(element) < 2 * INLINE_PART_BYTES
    return element is None or isinstance(element, _NUMBERS)


def _is_heavy(item: object) -> bool:
    return isinstance(item, _TEXTS) and len(item) >= HEAVY_TEXT
