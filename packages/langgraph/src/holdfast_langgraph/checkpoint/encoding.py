"""Values to blobs and back: what makes a growing conversation cost only its new messages.

A value is serialized by the saver's serializer and stored under a digest of its bytes. A list,
under LangGraph's own serializer, is cut into its elements: msgpack writes an array as a header
and its elements one after another, so the stored pieces, joined behind a header, are byte for
byte what the serializer wrote for the whole list, and are read by it in one go.

Runs of elements are kept together in one blob. A run ends after an element whose digest starts
with four zero bits (content-defined chunking; Muthitacharoen et al., "A Low-bandwidth Network
File System", 2001), so dropping old messages from the front leaves the later runs as they are.
The elements after the last end are blobs of their own.

An encrypting serializer gives other bytes each time. There the digest is taken of the plain
bytes, under a key that only the cipher can read: the file betrays no more than which pieces of
one thread are equal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import ormsgpack
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

DIGEST_BYTES = 16
# Shorter values lie in the manifest itself: a blob's row and index entry cost more.
INLINE_BYTES = 64
INLINE_ELEMENT_BYTES = 16
RUN_ENDS = 16  # a digest's first byte below this ends a run: one in sixteen
LONGEST_RUN = 64

MSGPACK = "msgpack"
ONE_ELEMENT = b"\x91"

Digest: TypeAlias = bytes

Stored: TypeAlias = "int | tuple[str, bytes] | tuple[int, list[int | bytes]]"
"""One value: a blob's number; type and bytes; or length of a list and its parts, each a blob's
number or the bytes of one element."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A value in one blob."""

    digest: Digest


@dataclass(frozen=True, slots=True)
class Listed:
    """A list in parts: digests of blobs, or elements so short that they stand for themselves."""

    count: int
    parts: list[tuple[bool, bytes]]


Draft: TypeAlias = "Whole | Listed | Stored"
"""A value ready to be stored; its short form and what is stored already need no blob."""

Blobs: TypeAlias = dict[Digest, tuple[str, bytes]]
"""Type and plain bytes by digest."""


class Codec:
    """One serializer's way of cutting values up.

    Args:
        serde: The saver's serializer.
        key: The digests' key; empty unless `serde` encrypts.
    """

    def __init__(self, serde: SerializerProtocol, key: bytes = b"") -> None:
        self.serde = serde
        self._key = key
        sealing = cast(EncryptedSerializer, serde) if seals(serde) else None
        self._cipher = None if sealing is None else sealing.cipher
        plain = serde if sealing is None else sealing.serde
        self._dumps = plain.dumps_typed
        self._loads = plain.loads_typed
        self._splits = _is(plain, JsonPlusSerializer)
        # Behind a cipher nothing plain may lie in a manifest.
        self._short_element = 0 if self._cipher else INLINE_ELEMENT_BYTES

    def dump(self, value: object) -> tuple[str, bytes]:
        """Serialize, and encrypt if the serializer does."""
        return self.serde.dumps_typed(value)

    def load(self, type: str, data: bytes) -> Any:
        """Undo `dump`."""
        return self.serde.loads_typed((type, data))

    def encode(self, value: object, salt: bytes, blobs: Blobs) -> Draft:
        """Return a value's draft, and add the blobs it needs to `blobs`."""
        if self._splits and type(value) is list and _worth_splitting(value):
            listed = self._encode_list(value, salt, blobs)
            if listed is not None:
                return listed
        type_, data = self._dumps(value)
        if len(data) <= INLINE_BYTES:
            return self.seal(type_, data)
        digest = self._digest("whole " + type_, data, salt)
        blobs[digest] = (type_, data)
        return Whole(digest)

    def _encode_list(self, elements: Sequence[object], salt: bytes, blobs: Blobs) -> Listed | None:
        """Cut a list; None where the serializer cannot write an element as msgpack."""
        parts: list[tuple[bool, bytes]] = []
        run: list[tuple[Digest, bytes]] = []
        for element in elements:
            type_, data = self._dumps([element])
            if type_ != MSGPACK or data[:1] != ONE_ELEMENT:
                return None
            payload = data[1:]
            digest = self._digest(MSGPACK, payload, salt)
            run.append((digest, payload))
            if digest[0] < RUN_ENDS or len(run) == LONGEST_RUN:
                parts.append((True, self._join(run, salt, blobs)))
                run = []
        for digest, payload in run:
            if len(payload) <= self._short_element:
                parts.append((False, payload))
            else:
                blobs[digest] = (MSGPACK, payload)
                parts.append((True, digest))
        return Listed(len(elements), parts)

    def _join(
        self,
        run: Sequence[tuple[Digest, bytes]],
        salt: bytes,
        blobs: Blobs,
    ) -> Digest:
        digest = run[0][0]
        if len(run) > 1:
            digest = self._digest("run", b"".join(one for one, _ in run), salt)
        blobs[digest] = (MSGPACK, b"".join(payload for _, payload in run))
        return digest

    def _digest(self, type: str, data: bytes, salt: bytes) -> Digest:
        state = hashlib.blake2b(data, digest_size=DIGEST_BYTES, key=self._key, salt=salt)
        state.update(type.encode())
        return state.digest()

    def seal(self, type: str, data: bytes) -> tuple[str, bytes]:
        """Encrypt plain bytes as the serializer would; as they are if it does not."""
        if self._cipher is None:
            return type, data
        name, ciphertext = self._cipher.encrypt(data)
        return f"{type}+{name}", ciphertext

    def _open(self, type: str, data: bytes) -> bytes:
        """Return the plain bytes of a part of a list."""
        if type == MSGPACK:
            return data
        if self._cipher is None:
            # Written under a cipher: let the serializer say that it cannot read this.
            raise TypeError(f"a part of type {type!r} reads as {self.load(type, data)!r:.80}")
        plain: bytes = self._cipher.decrypt(type.split("+", 1)[1], data)
        return plain

    def decode(self, stored: Stored, blobs: Mapping[int, tuple[str, bytes]]) -> Any:
        """Return the value.

        Args:
            stored: What the manifest says.
            blobs: Type and data of every blob it names.
        """
        if isinstance(stored, int):
            return self.load(*blobs[stored])
        if isinstance(stored[0], str):
            return self.load(*stored)
        count, parts = stored
        payloads = [part if isinstance(part, bytes) else self._open(*blobs[part]) for part in parts]
        return self._loads((MSGPACK, _array_header(count) + b"".join(payloads)))


