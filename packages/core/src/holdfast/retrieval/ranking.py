"""Fusion: how the channels and cues of a search become one order; pure functions over arrays.

A memory's score is a weighted sum. A cue that is absent (no name, no date, one speaker, one
session) adds the same to all, so nothing. What each weight gained was measured by
``benchmarks/retrieval.py --ablate`` on chats of two kinds (`docs/benchmarks.md`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Final

import numpy as np
from numpy.typing import NDArray

from holdfast.language.cues import Cues
from holdfast.language.traits import ASKS, TELLS_TIME
from holdfast.storage.contract.arrays import Bools, Floats, Positions, begins
from holdfast.storage.contract.search import ROLE_CODES, Candidates, Ranked

Bits = NDArray[np.int32]

_DAY: Final = 86_400_000_000  # microseconds


@dataclass(frozen=True, slots=True)
class Weights:
    """What each channel and cue counts for.

    Gains are in points of recall@10 on eleven development chats: LoCoMo's, where two
    people talk, and BEAM's, where an assistant answers at length. They are flat: half or twice a
    weight moves either by less than a point or two.

    Attributes:
        dense: Nearness in meaning, over the spread among the candidates; +4.6, +4.4.
        dense_range: That spread counts as at least so much, or noise decides in a small store.
        keyword: The words that are asked for; +10.4, +5.5.
        keyword_range: A best score below this (some two rare words) counts as a part of it.
        speaker: Someone named in the question said it; +2.9, no names in BEAM.
        time: The question is for a time and the text tells one; +.9, -.5.
        date: Said in the time that the question names, or soon after; +1.7, no dates in BEAM.
        question: A text that ends with a question seldom answers one; +1.1, -1.2.
        assistant: Said by an assistant that talks at greater length than the others, where the
            question is not for its words; 0, +2.2.
        passages: By the logarithm of their number: many tries, one of which lands; 0, +3.0.
        session: The best of its session are good, too; +2, +.7.
        recency: The question is for the present state of things; half as much every thirty days
            before the newest. (For every question, .02 of it costs .3.)
        importance: As given; both development chats leave all alike.
        graph: A relation boosts it, where the search asks for that: +2.1 on LoCoMo's multi-hop
            questions with facts in store, over all of them +.4, which is noise (`docs/graph.md`).
    """

    dense: float = 0.55
    dense_range: float = 0.3
    keyword: float = 0.5
    keyword_range: float = 12.0
    speaker: float = 0.3
    time: float = 0.25
    date: float = 0.3
    question: float = -0.08
    assistant: float = -0.3
    passages: float = -0.15
    session: float = 0.4
    recency: float = 0.1
    importance: float = 0.2
    graph: float = 0.2


DEFAULT: Final = Weights()


def rank(candidates: Candidates, cues: Cues, weights: Weights = DEFAULT) -> Ranked:
    """Put memories in order: what is meant, who said it, when, and how it was said."""
    parts = _channels(candidates, weights)
    parts |= _texts(candidates, weights)
    parts |= _cues(candidates, cues, weights)
    scores: Floats = reduce(np.add, parts.values())
    parts["session"] = weights.session * _session(candidates, scores)
    scores = scores + parts["session"]
    if candidates.graph is not None:
        parts["graph"] = weights.graph * candidates.graph
        scores = scores + parts["graph"]
    return Ranked(_best_passages(candidates, scores), scores, parts)


def _channels(of: Candidates, weights: Weights) -> dict[str, Floats]:
    """Scale each channel to its best; the ranges keep small differences of a few rows small."""
    low = of.dense.min()
    width, most = float(of.dense.max() - low), float(of.keywords.max())
    return {
        "dense": (of.dense - low) * (weights.dense / max(width, weights.dense_range)),
        "keywords": of.keywords * (weights.keyword / max(most, weights.keyword_range)),
    }


def _texts(of: Candidates, weights: Weights) -> dict[str, Floats]:
    """Return what speaks for a text whatever is asked."""
    parts: dict[str, Floats] = {
        "question": _where((of.rows["traits"] & ASKS) != 0, weights.question),
        "importance": weights.importance * (of.rows["importance"] - np.float32(0.5)),
    }
    if not of.single:
        parts["passages"] = weights.passages * np.log(of.rows["passages"]).astype(np.float32)
    return parts


def _where(holds: Bools, weight: float) -> Floats:
    """Return a weight where something holds, else 0."""
    weighed: Floats = holds * np.float32(weight)
    return weighed


def _cues(of: Candidates, cues: Cues, weights: Weights) -> dict[str, Floats]:
    rows = of.rows
    parts: dict[str, Floats] = {}
    if cues.role != "assistant":
        parts |= _wordy_assistant(of, weights)
    if cues.speakers:
        named = [of.speakers[name] for name in cues.speakers if name in of.speakers]
        parts["speaker"] = _where(np.isin(rows["speaker"], named), weights.speaker)
    if cues.when:
        parts["time"] = _where((rows["traits"] & TELLS_TIME) != 0, weights.time)
    if cues.now:
        age = (rows["occurred"].max() - rows["occurred"]) / (30 * _DAY)
        parts["recency"] = np.exp2(-age).astype(np.float32) * weights.recency
    if cues.ranges:
        near = [_near(rows["occurred"], start, end) for start, end in cues.ranges]
        parts["date"] = weights.date * np.maximum.reduce(near)
    return parts


def _wordy_assistant(of: Candidates, weights: Weights) -> dict[str, Floats]:
    """Weigh what an assistant said by how much longer its texts are than the others'.

    Long answers crowd out what the user said about himself; three times as long counts in full. An
    assistant whose turns are as short as others' is one more speaker.
    """
    said = of.rows["role"] == ROLE_CODES["assistant"]
    count = np.count_nonzero(said)
    if not 0 < count < len(said):
        return {}
    words = of.rows["words"] * of.rows["passages"]
    times = (1.0 + words[said].mean()) / (1.0 + words[~said].mean())
    share = float(np.clip(np.log(times) / np.log(3.0), 0.0, 1.0))
    return {"assistant": _where(said, weights.assistant * share)}


def _near(occurred: Positions, start: float, end: float) -> Floats:
    """Return 1 inside a range, falling after it (people tell later) and sooner before it."""
    late = np.maximum(occurred - end * 1e6, 0.0) / (10 * _DAY)
    early = np.maximum(start * 1e6 - occurred, 0.0) / (3 * _DAY)
    near: Floats = np.exp(-late - early).astype(np.float32)
    return near


def _session(of: Candidates, scores: Floats) -> Floats:
    """Return a third of the sum of the three best rows of each candidate's session."""
    sessions = of.rows["session"]
    if of.single:
        groups, best = _grouped(sessions, scores)
    else:
        order = _best_passages(of, scores)
        groups, best = _grouped(sessions[order], scores[order])
    best[:-3][groups[3:] == groups[:-3]] = 0
    starts = begins(groups).nonzero()[0]
    prior: Floats = np.zeros(groups[-1] + 1, dtype=np.float32)
    prior[groups[starts]] = np.add.reduceat(best, starts) / 3
    return prior.take(sessions)


