"""The filter language: parsed and checked here, compiled by storage.

    {"topic": "food"}                                   equality, shorthand for {"eq": "food"}
    {"topic": {"in": ["food", "drink"]}, "year": {"gte": 2024}}             all must hold
    {"OR": [{"a": 1}, {"NOT": {"b": {"contains": "x"}}}]}

A field is one of the record's own (`RECORD_FIELDS`) or a path into the metadata (``a.b``;
``metadata.kind`` where a name is taken). Whose it is says the scope, no filter. A number equals
numbers only, a string strings only, a boolean booleans only. A missing field equals None, and is
``ne`` and ``nin`` to everything else. ``gt gte lt lte`` compare numbers with numbers, strings with
strings, times with times. ``contains`` finds a member of a list or a part of a string. A list
equals a list of equal members in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias, cast, get_args

from holdfast.checks import check_time
from holdfast.errors import FilterError, shown
from holdfast.types import IDS

Operator = Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "contains", "exists"]
Value: TypeAlias = "str | int | float | bool | datetime | tuple[Value, ...] | None"

OPERATORS: tuple[str, ...] = get_args(Operator)
TIME_FIELDS = frozenset({"created_at", "updated_at", "occurred_at", "expires_at"})
TEXT_FIELDS = frozenset({"id", "kind", "role", "speaker", "text"})
NUMBER_FIELDS = frozenset({"importance", "version"})
RECORD_FIELDS = TIME_FIELDS | TEXT_FIELDS | NUMBER_FIELDS

MAX_DEPTH = 32
MAX_PARTS = 6_000
MAX_NAME = 1_000
"""Characters of a field's whole path."""


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


def parse(filters: Mapping[str, Any], *, own_fields: bool = True) -> Filter:
    """Return the filter a mapping stands for.

    Args:
        filters: See the module's own words.
        own_fields: Read `RECORD_FIELDS` as the record's own. Documents have none: all paths lead
            into their value.

    Raises:
        FilterError: An unknown operator, a value of the wrong type, a malformed tree, more than
            `MAX_DEPTH` levels or `MAX_PARTS` parts.
    """
    return _Reader(own_fields).tree(filters, 0)


class _Reader:
    """Reads one filter, and counts its parts: SQL takes time that grows with their square."""

    def __init__(self, own_fields: bool) -> None:
        self._own_fields = own_fields
        self._parts = 0

    def tree(self, filters: object, depth: int) -> Filter:
        """Return the filter of a mapping at a depth."""
        if not isinstance(filters, Mapping):
            raise FilterError(
                f"filters must be a mapping of fields to values, not {shown(filters)}"
            )
        _check_depth(depth)
        self._count(len(filters) or 1)
        parts = [self._part(name, value, depth) for name, value in filters.items()]
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _part(self, name: object, value: object, depth: int) -> Filter:
        if not isinstance(name, str):
            raise FilterError(f"a field is named by a string, not {shown(name)}")
        if name in ("AND", "OR"):
            if not isinstance(value, Sequence) or isinstance(value, str) or not value:
                raise FilterError(f"{name} takes a non-empty list of filters, not {shown(value)}")
            inner = tuple(self.tree(part, depth + 1) for part in value)
            return All(inner) if name == "AND" else AnyOf(inner)
        if name == "NOT":
            several = isinstance(value, Sequence) and not isinstance(value, str)
            return Not(self.tree({"OR": value} if several else value, depth + 1))
        return self._field(name, value)

    def _field(self, name: str, value: object) -> Filter:
        field = _path(name, self._own_fields)
        if not isinstance(value, Mapping):
            return Comparison(field, "eq", self._value(field, value))
        if not value:
            raise FilterError(f"{shown(name)} has no operator; allowed are {', '.join(OPERATORS)}")
        self._count(len(value) - 1)  # the first was counted with its field
        parts = tuple(self._comparison(name, field, key, item) for key, item in value.items())
        return parts[0] if len(parts) == 1 else All(parts)

    def _comparison(
        self, name: str, field: tuple[str, ...], operator: object, value: object
    ) -> Comparison:
        if operator not in OPERATORS:
            raise FilterError(
                f"unknown operator {shown(operator)} for {shown(name)}; allowed are "
                f"{', '.join(OPERATORS)}, and AND, OR, NOT around fields"
            )
        known = cast("Operator", operator)
        if known in ("in", "nin"):
            if not isinstance(value, list | tuple | set | frozenset):
                raise FilterError(
                    f"{known} of {shown(name)} takes a list of values, not {shown(value)}"
                )
            return Comparison(field, known, tuple(self._value(field, item) for item in value))
        if known in ("eq", "ne"):
            return Comparison(field, known, self._value(field, value))
        return Comparison(field, known, _single(name, field, known, value))

    def _value(self, field: tuple[str, ...], value: object, depth: int = 0) -> Value:
        if not isinstance(value, list | tuple) or field[0] != "metadata":
            return _scalar(field, value)
        _check_depth(depth)
        self._count(len(value))
        return tuple(self._value(field, item, depth + 1) for item in value)

    def _count(self, more: int) -> None:
        self._parts += more
        if self._parts > MAX_PARTS:
            raise FilterError(
                f"a filter has at most {MAX_PARTS:,} parts (comparisons, and members of lists); "
                "compare one field with many values by in or nin"
            )