def seals(serde: SerializerProtocol) -> bool:
    """Say whether a serializer is LangGraph's encrypting one, whose two steps can be told apart."""
    return _is(serde, EncryptedSerializer)


def _is(serde: SerializerProtocol, kind: type) -> bool:
    """Say whether a serializer reads and writes exactly as `kind` does."""
    return (
        isinstance(serde, kind)
        and type(serde).dumps_typed is kind.dumps_typed  # type: ignore[attr-defined]
        and type(serde).loads_typed is kind.loads_typed  # type: ignore[attr-defined]
    )


def _worth_splitting(elements: Sequence[object]) -> bool:
    """Say whether a list holds more than numbers and short strings (judged by its two ends)."""
    return bool(elements) and not (_slight(elements[0]) and _slight(elements[-1]))


def _slight(element: object) -> bool:
    if isinstance(element, str | bytes):
        return len(element) < 2 * INLINE_ELEMENT_BYTES
    return element is None or isinstance(element, int | float)


def _array_header(count: int) -> bytes:
    """Return the head of a msgpack array (msgpack specification, array format family)."""
    if count < 16:
        return bytes([0x90 | count])
    if count < 1 << 16:
        return b"\xdc" + count.to_bytes(2, "big")
    return b"\xdd" + count.to_bytes(4, "big")


def settle(draft: Draft, numbers: Mapping[Digest, int]) -> Stored:
    """Turn a draft into what is stored, now that its blobs have numbers."""
    if isinstance(draft, Whole):
        return numbers[draft.digest]
    if isinstance(draft, Listed):
        parts = [numbers[part] if filed else part for filed, part in draft.parts]
        return (draft.count, parts)
    return draft


def references(stored: Stored) -> Iterator[int]:
    """Yield the number of every blob a stored value needs."""
    if isinstance(stored, int):
        yield stored
    elif not isinstance(stored[0], str):
        yield from (part for part in stored[1] if isinstance(part, int))


def renumber(stored: Stored, numbers: Mapping[int, int]) -> Stored:
    """Return a stored value with other numbers for its blobs."""
    if isinstance(stored, int):
        return numbers[stored]
    if isinstance(stored[0], str):
        return stored
    count, parts = stored
    return (count, [part if isinstance(part, bytes) else numbers[part] for part in parts])


def pack(value: Any) -> bytes:
    """Write a manifest (stored values by channel), or one stored value."""
    return ormsgpack.packb(value)


def unpack(data: bytes) -> Any:
    """Read what `pack` wrote."""
    return ormsgpack.unpackb(data)
