"""Values to blobs and back: what makes a growing conversation cost only its new messages.

A value is serialized by the saver's serializer and stored under a digest of its bytes. Lists and
mappings, under LangGraph's own serializer, are cut up: msgpack writes an array as a header and
its elements one after another, a map likewise, so the stored parts, joined, are byte for byte
what the serializer wrote for the whole, and are read by it in one go.

Runs of a list's elements lie together in one blob. A run ends after an element whose digest starts
with four zero bits (content-defined chunking; Muthitacharoen et al., "A Low-bandwidth Network
File System", 2001), so dropping old messages from the front leaves the later runs as they are.
The elements after the last end are blobs of their own.

An encrypting serializer gives other bytes each time. There the digest is taken of the plain
bytes, under a key that only the cipher can read: the file betrays no more than which parts of
one thread are equal.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, cast

from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from holdfast_langgraph.checkpoint.forms import (
    Blobs,
    Digest,
    Draft,
    Parts,
    Prefix,
    Sealed,
    Stored,
    Whole,
)
from holdfast_langgraph.checkpoint.msgpack import head_length, map_head, split_values

DIGEST_BYTES = 16
KIND_BYTES = 16  # as long as the personal string of BLAKE2b may be
PART = b"/part"
RUN = b"/run"
PREFIX = b"/prefix"
# Shorter values lie in the manifest itself: a blob's row and index entry cost more.
INLINE_BYTES = 64
INLINE_PART_BYTES = 16
RUN_ENDS = 16  # a digest's first byte below this ends a run: one in sixteen
LONGEST_RUN = 64
# What a graph's input (a mapping with a list of messages) needs, and no more.
DEEPEST = 2
MOST_KEYS = 64
HEAVY_TEXT = 256

MSGPACK = "msgpack"
ZIPPED = "zlib:"
LEAST_ZIPPED = 192


class UncutError(Exception):
    """The serializer writes some part of a value in another format than msgpack."""


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
        self._cuts = _is(plain, JsonPlusSerializer)

    def dump(self, value: object) -> Sealed:
        """Serialize, and encrypt if the serializer does."""
        return self.serde.dumps_typed(value)

    def load(self, type: str, data: bytes) -> Any:
        """Undo `dump`."""
        return self.serde.loads_typed((type, data))

    # -- encoding -------------------------------------------------------------------------------

    def encode(
        self, value: object, salt: bytes, blobs: Blobs, before: Prefix | None = None
    ) -> Draft:
        """Return a value's draft, and add the plain blobs it needs to `blobs`.

        Args:
            value: Anything.
            salt: The thread's.
            blobs: Takes the blobs.
            before: Of the same channel's value before; spares what it still begins with.

        Raises:
            Exception: Whatever the serializer raises for what it cannot write.
        """
        if self._cuts and _is_composite(value):
            try:
                return self._cut(value, salt, blobs, before)
            except UncutError:
                pass
        type_, data = self._dumps(value)
        if len(data) <= INLINE_BYTES:
            return self._encrypt(type_, data)
        kind = hashlib.blake2b(type_.encode(), digest_size=KIND_BYTES).digest()
        digest = self.digest(kind, data, salt)
        blobs[digest] = (type_, data)
        return Whole(digest)

    def _cut(self, value: object, salt: bytes, blobs: Blobs, before: Prefix | None) -> Parts:
        cutter = Cutter(self, salt)
        prefix = None
        if isinstance(value, list):
            prefix = cutter.add_list(value, before)
        else:
            cutter.add(value, DEEPEST)
        blobs.update(cutter.blobs)
        return Parts(cutter.parts(), prefix)

    def payload(self, value: object) -> bytes:
        """Return the msgpack of a value as it stands inside a list.

        Raises:
            UncutError: The serializer does not write it as msgpack.
        """
        type_, data = self._dumps([value])
        if type_ != MSGPACK or data[:1] != b"\x91":
            raise UncutError
        return data[1:]

    def array(self, elements: Sequence[object]) -> bytes:
        """Return the msgpack of a list.

        Raises:
            UncutError: The serializer does not write it as msgpack.
        """
        type_, data = self._dumps(elements)
        if type_ != MSGPACK:
            raise UncutError
        return data

    def digest(self, kind: bytes, data: bytes, salt: bytes) -> Digest:
        """Return the digest of bytes; `kind` (16 bytes at most) keeps kinds apart."""
        return hashlib.blake2b(
            data, digest_size=DIGEST_BYTES, key=self._key, salt=salt, person=kind
        ).digest()

    @property
    def hides(self) -> bool:
        """Say whether nothing may lie in the file as it is."""
        return self._cipher is not None

    def seal(self, type: str, data: bytes) -> Sealed:
        """Make a plain blob ready for the file: encrypted as the serializer would, or zipped."""
        if self._cipher is not None:
            return self._encrypt(type, data)
        zipped = zlib.compress(data) if len(data) >= LEAST_ZIPPED else data
        # A type that looks zipped has to be.
        if len(zipped) < 0.9 * len(data) or type.startswith(ZIPPED):
            return ZIPPED + type, zipped if zipped is not data else zlib.compress(data)
        return type, data

    def _encrypt(self, type: str, data: bytes) -> Sealed:
        if self._cipher is None:
            return type, data
        name, ciphertext = self._cipher.encrypt(data)
        return f"{type}+{name}", ciphertext

    # -- decoding -------------------------------------------------------------------------------

    def decode(self, stored: Stored, blobs: Mapping[int, Sealed]) -> Any:
        """Return the value.

        Args:
            stored: What the manifest says.
            blobs: Type and data of every blob it names.
        """
        if isinstance(stored, int):
            return self.load(*_unzip(*blobs[stored]))
        if isinstance(stored, tuple):
            return self.load(*stored)
        payloads = [
            part if isinstance(part, bytes) else self._open(*blobs[part]) for part in stored
        ]
        return self._loads((MSGPACK, b"".join(payloads)))

    def _open(self, type: str, data: bytes) -> bytes:
        """Return the plain bytes of a part."""
        type, data = _unzip(type, data)
        if type == MSGPACK:
            return data
        if self._cipher is None:
            # Written under a cipher. The serializer says so in its own words, as for any value.
            self.load(type, data)
            raise TypeError(f"a list has a part of type {type!r}, not {MSGPACK!r}")
        plain: bytes = self._cipher.decrypt(type.split("+", 1)[1], data)
        return plain


class Cutter:
    """Cuts one value into parts.

    Args:
        codec: Serializes and digests them.
        salt: The thread's.
    """

    def __init__(self, codec: Codec, salt: bytes) -> None:
        self._codec = codec
        self._salt = salt
        # Behind a cipher only what betrays nothing may lie in a manifest: the heads of containers.
        self._short = 0 if codec.hides else INLINE_PART_BYTES
        self._parts: list[tuple[bool, bytes] | int] = []
        self.blobs: Blobs = {}

    def parts(self) -> list[tuple[bool, bytes] | int]:
        """Return the parts, neighbours that need no blob joined."""
        joined: list[tuple[bool, bytes] | int] = []
        for part in self._parts:
            last = joined[-1] if joined else 0
            if isinstance(part, int) or isinstance(last, int) or part[0] or last[0]:
                joined.append(part)
            else:
                joined[-1] = (False, last[1] + part[1])
        return joined

    def add(self, value: object, depth: int) -> None:
        """Add a value, cut up if it is composite and `depth` allows."""
        if depth and isinstance(value, list) and _is_composite(value):
            self.add_list(value)
        elif depth and isinstance(value, dict) and _is_composite(value):
            self._parts.append((False, map_head(len(value))))
            for key, item in value.items():
                self._add_payload(self._codec.payload(key))
                self.add(item, depth - 1)
        else:
            self._add_payload(self._codec.payload(value))

    def _add_payload(self, payload: bytes) -> None:
        if len(payload) <= self._short:
            self._parts.append((False, payload))
        else:
            self._file(self._codec.digest(PART, payload, self._salt), payload)

    def add_list(self, elements: Sequence[object], before: Prefix | None = None) -> Prefix | None:
        """Add a list in runs and single elements; return what lies in runs.

        Args:
            elements: Not empty.
            before: If the list begins with these bytes, their runs are taken as they are.
        """
        data = self._codec.array(elements)
        begin = head_length(data)
        self._parts.append((False, data[:begin]))
        at, runs = begin, 0
        if before is not None and before.digest == self._codec.digest(
            PREFIX, data[begin : begin + before.length], self._salt
        ):
            self._parts += before.numbers
            at, runs = begin + before.length, before.runs
        end, added = self._add_values(data, at)
        if not added:
            return before if runs else None
        digest = self._codec.digest(PREFIX, data[begin:end], self._salt)
        return Prefix(end - begin, digest, runs + added)

    def _add_values(self, data: bytes, at: int) -> tuple[int, int]:
        """Add the values from `at` on; return where the last run ends, and how many there are."""
        run: list[tuple[Digest, bytes]] = []
        runs = 0
        end = at
        for payload in split_values(data, at):
            digest = self._codec.digest(PART, payload, self._salt)
            run.append((digest, payload))
            at += len(payload)
            if digest[0] < RUN_ENDS or len(run) == LONGEST_RUN:
                self._add_run(run)
                run, runs, end = [], runs + 1, at
        for digest, payload in run:
            if len(payload) <= self._short:
                self._parts.append((False, payload))
            else:
                self._file(digest, payload)
        return end, runs

    def _add_run(self, run: Sequence[tuple[Digest, bytes]]) -> None:
        digest = run[0][0]
        if len(run) > 1:
            digest = self._codec.digest(RUN, b"".join(one for one, _ in run), self._salt)
        self._file(digest, b"".join(payload for _, payload in run))

    def _file(self, digest: Digest, payload: bytes) -> None:
        self.blobs[digest] = (MSGPACK, payload)
        self._parts.append((True, digest))


def seals(serde: SerializerProtocol) -> bool:
    """Say whether a serializer is LangGraph's encrypting one, whose two steps can be told apart."""
    return _is(serde, EncryptedSerializer)


