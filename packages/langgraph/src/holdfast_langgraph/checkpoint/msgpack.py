"""Where the values of a msgpack document begin and end (msgpack specification, formats)."""

from __future__ import annotations

# First byte: bytes of a value that has no length field.
_FIXED = {
    **dict.fromkeys((*range(0x80), *range(0xE0, 0x100), 0xC0, 0xC2, 0xC3), 1),
    **{0xA0 + length: 1 + length for length in range(32)},
    0xCC: 2,
    0xCD: 3,
    0xCE: 5,
    0xCF: 9,
    0xD0: 2,
    0xD1: 3,
    0xD2: 5,
    0xD3: 9,
    0xCA: 5,
    0xCB: 9,
    0xD4: 3,
    0xD5: 4,
    0xD6: 6,
    0xD7: 10,
    0xD8: 18,
}
# First byte: bytes of the length field, and bytes that follow it beside the length.
_MEASURED = {
    0xC4: (1, 0),
    0xC5: (2, 0),
    0xC6: (4, 0),
    0xD9: (1, 0),
    0xDA: (2, 0),
    0xDB: (4, 0),
    0xC7: (1, 1),
    0xC8: (2, 1),
    0xC9: (4, 1),
}
# First byte: bytes of the count field, and values for each count.
_NESTED = {
    **{0x90 + count: (0, 1) for count in range(16)},
    **{0x80 + count: (0, 2) for count in range(16)},
    0xDC: (2, 1),
    0xDD: (4, 1),
    0xDE: (2, 2),
    0xDF: (4, 2),
}


def map_head(count: int) -> bytes:
    """Return the head of a map of `count` pairs."""
    if count < 16:
        return bytes([0x80 | count])
    if count < 1 << 16:
        return b"\xde" + count.to_bytes(2, "big")
    return b"\xdf" + count.to_bytes(4, "big")


def array_head(count: int) -> bytes:
    """Return the head of an array of `count` elements."""
    if count < 16:
        return bytes([0x90 | count])
    if count < 1 << 16:
        return b"\xdc" + count.to_bytes(2, "big")
    return b"\xdd" + count.to_bytes(4, "big")


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
