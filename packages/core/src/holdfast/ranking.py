"""Ranking: how the channels and cues of a search become one order; pure numpy.

A score is a weighted sum. Every weight is worth something on its own, and a cue that is absent
(no name, no date, one speaker, no session) adds the same to all, so nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from holdfast.language.cues import Cues
from holdfast.language.traits import ASKS, TELLS_TIME, lengths
from holdfast.storage.columns import ROLE_CODES
from holdfast.storage.searching import Ranking, Shortlist

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]
Bools = NDArray[np.bool_]

_DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Candidates:
    """What may be returned: parallel arrays, one entry a passage. All have shape (n,).

    Attributes:
        record: A number that the passages of one record share.
        parts: How many passages that record has.
        dense: Cosine of passage and question.
        keyword: BM25F score (`Keywords.scores`).
        named: Its speaker is among those whom the question names.
        assistant: An assistant said it.
        asks, tells_time: Its traits.
        length: Its trait of that name, 0 to 1.
        session: A number of its run, the same for all passages of a record; -1 for none.
        occurred_at: Seconds since 1970.
        importance: 0 to 1.
    """

    record: Ints
    parts: Ints
    dense: Floats
    keyword: Floats
    named: Bools
    assistant: Bools
    asks: Bools
    tells_time: Bools
    length: Floats
    session: Ints
    occurred_at: Floats
    importance: Floats

    @classmethod
    def of(cls, shortlist: Shortlist, cues: Cues) -> Candidates:
        """Return the candidates of a shortlist, as a question sees them."""
        rows = shortlist.rows
        asked = [shortlist.speakers[name] for name in cues.speakers if name in shortlist.speakers]
        return cls(
            record=rows["id"],
            parts=rows["passages"],
            dense=shortlist.dense,
            keyword=shortlist.keywords,
            named=np.isin(rows["speaker"], asked),
            assistant=rows["role"] == ROLE_CODES["assistant"],
            asks=rows["traits"] & ASKS != 0,
            tells_time=rows["traits"] & TELLS_TIME != 0,
            length=lengths(rows["words"]),
            session=rows["session"],
            occurred_at=rows["occurred"] / 1e6,
            importance=rows["importance"],
        )


@dataclass(frozen=True, slots=True)
class Weights:
    """What each channel and cue counts for."""

    dense: float = 0.55
    dense_range: float = 0.3
    keyword: float = 0.5
    keyword_range: float = 12.0
    speaker: float = 0.3
    time: float = 0.25
    date: float = 0.3
    question: float = -0.08
    length: float = 0.08
    assistant: float = -0.25
    parts: float = -0.15
    session: float = 0.4
    recency: float = 0.0
    importance: float = 0.2


DEFAULT: Final = Weights()


def rank(candidates: Candidates, cues: Cues, weights: Weights = DEFAULT) -> Ranking:
    """Return the records of the candidates, the best first."""
    if not len(candidates.record):
        return Ranking(np.empty(0, np.int64), np.empty(0), {})
    parts = _channels(candidates, weights) | _cues(candidates, cues, weights)
    scores = np.sum(list(parts.values()), axis=0)
    parts["session"] = weights.session * _session_prior(candidates, scores)
    scores = scores + parts["session"]
    order = _best_passages(candidates.record, scores)
    return Ranking(order, scores[order], {name: part[order] for name, part in parts.items()})


def _channels(of: Candidates, weights: Weights) -> dict[str, Floats]:
    lowest, highest = of.dense.min(), of.dense.max()
    return {
        "dense": weights.dense * (of.dense - lowest) / max(highest - lowest, weights.dense_range),
        "keyword": weights.keyword * of.keyword / max(of.keyword.max(), weights.keyword_range),
        "question": weights.question * of.asks,
        "length": weights.length * of.length,
        "parts": weights.parts * np.log(of.parts),
        "recency": weights.recency * _recency(of.occurred_at),
        "importance": weights.importance * (of.importance - 0.5),
    }


def _cues(of: Candidates, cues: Cues, weights: Weights) -> dict[str, Floats]:
    parts: dict[str, Floats] = {}
    if cues.role != "assistant":
        parts["assistant"] = weights.assistant * of.assistant
    if cues.speakers:
        parts["speaker"] = weights.speaker * of.named
    if cues.when:
        parts["time"] = weights.time * of.tells_time
    if cues.ranges:
        near = [_near(of.occurred_at, start, end) for start, end in cues.ranges]
        parts["date"] = weights.date * np.maximum.reduce(near)
    return parts


def _near(moments: Floats, start: float, end: float) -> Floats:
    """Return 1 inside a range, falling after it (people tell later) and sooner before it."""
    late = np.maximum(moments - end, 0.0) / (10 * _DAY)
    early = np.maximum(start - moments, 0.0) / (3 * _DAY)
    near: Floats = np.exp(-late - early)
    return near


def _recency(moments: Floats) -> Floats:
    """Return 1 for the newest, half of it for every thirty days before."""
    fresh: Floats = np.exp2((moments - moments.max()) / (30 * _DAY))
    return fresh


def _session_prior(of: Candidates, scores: Floats) -> Floats:
    """Return a third of the sum of the three best records of each candidate's session.

    A record without a session is one of its own.
    """
    order = _best_passages(of.record, scores)
    alone = of.session.max() + 1 + of.record - of.record.min()
    sessions = np.where(of.session < 0, alone, of.session)
    ranked = sessions[order]
    grouped = np.argsort(ranked, kind="stable")  # by session, best first within each
    numbers, starts = np.unique(ranked[grouped], return_index=True)
    sizes = np.diff(np.append(starts, len(grouped)))
    place = np.arange(len(grouped)) - np.repeat(starts, sizes)
    best = np.where(place < 3, scores[order][grouped], 0.0)
    prior = np.add.reduceat(best, starts) / 3
    return prior[np.searchsorted(numbers, sessions)]


def _best_passages(records: Ints, scores: Floats) -> Ints:
    """Return the place of each record's best passage, the best record first."""
    order = np.argsort(-scores, kind="stable")
    _, first = np.unique(records[order], return_index=True)
    return order[np.sort(first)]


# -- items --------------------------------------------------------------------------------------


def _by_cosine(shortlist: Shortlist) -> Ranking:
    return _ordered(shortlist, shortlist.dense, {"dense": shortlist.dense})


def _by_keywords(shortlist: Shortlist) -> Ranking:
    share = _share(shortlist.keywords)
    return _ordered(shortlist, share, {"keywords": share})


def _by_both(shortlist: Shortlist) -> Ranking:
    """Half cosine, half keywords: a score that stays comparable with a cosine."""
    share = _share(shortlist.keywords)
    scores = 0.5 * shortlist.dense + 0.5 * share
    return _ordered(shortlist, scores, {"dense": shortlist.dense, "keywords": share})


items: Mapping[str, Callable[[Shortlist], Ranking]] = {
    "hybrid": _by_both,
    "vector": _by_cosine,
    "keyword": _by_keywords,
}
"""How items, which are no conversation, are ranked: by mode."""


def _ordered(shortlist: Shortlist, scores: Floats, parts: Mapping[str, Floats]) -> Ranking:
    order = _best_passages(shortlist.rows["id"], scores)
    return Ranking(order, scores[order], {name: part[order] for name, part in parts.items()})


def _share(values: Floats) -> Floats:
    high = values.max(initial=0.0)
    return values / high if high > 0 else values
