"""The values of one field, a number a position; and where a comparison holds of them.

What is said here of a comparison is what `conditions` says of it in SQL; tests hold the two
together. A comparison is settled once for each distinct value, and mostly by looking it up, not by
going through them all: in a dictionary, in an order, or in an index of the members of lists.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from operator import ge, gt, itemgetter, le, lt
from sys import getsizeof
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from holdfast.storage.contract.codec import to_micros
from holdfast.storage.contract.filters import Comparison, Value
from holdfast.storage.index.arrays import Column

Bools = NDArray[np.bool_]
Known: TypeAlias = tuple[str, Any]
"""Kind of a JSON value, and the value; lists and objects as their text."""

MISSING: Final[Known] = ("missing", None)
_NULL: Final[Known] = ("null", None)
_NAMED: Final[dict[str, Known]] = {"true": ("bool", True), "false": ("bool", False), "null": _NULL}
_ORDER: Final[dict[str, Callable[[Any, Any], Any]]] = {"gt": gt, "gte": ge, "lt": lt, "lte": le}
_SIDES: Final = {
    "gt": (bisect_right, None),
    "gte": (bisect_left, None),
    "lt": (None, bisect_left),
    "lte": (None, bisect_right),
}
_VALUE_BYTES: Final = 250  # of a distinct value: its tuple, its places in a list and a dictionary
_NONE: Final = np.iinfo(np.int64).min
_FEW: Final = 16  # so many times fewer new values than known ones are put in place one by one


class Values:
    """Any values of a document's field, or of a record's own that holds text."""

    def __init__(self) -> None:
        self._numbers = Column(np.int32)
        self._values: list[Known] = []
        self._known: dict[Known, int] = {}
        self._bytes = 0
        self._orders: dict[str, _Order] = {}
        self._members = _Members()

    def __len__(self) -> int:
        return self._numbers.size

    @property
    def nbytes(self) -> int:
        """Bytes held, roughly."""
        return self._numbers.nbytes + self._bytes + self._members.nbytes

    def extend(self, rows: Sequence[tuple[Any, Any]]) -> None:
        """Append the values of further positions: ``"json"`` or ``"text"``, and so spelled.

        None is a missing one, however it is spelled.
        """
        numbers = {row: self._number(_known(*row)) for row in dict.fromkeys(rows)}
        self._numbers.extend(np.fromiter(map(numbers.__getitem__, rows), np.int32, len(rows)))

    def _number(self, value: Known) -> int:
        number = self._known.setdefault(value, len(self._values))
        if number == len(self._values):
            self._values.append(value)
            self._bytes += _VALUE_BYTES + getsizeof(value[1])
        return number

    def compared(self, comparison: Comparison) -> Bools:
        """Say at which positions a comparison holds."""
        operator, value = comparison.operator, comparison.value
        if operator in ("in", "nin"):
            assert isinstance(value, tuple)
            return self._where(self._among(value), negated=operator == "nin")
        if operator in ("eq", "ne"):
            return self._where(self._among((value,)), negated=operator == "ne")
        if operator == "exists":
            return self._where(self._among_known([MISSING]), negated=value is True)
        if operator == "contains":
            return self._where(self._containing(value))
        return self._where(self._ordered(operator, value))

    def _where(self, numbers: NDArray[np.int32], *, negated: bool = False) -> Bools:
        """Say at which positions one of these numbers stands; or none of them."""
        if len(numbers) == 1:
            equal: Bools = self._numbers.values == numbers[0]
            return ~equal if negated else equal
        holds = np.full(len(self._values), negated)
        holds[numbers] = not negated
        through: Bools = holds[self._numbers.values]
        return through

    def _among(self, options: Sequence[Value]) -> NDArray[np.int32]:
        """Return the numbers of the values that equal one of several."""
        asked = [same for option in options for same in _equals(option)]
        lists = [option for option in options if isinstance(option, tuple)]
        found = self._among_known(asked)
        if lists:
            like = self._that(lambda kind, value: kind == "array" and _in(lists, _decoded(value)))
            found = np.concatenate([found, like])
        return found

    def _among_known(self, asked: Iterable[Known]) -> NDArray[np.int32]:
        numbers = {self._known[same] for same in asked if same in self._known}
        return np.fromiter(numbers, np.int32, len(numbers))

    def _that(self, holds: Callable[[str, Any], bool]) -> NDArray[np.int32]:
        found = [number for number, known in enumerate(self._values) if holds(*known)]
        return np.array(found, dtype=np.int32)

    def _containing(self, value: Value) -> NDArray[np.int32]:
        self._members.extend(self._values)
        found = self._members.of(_NULL if value is None else _asked(value))
        if isinstance(value, str):
            parts = self._that(lambda kind, text: kind == "text" and value in text)
            found = np.concatenate([found, parts])
        return found

    def _ordered(self, operator: str, value: Value) -> NDArray[np.int32]:
        kind, bound = _asked(value)
        order = self._orders.setdefault(kind, _Order(kind))
        order.extend(self._values)
        return order.beyond(operator, bound)


class _Order:
    """The distinct values of one kind in their order, and the number of each."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._seen = 0
        self._values: list[Any] = []
        self._numbers: NDArray[np.int32] = np.empty(0, dtype=np.int32)

    def extend(self, values: Sequence[Known]) -> None:
        """Take up the values that are new since."""
        fresh = [
            (value, number)
            for number, (kind, value) in enumerate(values[self._seen :], self._seen)
            if kind == self._kind
        ]
        self._seen = len(values)
        if len(fresh) * _FEW < len(self._values):
            for value, number in fresh:
                place = bisect_left(self._values, value)
                self._values.insert(place, value)
                self._numbers = np.insert(self._numbers, place, number)
        elif fresh:
            both = [*zip(self._values, self._numbers.tolist(), strict=True), *fresh]
            both.sort(key=itemgetter(0))
            self._values = [value for value, _ in both]
            self._numbers = np.array([number for _, number in both], dtype=np.int32)

    def beyond(self, operator: str, bound: Any) -> NDArray[np.int32]:
        """Return the numbers of the values on one side of a bound."""
        begin, end = _SIDES[operator]
        start = 0 if begin is None else begin(self._values, bound)
        stop = None if end is None else end(self._values, bound)
        return self._numbers[start:stop]


