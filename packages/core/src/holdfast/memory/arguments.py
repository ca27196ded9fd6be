"""Arguments that several verbs share, checked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from holdfast.errors import InvalidInputError, shown
from holdfast.types import KINDS, Kind

MOST_RESULTS = 10_000


def limit(limit: int) -> int:
    """Return how many results are wanted.

    Raises:
        InvalidInputError: It is no number from 1 to `MOST_RESULTS`.
    """
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MOST_RESULTS:
        raise InvalidInputError(f"limit must be 1 to {MOST_RESULTS}, not {shown(limit)}")
    return limit


def min_score(least: float | None) -> float | None:
    """Return the least score that is wanted.

    Raises:
        InvalidInputError: It is no number.
    """
    if least is not None and (type(least) not in (int, float) or math.isnan(least)):
        raise InvalidInputError(f"min_score must be a number, not {shown(least)}")
    return least


def kinds(kinds: Sequence[Kind] | None) -> tuple[Kind, ...]:
    """Return which kinds are wanted; all, where none are named.

    Raises:
        InvalidInputError: They are no list of kinds.
    """
    if kinds is None:
        return KINDS
    wanted = () if isinstance(kinds, str) or not isinstance(kinds, Iterable) else tuple(kinds)
    if not wanted or any(kind not in KINDS for kind in wanted):
        raise InvalidInputError(
            f"kinds must be a list of some of {', '.join(KINDS)}, not {shown(kinds)}"
        )
    return wanted
