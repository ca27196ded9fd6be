"""An array that grows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def more_than(count: int) -> int:
    """Return for how many there should be room where so many are loaded: some are added soon."""
    return count + max(16, count // 8)


class GrowableArray:
    """A numpy array that grows by doubling."""

    def __init__(self, dtype: Any) -> None:
        self.size = 0
        self._room: NDArray[Any] = np.empty(16, dtype=dtype)

    @property
    def values(self) -> NDArray[Any]:
        """The values so far; a view, writable."""
        return self._room[: self.size]

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return int(self._room.nbytes)

    def extend(self, values: NDArray[Any]) -> None:
        """Append values."""
        start = self.size
        self._grow(len(values))
        self._room[start : self.size] = values

    def fill(self, value: Any, count: int) -> None:
        """Append one value so many times."""
        start = self.size
        self._grow(count)
        self._room[start : self.size] = value

    def _grow(self, more: int) -> None:
        end = self.size + more
        if end > len(self._room):
            room = np.empty(max(more_than(end), 2 * len(self._room)), dtype=self._room.dtype)
            room[: self.size] = self.values
            self._room = room
        self.size = end
