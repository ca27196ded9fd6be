"""A second opinion on the best matches, from a model that reads question and text together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from holdfast.errors import ProviderError
from holdfast.providers.base import Reranker
from holdfast.providers.checking import name_of
from holdfast.runtime import Runtime
from holdfast.storage.contract.search import Found

TOP: Final = 50
"""So many matches are read again; on LoCoMo they hold 93 % of what answers."""


async def rerank(
    runtime: Runtime, reranker: Reranker, query: str, found: Sequence[Found]
) -> list[Found]:
    """Put the first `TOP` matches in the reranker's order; equal ones stay as they are.

    The scores stay where they are, by place: so they fall, and compare with those behind the
    top, whatever the model's scale. Its own score is the part ``reranker``.

    Raises:
        ProviderError: The model failed, or did not give one finite number a text.
    """
    top, rest = found[:TOP], found[TOP:]
    if not top:
        return []
    given = await runtime.rerank(reranker, query, [_text(item) for item in top])
    scores = _checked(given, len(top), f"the reranker {name_of(reranker)}")
    order = sorted(range(len(top)), key=lambda place: -scores[place])
    ordered = [
        top[place]._replace(score=held.score, parts={**top[place].parts, "reranker": scores[place]})
        for place, held in zip(order, top, strict=True)
    ]
    return [*ordered, *rest]


def _text(item: Found) -> str:
    start, end = item.span
    passage = item.record.text[start:end]
    return f"{item.record.speaker}: {passage}" if item.record.speaker else passage


def _checked(given: Sequence[float], count: int, who: str) -> list[float]:
    try:
        scores = [float(score) for score in given]
    except (TypeError, ValueError, OverflowError) as error:
        raise ProviderError(f"{who} gave no list of numbers") from error
    if len(scores) != count:
        raise ProviderError(f"{who} was asked for {count} scores and gave {len(scores)}")
    if not all(map(math.isfinite, scores)):
        raise ProviderError(f"{who} gave a score that is NaN or infinite")
    return scores
