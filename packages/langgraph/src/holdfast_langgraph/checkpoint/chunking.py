"""Chunking: why a growing conversation costs only its new messages.

msgpack writes an array as a head and its elements one after another, a map likewise. So the chunks,
joined, are byte for byte what the serializer wrote for the whole, and are read in one go.

Runs of a list's elements lie together in one blob. A run ends after an element whose digest starts
with four zero bits (content-defined chunking; Muthitacharoen et al., "A Low-bandwidth Network
File System", 2001), so dropping old messages from the front leaves the later runs as they are.
The elements after the last run are blobs of their own.

A list is compared with the one stored before in its channel; only what follows is chunked.
"""

from __future__ import annotations

from collections.abc import Sequence

from holdfast_langgraph.checkpoint.recent import Digest, PreviousList, fingerprint
from holdfast_langgraph.checkpoint.serializer import MSGPACK, Serializer
from holdfast_langgraph.checkpoint.stored import Blobs, Chunk

ELEMENT = b"/part"
RUN = b"/run"
INLINE_CHUNK_BYTES = 16
RUN_ENDS = 16  # a digest's first byte below this ends a run: one in sixteen
LONGEST_RUN = 64
MOST_KEYS = 64
LONG_TEXT = 256
DEEPEST = 2  # what a graph's input (a mapping with a list of messages) needs, and no more

FINGERPRINT = "fingerprint"

# A union written where it is used would be made anew each time.
_TEXTS = (str, bytes)
_NUMBERS = (int, float)


class Chunker:
    """Divides one value into chunks.

    Args:
        serializer: Serializes and digests them.
        salt: The thread's.
        blobs: Takes the plain blobs.
    """

    def __init__(self, serializer: Serializer, salt: bytes, blobs: Blobs) -> None:
        self._serializer = serializer
        self._salt = salt
        # Under a cipher a manifest may only hold what betrays nothing: the heads of containers.
        self._inline = 0 if serializer.encrypts else INLINE_CHUNK_BYTES
        self._blobs = blobs

    def mapping(self, value: dict[str, object]) -> list[Chunk]:
        """Return the chunks of a mapping, and of lists and mappings inside it."""
        chunks: list[Chunk] = []
        self._add(chunks, value, DEEPEST)
        joined: list[Chunk] = []
        for chunk in chunks:
            last = joined[-1] if joined else None
            if isinstance(chunk, bytes) and isinstance(last, bytes):
                joined[-1] = last + chunk
            else:
                joined.append(chunk)
        return joined

    def _add(self, chunks: list[Chunk], value: object, depth: int) -> None:
        serializer = self._serializer
        if depth and isinstance(value, list) and is_composite(value):
            data = serializer.array(value)
            begin = head_length(data)
            chunks.append(data[:begin])
            chunks += self._grown(PreviousList(serializer, MSGPACK), split_values(data, begin))[0]
        elif depth and isinstance(value, dict) and is_composite(value):
            chunks.append(map_head(len(value)))
            for key, item in value.items():
                chunks.append(self._element(serializer.payload(key)))
                self._add(chunks, item, depth - 1)
        else:
            chunks.append(self._element(serializer.payload(value)))

    def listing(
        self, elements: list[object], previous: PreviousList | None
    ) -> tuple[list[Chunk], PreviousList]:
        """Return the chunks of a list, and what to compare the next one with.

        Args:
            elements: Not empty.
            previous: The list stored before.
        """
        serializer, content = self._serializer, fingerprint(elements)
        kind = MSGPACK if content is None else FINGERPRINT
        previous = previous or PreviousList(serializer, kind)
        if content is not None:
            shared = previous.shared_with(serializer, kind, content)
            payloads = self._payloads(elements[shared.count :])
        else:
            data = serializer.array(elements)
            content = data[head_length(data) :]
            shared = previous.shared_with(serializer, kind, content)
            payloads = split_values(content, len(shared.content))
        chunks, tail = self._grown(shared, payloads)
        count, in_runs = len(elements), len(elements) - len(tail)
        if in_runs == shared.count_in_runs:
            length = shared.in_runs
        elif kind == FINGERPRINT:
            length = len(content) - len(fingerprint(elements[in_runs:]) or b"")
        else:
            length = len(content) - sum(len(payload) for _, payload in tail)
        runs = len(chunks) - len(tail)
        listed = PreviousList(serializer, kind, content, count, runs, length, in_runs, tuple(tail))
        return [array_head(count), *chunks], listed

    def _payloads(self, elements: list[object]) -> list[bytes]:
        """Return the msgpack of each element."""
        if len(elements) <= 1:
            return [self._serializer.payload(one) for one in elements]
        data = self._serializer.array(elements)
        return split_values(data, head_length(data))

    def _grown(
        self, shared: PreviousList, payloads: Sequence[bytes]
    ) -> tuple[list[Chunk], list[tuple[Digest, bytes]]]:
        """Return the chunks of a list that has grown, and the elements after its last run."""
        chunks: list[Chunk] = list(shared.chunks[: shared.runs])
        single, run = shared.chunks[shared.runs :], list(shared.tail)
        for payload in payloads:
            digest = self._serializer.digest(ELEMENT, payload, self._salt)
            run.append((digest, payload))
            if digest[0] < RUN_ENDS or len(run) == LONGEST_RUN:
                chunks.append(self._run(run))
                run, single = [], ()
        chunks += single
        chunks += [self._element(payload, digest) for digest, payload in run[len(single) :]]
        return chunks, run

    def _run(self, run: Sequence[tuple[Digest, bytes]]) -> Chunk:
        digest = run[0][0]
        if len(run) > 1:
            digest = self._serializer.digest(RUN, b"".join(one for one, _ in run), self._salt)
        return self._blob(digest, b"".join(payload for _, payload in run))

    def _element(self, payload: bytes, digest: Digest | None = None) -> Chunk:
        if len(payload) <= self._inline:
            return payload
        return self._blob(digest or self._serializer.digest(ELEMENT, payload, self._salt), payload)

    def _blob(self, digest: Digest, payload: bytes) -> Chunk:
        self._blobs[digest] = (MSGPACK, payload)
        return (digest,)


