"""Documents as they cross the line: what is written, what is asked for, what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from holdfast.storage.contract.arrays import Floats, Hashes, Passage
from holdfast.storage.contract.filters import Filter
from holdfast.storage.contract.reach import Reach
from holdfast.types import Scope


@dataclass(frozen=True, slots=True)
class Document:
    """One document.

    Attributes:
        namespace: Its labels.
        key: Unique in the namespace.
        value: JSON.
        created_at, updated_at: First and latest put.
        expires_at: From then on no read returns it.
        lifetime: Microseconds from a put, or a refreshing read, to `expires_at`.
        scope: The scope that owns it; None: it belongs to the whole file.
    """

    namespace: tuple[str, ...]
    key: str
    value: Any
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None = None
    lifetime: int | None = None
    scope: Scope | None = None


@dataclass(frozen=True, slots=True)
class DocumentDraft:
    """A document about to be put.

    Attributes:
        namespace, key: Where.
        value: JSON.
        lifetime: Microseconds; None: for ever.
        texts: What an embedder made the vectors of; none: the caller made them, and no embedder can
            make them anew.
        vectors: One unit vector a passage, shape (passages, dimension), float32.
        terms: Hashes of the index terms of all passages.
        passages: Bounds and number of terms of each passage.
        created_at: When it was first put elsewhere, in microseconds.
        owner: The scope it belongs to; None: to the whole file.
    """

    namespace: tuple[str, ...]
    key: str
    value: str
    lifetime: int | None
    texts: tuple[str, ...]
    vectors: Floats
    terms: Hashes
    passages: tuple[Passage, ...]
    created_at: int | None = None
    owner: Scope | None = None


class Deletion(NamedTuple):
    """A document to be deleted: in which namespaces, and its key."""

    reach: Reach
    key: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A document to be read; `refresh` begins its lifetime anew, `expired` finds it all the same.

    Attributes:
        reach: The namespaces of these labels; where several have the key, the document of exactly
            the scope of the reach comes first, then the latest put.
        key: Unique in each of them.
    """

    reach: Reach
    key: str
    refresh: bool = False
    expired: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """Which documents are meant: all that is given must hold.

    Attributes:
        reach: Where they lie.
        tree: What their values are like.
        keys: Their keys; None: any.
        expired: Those that have expired, too.
    """

    reach: Reach
    tree: Filter | None = None
    keys: Sequence[str] | None = None
    expired: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """By which field of the value a list is ordered; the latest put first where there is none."""

    path: tuple[str, ...] = ()
    descending: bool = True


class FoundDocument(NamedTuple):
    """A document found, its row id, and which of its texts matched best; no score: none did."""

    row_id: int
    document: Document
    score: float | None
    text: int
    parts: Mapping[str, float]
