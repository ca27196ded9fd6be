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
_DOCUMENTS = "d" + SEPARATOR
_OWNED = "o" + SEPARATOR


@dataclass(frozen=True, slots=True)
class Reach:
    """Which namespaces an operation may see; a backend turns it into a query of its own.

    Attributes:
        kind: ``scope``: every id given matches, the others are open: records, and documents that
            such a scope owns. ``neighbours``: where facts and names of a scope meet.
            ``namespace``: the documents of exactly these labels. ``prefix``: all documents whose
            labels begin with these. ``numbers``: these namespaces.
        scope: Of the first two kinds; of documents, whose they are, by the rule of ``scope``
            (None: those that no scope owns).
        labels: Of documents.
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
    def of_namespace(cls, labels: Sequence[str], owner: Scope | None = None) -> Reach:
        """Match the documents of exactly these labels."""
        return cls("namespace", owner, tuple(labels))

    @classmethod
    def of_prefix(cls, labels: Sequence[str], owner: Scope | None = None) -> Reach:
        """Match the document namespaces that begin with these labels; none given: all of them."""
        return cls("prefix", owner, tuple(labels))

    @classmethod
    def of_numbers(cls, numbers: Sequence[int]) -> Reach:
        """Match namespaces by their numbers in the database."""
        return cls("numbers", numbers=tuple(numbers))


def scope_path(scope: Scope) -> str:
    """Return the one path of a scope."""
    return _SCOPES + _pairs(scope)


def document_path(labels: Sequence[str], owner: Scope | None = None) -> str:
    """Return the one path of a document namespace: whose it is, and its labels."""
    if owner is None:
        return _DOCUMENTS + labels_path(labels)
    # No part is empty, so that two separators on end stand between the ids and the labels alone.
    return _OWNED + _pairs(owner) + SEPARATOR + labels_path(labels)


def labels_path(labels: Sequence[str]) -> str:
    """Return labels as the end of a path."""
    return "".join(label.translate(_ESCAPES) + SEPARATOR for label in labels)


def _pairs(scope: Scope) -> str:
    return labels_path([f"{name}={value}" for name, value in scope.ids().items()])


def agrees(path: str, ids: Sequence[str | None]) -> bool:
    """Return whether a path is one of these ids (user, agent, run, app): of records or documents.

    Raises:
        ScopeError: The ids are no scope.
    """
    scope = Scope(*ids) if any(one is not None for one in ids) else None
    if scope is not None and path == scope_path(scope):
        return True
    labels = document_labels(path)
    return labels is not None and path == document_path(labels, scope)


@lru_cache(maxsize=4096)
def document_labels(path: str) -> tuple[str, ...] | None:
    """Return the labels of a document namespace; None: the path is of records."""
    if path.startswith(_OWNED):
        _, _, path = path.partition(SEPARATOR + SEPARATOR)
    elif path.startswith(_DOCUMENTS):
        path = path[len(_DOCUMENTS) :]
    else:
        return None
    parts = path.split(SEPARATOR)[:-1]
    return tuple(part.replace("\x1e1", "\x1f").replace("\x1e0", "\x1e") for part in parts) or None
