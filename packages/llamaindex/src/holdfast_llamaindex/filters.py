"""LlamaIndex's metadata filters in Holdfast's filter language, over the values of `nodes`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from holdfast import FilterError
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
)

Filter: TypeAlias = Mapping[str, Any]

# No value is a number and a string at once.
NOTHING: Filter = {"AND": [{"id": {"gt": 0}}, {"id": {"gt": ""}}]}
EVERYTHING: Filter = {"NOT": NOTHING}


def field(key: str) -> str:
    """Return a metadata key as one step of a path: what paths are written with is escaped."""
    plain = (
        character if character.isprintable() and character not in "%." else f"%{ord(character):x};"
        for character in key
    )
    return "".join(plain) or "%"


def translated(filters: MetadataFilters | None) -> Filter | None:
    """Return LlamaIndex's filters, nested ones too, in Holdfast's language.

    They mean what they mean in LlamaIndex's own `SimpleVectorStore`: a missing field satisfies
    only ``!=``, ``nin`` and ``is_empty``; a number is equal to the boolean it counts as.

    Raises:
        FilterError: An operator has a value it cannot have.
    """
    if filters is None or not filters.filters:
        return None
    parts = [_part(part) for part in filters.filters]
    match filters.condition:
        case FilterCondition.OR:
            return {"OR": parts}
        case FilterCondition.NOT:
            return {"NOT": {"OR": parts}}
        case _:
            return {"AND": parts}


def both(*filters: Filter | None) -> Filter | None:
    """Return what satisfies every filter given."""
    given = [one for one in filters if one is not None]
    return {"AND": given} if given else None


def one_of(name: str, values: Sequence[str] | None) -> Filter | None:
    """Return what has one of these values in a field; None asks for nothing."""
    return None if values is None else {name: {"in": list(values)}}


def _part(part: MetadataFilter | MetadataFilters) -> Filter:
    if isinstance(part, MetadataFilters):
        return translated(part) or EVERYTHING
    return _OPERATORS[part.operator](field(part.key), part.value)


def _equal(name: str, value: Any) -> Filter:
    if value is None:
        return NOTHING
    if isinstance(value, list):
        return {f"lists.{name}": json.dumps(value)}
    same = {f"metadata.{name}": value}
    if value in (0, 1) and not isinstance(value, str):
        return {"OR": [same, {f"metadata.{name}": bool(value)}]}
    return same


def _in(name: str, value: Any) -> Filter:
    return _any_of([_equal(name, one) for one in _values(name, value)])


def _not(positive: Callable[[str, Any], Filter]) -> Callable[[str, Any], Filter]:
    return lambda name, value: {"NOT": positive(name, value)}


def _ordered(operator: str) -> Callable[[str, Any], Filter]:
    def compare(name: str, value: Any) -> Filter:
        if value is None or isinstance(value, list):
            raise FilterError(f"{operator} of {name!r} needs a number or a string, not {value!r}")
        return {f"metadata.{name}": {operator: value}}

    return compare


def _contains(name: str, value: Any) -> Filter:
    if value is None or isinstance(value, list):
        raise FilterError(f"contains of {name!r} needs one value, not {value!r:.80}")
    return {f"metadata.{name}": {"contains": value}}


def _contains_any(name: str, value: Any) -> Filter:
    return _any_of([_contains(name, one) for one in _values(name, value)])


def _contains_all(name: str, value: Any) -> Filter:
    parts = [_contains(name, one) for one in _values(name, value)]
    return {"AND": [{f"metadata.{name}": {"ne": None}}, *parts]}


def _text(folder: str) -> Callable[[str, Any], Filter]:
    def matches(name: str, value: Any) -> Filter:
        if not isinstance(value, str):
            raise FilterError(f"text_match of {name!r} needs a string, not {value!r:.80}")
        folded = value.lower() if folder == "lower" else value
        return {f"{folder}.{name}": {"contains": folded}}

    return matches


def _empty(name: str, value: Any) -> Filter:
    return {"OR": [{f"metadata.{name}": None}, {"empty": {"contains": name}}]}


def _any_of(parts: list[Filter]) -> Filter:
    return {"OR": parts} if parts else NOTHING


def _values(name: str, value: Any) -> list[Any]:
    if value is None:
        raise FilterError(f"a filter of {name!r} needs a list of values, not None")
    return value if isinstance(value, list) else [value]


_OPERATORS: Mapping[FilterOperator, Callable[[str, Any], Filter]] = {
    FilterOperator.EQ: _equal,
    FilterOperator.NE: _not(_equal),
    FilterOperator.GT: _ordered("gt"),
    FilterOperator.GTE: _ordered("gte"),
    FilterOperator.LT: _ordered("lt"),
    FilterOperator.LTE: _ordered("lte"),
    FilterOperator.IN: _in,
    FilterOperator.NIN: _not(_in),
    FilterOperator.ANY: _contains_any,
    FilterOperator.ALL: _contains_all,
    FilterOperator.CONTAINS: _contains,
    FilterOperator.TEXT_MATCH: _text("metadata"),
    FilterOperator.TEXT_MATCH_INSENSITIVE: _text("lower"),
    FilterOperator.IS_EMPTY: _empty,
}
