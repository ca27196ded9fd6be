"""Searching a view: who may be seen, which of them are candidates, whole records of the best."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from holdfast.filters import Filter
from holdfast.storage import listing, records
from holdfast.storage.codec import Floats
from holdfast.storage.columns import KIND_CODES
from holdfast.storage.database import Connection
from holdfast.storage.keywords import KeywordQuery
from holdfast.storage.vectors import Bools, Positions
from holdfast.storage.views import View
from holdfast.types import Kind, Record

# How many candidates each channel contributes; 100 and 100 keep all but .2 points of recall@50.
POOL = 100


@dataclass(frozen=True, slots=True)
class Candidates:
    """What ranking sees: one entry a candidate in every array.

    Attributes:
        dense: Cosine of the best passage with the question, -1 to 1.
        keywords: BM25F score; 0 where no word was found.
        rows: The rows' columns (`columns.ROW`).
        length: 0 (empty) to 1 (some fifty words or more).
        speakers: Number of each known speaker, as in ``rows["speaker"]``.
    """

    dense: Floats
    keywords: Floats
    rows: NDArray[np.void]
    length: Floats
    speakers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Ranked:
    """What ranking returns: candidates in order, best first, with scores and their parts."""

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
        limit: How many are wanted.
        kinds: Which kinds may be found.
        tree: A filter, applied before anything is scored.
        valid_at: Event time in microseconds.
        min_score: Least score.
    """

    vector: Floats
    keywords: KeywordQuery
    rank: Callable[[Candidates], Ranked]
    limit: int
    kinds: tuple[Kind, ...]
    tree: Filter | None = None
    valid_at: int | None = None
    min_score: float | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A record, its score, the bounds of its best passage, and the parts of the score."""

    record: Record
    score: float
    span: tuple[int, int]
    parts: Mapping[str, float]


def find(connection: Connection, view: View, probe: Probe, now: int) -> list[Found]:
    """Rank what a view may show; return the best with their records, in the same snapshot."""
    allowed = visible(connection, view, probe, now)
    if not allowed.any():
        return []
    dense = view.vectors.cosines(probe.vector)
    keywords = view.keywords.scores(probe.keywords)
    places = pool(dense, keywords, allowed)
    ranked = probe.rank(
        Candidates(
            dense[places],
            keywords[places],
            view.rows.table[places],
            view.rows.lengths()[places],
            view.rows.speakers,
        )
    )
    best = ranked.order[: probe.limit]
    if probe.min_score is not None:
        best = best[ranked.scores[best] >= probe.min_score]
    return _fetch(connection, view, probe, places, ranked, best)


def visible(connection: Connection, view: View, probe: Probe, now: int) -> Bools:
    """Say which positions this search may return; the filter is settled before any score."""
    allowed = view.rows.visible(now, probe.valid_at)
    codes = [KIND_CODES[kind] for kind in probe.kinds]
    if len(codes) < len(KIND_CODES) - 1:
        allowed &= np.isin(view.rows.table["kind"], codes)
    if probe.tree is not None:
        reading = view.reading
        chosen = listing.selected(connection, reading.table, reading.region, probe.tree)
        through = np.zeros(len(allowed), dtype=np.bool_)
        through[view.positions(chosen)] = True
        allowed &= through
    return allowed


def pool(dense: Floats, keywords: Floats, allowed: Bools, most: int = POOL) -> Positions:
    """Return the positions that either channel puts among its best."""
    places = np.flatnonzero(allowed)
    if len(places) <= most:
        return places
    near = places[np.argpartition(-dense[places], most)[:most]]
    said = places[keywords[places] > 0]
    if len(said) > most:
        said = said[np.argpartition(-keywords[said], most)[:most]]
    return np.union1d(near, said)


def _fetch(
    connection: Connection,
    view: View,
    probe: Probe,
    places: Positions,
    ranked: Ranked,
    best: Positions,
) -> list[Found]:
    row_ids = view.rows.table["id"][places[best]].tolist()
    found = records.fetch_with_spans(connection, row_ids)
    results = []
    for place, row_id in zip(best.tolist(), row_ids, strict=True):
        record, spans = found[row_id]
        passage = view.vectors.best_passage(probe.vector, int(places[place]))
        parts = {name: float(values[place]) for name, values in ranked.parts.items()}
        results.append(Found(record, float(ranked.scores[place]), spans[passage], parts))
    return results
