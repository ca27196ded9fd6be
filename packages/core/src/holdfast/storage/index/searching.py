"""Searching a view: who may be seen, which of them are candidates, whole rows of the best."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import repeat
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from holdfast.errors import EmbedderMismatchError
from holdfast.storage.contract.arrays import Bools, Floats, Positions
from holdfast.storage.contract.filters import Filter
from holdfast.storage.contract.search import (
    KIND_CODES,
    NO_PARTS,
    Candidates,
    Probe,
    Ranked,
)
from holdfast.storage.index.loading import Loader
from holdfast.storage.index.nearest import Question
from holdfast.storage.index.views import View

# Up to so many positions all are candidates; beyond, each channel contributes its best. On LoCoMo's
# chats of 400 to 700 turns, 200 + 200 lose .5 points of recall@20, and 300 + 300 .3: what is
# middling by meaning and by word can still be good by who said it, and where.
ALL = 1_000
POOL = 200
# Whoever wants more than a pool holds gets the best of all; of so many more, each channel gives as
# many as are wanted, in the same proportion as a pool does.
MOST = 20_000
_FURTHER = 8  # how many times larger a pool becomes that holds too few rows
Boost: TypeAlias = Callable[[Loader, View], Floats]
"""Returns by how much relations boost each position, 0 to 1 (`graph_boost`)."""


class Hit(NamedTuple):
    """A row found: its id, its best passage by number, its score; its parts, if asked for."""

    row_id: int
    passage: int
    score: float
    parts: Mapping[str, float]


def find(
    loader: Loader, view: View, probe: Probe, now: int, boost: Boost | None = None
) -> list[Hit]:
    """Rank what a view may show."""
    if view.vectors.dimension and len(probe.vector) != view.vectors.dimension:
        raise EmbedderMismatchError(
            f"vectors of {view.vectors.dimension} dimensions", f"one of {len(probe.vector)}"
        )
    allowed = visible(loader, view, probe, now)
    places = allowed.nonzero()[0]
    if not len(places):
        return []
    keywords = view.keywords.scores(probe.keywords)
    question = view.ask(loader, probe.vector, allowed)
    places, dense = _pool(view, question, keywords, places, probe)
    boosted = None
    if boost is not None:
        boosts = boost(loader, view)
        more = np.setdiff1d(_largest(boosts, np.flatnonzero(allowed & (boosts > 0))), places)
        places, dense = _joined(places, dense, more, question.cosines(more))
        boosted = boosts[places]
    if view.unembedded:
        dense = _as_far_as_others(dense, np.isin(places, view.positions(view.unembedded)))
    rows = view.rows.taken(places)
    speakers, single = view.rows.speakers, view.rows.single
    ranked = probe.rank(Candidates(dense, keywords[places], rows, speakers, boosted, single))
    return _hits(probe, ranked, rows)


def _as_far_as_others(dense: Floats, unembedded: Bools) -> Floats:
    """Let candidates without vectors count as the farthest of the others; alone, as 0.

    So their words alone speak for them, and the spread of the others' cosines stays as it is.
    """
    others = dense[~unembedded]
    return np.where(unembedded, others.min() if len(others) else np.float32(0), dense)


def _joined(
    places: Positions, dense: Floats, more: Positions, cosines: Floats
) -> tuple[Positions, Floats]:
    """Return two lists of candidates as one, in order of position."""
    every = np.concatenate([places, more])
    order = np.argsort(every)
    return every[order], np.concatenate([dense, cosines])[order]


def count(loader: Loader, view: View, probe: Probe, now: int) -> int:
    """Return how many rows a search without a limit would rank."""
    allowed = visible(loader, view, probe, now)
    return len(np.unique(view.rows.table["id"][allowed]))


def visible(loader: Loader, view: View, probe: Probe, now: int) -> Bools:
    """Return which positions this search may return; the filter is settled before any score."""
    allowed = view.rows.visible(now, view.reading.as_of, probe.valid_at, ended=probe.ended)
    if probe.kinds and not view.rows.kinds.issubset(probe.kinds):
        wanted = np.array([kind in probe.kinds for kind in KIND_CODES])
        allowed &= wanted[view.rows.table["kind"]]
    if probe.tree is not None:
        allowed &= _through(loader, view, probe.tree)
    return allowed


def _through(loader: Loader, view: View, tree: Filter) -> Bools:
    """Return which positions a filter lets through, without reading rows again if possible."""
    reading, ids = view.reading, view.rows.table["id"]
    if reading.as_of is None:  # a view of the past is asked once
        told = view.fields.through(loader, ids, tree)
        if told is not None:
            return told
    chosen = loader.selected(reading.table, reading.reach, tree)
    through = np.zeros(len(ids), dtype=np.bool_)
    through[view.positions(chosen)] = True
    return through


def _pool(
    view: View, question: Question, keywords: Floats, places: Positions, probe: Probe
) -> tuple[Positions, Floats]:
    """Return those of the positions that may come out best, with their cosines; all, if few.

    Passages of a few long texts may fill a pool: then it is made larger.
    """
    wanted = probe.offset + probe.limit
    enough = wanted if probe.score is not None else max(POOL, wanted)
    few = enough if probe.score is not None else _few(wanted)
    while len(places) > max(few, enough):
        if probe.score is not None:
            best, dense = question.foremost(probe.score, keywords, enough)
        else:
            best, dense = _of_either(question, keywords, places, enough)
        if _rows(view, best) >= wanted:
            return best, dense
        enough *= _FURTHER
    return places, question.cosines(places)


def _few(wanted: int) -> int:
    """Return up to how many positions all are candidates."""
    return ALL if wanted <= POOL else max(MOST, wanted)


def _rows(view: View, places: Positions) -> int:
    """Return to how many rows these positions belong."""
    if view.rows.single:
        return len(places)
    return len(np.unique(view.rows.table["id"][places]))


def _of_either(
    question: Question, keywords: Floats, places: Positions, most: int
) -> tuple[Positions, Floats]:
    """Return the best by meaning and the best by words, in order of position."""
    near, dense = question.nearest(most)
    worded = np.setdiff1d(_largest(keywords, places[keywords[places] > 0], most), near)
    return _joined(near, dense, worded, question.cosines(worded))


def _largest(values: Floats, places: Positions, most: int = POOL) -> Positions:
    """Return the `most` places with the largest values."""
    if len(places) <= most:
        return places
    return places[np.argpartition(-values[places], most)[:most]]


def _hits(probe: Probe, ranked: Ranked, rows: NDArray[np.void]) -> list[Hit]:
    best = ranked.order[probe.offset : probe.offset + probe.limit]
    if probe.min_score is not None:
        best = best[ranked.scores[best] >= probe.min_score]
    ids, passages = rows["id"][best].tolist(), rows["passage"][best].tolist()
    scores = ranked.scores[best].tolist()
    parts: Iterable[Mapping[str, float]] = repeat(NO_PARTS)
    if probe.explain:
        columns = [values[best].tolist() for values in ranked.parts.values()]
        parts = [dict(zip(ranked.parts, row, strict=True)) for row in zip(*columns, strict=True)]
    return list(map(Hit, ids, passages, scores, parts))
