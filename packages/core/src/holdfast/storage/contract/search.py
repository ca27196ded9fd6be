"""A search as it crosses the line: the question, what ranking sees and returns, what was found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from holdfast.language.terms import Group
from holdfast.storage.contract.arrays import Floats, Positions
from holdfast.storage.contract.filters import Filter
from holdfast.types import KINDS, ROLES, Kind, Record

NO_PARTS: Final[Mapping[str, float]] = MappingProxyType({})
"""No score parts: `explain` is off."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """What ranking sees: one entry a candidate passage in every array.

    Attributes:
        dense: Cosine with the question, -1 to 1.
        keywords: BM25F score; 0 where no word was found.
        rows: The columns (`passage_table.ROW`); passages of one record share an ``id``.
        speakers: Number of each known speaker, as in ``rows["speaker"]``.
        graph: By how much relations boost it, 0 to 1; None where they were not asked.
        single: Every row is known to have one passage.
    """

    dense: Floats
    keywords: Floats
    rows: NDArray[np.void]
    speakers: Mapping[str, int]
    graph: Floats | None = None
    single: bool = False


@dataclass(frozen=True, slots=True)
class Ranked:
    """What ranking returns: the best passage of each row, best row first.

    Attributes:
        order: Candidates, one a row.
        scores: Of every candidate.
        parts: What each channel added to the scores.
    """

    order: Positions
    scores: Floats
    parts: Mapping[str, Floats] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Probe:
    """One search.

    Attributes:
        vector: Unit vector of the question.
        keywords: Words of the question.
        rank: Puts candidates in order.
        limit, offset: Which part of the ranking is wanted.
        kinds: Which kinds may be found; none named: all.
        tree: A filter, settled before anything is scored.
        valid_at: Event time in microseconds.
        ended: Find what is over, too.
        min_score: Least score.
        score: Score of a passage by its cosine and its keywords, where ranking asks no more: then
            the candidates are the best by it, and every page is cut from one order. It never falls
            as the cosine rises.
        explain: Tell what each channel added to a score.
    """

    vector: Floats
    keywords: KeywordQuery
    rank: Callable[[Candidates], Ranked]
    limit: int
    offset: int = 0
    kinds: tuple[Kind, ...] = ()
    tree: Filter | None = None
    valid_at: int | None = None
    ended: bool = False
    min_score: float | None = None
    score: Callable[[Floats, Floats], Floats] | None = None
    explain: bool = False


class Found(NamedTuple):
    """A record found, and the bounds of its best passage."""

    record: Record
    score: float
    span: tuple[int, int]
    parts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class KeywordQuery:
    """What to look for.

    Attributes:
        groups: Each word with its possible stems; any of them counts as the word.
        pairs: Places in `groups` of words that stand side by side in the query.
        quotes: Phrases to be found word for word.
    """

    groups: tuple[Group, ...] = ()
    pairs: tuple[tuple[int, int], ...] = ()
    quotes: tuple[tuple[Group, ...], ...] = ()


KIND_CODES = {kind: code for code, kind in enumerate(KINDS)} | {"document": len(KINDS)}


ROLE_CODES: dict[str | None, int] = {role: code for code, role in enumerate(ROLES)} | {None: -1}
