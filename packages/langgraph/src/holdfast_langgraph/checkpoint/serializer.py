"""The bytes of values: LangGraph's serializer, digests, compression, and a cipher if there is one.

An encrypting serializer gives other bytes each time. There the digest is taken of the plain bytes,
under a key that only the cipher can read: the file shows which blobs of one thread are equal, and
nothing more.
"""

from __future__ import annotations

import hashlib
from typing import Any, cast

from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from holdfast_langgraph.checkpoint.compression import compress_blob, decompress_blob
from holdfast_langgraph.checkpoint.recent import Digest
from holdfast_langgraph.checkpoint.stored import TypedBytes

MSGPACK = "msgpack"
DIGEST_BYTES = 16
KIND_BYTES = 16  # as long as the personal string of BLAKE2b may be


class NotMsgpackError(Exception):
    """The serializer writes some element of a value in another format than msgpack."""


class Serializer:
    """A saver's serializer, its two steps (plain bytes, cipher) told apart where that is possible.

    Args:
        serde: The saver's serializer.
        key: The digests' key; empty unless `serde` encrypts.

    Attributes:
        dumps: Serializes to type and plain bytes.
        loads: Reads type and plain bytes.
        chunks: Whether the plain bytes are LangGraph's own msgpack.
        encrypts: Whether nothing may lie in the file as plain bytes.
    """

    def __init__(self, serde: SerializerProtocol, key: bytes = b"") -> None:
        self.serde = serde
        self._key = key
        encrypting = cast(EncryptedSerializer, serde) if encrypts(serde) else None
        self._cipher = None if encrypting is None else encrypting.cipher
        self.encrypts = encrypting is not None
        plain = serde if encrypting is None else encrypting.serde
        self.dumps = plain.dumps_typed
        self.loads = plain.loads_typed
        self.chunks = _behaves_as(plain, JsonPlusSerializer)

    def payload(self, value: object) -> bytes:
        """Return the msgpack of a value as it stands inside a list.

        Raises:
            NotMsgpackError: The serializer does not write it as msgpack.
        """
        type_, data = self.dumps([value])
        if type_ != MSGPACK or data[:1] != b"\x91":
            raise NotMsgpackError
        return data[1:]

    def array(self, elements: list[object]) -> bytes:
        """Return the msgpack of a list.

        Raises:
            NotMsgpackError: The serializer does not write it as msgpack.
        """
        type_, data = self.dumps(elements)
        if type_ != MSGPACK:
            raise NotMsgpackError
        return data

    def digest(self, kind: bytes, data: bytes, salt: bytes) -> Digest:
        """Return the digest of bytes; `kind` (16 bytes at most) keeps kinds apart."""
        return hashlib.blake2b(
            data, digest_size=DIGEST_BYTES, key=self._key, salt=salt, person=kind
        ).digest()

    def digest_typed(self, type: str, data: bytes, salt: bytes) -> Digest:
        """Return the digest of a whole value's type and bytes."""
        kind = hashlib.blake2b(type.encode(), digest_size=KIND_BYTES).digest()
        return self.digest(kind, data, salt)

    def seal(self, type: str, data: bytes) -> TypedBytes:
        """Return what the file holds of a plain blob: encrypted, or else compressed."""
        return self.encrypt(type, data) if self.encrypts else compress_blob(type, data)

    def encrypt(self, type: str, data: bytes) -> TypedBytes:
        """Return bytes encrypted as the serializer would; without a cipher as they are."""
        if self._cipher is None:
            return type, data
        name, ciphertext = self._cipher.encrypt(data)
        return f"{type}+{name}", ciphertext

    def open(self, type: str, data: bytes) -> Any:
        """Return the value of a whole blob."""
        return self.serde.loads_typed(decompress_blob(type, data))

    def open_chunk(self, type: str, data: bytes) -> bytes:
        """Return the plain bytes of a chunk."""
        type, data = decompress_blob(type, data)
        if type == MSGPACK:
            return data
        if self._cipher is None:
            # Written under a cipher: the serializer raises its own error, as for any such value.
            self.serde.loads_typed((type, data))
            raise TypeError(f"a chunk of a list has type {type!r}, not {MSGPACK!r}")
        plain: bytes = self._cipher.decrypt(type.split("+", 1)[1], data)
        return plain


def encrypts(serde: SerializerProtocol) -> bool:
    """Return whether a serializer is LangGraph's encrypting one, whose two steps can be split."""
    return _behaves_as(serde, EncryptedSerializer)


def _behaves_as(serde: SerializerProtocol, kind: type[SerializerProtocol]) -> bool:
    """Return whether a serializer reads and writes exactly as `kind` does."""
    return (
        isinstance(serde, kind)
        and type(serde).dumps_typed is kind.dumps_typed
        and type(serde).loads_typed is kind.loads_typed
    )
