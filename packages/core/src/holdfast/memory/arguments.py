"""Arguments that several verbs share, checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar, cast

from holdfast.checks import check_time
from holdfast.documents.checks import check_score
from holdfast.errors import InvalidInputError, shown
from holdfast.storage.contract.filters import Filter, parse
from holdfast.types import KINDS, Kind

T = TypeVar("T")
C = TypeVar("C")

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
    return None if least is None else check_score(least)


def filters(filters: Mapping[str, Any] | None) -> Filter | None:
    """Return a filter as storage reads it.

    Raises:
        FilterError: See `parse`.
    """
    return None if filters is None else parse(filters)


def time(name: str, moment: datetime | None) -> datetime | None:
    """Return a moment in UTC.

    Raises:
        InvalidInputError: It is no time, or one without a time zone.
    """
    return None if moment is None else check_time(name, moment)


def listed(name: str, given: Sequence[T] | None) -> Sequence[T]:
    """Return a list that was given, an empty one for None.

    Raises:
        InvalidInputError: It is no sequence; a string and bytes are none.
    """
    if given is None:
        return ()
    if not isinstance(given, Sequence) or isinstance(given, str | bytes | bytearray):
        raise InvalidInputError(f"{name} must be a list, not {shown(given)}")
    return given


def ids(given: str | Sequence[str]) -> Sequence[str]:
    """Return a list of ids as it was given, and one id as a list; storage refuses what is none."""
    several = isinstance(given, Sequence) and not isinstance(given, str | bytes)
    return given if several else [cast("str", given)]


def fields(name: str, given: Sequence[str]) -> Sequence[str]:
    """Return names of fields, each a path into the metadata.

    Raises:
        InvalidInputError: They are no list of such names.
    """
    if isinstance(given, str):
        raise InvalidInputError(f"{name} must be a list of fields, not the string {shown(given)}")
    names = listed(name, given)
    for field in names:
        if not isinstance(field, str) or not field.isprintable() or not all(field.split(".")):
            raise InvalidInputError(f"{name} must be a list of fields, not of {shown(field)}")
    return names


def count(name: str, given: int) -> int:
    """Return a whole number from 0.

    Raises:
        InvalidInputError: It is none.
    """
    if type(given) is not int or not 0 <= given < 1 << 63:
        raise InvalidInputError(f"{name} must be a whole number from 0, not {shown(given)}")
    return given


def callback(name: str, given: C) -> C:
    """Return a function that was given, or None.

    Raises:
        InvalidInputError: It is neither.
    """
    if given is not None and not callable(given):
        raise InvalidInputError(f"{name} must be a function, not {shown(given)}")
    return given


def kinds(kinds: Sequence[Kind] | None) -> tuple[Kind, ...]:
    """Return which kinds are wanted; all, where none are named.

    Raises:
        InvalidInputError: They are no list of kinds.
    """
    if kinds is None:
        return KINDS
    wanted = () if isinstance(kinds, str) or not isinstance(kinds, Iterable) else tuple(kinds)
    if not wanted or any(not isinstance(kind, str) or kind not in KINDS for kind in wanted):
        raise InvalidInputError(
            f"kinds must be a list of some of {', '.join(KINDS)}, not {shown(kinds)}"
        )
    return wanted
