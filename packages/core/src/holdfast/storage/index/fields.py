"""The values of a few fields of a view's rows, in memory: filters without reading the rows.

What a filter may ask of a row never changes (another value makes another row), so what was read
of it once holds. A field is read when a filter first names it, and of new rows when it is named
again; a view that is never filtered holds none. A few fields are kept, the last ones asked for,
and none that would take as much memory as the vectors: SQL answers for those.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from sys import getsizeof
from typing import Any, Final, TypeAlias

import numpy as np

from holdfast.storage.contract import damage
from holdfast.storage.contract.arrays import Bools, Positions
from holdfast.storage.contract.filters import (
    NUMBER_FIELDS,
    TIME_FIELDS,
    All,
    Comparison,
    Filter,
    Not,
)
from holdfast.storage.index.arrays import GrowableArray
from holdfast.storage.index.loading import Loader, Path, Table, Value
from holdfast.storage.index.predicates import MISSING, Predicate, Typed, predicate, stored

FIELDS: Final = 8  # so many are kept a view
LARGEST: Final = 32 << 20  # bytes; some hundred thousand values that are all different
_CHUNK: Final = 10_000  # rows read at a time
_VALUE_BYTES: Final = 250  # of a distinct value: its tuple, its code, their place in a dictionary
_NONE: Final = np.iinfo(np.int64).min
# Texts as long as records have them are better read again.
_LONG: Final = frozenset({"text"})


class FieldIndex:
    """The fields of one view. Not locked: hold the view's lock.

    Args:
        table: Where its rows lie.
        largest: Bytes that one field may take.
    """

    def __init__(self, table: Table, largest: int = LARGEST) -> None:
        self._table: Table = table
        self._largest = largest
        self._columns: OrderedDict[Path, _Column] = OrderedDict()
        self._large: set[Path] = set()  # fields of which nothing is kept

    @property
    def nbytes(self) -> int:
        """Bytes held, roughly."""
        return sum(column.nbytes for column in self._columns.values())

    def through(self, loader: Loader, ids: Positions, tree: Filter) -> Bools | None:
        """Return which positions a filter lets through; None if only SQL can tell.

        Args:
            loader: Where values not yet read are read.
            ids: Row id of every position. Positions are only ever added.
            tree: The filter.
        """
        paths = set(_paths(tree))
        if len(paths) > FIELDS or any(path[0] in _LONG for path in paths):
            return None
        if self._large.isdisjoint(paths):
            for path in paths:
                self._follow(loader, ids, path)
        return self._through(len(ids), tree) if self._large.isdisjoint(paths) else None

    def _follow(self, loader: Loader, ids: Positions, path: Path) -> None:
        """Read a field of the positions that are new; drop it if it takes too much memory."""
        column = self._columns.setdefault(path, _column(path[0]))
        self._columns.move_to_end(path)
        if len(self._columns) > FIELDS:
            self._columns.popitem(last=False)
        while len(column) < len(ids):
            some = ids[len(column) : len(column) + _CHUNK].tolist()
            with damage.Reading("a value that a filter names"):
                column.extend(self._read(loader, path, some))
            if isinstance(column, DictionaryColumn) and column.nbytes > self._largest:
                del self._columns[path]
                self._large.add(path)
                return

    def _read(self, loader: Loader, path: Path, ids: list[int]) -> list[Value]:
        """Return kind and value at each position; passages of a row share its value."""
        found = loader.field(self._table, path, tuple(dict.fromkeys(ids)))
        return [found.get(row_id, (None, None)) for row_id in ids]

    def _through(self, size: int, tree: Filter) -> Bools:
        if isinstance(tree, Comparison):
            return self._columns[tree.field].where(predicate(tree))
        if isinstance(tree, Not):
            return ~self._through(size, tree.part)
        join = np.logical_and if isinstance(tree, All) else np.logical_or
        through = np.full(size, isinstance(tree, All) or not tree.parts)
        for part in tree.parts:
            join(through, self._through(size, part), out=through)
        return through


def _paths(tree: Filter) -> Iterator[Path]:
    """Yield the fields that a filter names."""
    if isinstance(tree, Comparison):
        yield tree.field
    else:
        for part in (tree.part,) if isinstance(tree, Not) else tree.parts:
            yield from _paths(part)


class DictionaryColumn:
    """Any values, dictionary-encoded: a code a position, a predicate settled once a code."""

    def __init__(self) -> None:
        self._codes = GrowableArray(np.int32)
        self._known: dict[Typed, int] = {}  # the code of each distinct value
        self._bytes = 0

    def __len__(self) -> int:
        return self._codes.size

    @property
    def nbytes(self) -> int:
        """Bytes held, roughly."""
        return self._codes.nbytes + self._bytes

    def extend(self, rows: Sequence[Value]) -> None:
        """Append the values of further positions, as `Loader.field` returns them."""
        codes = {row: self._code(stored(*row)) for row in dict.fromkeys(rows)}
        self._codes.extend(np.fromiter(map(codes.__getitem__, rows), np.int32, len(rows)))

    def _code(self, value: Typed) -> int:
        if value not in self._known:
            self._known[value] = len(self._known)
            self._bytes += _weight(value)
        return self._known[value]

    def where(self, asked: Predicate) -> Bools:
        """Say at which positions a predicate holds; only a test goes through all codes."""
        codes = [self._known[value] for value in asked.options if value in self._known]
        if types := asked.types:
            test = asked.test
            codes += [
                code for (kind, value), code in self._known.items() if kind in types and test(value)
            ]
        if len(codes) == 1:
            equal: Bools = self._codes.values == codes[0]
            return ~equal if asked.negated else equal
        holds = np.full(len(self._known), asked.negated)
        holds[codes] = not asked.negated
        through: Bools = holds[self._codes.values]
        return through


class NumberColumn:
    """Numbers or times of a record's own: eight bytes each, where most are distinct."""

    def __init__(self, *, whole: bool) -> None:
        self._numbers = GrowableArray(np.int64 if whole else np.float64)

    def __len__(self) -> int:
        return self._numbers.size

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._numbers.nbytes

    def extend(self, rows: Sequence[Value]) -> None:
        """Append the values of further positions, as `Loader.field` returns them."""
        numbers: list[Any] = [_NONE if number is None else number for _, number in rows]
        self._numbers.extend(np.array(numbers, dtype=self._numbers.values.dtype))

    def where(self, asked: Predicate) -> Bools:
        """Say at which positions a predicate holds."""
        numbers = self._numbers.values
        if asked.types:
            tested: Bools = asked.test(numbers) & (numbers != _NONE)
            return tested
        options = [_NONE if value == MISSING else value[1] for value in asked.options]
        among: Bools = np.isin(numbers, [option for option in options if option is not None])
        return ~among if asked.negated else among


_Column: TypeAlias = DictionaryColumn | NumberColumn


def _column(name: str) -> _Column:
    if name in TIME_FIELDS | NUMBER_FIELDS:
        return NumberColumn(whole=name != "importance")
    return DictionaryColumn()


def _weight(value: Typed) -> int:
    """Return the bytes that a distinct value takes, roughly."""
    kind, inner = value
    members = sum(map(_weight, inner)) if kind == "array" else 0
    return _VALUE_BYTES + getsizeof(inner) + members
