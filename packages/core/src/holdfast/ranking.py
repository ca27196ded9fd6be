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
    """The cosine, lifted towards 1 by the keywords: the best ones take half of what is missing.

    So the score stays a cosine: 1 for the same text, and unchanged where no word is shared.
    """
    share = _share(candidates.keywords)
    scores = candidates.dense + 0.5 * share * (1 - candidates.dense)
    return _ordered(candidates, scores, {"dense": candidates.dense, "keywords": share})


items: Mapping[str, Callable[[Candidates], Ranked]] = {
    "hybrid": _by_both,
    "vector": _by_cosine,
    "keyword": _by_keywords,
}
"""How items are ranked, by mode."""


def _ordered(candidates: Candidates, scores: Floats, parts: Mapping[str, Floats]) -> Ranked:
    """Keep the best passage of each row; of equals, the row that was put first leads."""
    rows = candidates.rows
    order = np.lexsort((rows["id"], -scores))
    if rows["passage"].any():
        _, first = np.unique(rows["id"][order], return_index=True)
        order = order[np.sort(first)]
    return Ranked(order, scores, parts)


def _scaled(values: Floats) -> Floats:
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.ones_like(values)


def _share(values: Floats) -> Floats:
    high = values.max()
    return values / high if high > 0 else values
