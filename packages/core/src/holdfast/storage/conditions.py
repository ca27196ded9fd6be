"""Filters as SQL over ``records r`` or ``items r``. Every value is bound.

Only paths are spelled out, quoted by `path_sql`: a metadata field listed in `Memory`'s
``indexed`` has an index on exactly that expression, and SQLite must recognise it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeAlias

from holdfast.filters import TIME_FIELDS, All, Comparison, Filter, Not, Value
from holdfast.storage.codec import to_micros

Field: TypeAlias = tuple[str | int, ...]

COLUMNS = {"id": "r.key", "updated_at": "r.recorded_at"}
_COMPARE = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


class Condition:
    """SQL text being built, and the values it binds, in order."""

    def __init__(self, document: str) -> None:
        self.document = document
        self.values: list[Any] = []

    def sql(self, tree: Filter) -> str:
        """Return the condition for a filter."""
        if isinstance(tree, Comparison):
            return self._comparison(tree)
        if isinstance(tree, Not):
            return f"NOT {self.sql(tree.part)}"
        if not tree.parts:
            return "TRUE"
        word = " AND " if isinstance(tree, All) else " OR "
        return _joined([self.sql(part) for part in tree.parts], word)

    def _comparison(self, comparison: Comparison) -> str:
        field, value = comparison.field, comparison.value
        if field[0] != "metadata":
            return self._own(field[0], comparison)
        match comparison.operator:
            case "in" | "nin":
                assert isinstance(value, tuple)
                options = self._among(field, value)
                return options if comparison.operator == "in" else f"NOT {options}"
            case "eq":
                return self._equals(field, value)
            case "ne":
                return f"NOT {self._equals(field, value)}"
            case "contains":
                return self._contains(field, value)
            case "exists":
                return f"({self._type(field)} IS {'NOT ' if value else ''}NULL)"
            case operator:
                return self._ordered(field, _COMPARE[operator], value)

    # -- the record's own columns ---------------------------------------------------------------

    def _own(self, name: str, comparison: Comparison) -> str:
        column = COLUMNS.get(name, f"r.{name}")
        value = comparison.value
        match comparison.operator:
            case "in" | "nin":
                assert isinstance(value, tuple)
                known = [self._bind(option) for option in value if option is not None]
                parts = [f"({column} IN ({','.join(known)})) IS TRUE"] if known else []
                options = _joined(parts + [f"{column} IS NULL"] * (None in value), " OR ")
                return options if comparison.operator == "in" else f"NOT {options}"
            case "eq":
                return f"({column} IS {self._bind(value)})"
            case "ne":
                return f"({column} IS NOT {self._bind(value)})"
            case "contains":
                return f"(instr({column}, {self._bind(value)}) > 0) IS TRUE"
            case "exists":
                return f"({column} IS {'NOT ' if value else ''}NULL)"
            case operator:
                kind = "text" if isinstance(value, str) else "number"
                typed = "text" if name not in TIME_FIELDS | {"importance", "version"} else "number"
                test = f"({column} {_COMPARE[operator]} {self._bind(value)}) IS TRUE"
                return test if kind == typed else "FALSE"

    def _bind(self, value: Any) -> str:
        self.values.append(to_micros(value) if isinstance(value, datetime) else value)
        return "?"

    # -- paths into the document ----------------------------------------------------------------

    def _type(self, field: Field) -> str:
        return f"json_type({self.document}, {path_sql(field[1:])})"

    def _value(self, field: Field) -> str:
        return f"json_extract({self.document}, {path_sql(field[1:])})"

    def _equals(self, field: Field, value: Any) -> str:
        if isinstance(value, tuple):
            return self._same_list(field, value)
        if value is None:
            return f"({self._type(field)} IS NULL OR {self._type(field)} = 'null')"
        types = _json_types(value)
        same = f"{self._value(field)} = {self._json(value)}"
        return f"(({same} AND {self._type(field)} {types}) IS TRUE)"

    def _among(self, field: Field, options: tuple[Value, ...]) -> str:
        """Test a field once for all options of a type: SQLite keeps what it reads for each test."""
        alike: dict[str, list[Value]] = {}
        parts = []
        for option in options:
            if option is None or isinstance(option, tuple):
                parts.append(self._equals(field, option))
            else:
                alike.setdefault(_json_types(option), []).append(option)
        for types, some in alike.items():
            found = f"{self._value(field)} IN ({','.join(map(self._json, some))})"
            parts.append(f"(({found} AND {self._type(field)} {types}) IS TRUE)")
        return _joined(parts, " OR ")

    def _same_list(self, field: Field, value: tuple[Any, ...]) -> str:
        members = [self._equals((*field, place), member) for place, member in enumerate(value)]
        length = f"json_array_length({self.document}, {path_sql(field[1:])}) = {len(value)}"
        same = _joined([length, *members, f"{self._type(field)} = 'array'"], " AND ")
        return f"({same} IS TRUE)"

    def _ordered(self, field: Field, sign: str, value: Any) -> str:
        types = _json_types(value)
        return (
            f"(({self._value(field)} {sign} {self._json(value)}"
            f" AND {self._type(field)} {types}) IS TRUE)"
        )

    def _contains(self, field: Field, value: Any) -> str:
        member = (
            f"({self._type(field)} = 'array' AND EXISTS (SELECT 1 FROM"
            f" json_each({self.document}, {path_sql(field[1:])}) e"
            f" WHERE e.value IS {self._json(value)} AND e.type {_json_types(value)}))"
        )
        if not isinstance(value, str):
            return f"({member} IS TRUE)"
        part = (
            f"({self._type(field)} = 'text'"
            f" AND instr({self._value(field)}, {self._json(value)}) > 0)"
        )
        return f"(({member} OR {part}) IS TRUE)"

    def _json(self, value: Value) -> str:
        """Bind a value as JSON holds it: times in ISO 8601, booleans as 0 and 1."""
        bound = value.isoformat() if isinstance(value, datetime) else value
        self.values.append(bound)
        return "?"


def _joined(parts: list[str], word: str) -> str:
    """Join conditions as a balanced tree: SQLite refuses an expression deeper than a thousand."""
    if len(parts) <= 1:
        return f"({parts[0] if parts else 'FALSE'})"
    half = len(parts) // 2
    return f"({_joined(parts[:half], word)}{word}{_joined(parts[half:], word)})"


def _json_types(value: Any) -> str:
    if isinstance(value, bool):
        return f"= '{'true' if value else 'false'}'"
    if isinstance(value, int | float):
        return "IN ('integer', 'real')"
    if value is None:
        return "= 'null'"
    return "= 'text'"


def path_sql(path: Field) -> str:
    """Return a JSON path as an SQL string literal; a number is a place in a list."""
    parts = "".join(
        f"[{part:d}]" if isinstance(part, int) else f'."{_clean(part)}"' for part in path
    )
    return "'$" + parts.replace("'", "''") + "'"


def _clean(part: str) -> str:
    return part.replace("\\", "\\\\").replace('"', '\\"')
