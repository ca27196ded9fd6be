"""`Collection`: documents whose vectors the caller makes, by namespace and key.

`Items` embeds texts itself; vector stores of frameworks are handed vectors. Both lie in
the same tables and are searched alike.
"""

from __future__ import annotations

import builtins
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.documents import checks
from holdfast.documents.handle import Items
from holdfast.errors import EmbedderMismatchError, InvalidInputError
from holdfast.ingestion import indexing
from holdfast.ingestion.messages import check_text
from holdfast.providers.base import Vector
from holdfast.retrieval import ranking
from holdfast.runtime import AsyncRuntime
from holdfast.storage.contract.arrays import Floats
from holdfast.storage.contract.codec import to_json
from holdfast.storage.contract.filters import Filter, parse
from holdfast.storage.contract.reach import Reach
from holdfast.storage.contract.search import KeywordQuery, Probe
from holdfast.storage.sqlite import bulk
from holdfast.storage.sqlite.bulk import Choice, Order
from holdfast.storage.sqlite.database import Durability
from holdfast.storage.sqlite.document_rows import Item, ItemDraft
from holdfast.storage.sqlite.storage import SqliteStorage as EmbeddedStorage

Labels = Sequence[str]


@dataclass(frozen=True, slots=True)
class Entry:
    """One document to be put.

    Attributes:
        namespace: At least one label, none empty.
        key: Unique among all that lies below the collection's prefix.
        value: JSON.
        text: Its words, for keyword search.
        vector: Any length but zero is scaled to 1; None: only filters and keys find it.
    """

    namespace: Labels
    key: str
    value: Mapping[str, Any]
    text: str = ""
    vector: Vector | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """A document found: ``score`` is the cosine, lifted towards 1 by shared words."""

    item: Item
    score: float
    cosine: float


