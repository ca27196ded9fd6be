"""The filter language: parsed and checked here, compiled by storage.

    {"topic": "food"}                                   equality, shorthand for {"eq": "food"}
    {"topic": {"in": ["food", "drink"]}, "year": {"gte": 2024}}             all must hold
    {"OR": [{"a": 1}, {"NOT": {"b": {"contains": "x"}}}]}

A field is one of the record's own (`RECORD_FIELDS`) or a path into the metadata (``a.b``;
``metadata.kind`` where a name is taken). A number equals numbers only, a string strings only,
a boolean booleans only. A missing field equals None, and is ``ne`` and ``nin`` to everything else.
``gt gte lt lte`` compare numbers with numbers, strings with strings, times with times.
``contains`` finds a member of a list or a part of a string. A list equals a list of equal members
in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias, cast, get_args

from holdfast.errors import FilterError
from holdfast.types import check_time

Operator = Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "contains", "exists"]
Value: TypeAlias = "str | int | float | bool | datetime | tuple[Value, ...] | None"

OPERATORS: tuple[str, ...] = get_args(Operator)
TIME_FIELDS = frozenset({"created_at", "updated_at", "occurred_at", "expires_at"})
TEXT_FIELDS = frozenset({"id", "kind", "role", "speaker", "text"})
NUMBER_FIELDS = frozenset({"importance", "version"})
RECORD_FIELDS = TIME_FIELDS | TEXT_FIELDS | NUMBER_FIELDS

MAX_DEPTH = 32
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1


@dataclass(frozen=True, slots=True)
class Comparison:
    """One field against one value: a tuple of values for ``in`` and ``nin``, or for a list."""

    field: tuple[str, ...]
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; no parts hold for everything."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Filter


Filter: TypeAlias = Comparison | All | AnyOf | Not


def parse(filters: Mapping[str, Any], *, own_fields: bool = True, depth: int = 0) -> Filter:
    """Return the filter a mapping stands for.

    Args:
        filters: See the module's own words.
        own_fields: Read `RECORD_FIELDS` as the record's own. Items have none: all paths lead
            into their value.
        depth: How deep this mapping lies.

    Raises:
        FilterError: An unknown operator, a value of the wrong type, a malformed tree.
    """
    if not isinstance(filters, Mapping):
        raise FilterError(f"filters must be a mapping of fields to values, not {filters!r:.80}")
    if depth > MAX_DEPTH:
        raise FilterError(f"filters are nested deeper than {MAX_DEPTH} levels")
    parts = [_part(str(name), value, own_fields, depth) for name, value in filters.items()]
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _part(name: str, value: object, own_fields: bool, depth: int) -> Filter:
    if name in ("AND", "OR"):
        if not isinstance(value, Sequence) or isinstance(value, str) or not value:
            raise FilterError(f"{name} takes a non-empty list of filters, not {value!r:.80}")
        inner = tuple(parse(part, own_fields=own_fields, depth=depth + 1) for part in value)
        return All(inner) if name == "AND" else AnyOf(inner)
    if name == "NOT":
        if isinstance(value, Sequence) and not isinstance(value, str):
            value = {"OR": value}
        return Not(parse(cast("Mapping[str, Any]", value), own_fields=own_fields, depth=depth + 1))
    return _field(name, value, own_fields)


def _field(name: str, value: object, own_fields: bool) -> Filter:
    field = _path(name, own_fields)
    if not isinstance(value, Mapping):
        return Comparison(field, "eq", _value(name, field, value))
    if not value:
        raise FilterError(f"{name!r} has no operator; allowed are {', '.join(OPERATORS)}")
    parts = tuple(_comparison(name, field, str(key), item) for key, item in value.items())
    return parts[0] if len(parts) == 1 else All(parts)


def _path(name: str, own_fields: bool) -> tuple[str, ...]:
    """Return ``("kind",)`` for the record's own field, ``("metadata", ...)`` for a path."""
    if own_fields and name in RECORD_FIELDS:
        return (name,)
    path = (
        tuple(name.removeprefix("metadata.").split(".")) if own_fields else tuple(name.split("."))
    )
    if not all(path) or not name.isprintable():
        raise FilterError(f"the field {name!r:.80} has an empty part or a control character")
    return ("metadata", *path)


def _comparison(name: str, field: tuple[str, ...], operator: str, value: object) -> Comparison:
    if operator not in OPERATORS:
        raise FilterError(
            f"unknown operator {operator!r} for {name!r}; allowed are {', '.join(OPERATORS)}, "
            "and AND, OR, NOT around fields"
        )
    known = cast("Operator", operator)
    if known in ("in", "nin"):
        if not isinstance(value, list | tuple | set | frozenset):
            raise FilterError(f"{known} of {name!r} takes a list of values, not {value!r:.80}")
        return Comparison(field, known, tuple(_value(name, field, item) for item in value))
    if known == "exists":
        if not isinstance(value, bool):
            raise FilterError(f"exists of {name!r} takes True or False, not {value!r:.80}")
        return Comparison(field, known, value)
    if known in ("eq", "ne"):
        return Comparison(field, known, _value(name, field, value))
    scalar = _scalar(name, value)
    if known in ("gt", "gte", "lt", "lte") and (scalar is None or isinstance(scalar, bool)):
        raise FilterError(f"{known} of {name!r} needs a number, a string or a time, not {value!r}")
    return Comparison(field, known, scalar)


def _value(name: str, field: tuple[str, ...], value: object) -> Value:
    if isinstance(value, list | tuple) and field[0] == "metadata":
        return tuple(_value(name, field, item) for item in value)
    return _scalar(name, value)


def _scalar(name: str, value: object) -> Value:
    if isinstance(value, datetime):
        return check_time(name, value)
    if name in TIME_FIELDS and value is not None:
        raise FilterError(f"{name} is compared with a datetime, not {value!r:.80}")
    if isinstance(value, float) and not math.isfinite(value):
        raise FilterError(f"{name!r} is compared with {value}, which no stored number can be")
    if isinstance(value, int) and not MIN_INTEGER <= value <= MAX_INTEGER:
        return _rounded(name, value)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise FilterError(
        f"{name!r} is compared with {value!r:.80}; "
        "a string, a number, a boolean, a datetime, None or a list of these can be"
    )


def _rounded(name: str, value: int) -> float:
    """Return the nearest float, as SQLite reads an integer of more than 64 bits in JSON."""
    try:
        return float(value)
    except OverflowError as error:
        raise FilterError(f"{name!r} is compared with a number beyond all floats") from error
