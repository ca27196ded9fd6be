"""LangGraph's filters, and a superset of them, in the words of Holdfast's filter language.

    {"topic": "food", "price": {"$gte": 2, "$lt": 9}}          all must hold
    {"user.address.city": "Bern"}, {"user": {"address": {"city": "Bern"}}}     the same
    {"$or": [{"topic": {"$in": ["food", "drink"]}}, {"$not": {"tags": {"$contains": "old"}}}]}

One meaning everywhere: a number equals numbers only, a string strings only; a missing field
equals None, and is ``$ne`` and ``$nin`` to everything else; order is between numbers or between
strings; a list equals a list of equal members.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from holdfast import FilterError

from holdfast_langgraph.store.values import plain

Tree: TypeAlias = dict[str, Any]

OPERATORS = ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$contains")
JOINTS = {"$and": "AND", "$or": "OR"}
# Nothing in a key can reach SQL; but a key like this is an attack or a mistake, never a field.
_SUSPICIOUS = re.compile(r"""['"\\();\x00-\x1f]""")


def translate(filters: Mapping[str, Any]) -> Tree:
    """Return the filter in Holdfast's language.

    Raises:
        FilterError: A ``ValueError``: an unknown operator, a malformed tree, an invalid key.
    """
    if not isinstance(filters, Mapping):
        raise FilterError(f"a filter is a mapping of fields to values, not {filters!r:.80}")
    return _all([_part(name, value) for name, value in filters.items()])


def _part(name: str, value: Any) -> Tree:
    if name in JOINTS:
        if not isinstance(value, Sequence) or isinstance(value, str) or not value:
            raise FilterError(f"{name} takes a non-empty list of filters, not {value!r:.80}")
        return {JOINTS[name]: [translate(part) for part in value]}
    if name == "$not":
        return {"NOT": translate(value)}
    if not isinstance(name, str) or name.startswith("$"):
        raise FilterError(_unknown(name))
    if not all(name.split(".")) or _SUSPICIOUS.search(name):
        raise FilterError(
            f"Invalid filter key: {name!r:.80}. A key is a field or a path of fields joined by "
            "periods, without quotes, backslashes, parentheses or semicolons."
        )
    return _field(name, plain(value))


def _field(name: str, value: Any) -> Tree:
    if not isinstance(value, Mapping):
        return _equal(name, value)
    if any(str(key).startswith("$") for key in value):
        return _all(list(_operations(name, value)))
    return _inside(name, value)


def _operations(name: str, operations: Mapping[str, Any]) -> Iterator[Tree]:
    for operator, operand in operations.items():
        if operator == "$not":
            yield {"NOT": _field(name, operand)}
        elif operator not in OPERATORS:
            raise FilterError(_unknown(operator))
        elif operator == "$eq":
            yield _inside(name, operand) if isinstance(operand, Mapping) else _equal(name, operand)
        elif operator == "$ne" and isinstance(operand, Mapping):
            yield {"NOT": _inside(name, operand)}
        else:
            yield _compare(name, operator, operand)


def _inside(name: str, value: Mapping[str, Any]) -> Tree:
    """An object holds these fields, whatever else it holds."""
    parts = [_part(f"{name}.{key}", item) for key, item in value.items()]
    return _all([{name: {"exists": True}}, *parts])


def _equal(name: str, value: Any) -> Tree:
    return _compare(name, "$eq", value)


def _compare(name: str, operator: str, operand: Any) -> Tree:
    if operator in ("$in", "$nin") and isinstance(operand, list):
        operand = [item for item in operand if not _is_endless(item)]
    elif _is_endless(operand):
        return _beyond(name, operator, operand)
    return {name: {operator[1:]: operand}}


def _is_endless(value: Any) -> bool:
    """Return whether no stored number can equal this one."""
    if isinstance(value, int):
        return not -sys.float_info.max <= value <= sys.float_info.max
    return isinstance(value, float) and not math.isfinite(value)


def _beyond(name: str, operator: str, operand: int | float) -> Tree:
    """Compare with infinity, which all numbers lie below, or NaN, which none is anything to."""
    if operator == "$ne":
        return {name: {"nin": []}}
    if operator in ("$lt", "$lte") and operand > 0:
        return {name: {"lte": sys.float_info.max}}
    if operator in ("$gt", "$gte") and operand < 0:
        return {name: {"gte": -sys.float_info.max}}
    return {name: {"in": []}}


def _all(parts: list[Tree]) -> Tree:
    if len(parts) == 1:
        return parts[0]
    return {"AND": parts} if parts else {}


def _unknown(name: object) -> str:
    return (
        f"Unsupported operator: {name!r:.80}; allowed are {', '.join(OPERATORS)} and $not on a "
        "field, and $and, $or, $not around filters"
    )
