"""Filters judged in plain Python, as `contract.filters` describes them: SQL must agree."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

MISSING = object()
ORDER = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}


def passes(document: Any, filters: Mapping[str, Any]) -> bool:
    """Say whether a document passes a filter given as a mapping."""
    return all(_part(document, name, value) for name, value in filters.items())


def _part(document: Any, name: str, value: Any) -> bool:
    if name == "AND":
        return all(passes(document, part) for part in value)
    if name == "OR":
        return any(passes(document, part) for part in value)
    if name == "NOT":
        return not passes(document, value)
    found = _lookup(document, name.split("."))
    tests = value if isinstance(value, Mapping) else {"eq": value}
    return all(_compares(found, sign, wanted) for sign, wanted in tests.items())


def _lookup(document: Any, path: list[str]) -> Any:
    for label in path:
        if not isinstance(document, dict) or label not in document:
            return MISSING
        document = document[label]
    return document


def _compares(found: Any, sign: str, wanted: Any) -> bool:
    if sign in ORDER:
        same = _sort(found) == _sort(wanted) and _sort(found) in ("number", "text")
        return same and ORDER[sign](_stored(found), wanted)
    match sign:
        case "eq":
            return _equal(found, wanted)
        case "ne":
            return not _equal(found, wanted)
        case "in":
            return any(_equal(found, option) for option in wanted)
        case "nin":
            return not any(_equal(found, option) for option in wanted)
        case "exists":
            return (found is not MISSING) == wanted
        case "contains" if isinstance(found, list):
            return any(_equal(member, wanted) for member in found)
        case "contains":
            return isinstance(found, str) and isinstance(wanted, str) and wanted in found
    raise AssertionError(sign)


def _equal(found: Any, wanted: Any) -> bool:
    if wanted is None:
        return found is None or found is MISSING
    if isinstance(wanted, list):
        fits = isinstance(found, list) and len(found) == len(wanted)
        return fits and all(map(_equal, found, wanted))
    return _sort(found) == _sort(wanted) and _stored(found) == wanted


def _stored(value: Any) -> Any:
    """Numbers beyond 64 bits are floats in SQLite."""
    return float(value) if type(value) is int and abs(value) >= 1 << 63 else value


def _sort(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else repr(type(value))
