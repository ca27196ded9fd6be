"""`Collection`: the documents below one prefix of a file, with vectors that the caller makes."""

from __future__ import annotations

import builtins
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from holdfast.documents import checks
from holdfast.documents.checks import DocumentMatch, Labels, Put
from holdfast.documents.handle import Documents, check_dimensions, draft, tree
from holdfast.providers.base import Vector
from holdfast.storage.contract.documents import Choice, Document
from holdfast.storage.contract.reach import Reach
from holdfast.storage.contract.storage import Durability
from holdfast.types import Scope


class Collection:
    """Documents below one prefix of a file, for frameworks' vector stores.

    Args:
        path: The file, made when missing, or ``":memory:"``.
        prefix: The labels all its namespaces begin with; at least one.
        fingerprint: Name of what makes the vectors; the file refuses others'.
        owner: The scope that owns them; None: the whole file.
        key, durability: See `Memory`.

    Raises:
        StorageError: The file cannot be opened; `WrongKeyError`, `SchemaVersionError`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        prefix: Labels,
        *,
        fingerprint: str,
        owner: Scope | None = None,
        key: str | bytes | None = None,
        durability: Durability = "normal",
    ) -> None:
        self.prefix = checks.check_labels(prefix, prefix=False)
        self.fingerprint = fingerprint
        self._owner = owner
        self._documents = Documents.open(path, owner=owner, key=key, durability=durability)
        self._storage = self._documents.storage

    @property
    def documents(self) -> Documents:
        """All documents of the owner."""
        return self._documents

    @property
    def dimension(self) -> int | None:
        """Dimension of the file's vectors; None while it holds none."""
        known = self._storage.embedder()
        return None if known is None else known[1]

    @property
    def embedder(self) -> str | None:
        """Fingerprint of the file's vectors; None while it holds none."""
        known = self._storage.embedder()
        return None if known is None else known[0]

    def close(self) -> None:
        """Close the file."""
        self._documents.close()

    # -- writing --------------------------------------------------------------------------------

    def put(self, puts: Sequence[Put], *, fingerprint: str | None = None) -> None:
        """Write documents in one transaction; one of the same key gives way, wherever it lies.

        Args:
            puts: Their namespaces go on behind the prefix, and may be empty; without vectors only
                filters and keys find a document.
            fingerprint: What made these vectors, if not what makes the collection's.

        Raises:
            InvalidInputError: A namespace, key, value or text cannot be stored; nothing was.
            EmbedderMismatchError: The vectors are not of the file's embedder, or dimension.
        """
        checked = [
            checks.ready(replace(put, namespace=self._labels(put.namespace))) for put in puts
        ]
        drafts = [draft(put, {}, self._owner) for put in checked]
        check_dimensions(drafts)
        if drafts:
            made_by = fingerprint or self.fingerprint
            self._storage.documents.put(drafts, made_by, self._reach(()))

    def delete(
        self,
        below: Labels = (),
        *,
        filters: Mapping[str, Any] | None = None,
        keys: Sequence[str] | None = None,
    ) -> int:
        """Delete what lies below some labels and satisfies everything given; return how many."""
        known = None if keys is None else [checks.check_key(key) for key in keys]
        return self._storage.documents.delete(Choice(self._reach(below), tree(filters), known))

    # -- reading --------------------------------------------------------------------------------

    def get(self, keys: Sequence[str], below: Labels = ()) -> list[tuple[Document, Vector | None]]:
        """Return the documents of these keys that are there, each with its unit vector."""
        known = [checks.check_key(key) for key in keys]
        found = self._storage.documents.find(self._reach(below), known)
        return [(self._below(one), row[0] if len(row) else None) for one, row in found]

    def search(
        self,
        vector: Vector,
        below: Labels = (),
        *,
        words: str = "",
        filters: Mapping[str, Any] | None = None,
        limit: int = 10,
        min_score: float | None = None,
    ) -> list[DocumentMatch]:
        """Return the nearest documents, best first; the filter is settled before the limit.

        Args:
            vector: Of any length but zero.
            below: Labels after the collection's prefix.
            words: The question's words, where known: hybrid search.
            filters, min_score: See `Search`.
            limit: How many at most.

        Raises:
            EmbedderMismatchError: The vector is of another dimension than the file's.
        """
        found = self._documents.search(
            self._labels(below),
            words,
            vector=vector,
            filters=filters,
            limit=max(limit, 0),
            mode="hybrid" if words.strip() else "vector",
            min_score=min_score,
            explain=True,
        )
        return [replace(match, document=self._below(match.document)) for match in found]

    def list(
        self,
        below: Labels = (),
        *,
        filters: Mapping[str, Any] | None = None,
        order: str | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> list[Document]:
        """Return documents in the order of a field; see `Documents.list`."""
        if limit <= 0 or offset < 0:
            return []
        labels = self._labels(below)
        found = self._documents.list(
            labels, filters=filters, order=order, limit=limit, offset=offset
        )
        return [self._below(document) for document in found]

    def counts(self, below: Labels = ()) -> dict[tuple[str, ...], int]:
        """Count the documents of each namespace below some labels."""
        found = self._storage.documents.counts(self._reach(below))
        return {labels[len(self.prefix) :]: number for labels, number in found.items()}

    def namespaces(self, below: Labels = ()) -> builtins.list[tuple[str, ...]]:
        """Return the namespaces below some labels that hold a document, sorted."""
        found = self._documents.namespaces(self._labels(below))
        return [labels[len(self.prefix) :] for labels in found]

    def tally(self, field: str, below: Labels = ()) -> dict[Any, int]:
        """Count the documents by the value of a field, or by each member of a list."""
        return self._storage.documents.tally(self._reach(below), (checks.check_key(field),))

    def _labels(self, below: Labels) -> tuple[str, ...]:
        return (*self.prefix, *checks.check_labels(below, prefix=True))

    def _reach(self, below: Labels) -> Reach:
        return Reach.of_prefix(self._labels(below), self._owner)

    def _below(self, document: Document) -> Document:
        return replace(document, namespace=document.namespace[len(self.prefix) :])
