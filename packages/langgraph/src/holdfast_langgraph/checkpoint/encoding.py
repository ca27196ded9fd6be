"""Values to blobs and back.

A value is serialized by the saver's serializer and stored under a digest of its bytes. Lists and
mappings, under LangGraph's own serializer, are cut up (see `cutting`).

An encrypting serializer gives other bytes each time. There the digest is taken of the plain
bytes, under a key that only the cipher can read: the file betrays no more than which parts of
one thread are equal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, cast

from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from holdfast_langgraph.checkpoint.cutting import MSGPACK, Cutter, UncutError, is_composite
from holdfast_langgraph.checkpoint.forms import (
    Blobs,
    Digest,
    Draft,
    Parts,
    Past,
    Sealed,
    Stored,
    Whole,
)
from holdfast_langgraph.checkpoint.zipping import unzipped, zipped

DIGEST_BYTES = 16
KIND_BYTES = 16  # as long as the personal string of BLAKE2b may be
# Shorter values lie in the manifest itself: what finds a blob takes as much.
INLINE_BYTES = 64
MOST_IN_WRITE = 1 << 12
FEW = 8  # longer lists are not serialized only to see whether they are short
LARGEST_INT = 1 << 63
# What LangGraph's checkpoints hold beside `id` and `channel_values`. Never edited: files out there
# were written in this order.
BODY = ("v", "ts", "channel_versions", "versions_seen", "updated_channels")
_body_of = itemgetter(*BODY)
# What a graph's input (a mapping with a list of messages) needs, and no more.
DEEPEST = 2


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
        self._spares = self._cuts and sealing is None

    def load(self, type: str, data: bytes) -> Any:
        """Read what the saver's own serializer wrote."""
        return self.serde.loads_typed((type, data))

    def dump_body(self, checkpoint: Mapping[str, Any]) -> Sealed:
        """Serialize a checkpoint without its id and its channel values.

        A row has the id anyway; the other keys are the same every time, so their values suffice.
        """
        if len(checkpoint) == len(BODY) + 2:
            try:
                values = _body_of(checkpoint)
            except KeyError:
                pass
            else:
                return self.serde.dumps_typed(values)
        body = dict(checkpoint)
        body.pop("channel_values", None)
        return self.serde.dumps_typed(body)

    def load_body(self, type: str, data: bytes) -> dict[str, Any]:
        """Undo `dump_body`; the id may be missing."""
        body = self.load(type, data)
        return body if isinstance(body, dict) else dict(zip(BODY, body, strict=True))

    # -- encoding -------------------------------------------------------------------------------

    def encode(self, value: object, salt: bytes, blobs: Blobs, past: Past | None = None) -> Draft:
        """Return a value's draft, and add the plain blobs it needs to `blobs`.

        Args:
            value: Anything.
            salt: The thread's.
            blobs: Takes the blobs.
            past: Of the same channel's value before; spares what it still begins with.

        Raises:
            Exception: Whatever the serializer raises for what it cannot write.
        """
        if self.spares(value):
            return None, value
        if self._cuts and is_composite(value):
            try:
                return self._cut(value, salt, blobs, past)
            except UncutError:
                pass
        type_, data = self._dumps(value)
        if len(data) <= INLINE_BYTES:
            return self._encrypt(type_, data)
        kind = hashlib.blake2b(type_.encode(), digest_size=KIND_BYTES).digest()
        digest = self.digest(kind, data, salt)
        blobs[digest] = (type_, data)
        return Whole(digest)

    def spares(self, value: object) -> bool:
        """Say whether a value lies in a manifest as it is: msgpack writes it in a few bytes."""
        return self._spares and _is_slight(value)

    def encode_write(self, value: object, salt: bytes, blobs: Blobs) -> Draft:
        """Return the draft of what a task writes: small values lie in the write itself.

        A blob would take three pages more. So a message may lie in a write and in a checkpoint.
        """
        if self.spares(value):
            return None, value
        if not isinstance(value, list) or len(value) <= FEW:
            sealed = self.serde.dumps_typed(value)
            if len(sealed[1]) <= MOST_IN_WRITE:
                return sealed
        return self.encode(value, salt, blobs)

    def _cut(self, value: object, salt: bytes, blobs: Blobs, past: Past | None) -> Parts:
        cut: Blobs = {}
        cutter = Cutter(self, salt, cut)
        if isinstance(value, list):
            draft = Parts(*cutter.listing(value, past))
        else:
            draft = Parts(cutter.mapping(cast("dict[str, object]", value), DEEPEST))
        blobs.update(cut)
        return draft

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
        return zipped(type, data)

    def _encrypt(self, type: str, data: bytes) -> Sealed:
        if self._cipher is None:
            return type, data
        name, ciphertext = self._cipher.encrypt(data)
        return f"{type}+{name}", ciphertext

    # -- decoding -------------------------------------------------------------------------------

    def decode(
        self, stored: Stored, blobs: Mapping[int, Sealed], plain: dict[int, bytes] | None = None
    ) -> Any:
        """Return the value.

        Args:
            stored: What the manifest says.
            blobs: Type and data of every blob it names.
            plain: Parts that were opened before; those opened now are added.
        """
        if isinstance(stored, int):
            return self.load(*unzipped(*blobs[stored]))
        if isinstance(stored, tuple):
            return stored[1] if stored[0] is None else self.load(stored[0], stored[1])
        plain = {} if plain is None else plain
        for part in stored:
            if isinstance(part, int) and part not in plain:
                plain[part] = self._open(*blobs[part])
        payloads = [plain[part] if isinstance(part, int) else part for part in stored]
        return self._loads((MSGPACK, b"".join(payloads)))

    def _open(self, type: str, data: bytes) -> bytes:
        """Return the plain bytes of a part."""
        type, data = unzipped(type, data)
        if type == MSGPACK:
            return data
        if self._cipher is None:
            # Written under a cipher. The serializer says so in its own words, as for any value.
            self.load(type, data)
            raise TypeError(f"a list has a part of type {type!r}, not {MSGPACK!r}")
        plain: bytes = self._cipher.decrypt(type.split("+", 1)[1], data)
        return plain


def _is_slight(value: object) -> bool:
    """Say whether msgpack alone writes a value as LangGraph's serializer does, and in few bytes."""
    if type(value) is str:
        return len(value) <= INLINE_BYTES and value.isascii()
    if type(value) is int:
        return -LARGEST_INT <= value < LARGEST_INT
    return value is None or type(value) is bool or type(value) is float


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
