"""What a filter's comparison says of one value in memory; `sqlite.filters` says the same in SQL.

Tests hold the two together. JSON is read here and not by SQLite: old versions cut a text at NUL or
round a number.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from operator import ge, gt, le, lt
from typing import Any, Final, TypeAlias

from holdfast.storage.contract.codec import to_micros
from holdfast.storage.contract.filters import MAX_DEPTH, TIME_FIELDS, Comparison

Typed: TypeAlias = tuple[str, Any]
"""A value beside its JSON type, so that true is not 1; of a list, the typed members as a tuple."""

MISSING: Final[Typed] = ("missing", None)
_NULL: Final[Typed] = ("null", None)
_OBJECT: Final[Typed] = ("object", None)  # no comparison tells one object from another
_ORDER: Final[dict[str, Callable[[Any, Any], Any]]] = {"gt": gt, "gte": ge, "lt": lt, "lte": le}


@dataclass(frozen=True, slots=True)
class Predicate:
    """A comparison, ready to be looked up or tested value by value.

    Attributes:
        options: Values for which it holds.
        types: JSON types of further values for which it holds where `test` does.
        test: Takes a value without its type, or an array of numbers.
        negated: It holds for all other values instead.
    """

    options: frozenset[Typed] = frozenset()
    types: frozenset[str] = frozenset()
    test: Callable[[Any], Any] = bool
    negated: bool = False


def predicate(comparison: Comparison) -> Predicate:
    """Return what a comparison says of a value."""
    operator, value = comparison.operator, comparison.value
    if comparison.field[0] in TIME_FIELDS:
        value = _micros(value)
    if operator in ("in", "nin"):
        assert isinstance(value, tuple)
        options = frozenset(same for option in value for same in _equals(option))
        return Predicate(options, negated=operator == "nin")
    if operator in ("eq", "ne"):
        return Predicate(frozenset(_equals(value)), negated=operator == "ne")
    if operator == "exists":
        return Predicate(frozenset([MISSING]), negated=value is True)
    if operator == "contains":
        return _contains(value)
    kind, bound = typed(value)
    sign = _ORDER[operator]
    return Predicate(types=frozenset([kind]), test=lambda found: sign(found, bound))


def _contains(value: Any) -> Predicate:
    member = typed(value)

    def holds(found: Any) -> bool:
        return value in found if isinstance(found, str) else member in found

    types = ("array", "text") if isinstance(value, str) else ("array",)
    return Predicate(types=frozenset(types), test=holds)


def _micros(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_micros, value))
    return to_micros(value) if isinstance(value, datetime) else value


def _equals(value: Any) -> tuple[Typed, ...]:
    """Return the values that one equals: a missing one equals None."""
    return (MISSING, _NULL) if value is None else (typed(value),)


def stored(form: object, spelled: Any) -> Typed:
    """Return a value as `Loader.field` returns it, typed: of a column (``text``), or as JSON."""
    if spelled is None:
        return MISSING
    return typed(_DECODER.raw_decode(spelled)[0] if form == "json" else spelled)


def typed(value: Any, levels: int = MAX_DEPTH + 1) -> Typed:
    """Return a value beside its JSON type; below so many levels, where no filter reaches, cut."""
    if isinstance(value, str):
        return "text", value
    if value is None:
        return _NULL
    if isinstance(value, bool):
        return "bool", value
    if isinstance(value, int | float):
        return "number", value
    if isinstance(value, datetime):
        return "text", value.isoformat()
    if isinstance(value, dict) or not levels:
        return _OBJECT
    return "array", tuple(typed(member, levels - 1) for member in value)


def _integer(digits: str) -> int | float:
    """Return an integer as SQLite has it: beyond 64 bits a float."""
    number = int(digits)
    return number if -(1 << 63) <= number < 1 << 63 else float(digits)


_DECODER: Final = json.JSONDecoder(parse_int=_integer)
