"""Fusion of the channels; pure functions over arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from holdfast.storage.codec import Floats
from holdfast.storage.searching import Candidates, Ranked


def rank(candidates: Candidates) -> Ranked:
    """Put candidates in order by half dense, half keywords, each scaled to the best."""
    parts = {
        "dense": 0.5 * _scaled(candidates.dense),
        "keywords": 0.5 * _share(candidates.keywords),
    }
    return _ordered(candidates, parts["dense"] + parts["keywords"], parts)


def _by_cosine(candidates: Candidates) -> Ranked:
    return _ordered(candidates, candidates.dense, {"dense": candidates.dense})


def _by_keywords(candidates: Candidates) -> Ranked:
    share = _share(candidates.keywords)
    return _ordered(candidates, share, {"keywords": share})


def _by_both(candidates: Candidates) -> Ranked:
    """Half cosine, half keywords: a score that stays comparable with a cosine."""
    share = _share(candidates.keywords)
    scores = 0.5 * candidates.dense + 0.5 * share
    return _ordered(candidates, scores, {"dense": candidates.dense, "keywords": share})


items: Mapping[str, Callable[[Candidates], Ranked]] = {
    "hybrid": _by_both,
    "vector": _by_cosine,
    "keyword": _by_keywords,
}
"""How items are ranked, by mode."""


def _ordered(candidates: Candidates, scores: Floats, parts: Mapping[str, Floats]) -> Ranked:
    """Keep the best passage of each row."""
    order = np.argsort(-scores, kind="stable")
    _, first = np.unique(candidates.rows["id"][order], return_index=True)
    return Ranked(order[np.sort(first)], scores, parts)


def _scaled(values: Floats) -> Floats:
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.ones_like(values)


def _share(values: Floats) -> Floats:
    high = values.max()
    return values / high if high > 0 else values
