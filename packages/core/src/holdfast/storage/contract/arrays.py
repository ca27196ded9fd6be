"""Kinds of arrays that cross the line, and what is asked of any of them."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Hashes = NDArray[np.uint64]
Bools = NDArray[np.bool_]
Positions = NDArray[np.int64]
Passage: TypeAlias = tuple[int, int, int]
"""Where a passage begins and ends in its text, in characters, and how many index terms it has."""


def begins(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Say of each value whether it begins a run of equal ones."""
    first = np.ones(len(values), dtype=np.bool_)
    first[1:] = values[1:] != values[:-1]
    return first
