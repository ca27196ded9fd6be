"""LangGraph's operations in the words of Holdfast's documents, and its results back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from holdfast import InvalidInputError, documents
from langgraph.store.base import (
    GetOp,
    InvalidNamespaceError,
    Item,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    validate_op_namespace,
)

from holdfast_langgraph.store.filters import translate
from holdfast_langgraph.store.index import Index
from holdfast_langgraph.store.values import plain

_SHORTEST = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Habits:
    """How a store does what an operation leaves open.

    Attributes:
        index: What is embedded.
        mode: How a search ranks.
        expired: What has expired is read until it is swept.
    """

    index: Index
    mode: documents.Mode
    expired: bool


def check(operation: Op) -> Op:
    """Return an operation that names a namespace LangGraph allows.

    Raises:
        InvalidNamespaceError: It names another.
        ValueError: It is no operation.
    """
    if not isinstance(operation, GetOp | PutOp | SearchOp | ListNamespacesOp):
        raise ValueError(f"Unknown operation type: {type(operation)}")  # noqa: TRY004 - stock's
    for labels in _labels(operation):
        if isinstance(labels, str):
            raise InvalidNamespaceError(
                f"a namespace is a tuple of labels, not the string {labels!r:.80}"
            )
    validate_op_namespace(operation)
    return operation


def _labels(operation: GetOp | PutOp | SearchOp | ListNamespacesOp) -> Sequence[Any]:
    if isinstance(operation, GetOp | PutOp):
        return (operation.namespace,)
    if isinstance(operation, SearchOp):
        return (operation.namespace_prefix,)
    return [condition.path for condition in operation.match_conditions or ()]


def translated(operation: Op, habits: Habits) -> documents.Operation:
    """Return the operation on items."""
    if isinstance(operation, GetOp):
        namespace = tuple(operation.namespace)
        return documents.Get(namespace, str(operation.key), operation.refresh_ttl, habits.expired)
    if isinstance(operation, PutOp):
        return _put(operation, habits.index)
    if isinstance(operation, SearchOp):
        return _search(operation, habits)
    prefix = _plain_prefix(operation.match_conditions or ())
    return documents.ListNamespaces(prefix, habits.expired)


def _put(operation: PutOp, index: Index) -> documents.Put:
    namespace, key = tuple(operation.namespace), str(operation.key)
    if operation.value is None:
        return documents.Put(namespace, key, None)
    if type(operation.value) is not dict and not isinstance(operation.value, Mapping):
        raise InvalidInputError(f"a value is a mapping, not {operation.value!r:.80}")
    value = plain(operation.value)
    texts = index.texts(value, operation.index)
    return documents.Put(namespace, key, value, texts, lifetime(operation.ttl))


def lifetime(minutes: float | None) -> timedelta | None:
    """Return how long an item lives; any fraction of a minute counts."""
    if minutes is None:
        return None
    if not minutes > 0:
        raise InvalidInputError(f"ttl must be a positive number of minutes, not {minutes!r}")
    return max(timedelta(minutes=minutes), _SHORTEST)


def _search(operation: SearchOp, habits: Habits) -> documents.Search:
    query = (operation.query or "").replace("\x00", " ")
    return documents.Search(
        tuple(operation.namespace_prefix),
        query if query.strip() else None,
        translate(operation.filter) if operation.filter else None,
        operation.limit,
        operation.offset,
        mode=habits.mode,
        refresh=operation.refresh_ttl,
        expired=habits.expired,
        unscored=True,
    )


def returned(operation: Op, result: documents.Result) -> Result:
    """Return what LangGraph expects of an operation."""
    if isinstance(operation, PutOp):
        return None
    if isinstance(operation, ListNamespacesOp):
        assert isinstance(result, list)
        return _namespaces(operation, [found for found in result if isinstance(found, tuple)])
    if isinstance(result, list):
        return [_match(found) for found in result if isinstance(found, documents.DocumentMatch)]
    if isinstance(result, documents.Document):
        return Item(
            value=result.value,
            key=result.key,
            namespace=result.namespace,
            created_at=result.created_at,
            updated_at=result.updated_at,
        )
    return None


def _match(match: documents.DocumentMatch) -> SearchItem:
    found = match.document
    return SearchItem(
        found.namespace, found.key, found.value, found.created_at, found.updated_at, match.score
    )


# -- namespaces -----------------------------------------------------------------------------------


def _plain_prefix(conditions: Iterable[MatchCondition]) -> tuple[str, ...]:
    """Return the labels before the first wildcard of the first prefix: what the file can tell."""
    for condition in conditions:
        if condition.match_type == "prefix":
            path = tuple(condition.path)
            return path[: path.index("*")] if "*" in path else path
    return ()


def _namespaces(
    operation: ListNamespacesOp, found: Iterable[tuple[str, ...]]
) -> list[tuple[str, ...]]:
    for condition in operation.match_conditions or ():
        found = [namespace for namespace in found if _matches(condition, namespace)]
    if operation.max_depth is not None:
        found = dict.fromkeys(namespace[: operation.max_depth] for namespace in found)
    return list(found)[operation.offset : operation.offset + operation.limit]


def _matches(condition: MatchCondition, namespace: tuple[str, ...]) -> bool:
    path = tuple(condition.path)
    if len(namespace) < len(path):
        return False
    if condition.match_type == "prefix":
        part = namespace[: len(path)]
    elif condition.match_type == "suffix":
        part = namespace[len(namespace) - len(path) :]
    else:
        raise ValueError(f"Unsupported match type: {condition.match_type}")
    pairs = zip(path, part, strict=True)
    return all(wanted in ("*", label) for wanted, label in pairs)