def _grouped(sessions: Positions, scores: Floats) -> tuple[Positions, Floats]:
    """Return sessions in order, and their scores, the best last within each."""
    keys = (sessions.astype(np.int64) << 32) + _turned(scores.view(np.int32))
    keys.sort()
    lower = keys.astype(np.int32)
    return (keys - lower) >> 32, _turned(lower).view(np.float32)


def _cosine(dense: Floats, keywords: Floats) -> Floats:
    return dense


def _share(dense: Floats, keywords: Floats) -> Floats:
    """The keywords as a share of the best."""
    high = keywords.max()
    return keywords / high if high > 0 else keywords


def _lifted(dense: Floats, keywords: Floats) -> Floats:
    """The cosine, lifted towards 1 by the keywords: the best ones take half of what is missing.

    So the score stays a cosine: 1 for the same text, and unchanged where no word is shared.
    """
    lifted: Floats = dense + 0.5 * _share(dense, keywords) * (1 - dense)
    return lifted


document_scores: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "hybrid": _lifted,
    "vector": _cosine,
    "keyword": _share,
}
"""How documents are scored by cosine and keywords: by mode."""


def _ranking(score: Callable[[Floats, Floats], Floats]) -> Callable[[Candidates], Ranked]:
    """Return what puts items in order, by a score alone."""

    def ranked(candidates: Candidates) -> Ranked:
        dense, keywords = candidates.dense, candidates.keywords
        parts = {"dense": dense, "keywords": _share(dense, keywords)}
        scores = score(dense, keywords)
        return Ranked(_by_score(candidates, scores), scores, parts)

    return ranked


documents: Mapping[str, Callable[[Candidates], Ranked]] = {
    mode: _ranking(score) for mode, score in document_scores.items()
}
"""How documents are ranked, by mode."""


def _by_score(candidates: Candidates, scores: Floats) -> Positions:
    """Return the place of each row's best passage; of equals, the row that was put first leads."""
    rows = candidates.rows
    order: Positions = (-scores).argsort()
    if (scores[order[1:]] == scores[order[:-1]]).any():
        order = np.lexsort((rows["id"], -scores))
    return _first_of_each(candidates, order)


def _best_passages(candidates: Candidates, scores: Floats) -> Positions:
    """Return the place of each row's best passage, the best row first.

    Of equals, the row that was put first leads: a view that followed the log holds rows in
    another order than one built anew.
    """
    order = _descending(scores)
    if (scores[order[1:]] == scores[order[:-1]]).any():
        rows = candidates.rows
        order = np.lexsort((rows["passage"], rows["id"], rows["place"], -scores))
    return _first_of_each(candidates, order)


def _first_of_each(of: Candidates, order: Positions) -> Positions:
    """Return an order of passages with only the first of every row."""
    if of.single or not of.rows["passage"].any():
        return order
    _, first = np.unique(of.rows["id"][order], return_index=True)
    best: Positions = order[np.sort(first)]
    return best


def _descending(scores: Floats) -> Positions:
    """Return the places of scores, the best first and equals as they stand."""
    keys = (~_turned(scores.view(np.int32))).astype(np.int64) << 32
    keys |= np.arange(len(scores))
    keys.sort()
    order: Positions = keys & 0xFFFF_FFFF
    return order


def _turned(bits: Bits) -> Bits:
    """Turn the bits of floats into whole numbers of the same order, or back.

    Of floats below 0 the bits run backwards (IEEE 754). Numbers are sorted in vectors, with a
    place or a group in their other half: a third of the time of `argsort`.
    """
    turned: Bits = bits ^ (bits >> 31 & 0x7FFF_FFFF)
    return turned
