"""How values become columns and come back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from struct import Struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.storage.contract import damage
from holdfast.storage.contract.arrays import Passage

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MICROSECOND = timedelta(microseconds=1)

# SQLite reads a thousand levels; a deeper document would spoil every filter over its scope.
MOST_LEVELS = 200
_TOO_DEEP = f"it is nested deeper than {MOST_LEVELS} levels"


def to_micros(moment: datetime) -> int:
    """Return microseconds since 1970 in UTC; exact."""
    return (moment - EPOCH) // MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return the moment, in UTC.

    Raises:
        DamagedFileError: It is none that was ever written.
    """
    try:
        return EPOCH + timedelta(0, 0, micros)
    except damage.UNREADABLE as error:
        raise damage.found("a time") from error


def maybe_micros(moment: datetime | None) -> int | None:
    """Return microseconds, or None for None."""
    return None if moment is None else to_micros(moment)


def maybe_moment(micros: int | None) -> datetime | None:
    """Return the moment, or None for None."""
    return None if micros is None else from_micros(micros)


def to_json(value: Any) -> str:
    """Return compact JSON; keys keep their order, text stays readable.

    Raises:
        TypeError, ValueError: The value is no JSON (NaN included), or nested too deeply.
    """
    if not value and type(value) in _EMPTY:
        return _EMPTY[type(value)]
    try:
        text = _encode(value)
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error
    # As many levels need as many brackets; only then is the value worth a walk.
    if text.count("[") + text.count("{") > MOST_LEVELS and _levels(value) > MOST_LEVELS:
        raise ValueError(_TOO_DEEP)
    return text


# Most columns hold nothing, and a search decodes twenty of them.
_EMPTY: dict[type, str] = {dict: "{}", list: "[]", tuple: "[]"}
# Made once: `json.dumps` makes an encoder for every call that asks for anything special. Columns
# were written by it, so nothing stands around a value.
_decode = json.JSONDecoder().raw_decode
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def _levels(value: Any) -> int:
    """Return how deep a value is nested."""
    levels, inside = 0, [value]
    while inside := [item for item in inside if isinstance(item, dict | list | tuple)]:
        levels += 1
        inside = [
            part for item in inside for part in (item.values() if isinstance(item, dict) else item)
        ]
    return levels


def from_json(text: str) -> Any:
    """Return the value of a JSON column.

    Raises:
        DamagedFileError: It is no JSON.
    """
    try:
        return [] if text == "[]" else {} if text == "{}" else _decode(text)[0]
    except damage.UNREADABLE as error:
        raise damage.found("a value that is no JSON") from error


def to_passages(passages: Sequence[Passage]) -> bytes:
    """Pack passages: triples of 32-bit integers."""
    return np.asarray(passages, dtype=np.int32).tobytes()


def from_passages(blob: bytes) -> NDArray[np.int32]:
    """Unpack passages: start, end, words; shape (passages, 3)."""
    return np.frombuffer(blob, dtype=np.int32).reshape(-1, 3)


def span(blob: bytes, number: int) -> tuple[int, int]:
    """Return where one of packed passages begins and ends."""
    start, end, _ = _PASSAGE.unpack_from(blob, number * _PASSAGE.size)
    return start, end


_PASSAGE = Struct("=3i")