class _Members:
    """Which of the distinct values are lists that hold a value."""

    def __init__(self) -> None:
        self._seen = 0
        self._lists: dict[Known, list[int]] = {}
        self.nbytes = 0

    def extend(self, values: Sequence[Known]) -> None:
        """Take up the values that are new since."""
        for number, (kind, text) in enumerate(values[self._seen :], self._seen):
            if kind == "array":
                for member in {_asked(one) for one in _decoded(text) if _is_single(one)}:
                    if member not in self._lists:
                        self.nbytes += _VALUE_BYTES + getsizeof(member[1])
                    self._lists.setdefault(member, []).append(number)
                    self.nbytes += 36  # a number, and its place in the list
        self._seen = len(values)

    def of(self, member: Known) -> NDArray[np.int32]:
        """Return the numbers of the lists that hold a value."""
        return np.array(self._lists.get(member, ()), dtype=np.int32)


class Numbers:
    """The numbers, or times, of a column that holds nothing else; all are integers, or none is."""

    def __init__(self, *, whole: bool) -> None:
        self._column = Column(np.int64 if whole else np.float64)

    def __len__(self) -> int:
        return self._column.size

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._column.nbytes

    def extend(self, rows: Sequence[tuple[Any, Any]]) -> None:
        """Append the values of further positions, which stand behind how they are spelled."""
        numbers = [_NONE if value is None else value for _, value in rows]
        self._column.extend(np.array(numbers, dtype=self._column.values.dtype))

    def compared(self, comparison: Comparison) -> Bools:
        """Say at which positions a comparison holds."""
        operator, value = comparison.operator, comparison.value
        known: Bools = self._column.values != _NONE
        if operator == "exists":
            return known if value else ~known
        if operator in ("in", "nin"):
            assert isinstance(value, tuple)
            among: Bools = np.isin(self._column.values, [_micros(option) for option in value])
            return among if operator == "in" else ~among
        bound = _micros(value)
        if operator in ("eq", "ne"):
            equal: Bools = self._column.values == bound
            return equal if operator == "eq" else ~equal
        beyond: Bools = _ORDER[operator](self._column.values, bound)
        return beyond & known


def _micros(value: Any) -> Any:
    if isinstance(value, datetime):
        return to_micros(value)
    return _NONE if value is None else value


def _known(form: str, spelled: str | None) -> Known:
    """Return a value as filters tell values apart; true is not 1.

    JSON is read here and not by SQLite: old ones cut a text at NUL or round a number.
    """
    if spelled is None:
        return MISSING
    if form == "text":
        return form, spelled
    first = spelled[0]
    if first == '"':
        return "text", _decoded(spelled) if "\\" in spelled else spelled[1:-1]
    if first in "[{":
        return "array" if first == "[" else "object", spelled
    return _NAMED.get(spelled) or ("number", _number(spelled))


def _number(spelled: str) -> int | float:
    return _integer(spelled) if spelled.removeprefix("-").isdigit() else float(spelled)


def _asked(value: Any) -> Known:
    """Return a single value as it is kept."""
    if value is None:
        return _NULL
    if isinstance(value, bool):
        return "bool", value
    if isinstance(value, int | float):
        return "number", value
    return "text", value.isoformat() if isinstance(value, datetime) else value


def _equals(value: Value) -> tuple[Known, ...]:
    """Return the values that one equals; of a list none, for its text may be written otherwise."""
    if isinstance(value, tuple):
        return ()
    return (MISSING, _NULL) if value is None else (_asked(value),)


def _is_single(value: Any) -> bool:
    return not isinstance(value, list | dict)


def _in(options: Sequence[Value], found: Any) -> bool:
    return any(_same(option, found) for option in options)


def _same(wanted: Value, found: Any) -> bool:
    if isinstance(wanted, tuple):
        fits = isinstance(found, list) and len(found) == len(wanted)
        return fits and all(map(_same, wanted, found))
    return _is_single(found) and _asked(wanted) == _asked(found)


def _integer(digits: str) -> int | float:
    """Return an integer as SQLite has it: beyond 64 bits a float."""
    number = int(digits)
    return number if -(1 << 63) <= number < 1 << 63 else float(digits)


_decoded: Final = json.JSONDecoder(parse_int=_integer).decode
