"""What an operation may see, and the paths by which partitions are named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from holdfast.types import Scope

NAMESPACE_BITS = 32
"""A row id packs its namespace: ``namespace << NAMESPACE_BITS | n``."""

SEPARATOR = "\x1f"
AFTER_SEPARATOR = "\x20"
# The separator may occur in a framework's label; escaped, it cannot end one.
_ESCAPES = str.maketrans({"\x1e": "\x1e0", "\x1f": "\x1e1"})
_SCOPES = "s" + SEPARATOR
_ITEMS = "i" + SEPARATOR


@dataclass(frozen=True, slots=True)
class Reach:
    """Which namespaces an operation may see; a backend turns it into a query of its own.

    Attributes:
        kind: ``scope``: every id given matches, the others are open. ``neighbours``: where facts
            and names of a scope meet. ``namespace``: the documents of exactly these labels.
            ``prefix``: all documents whose labels begin with these. ``numbers``: these namespaces.
        scope: Of the first two kinds.
        labels: Of the next two.
        numbers: Of the last.
    """

    kind: Literal["scope", "neighbours", "namespace", "prefix", "numbers"]
    scope: Scope | None = None
    labels: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()

    @classmethod
    def of_scope(cls, scope: Scope) -> Reach:
        """Match every id given; leave the others open."""
        return cls("scope", scope)

    @classmethod
    def of_neighbours(cls, scope: Scope) -> Reach:
        """Match where facts and names of a scope meet: the same user, agent and app.

        An id that the scope lacks must be lacking there too. Sessions are open where there is a
        user, whose facts live across them; without one, the run counts like the other ids.
        """
        return cls("neighbours", scope)

    @classmethod
    def of_namespace(cls, labels: Sequence[str]) -> Reach:
        """Match one document namespace exactly."""
        return cls("namespace", labels=tuple(labels))

    @classmethod
    def of_prefix(cls, labels: Sequence[str]) -> Reach:
        """Match the document namespaces that begin with these labels; none given: all of them."""
        return cls("prefix", labels=tuple(labels))

    @classmethod
    def of_numbers(cls, numbers: Sequence[int]) -> Reach:
        """Match namespaces by their numbers in the database."""
        return cls("numbers", numbers=tuple(numbers))


def scope_path(scope: Scope) -> str:
    """Return the one path of a scope."""
    pairs = (f"{name}={value}".translate(_ESCAPES) for name, value in scope.ids().items())
    return _SCOPES + "".join(pair + SEPARATOR for pair in pairs)


def item_path(labels: Sequence[str]) -> str:
    """Return the one path of an item namespace."""
    return _ITEMS + "".join(label.translate(_ESCAPES) + SEPARATOR for label in labels)


def agrees(path: str, ids: Sequence[str | None]) -> bool:
    """Return whether a path is that of these ids (user, agent, run, app), or of items for none.

    Raises:
        ScopeError: The ids are no scope.
    """
    return is_item_path(path) if not any(ids) else path == scope_path(Scope(*ids))


def is_item_path(path: str) -> bool:
    """Return whether a path is one of items."""
    return path.startswith(_ITEMS) and item_path(item_labels(path)) == path and path != _ITEMS


@lru_cache(maxsize=4096)
def item_labels(path: str) -> tuple[str, ...]:
    """Return the labels of an item path."""
    parts = path[len(_ITEMS) :].split(SEPARATOR)[:-1]
    return tuple(part.replace("\x1e1", "\x1f").replace("\x1e0", "\x1e") for part in parts)