def _is(serde: SerializerProtocol, kind: type[SerializerProtocol]) -> bool:
    """Say whether a serializer reads and writes exactly as `kind` does."""
    return (
        isinstance(serde, kind)
        and type(serde).dumps_typed is kind.dumps_typed
        and type(serde).loads_typed is kind.loads_typed
    )


def _is_composite(value: object) -> bool:
    """Say whether a value is worth cutting: a list or a mapping of more than small change.

    A list is judged by its two ends.
    """
    if type(value) is list:
        return bool(value) and not (_is_slight(value[0]) and _is_slight(value[-1]))
    if type(value) is dict:
        return (
            0 < len(value) <= MOST_KEYS
            and all(type(key) is str for key in value)
            and any(_is_composite(item) or _is_heavy(item) for item in value.values())
        )
    return False


def _is_slight(element: object) -> bool:
    if isinstance(element, str | bytes):
        return len(element) < 2 * INLINE_PART_BYTES
    return element is None or isinstance(element, int | float)


def _is_heavy(item: object) -> bool:
    return isinstance(item, str | bytes) and len(item) >= HEAVY_TEXT


def _unzip(type: str, data: bytes) -> Sealed:
    if type.startswith(ZIPPED):
        return type[len(ZIPPED) :], zlib.decompress(data)
    return type, data