class Collection:
    """Documents below one prefix of a file.

    Args:
        path: The file, made when missing, or ``":memory:"``.
        prefix: The labels all its namespaces begin with; at least one.
        fingerprint: Name of what makes the vectors; the file refuse others'.
        key, durability: See `Database`.

    Raises:
        StorageError: The file cannot be opened; `WrongKeyError`, `SchemaVersionError`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        prefix: Labels,
        *,
        fingerprint: str,
        key: str | bytes | None = None,
        durability: Durability = "normal",
    ) -> None:
        self.prefix = checks.check_labels(prefix, prefix=False)
        self.fingerprint = fingerprint
        self._storage = EmbeddedStorage(path, key=key, durability=durability)

    @property
    def items(self) -> Items:
        """All documents of the file."""
        return Items(self._storage, None, AsyncRuntime())

    @property
    def dimension(self) -> int | None:
        """Dimension of the file's vectors; None while it holds none."""
        known = self._storage.file.embedder()
        return None if known is None else known[1]

    @property
    def embedder(self) -> str | None:
        """Fingerprint of the file's vectors; None while it holds none."""
        known = self._storage.file.embedder()
        return None if known is None else known[0]

    def close(self) -> None:
        """Close the file."""
        self._storage.file.close()

    def _region(self, below: Labels) -> Reach:
        return Reach.of_prefix((*self.prefix, *checks.check_labels(below, prefix=True)))

    # -- writing --------------------------------------------------------------------------------

    def put(self, entries: Sequence[Entry], *, fingerprint: str | None = None) -> None:
        """Write documents in one transaction; one of the same key gives way, wherever it lies.

        Args:
            entries: The documents.
            fingerprint: What made these vectors, if not what makes the collection's.

        Raises:
            InvalidInputError: A namespace, key, value or text cannot be stored; nothing was.
            EmbedderMismatchError: The vectors are not of the file's embedder, or dimension.
        """
        drafts = [self._draft(entry) for entry in entries]
        dimensions = {draft.vectors.shape[1] for draft in drafts if draft.passages}
        if len(dimensions) > 1:
            first, second = sorted(dimensions)[:2]
            raise EmbedderMismatchError(f"{first} dimensions", f"{second} dimensions")
        if drafts:
            made_by = fingerprint or self.fingerprint
            bulk.put(self._storage.file, self._region(()), drafts, made_by)

    def _draft(self, entry: Entry) -> ItemDraft:
        checks.check_labels(entry.namespace, prefix=True)
        texts = [check_text(entry.text) if entry.text.strip() else ""]
        vectors: Floats = np.zeros((0, 0), dtype=np.float32)
        if entry.vector is None:
            texts = []
        else:
            vectors = indexing.unit_vectors([entry.vector], 1)
        terms, passages = indexing.index_texts(texts)
        labels = (*self.prefix, *entry.namespace)
        # No texts are kept: nothing but the caller can make these vectors anew (`reembed`).
        return ItemDraft(
            labels, checks.check_key(entry.key), _json(entry), None, (), vectors, terms, passages
        )

    def delete(
        self,
        below: Labels = (),
        *,
        filters: Mapping[str, Any] | None = None,
        keys: Sequence[str] | None = None,
    ) -> int:
        """Delete what lies below some labels and satisfies everything given; return how many."""
        return bulk.delete(self._storage.file, self._choice(below, filters, keys))

    # -- reading --------------------------------------------------------------------------------

    def get(self, keys: Sequence[str], below: Labels = ()) -> list[tuple[Item, Vector | None]]:
        """Return the documents of these keys that are there, each with its unit vector."""
        found = bulk.find(self._storage.file, self._choice(below, None, keys))
        return [(self._item(item), row[0] if len(row) else None) for item, row in found]

    def search(
        self,
        vector: Vector,
        below: Labels = (),
        *,
        words: str = "",
        filters: Mapping[str, Any] | None = None,
        limit: int = 10,
        min_score: float | None = None,
    ) -> list[Scored]:
        """Return the nearest documents, best first; the filter is settled before the limit.

        Args:
            vector: Of any length but zero.
            below: Labels after the collection's prefix.
            words: The question's words, where known: hybrid search.
            filters: See `holdfast.storage.contract.filters`; every field is a path into the value.
            limit: How many at most.
            min_score: Least score.

        Raises:
            EmbedderMismatchError: The vector is of another dimension than the file's.
        """
        unit = indexing.unit_vectors([vector], 1)[0]
        dimension = self.dimension
        if dimension is None or limit <= 0:
            return []
        if len(unit) != dimension:
            raise EmbedderMismatchError(f"{dimension} dimensions", f"{len(unit)} dimensions")
        hybrid = bool(words.strip())
        mode = "hybrid" if hybrid else "vector"
        probe = Probe(
            vector=unit,
            keywords=indexing.keyword_query(words) if hybrid else KeywordQuery(),
            rank=ranking.items[mode],
            limit=limit,
            tree=_tree(filters),
            min_score=min_score,
            score=ranking.item_scores[mode],
            explain=True,
        )
        found = self._storage.documents.search(self._region(below), probe)
        return [Scored(self._item(hit.item), hit.score or 0.0, hit.parts["dense"]) for hit in found]

    def list(
        self,
        below: Labels = (),
        *,
        filters: Mapping[str, Any] | None = None,
        order: str | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> list[Item]:
        """Return documents in the order of a field, ``-`` before it for the greatest first.

        Without an order, the latest put come first.
        """
        if limit <= 0 or offset < 0:
            return []
        by = Order() if order is None else _order(order)
        choice = self._choice(below, filters, None)
        found = bulk.page(self._storage.file, choice, by, limit, offset)
        return [self._item(item) for item in found]

    def counts(self, below: Labels = ()) -> dict[tuple[str, ...], int]:
        """Count the documents of each namespace below some labels."""
        found = bulk.counts(self._storage.file, self._region(below))
        return {labels[len(self.prefix) :]: number for labels, number in found.items()}

    def namespaces(self, below: Labels = ()) -> builtins.list[tuple[str, ...]]:
        """Return the namespaces below some labels that hold a document, sorted."""
        found = self._storage.documents.namespaces(self._region(below))
        return [labels[len(self.prefix) :] for labels in found]

    def tally(self, field: str, below: Labels = ()) -> dict[Any, int]:
        """Count the documents by the value of a field, or by each member of a list."""
        return bulk.tally(self._storage.file, self._region(below), (checks.check_key(field),))

    def _choice(
        self, below: Labels, filters: Mapping[str, Any] | None, keys: Sequence[str] | None
    ) -> Choice:
        checked = None if keys is None else [checks.check_key(key) for key in keys]
        return Choice(self._region(below), _tree(filters), checked)

    def _item(self, item: Item) -> Item:
        return Item(
            item.namespace[len(self.prefix) :],
            item.key,
            item.value,
            item.created_at,
            item.updated_at,
        )


def _order(order: str) -> Order:
    return Order((checks.check_key(order.removeprefix("-")),), order.startswith("-"))


def _tree(filters: Mapping[str, Any] | None) -> Filter | None:
    return None if not filters else parse(filters, own_fields=False)


def _json(entry: Entry) -> str:
    try:
        text = to_json(dict(entry.value))
        text.encode()
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"a document's value must be JSON: {error}") from error
    return text