def is_composite(value: object) -> bool:
    """Return whether a value is worth chunking: a list or mapping with more than short elements.

    A list is judged by its two ends.
    """
    if type(value) is list:
        return bool(value) and not (_is_short(value[0]) and _is_short(value[-1]))
    if type(value) is dict:
        return (
            0 < len(value) <= MOST_KEYS
            and all(type(key) is str for key in value)
            and any(is_composite(item) or _is_long(item) for item in value.values())
        )
    return False


def _is_short(element: object) -> bool:
    if isinstance(element, _TEXTS):
        return len(element) < 2 * INLINE_CHUNK_BYTES
    return element is None or isinstance(element, _NUMBERS)


def _is_long(item: object) -> bool:
    return isinstance(item, _TEXTS) and len(item) >= LONG_TEXT


# -- where the values of a msgpack document begin and end (msgpack specification, formats) --------

# First byte: bytes of a value that has no length field.
_FIXED = (
    dict.fromkeys((*range(0x80), *range(0xE0, 0x100), 0xC0, 0xC2, 0xC3), 1)
    | {0xA0 + length: 1 + length for length in range(32)}
    | {0xCC: 2, 0xD0: 2, 0xCD: 3, 0xD1: 3, 0xCE: 5, 0xD2: 5, 0xCA: 5, 0xCF: 9, 0xD3: 9, 0xCB: 9}
    | {0xD4: 3, 0xD5: 4, 0xD6: 6, 0xD7: 10, 0xD8: 18}
)
# First byte: bytes of the length field, and bytes that follow it beside the length.
_MEASURED = (
    {0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0)}
    | {0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0)}
    | {0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1)}
)
# First byte: bytes of the count field, and values for each count.
_NESTED = (
    {0x90 + count: (0, 1) for count in range(16)}
    | {0x80 + count: (0, 2) for count in range(16)}
    | {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}
)


def map_head(count: int) -> bytes:
    """Return the head of a map of `count` pairs."""
    return _head(count, 0x80, b"\xde")


def array_head(count: int) -> bytes:
    """Return the head of an array of `count` elements."""
    return _head(count, 0x90, b"\xdc")


def _head(count: int, small: int, wide: bytes) -> bytes:
    if count < 16:
        return bytes([small | count])
    if count < 1 << 16:
        return wide + count.to_bytes(2, "big")
    return bytes([wide[0] + 1]) + count.to_bytes(4, "big")


def head_length(data: bytes) -> int:
    """Return how many bytes come before the first element of an array."""
    return 1 + _NESTED[data[0]][0]


def split_values(data: bytes, at: int) -> list[bytes]:
    """Return the bytes of each value from `at` to the end of the document."""
    values: list[bytes] = []
    while at < len(data):
        end = _end(data, at)
        values.append(data[at:end])
        at = end
    return values


def _end(data: bytes, at: int) -> int:
    """Return where the value that begins at `at` ends."""
    first = data[at]
    if first in _MEASURED:
        width, more = _MEASURED[first]
        begin = at + 1 + width
        return begin + more + int.from_bytes(data[at + 1 : begin], "big")
    if first in _FIXED:
        return at + _FIXED[first]
    width, each = _NESTED[first]
    count = int.from_bytes(data[at + 1 : at + 1 + width], "big") if width else first & 0x0F
    at += 1 + width
    for _ in range(each * count):
        at = _end(data, at)
    return at
