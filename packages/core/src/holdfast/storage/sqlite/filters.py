"""Filters as SQL over ``records r`` or ``documents r``. Every value is bound.

Only paths are spelled out, quoted by `place`: a metadata field listed in `Memory`'s
``indexed`` has an index on exactly that expression (`File`), and SQLite must recognise it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, TypeAlias

from holdfast.storage.contract.codec import to_json, to_micros
from holdfast.storage.contract.filters import TIME_FIELDS, All, Comparison, Filter, Not, Value
from holdfast.storage.sqlite.opening import CUTS_AT_NUL, NUL

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
        return f"json_type({self._place(field)})"

    def _value(self, field: Field) -> str:
        return f"json_extract({self._place(field)})"

    def _place(self, field: Field) -> str:
        return ", ".join(place(self.document, field[1:]))

    def _whole(self, field: Field, value: Value) -> str:
        """Return what to ask before texts are compared: an error where one would be cut at NUL."""
        if not (CUTS_AT_NUL and isinstance(value, str)):
            return ""
        document, path = place(self.document, field[1:])
        spelled = f"replace({document} -> {path}, '\\\\', '')"
        return f"iif(instr({spelled}, '\\u0000'), json_type('1', '{NUL}'), TRUE) AND "

    def _equals(self, field: Field, value: Any) -> str:
        if isinstance(value, tuple):
            return self._same_list(field, value)
        if value is None:
            return f"({self._type(field)} IS NULL OR {self._type(field)} = 'null')"
        return self._ordered(field, "=", value)

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
            parts.append(self._typed(field, found, types, some[0]))
        return _joined(parts, " OR ")

    def _same_list(self, field: Field, value: tuple[Any, ...]) -> str:
        members = [self._equals((*field, number), member) for number, member in enumerate(value)]
        length = f"json_array_length({self._place(field)}) = {len(value)}"
        same = _joined([length, *members, f"{self._type(field)} = 'array'"], " AND ")
        return f"({same} IS TRUE)"

    def _ordered(self, field: Field, sign: str, value: Any) -> str:
        compared = f"{self._value(field)} {sign} {self._json(value)}"
        return self._typed(field, compared, _json_types(value), value)

    def _typed(self, field: Field, compared: str, types: str, value: Value) -> str:
        """Let a comparison hold for fields of its value's type alone."""
        typed = f"({self._type(field)} {types}) IS TRUE"
        if whole := self._whole(field, value):
            return f"(({whole}{compared} AND {typed}) IS TRUE)"
        # Never NULL: without a value there is no type. So an index sees what is compared.
        return f"({compared} AND {typed})"

    def _contains(self, field: Field, value: Any) -> str:
        member = (
            f"({self._type(field)} = 'array' AND EXISTS (SELECT 1 FROM"
            f" json_each({self._place(field)}) e"
            f" WHERE e.value IS {self._json(value)} AND e.type {_json_types(value)}))"
        )
        if not isinstance(value, str):
            return f"({member} IS TRUE)"
        part = (
            f"({self._type(field)} = 'text'"
            f" AND instr({self._value(field)}, {self._json(value)}) > 0)"
        )
        return f"(({self._whole(field, value)}({member} OR {part})) IS TRUE)"

    def _json(self, value: Value) -> str:
        """Bind a value as JSON holds it: times in ISO 8601, booleans as 0 and 1."""
        if isinstance(value, float):
            # As SQLite reads the stored one: from its digits, which not every version does exactly.
            self.values.append(to_json(value))
            return "json_extract(?, '$')"
        self.values.append(value.isoformat() if isinstance(value, datetime) else value)
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


def place(document: str, path: Field) -> tuple[str, str]:
    """Return a document and a path in it as SQL, as all of SQLite's JSON functions take them.

    Before 3.45, SQLite compares a name in a path letter by letter with the name as the document
    spells it, and takes the first quotation mark for its end. So names are spelled as `codec`
    spells them; where one holds that mark, path and document both spell it without.

    Args:
        document: SQL.
        path: Names, and numbers of places in lists.
    """
    steps = [f"[{part:d}]" if isinstance(part, int) else f".{to_json(part)}" for part in path]
    way = "".join(("$", *steps))
    if any(isinstance(part, str) and '"' in part for part in path):
        for sign, code in _CODES:
            document = f"replace({document}, '{sign}', '{code}')"
            way = way.replace(sign, code)
    return document, "'" + way.replace("'", "''") + "'"


# The backslash first: it may stand before the mark that ends a text.
_CODES: Final = (("\\\\", "\\u005c"), ('\\"', "\\u0022"))
