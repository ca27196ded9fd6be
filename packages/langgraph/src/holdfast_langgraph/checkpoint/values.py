"""Values to blobs and back.

A value is serialized by the saver's serializer and stored under a digest of its bytes. Lists and
mappings are divided into chunks where that is LangGraph's own serializer (see `chunking`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from langgraph.checkpoint.serde.base import SerializerProtocol

from holdfast_langgraph.checkpoint.chunking import Chunker, is_composite
from holdfast_langgraph.checkpoint.recent import PreviousList
from holdfast_langgraph.checkpoint.serializer import MSGPACK, NotMsgpackError, Serializer
from holdfast_langgraph.checkpoint.stored import (
    Blobs,
    Chunked,
    Draft,
    Stored,
    TypedBytes,
    Whole,
)

# Shorter values lie in the manifest itself: a reference to a blob takes as much.
INLINE_BYTES = 64
MOST_IN_WRITE = 1 << 12
FEW = 8  # longer lists are not serialized only to see whether they are short
LARGEST_INT = 1 << 63


class Codec:
    """Encodes and decodes channel values and what tasks wrote.

    Args:
        serde: The saver's serializer.
        key: The digests' key; empty unless `serde` encrypts.
    """

    def __init__(self, serde: SerializerProtocol, key: bytes = b"") -> None:
        self.serde = serde
        self._serializer = Serializer(serde, key)
        self._keeps_plain = self._serializer.chunks and not self._serializer.encrypts
        self.seal = self._serializer.seal

    def dump_body(self, checkpoint: Mapping[str, Any]) -> TypedBytes:
        """Serialize a checkpoint without its id and its channel values, which its row has."""
        left_out = ("id", "channel_values")
        return self.serde.dumps_typed(
            {name: value for name, value in checkpoint.items() if name not in left_out}
        )

    def encode(
        self, value: object, salt: bytes, blobs: Blobs, previous: PreviousList | None = None
    ) -> Draft:
        """Return a value's draft, and add the plain blobs it needs to `blobs`.

        Args:
            value: Anything.
            salt: The thread's.
            blobs: Takes the blobs.
            previous: The list that the same channel held before: what the value still begins with
                is not serialized again.

        Raises:
            Exception: Whatever the serializer raises for what it cannot write.
        """
        if self.keeps_plain(value):
            return None, value
        serializer = self._serializer
        if serializer.chunks and is_composite(value):
            try:
                return self._chunk(value, salt, blobs, previous)
            except NotMsgpackError:
                pass
        type_, data = serializer.dumps(value)
        if len(data) <= INLINE_BYTES:
            return serializer.encrypt(type_, data)
        digest = serializer.digest_typed(type_, data, salt)
        blobs[digest] = (type_, data)
        return Whole(digest)

    def keeps_plain(self, value: object) -> bool:
        """Return whether a value lies in a manifest as it is: msgpack writes it in a few bytes."""
        return self._keeps_plain and _is_plain(value)

    def encode_write(self, value: object, salt: bytes, blobs: Blobs) -> Draft:
        """Return the draft of what a task writes: small values lie in the write itself.

        A blob would touch three pages more. So a message may lie in a write and in a checkpoint.
        """
        if self.keeps_plain(value):
            return None, value
        if not isinstance(value, list) or len(value) <= FEW:
            typed = self.serde.dumps_typed(value)
            if len(typed[1]) <= MOST_IN_WRITE:
                return typed
        return self.encode(value, salt, blobs)

    def _chunk(
        self, value: object, salt: bytes, blobs: Blobs, previous: PreviousList | None
    ) -> Chunked:
        added: Blobs = {}
        chunker = Chunker(self._serializer, salt, added)
        if isinstance(value, list):
            draft = Chunked(*chunker.listing(value, previous))
        else:
            draft = Chunked(chunker.mapping(cast("dict[str, object]", value)))
        blobs.update(added)  # only now: what comes before an element that is refused stays out
        return draft

    def decode(
        self, stored: Stored, blobs: Mapping[int, TypedBytes], plain: dict[int, bytes] | None = None
    ) -> Any:
        """Return the value.

        Args:
            stored: What the manifest or the write holds.
            blobs: Type and data of every blob it names.
            plain: Chunks that were opened before; those opened now are added.
        """
        serializer = self._serializer
        if isinstance(stored, int):
            return serializer.open(*blobs[stored])
        if isinstance(stored, tuple):
            return stored[1] if stored[0] is None else self.serde.loads_typed(cast(Any, stored))
        plain = {} if plain is None else plain
        for chunk in stored:
            if isinstance(chunk, int) and chunk not in plain:
                plain[chunk] = serializer.open_chunk(*blobs[chunk])
        data = b"".join([plain[chunk] if isinstance(chunk, int) else chunk for chunk in stored])
        return serializer.loads((MSGPACK, data))


def _is_plain(value: object) -> bool:
    """Return whether msgpack alone writes a value as LangGraph does, and in few bytes."""
    if type(value) is str:
        return len(value) <= INLINE_BYTES and value.isascii()
    if type(value) is int:
        return -LARGEST_INT <= value < LARGEST_INT
    return value is None or type(value) is bool or type(value) is float
