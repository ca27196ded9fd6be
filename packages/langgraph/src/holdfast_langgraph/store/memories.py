"""The records of a `Memory`, read-only, under a namespace of their own: ``("holdfast", user)``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast import InvalidInputError, Memory, Record, RecordNotFoundError
from langgraph.store.base import (
    GetOp,
    InvalidNamespaceError,
    Item,
    Op,
    Result,
    SearchItem,
    SearchOp,
)

from holdfast_langgraph.labels import unescape_label
from holdfast_langgraph.store.filters import Tree, translate


class Memories:
    """Answers the operations of a store that name a memory's records.

    Args:
        memory: Whose records.
        root: First label of their namespaces; the second one is the user.
    """

    def __init__(self, memory: Memory, root: str) -> None:
        self._memory = memory
        self.root = root

    def concerns(self, operation: Op) -> bool:
        """Return whether an operation is about records.

        Raises:
            InvalidInputError: It would write one, or names no user.
        """
        if isinstance(operation, SearchOp):
            labels = tuple(operation.namespace_prefix)
        else:
            labels = tuple(getattr(operation, "namespace", ()))
        if labels[:1] != (self.root,):
            return False
        if not isinstance(operation, GetOp | SearchOp):
            raise InvalidInputError(
                f"the memories under {self.root!r} are read-only here; "
                "Memory.add, update and delete write them"
            )
        if len(labels) != 2:
            raise InvalidNamespaceError(f"memories are under ({self.root!r}, user), not {labels}")
        return True

    def read(self, operation: Op) -> Result:
        """Do a get or a search."""
        if isinstance(operation, GetOp):
            user = unescape_label(operation.namespace[1])
            try:
                return _item(self._memory.get(str(operation.key), user_id=user), operation)
            except RecordNotFoundError:
                return None
        assert isinstance(operation, SearchOp)
        user, question = _question(operation)
        if operation.query:
            matches = self._memory.search(operation.query, user_id=user, **question)
            found = [_found(match.record, match.score, operation) for match in matches]
        else:
            page = self._memory.list(user_id=user, order="-created_at", **question)
            found = [_found(record, None, operation) for record in page]
        return found[operation.offset :]

    async def aread(self, operation: Op) -> Result:
        """Async twin of `read`."""
        if isinstance(operation, GetOp):
            user = unescape_label(operation.namespace[1])
            try:
                return _item(await self._memory.aget(str(operation.key), user_id=user), operation)
            except RecordNotFoundError:
                return None
        assert isinstance(operation, SearchOp)
        user, question = _question(operation)
        if operation.query:
            matches = await self._memory.asearch(operation.query, user_id=user, **question)
            found = [_found(match.record, match.score, operation) for match in matches]
        else:
            page = await self._memory.alist(user_id=user, order="-created_at", **question)
            found = [_found(record, None, operation) for record in page]
        return found[operation.offset :]


def _question(operation: SearchOp) -> tuple[str, dict[str, Any]]:
    filters = _own_fields(translate(operation.filter)) if operation.filter else None
    wanted = operation.offset + operation.limit
    return unescape_label(operation.namespace_prefix[1]), {"filters": filters, "limit": wanted}


def _own_fields(tree: Tree) -> Tree:
    """Name the record's own fields as Holdfast does: ``content`` is its ``text``."""
    named: Tree = {}
    for name, value in tree.items():
        if name in ("AND", "OR"):
            named[name] = [_own_fields(part) for part in value]
        elif name == "NOT":
            named[name] = _own_fields(value)
        elif name != "metadata":  # which every record has
            named["text" if name == "content" else name] = value
    return named


def _value(record: Record) -> dict[str, Any]:
    metadata: Mapping[str, Any] = record.metadata
    return {
        "content": record.text,
        "kind": record.kind,
        "speaker": record.speaker,
        "occurred_at": record.occurred_at.isoformat(),
        "metadata": dict(metadata),
    }


def _item(record: Record, operation: GetOp) -> Item:
    return Item(
        value=_value(record),
        key=record.id,
        namespace=tuple(operation.namespace),
        created_at=record.created_at,
        updated_at=record.updated_at,
    )


def _found(record: Record, score: float | None, operation: SearchOp) -> SearchItem:
    return SearchItem(
        tuple(operation.namespace_prefix),
        record.id,
        _value(record),
        record.created_at,
        record.updated_at,
        score,
    )
