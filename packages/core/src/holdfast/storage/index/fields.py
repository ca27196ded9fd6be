"""The values of a few fields of a view's rows, in memory: filters without reading the rows.

What a filter may ask of a row never changes (another value makes another row), so what was read
of it once holds. A field is read when a filter first names it, and of new rows when it is named
again; a view that is never filtered holds none. A few fields are kept, the last ones asked for,
and none that would take as much memory as the vectors: SQL answers for those.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from holdfast.storage.contract import damage
from holdfast.storage.contract.filters import (
    NUMBER_FIELDS,
    TIME_FIELDS,
    All,
    Comparison,
    Filter,
    Not,
)
from holdfast.storage.index.loading import Loader, Path, Table, Value
from holdfast.storage.index.values import Bools, Numbers, Values

Ids = NDArray[np.int64]

FIELDS: Final = 8  # so many are kept a view
LARGEST: Final = 32 << 20  # bytes; some hundred thousand values that are all different
_CHUNK: Final = 10_000  # rows read at a time
# Texts as long as records have them are better read again.
_LONG: Final = frozenset({"text"})


class Fields:
    """The fields of one view. Not locked: hold the view's lock.

    Args:
        table: Where its rows lie.
        largest: Bytes that one field may take.
    """

    def __init__(self, table: Table, largest: int = LARGEST) -> None:
        self._table: Table = table
        self._largest = largest
        self._fields: OrderedDict[Path, _Field] = OrderedDict()
        self._large: set[Path] = set()  # fields of which nothing is kept

    @property
    def nbytes(self) -> int:
        """Bytes held, roughly."""
        return sum(field.nbytes for field in self._fields.values())

    def through(self, loader: Loader, ids: Ids, tree: Filter) -> Bools | None:
        """Say which positions a filter lets through; None if only SQL can tell.

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
                self._read(loader, ids, path)
        return self._through(len(ids), tree) if self._large.isdisjoint(paths) else None

    def _read(self, loader: Loader, ids: Ids, path: Path) -> None:
        """Read what is new of a field, and drop it if it takes too much memory."""
        field = self._fields.setdefault(path, _Field(self._table, path))
        self._fields.move_to_end(path)
        if len(self._fields) > FIELDS:
            self._fields.popitem(last=False)
        if not field.follow(loader, ids, self._largest):
            del self._fields[path]
            self._large.add(path)

    def _through(self, size: int, tree: Filter) -> Bools:
        if isinstance(tree, Comparison):
            return self._fields[tree.field].values.compared(tree)
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


class _Field:
    """One field of the rows of a view.

    Attributes:
        values: Of every position that was read.
    """

    def __init__(self, table: Table, path: Path) -> None:
        self._table: Table = table
        self._path = path
        name = path[0]
        numeric = name in TIME_FIELDS | NUMBER_FIELDS
        self.values = Numbers(whole=name != "importance") if numeric else Values()

    @property
    def nbytes(self) -> int:
        return self.values.nbytes

    def follow(self, loader: Loader, ids: Ids, largest: int) -> bool:
        """Read the values of positions that are new; False if they take too much memory."""
        while len(self.values) < len(ids):
            some = ids[len(self.values) : len(self.values) + _CHUNK].tolist()
            with damage.Reading("a value that a filter names"):
                self.values.extend(self._read(loader, some))
            # Times, and numbers of columns of their own, are as small as they can be.
            if isinstance(self.values, Values) and self.values.nbytes > largest:
                return False
        return True

    def _read(self, loader: Loader, ids: list[int]) -> list[Value]:
        """Return kind and value at each position; passages of a row share its value."""
        # The loader may return rows in another order than that of the positions.
        found = loader.field(self._table, self._path, tuple(dict.fromkeys(ids)))
        return [found.get(row_id, (None, None)) for row_id in ids]
