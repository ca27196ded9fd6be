"""Operations on documents, checked, and what a search returns."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Literal, TypeAlias, TypedDict

from holdfast.checks import check_time
from holdfast.errors import HoldfastError, InvalidInputError, shown
from holdfast.ingestion import indexing
from holdfast.ingestion.messages import check_question, check_text
from holdfast.providers.base import Vector
from holdfast.retrieval import ranking
from holdfast.storage.contract.arrays import Floats
from holdfast.storage.contract.codec import to_json
from holdfast.storage.contract.documents import Document
from holdfast.types import utc_now

Labels: TypeAlias = Sequence[str]
Mode = Literal["hybrid", "vector", "keyword"]
"""How a search ranks; see `Search.mode`."""

# SQLite counts rows in 64 bits.
MOST = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class DocumentMatch:
    """A document found.

    Attributes:
        document: The whole document.
        score: See `Search.mode`; None where nothing was asked for, or the document has no texts.
        parts: With ``explain``, ``dense`` (cosine) and ``keywords`` (share of the best; 0 where the
            mode asks for no words), before weighing.
        text: Which of the document's texts matched, by number.
    """

    document: Document
    score: float | None = None
    parts: Mapping[str, float] = field(default_factory=dict)
    text: int = 0


@dataclass(frozen=True, slots=True)
class Get:
    """Read one document; `refresh` begins its lifetime anew, `expired` reads it until it is swept.

    Where a handle reaches documents of several scopes, that of exactly its own scope comes first,
    then the latest put.
    """

    namespace: Labels
    key: str
    refresh: bool = False
    expired: bool = False


@dataclass(frozen=True, slots=True)
class Put:
    """Write one document, or with ``value=None`` delete it.

    Attributes:
        namespace: At least one label, none empty.
        key: Unique in the namespace.
        value: JSON.
        texts: What makes it findable, each with a vector of its own; none: only filters find it.
        lifetime: How long it is kept; None: for ever.
        created_at: When it was first put, for a document that comes from elsewhere.
        vectors: The caller's own, of any length but zero, one a text; without texts no word finds
            it. They must be of the file's embedder, and `Memory.reembed` cannot make them anew.
    """

    namespace: Labels
    key: str
    value: Any
    texts: Sequence[str] = ()
    lifetime: timedelta | None = None
    created_at: datetime | None = None
    vectors: Sequence[Vector] = ()


@dataclass(frozen=True, slots=True)
class Search:
    """Find documents under a prefix, or in exactly one namespace.

    Attributes:
        prefix: Namespaces that begin so; empty: all.
        query: What is looked for; None: the latest put first.
        filters: See `holdfast.storage.contract.filters`; every field is a path into the value.
        limit, offset: Which part of the ranking.
        mode: ``"hybrid"``, ``"vector"`` (cosine alone) or ``"keyword"`` (BM25 as a share of the
            best). A hybrid score is the cosine, lifted half the way to 1 by the best keywords:
            no shared word leaves the cosine as it is.
        exact: Only the namespace itself, not those below it.
        refresh: Begin the found documents' lifetime anew.
        min_score: Least score.
        expired: Find also what has expired and is not swept yet.
        unscored: Let documents without texts follow the ranked ones, the latest put first.
        explain: Fill `DocumentMatch.parts`.
        vector: The caller's own vector of the query, of any length but zero.
    """

    prefix: Labels = ()
    query: str | None = None
    filters: Mapping[str, Any] | None = None
    limit: int = 10
    offset: int = 0
    mode: Mode = "hybrid"
    exact: bool = False
    refresh: bool = False
    min_score: float | None = None
    expired: bool = False
    unscored: bool = False
    explain: bool = False
    vector: Vector | None = None


class SearchOptions(TypedDict, total=False):
    """The fields of `Search` behind its query, as keywords of `Documents.search`."""

    filters: Mapping[str, Any] | None
    limit: int
    offset: int
    mode: Mode
    exact: bool
    refresh: bool
    min_score: float | None
    expired: bool
    unscored: bool
    explain: bool
    vector: Vector | None


@dataclass(frozen=True, slots=True)
class ListNamespaces:
    """List the namespaces under a prefix that hold a document; see `Search.expired`."""

    prefix: Labels = ()
    expired: bool = False


Operation: TypeAlias = Get | Put | Search | ListNamespaces
Result: TypeAlias = (
    Document | list[DocumentMatch] | list[tuple[str, ...]] | bool | HoldfastError | None
)


@dataclass(frozen=True, slots=True)
class Ready:
    """A checked put.

    Attributes:
        value: JSON; None: a deletion.
        texts: Those that can be found; where the caller gave vectors, one for each.
        vectors: The caller's, of length 1; None: an embedder makes them.
    """

    namespace: tuple[str, ...]
    key: str
    value: str | None
    texts: Sequence[str]
    lifetime: timedelta | None
    created_at: datetime | None
    vectors: Floats | None


def ready(put: Put) -> Ready:
    """Return a put that can be stored.

    Raises:
        InvalidInputError: It cannot.
        ProviderError: Its vectors are of different lengths, or not finite.
    """
    check_lifetime(put.lifetime)
    texts = check_texts(put.texts, blank=len(put.vectors) > 0)
    if len(put.vectors) and len(texts) not in (0, len(put.vectors)):
        raise InvalidInputError(f"{len(put.vectors)} vectors were given for {len(texts)} texts")
    vectors = indexing.unit_vectors(put.vectors, len(put.vectors)) if len(put.vectors) else None
    return Ready(
        check_labels(put.namespace, prefix=False),
        check_key(put.key),
        None if put.value is None else check_value(put.value),
        texts or [""] * len(put.vectors),
        put.lifetime,
        None if put.created_at is None else check_time("created_at", put.created_at),
        vectors,
    )


def check_search(search: Search) -> None:
    """Check what a search asks for.

    Raises:
        InvalidInputError: It makes no sense.
    """
    check_labels(search.prefix, prefix=not search.exact)
    check_bounds(search.limit, search.offset, search.min_score)
    if search.query is not None and check_question(search.query).strip():
        check_text(search.query)
    if not isinstance(search.mode, str) or search.mode not in ranking.documents:
        raise InvalidInputError(
            f"unknown mode {shown(search.mode)}; allowed are {', '.join(ranking.documents)}"
        )


def check_labels(labels: Sequence[str], *, prefix: bool) -> tuple[str, ...]:
    """Return a namespace, or with `prefix` the beginning of one, which may be empty.

    Raises:
        InvalidInputError: It is no tuple of non-empty strings. (A string would pass for a
            sequence of letters.)
    """
    fits = isinstance(labels, Sequence) and not isinstance(labels, str)
    if not fits or not all(map(_is_text, labels)) or not (labels or prefix):
        raise InvalidInputError(f"a namespace is a tuple of non-empty strings, not {shown(labels)}")
    return tuple(labels)


def check_key(key: str) -> str:
    """Return a key.

    Raises:
        InvalidInputError: It is no string, or empty.
    """
    if not _is_text(key):
        raise InvalidInputError(f"a key is a non-empty string, not {shown(key)}")
    return key


def check_value(value: Any) -> str:
    """Return a value as JSON.

    Raises:
        InvalidInputError: It is no JSON, or nested too deeply.
    """
    try:
        text = to_json(value)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError(f"a document's value must be JSON: {error}") from error
    return text


def check_texts(texts: Sequence[str], *, blank: bool = False) -> list[str]:
    """Return the texts that can be found by their words; blank ones are left out, or kept as "".

    Raises:
        InvalidInputError: It is no list of texts.
    """
    listed = isinstance(texts, Sequence) and not isinstance(texts, str)
    if not listed or not all(isinstance(text, str) for text in texts):
        raise InvalidInputError(f"texts must be a list of strings, not {shown(texts)}")
    return [check_text(text) if text.strip() else "" for text in texts if blank or text.strip()]


def check_lifetime(lifetime: timedelta | None) -> None:
    """Check that a document's end is a moment to come.

    Raises:
        InvalidInputError: It is over at once, or later than the calendar goes.
    """
    if lifetime is None:
        return
    if not isinstance(lifetime, timedelta):
        raise InvalidInputError(f"a lifetime is a timedelta, not {shown(lifetime)}")
    longest = datetime.max.replace(tzinfo=timezone.utc) - utc_now() - timedelta(days=366)
    if not timedelta(0) < lifetime < longest:
        raise InvalidInputError(
            f"a lifetime must be positive and end before the year 9999, not {shown(lifetime)}"
        )


def check_bounds(limit: int, offset: int, min_score: float | None) -> None:
    """Check which part of a ranking is wanted.

    Raises:
        InvalidInputError: A number is negative, too large, or none.
    """
    if not (_is_count(limit) and _is_count(offset)):
        raise InvalidInputError(
            f"limit ({shown(limit)}) and offset ({shown(offset)}) must be numbers from 0 to {MOST}"
        )
    if min_score is not None:
        check_score(min_score)


def check_score(least: float) -> float:
    """Return a least score.

    Raises:
        InvalidInputError: It is no number, or none that a score can be compared with.
    """
    if type(least) not in (int, float) or not abs(least) <= sys.float_info.max:
        raise InvalidInputError(f"min_score must be a finite number, not {shown(least)}")
    return float(least)


def _is_count(bound: object) -> bool:
    return type(bound) is int and 0 <= bound <= MOST


def _is_text(label: object) -> bool:
    if not isinstance(label, str) or not label:
        return False
    if label.isascii():
        return True
    return not any("\ud800" <= character <= "\udfff" for character in label)