def _check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise FilterError(f"filters are nested deeper than {MAX_DEPTH} levels")


def _path(name: str, own_fields: bool) -> tuple[str, ...]:
    """Return ``("kind",)`` for the record's own field, ``("metadata", ...)`` for a path."""
    if own_fields and name in RECORD_FIELDS:
        return (name,)
    if own_fields and name in IDS:
        raise FilterError(
            f"{name} is no filter but an argument of its own, {name}=...; metadata of that name is "
            f"'metadata.{name}'"
        )
    path = (
        tuple(name.removeprefix("metadata.").split(".")) if own_fields else tuple(name.split("."))
    )
    if not all(path) or not name.isprintable() or len(name) > MAX_NAME:
        raise FilterError(
            f"the field {shown(name)} has an empty part, a control character or more than "
            f"{MAX_NAME:,} characters"
        )
    return ("metadata", *path)


def _single(name: str, field: tuple[str, ...], operator: Operator, value: object) -> Value:
    """Return what an operator compares with, where that is no list."""
    if operator == "exists":
        if not isinstance(value, bool):
            raise FilterError(f"exists of {shown(name)} takes True or False, not {shown(value)}")
        return value
    scalar = _scalar(field, value)
    if operator == "contains" and field[0] in TIME_FIELDS | NUMBER_FIELDS:
        raise FilterError(f"{shown(name)} is neither a list nor a string, so it contains nothing")
    if operator != "contains" and (scalar is None or isinstance(scalar, bool)):
        raise FilterError(
            f"{operator} of {shown(name)} needs a number, a string or a time, not {shown(value)}"
        )
    return scalar


def _scalar(field: tuple[str, ...], value: object) -> Value:
    name = ".".join(field)
    if not isinstance(value, str | bool | int | float | datetime | None):
        raise FilterError(
            f"{shown(name)} is compared with {shown(value)}; "
            "a string, a number, a boolean, a datetime, None or a list of these can be"
        )
    _check_own(field[0], value)
    if isinstance(value, datetime):
        return check_time(name, value)
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        raise FilterError(
            f"{shown(name)} is compared with {shown(value)}, which holds a lone surrogate"
        )
    return _number(name, value) if isinstance(value, int | float) else value


def _check_own(name: str, value: Value) -> None:
    """Check the type that a record's own field has; None asks for a missing one."""
    fits, wanted = True, ""
    if name in TIME_FIELDS:
        fits, wanted = isinstance(value, datetime), "datetime"
    elif name in TEXT_FIELDS:
        fits, wanted = isinstance(value, str), "string"
    elif name in NUMBER_FIELDS:
        fits, wanted = type(value) in (int, float), "number"
    if not fits and value is not None:
        raise FilterError(f"{name} is compared with a {wanted}, not {shown(value)}")


def _number(name: str, value: float) -> float:
    """Return a number as JSON in SQLite has it: beyond 64 bits a float."""
    try:
        number = value if isinstance(value, int) and abs(value) < 1 << 63 else float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise FilterError(
            f"{shown(name)} is compared with {shown(value)}, beyond any stored number"
        )
    return number
