"""The values of a few fields of a view's items, in memory: filters without reading the rows.

An item's row never changes, so what was read of it once holds. A field is read when a filter
first names it, and of new rows when it is named again. What is said here of a comparison is what
`conditions` says of it in SQL; tests hold the two together.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from operator import ge, gt, le, lt
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from holdfast.filters import All, Comparison, Filter, Not, Value
from holdfast.storage.conditions import path_sql
from holdfast.storage.database import Connection

Bools = NDArray[np.bool_]
Ids = NDArray[np.int64]
Known: TypeAlias = tuple[str, Any]
"""Kind of a JSON value, and the value."""

FIELDS: Final = 8  # so many are kept a view
_MISSING: Final[Known] = ("missing", None)
_ORDER: Final[dict[str, Callable[[Any, Any], bool]]] = {"gt": gt, "gte": ge, "lt": lt, "lte": le}
_CHUNK: Final = 10_000  # SQLite binds 32,766 values at most


class Fields:
    """The fields of one view. Not locked: hold the view's lock."""

    def __init__(self) -> None:
        self._fields: OrderedDict[tuple[str, ...], _Field] = OrderedDict()

    @property
    def nbytes(self) -> int:
        """Bytes held, roughly."""
        return sum(field.nbytes for field in self._fields.values())

    def through(self, connection: Connection, ids: Ids, tree: Filter) -> Bools | None:
        """Say which positions a filter lets through; None if only SQL can tell.

        Args:
            connection: Where values not yet read are read.
            ids: Row id of every position. Positions are only ever added.
            tree: The filter.
        """
        if not _tellable(tree):
            return None
        return self._through(connection, ids, tree)

    def _through(self, connection: Connection, ids: Ids, tree: Filter) -> Bools:
        if isinstance(tree, Comparison):
            return self._field(tree.field).read(connection, ids).compared(tree)
        if isinstance(tree, Not):
            return ~self._through(connection, ids, tree.part)
        join = np.logical_and if isinstance(tree, All) else np.logical_or
        through = np.full(len(ids), isinstance(tree, All) or not tree.parts)
        for part in tree.parts:
            through = join(through, self._through(connection, ids, part))
        return through

    def _field(self, path: tuple[str, ...]) -> _Field:
        field = self._fields.setdefault(path, _Field(path))
        self._fields.move_to_end(path)
        if len(self._fields) > FIELDS:
            self._fields.popitem(last=False)
        return field


class _Field:
    """One field: a number a position, and the value each number stands for."""

    def __init__(self, path: tuple[str, ...]) -> None:
        self._path = path_sql(path[1:])
        self._numbers: NDArray[np.int32] = np.empty(0, dtype=np.int32)
        self._values: list[Known] = []
        self._known: dict[Known, int] = {}

    @property
    def nbytes(self) -> int:
        return self._numbers.nbytes + 100 * len(self._values)

    def read(self, connection: Connection, ids: Ids) -> _Field:
        """Read the values of positions that are new."""
        fresh = ids[len(self._numbers) :]
        if len(fresh):
            found = self._found(connection, np.unique(fresh).tolist())
            values = (found.get(row_id, _MISSING) for row_id in fresh.tolist())
            more = np.fromiter(map(self._number, values), np.int32, len(fresh))
            self._numbers = np.concatenate([self._numbers, more])
        return self

    def _found(self, connection: Connection, row_ids: Sequence[int]) -> dict[int, Known]:
        found: dict[int, Known] = {}
        for start in range(0, len(row_ids), _CHUNK):
            some = tuple(row_ids[start : start + _CHUNK])
            rows = connection.execute(
                f"SELECT id, json_type(value, {self._path}), json_extract(value, {self._path})"
                f" FROM items WHERE id IN ({','.join('?' * len(some))})",
                some,
            )
            for row_id, kind, value in rows:
                found[row_id] = _known(kind, value)
        return found

    def _number(self, value: Known) -> int:
        number = self._known.setdefault(value, len(self._values))
        if number == len(self._values):
            self._values.append(value)
        return number

    def compared(self, comparison: Comparison) -> Bools:
        """Say at which positions a comparison holds."""
        if comparison.operator in ("eq", "in"):
            return self._among(comparison.value)
        if comparison.operator in ("ne", "nin"):
            return ~self._among(comparison.value)
        test = _test(comparison)
        holds = np.fromiter((test(value) for value in self._values), np.bool_, len(self._values))
        through: Bools = holds[self._numbers]
        return through

    def _among(self, value: Value) -> Bools:
        """Say at which positions a value stands, or one of several; no other is looked at."""
        options = value if isinstance(value, tuple) else (value,)
        asked = {same for option in options for same in _equals(option)}
        numbers = [self._known[same] for same in asked if same in self._known]
        if len(numbers) == 1:
            equal: Bools = self._numbers == numbers[0]
            return equal
        holds = np.zeros(len(self._values), dtype=np.bool_)
        holds[numbers] = True
        among: Bools = holds[self._numbers]
        return among


def _known(kind: str | None, value: Any) -> Known:
    """Return a value as filters tell values apart; true is not 1."""
    if kind is None:
        return _MISSING
    if kind in ("true", "false"):
        return "bool", kind == "true"
    if kind in ("integer", "real"):
        return "number", value
    return kind, value


def _test(comparison: Comparison) -> Callable[[Known], bool]:
    """Return what a comparison in some order, or with nothing, asks of a value."""
    if comparison.operator == "exists":
        return lambda value: (value[0] != "missing") == comparison.value
    kind, bound = _asked(comparison.value)
    holds = _ORDER[comparison.operator]
    return lambda value: value[0] == kind and holds(value[1], bound)


def _asked(value: Value) -> Known:
    if isinstance(value, bool):
        return "bool", value
    if isinstance(value, int | float):
        return "number", value
    return "text", value.isoformat() if isinstance(value, datetime) else value


def _equals(value: Value) -> tuple[Known, ...]:
    return (_MISSING, ("null", None)) if value is None else (_asked(value),)


def _tellable(tree: Filter) -> bool:
    """Say whether a filter asks only for whole, single values of the document."""
    if isinstance(tree, Not):
        return _tellable(tree.part)
    if not isinstance(tree, Comparison):
        return all(map(_tellable, tree.parts))
    if tree.operator in ("in", "nin"):
        assert isinstance(tree.value, tuple)
        return not any(isinstance(option, tuple) for option in tree.value)
    return tree.operator != "contains" and not isinstance(tree.value, tuple)
