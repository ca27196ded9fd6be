"""What a search should have found: brute force over the same memos, made again from their seeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from material import Floats, memos, topic
from peers import LIMIT
from worker import SESSION, Layout

Answer = Mapping[str, Any]
"""One answered question: user, topic, vector, found keys."""


def recalls(layout: Layout, answers: Sequence[Answer]) -> list[float]:
    """Return the share of the true best ten that each answer found."""
    right = _best(layout, answers)
    return [
        len(right[_name(answer)].intersection(answer["found"])) / max(1, len(right[_name(answer)]))
        for answer in answers
    ]


def _name(answer: Answer) -> tuple[str, str | None, float]:
    return answer["user"], answer["topic"], answer["vector"][0]


def _best(layout: Layout, answers: Sequence[Answer]) -> dict[Any, set[str]]:
    """Return the true best ten of every question; a question asked of several is answered once."""
    asked: dict[str, dict[Any, Answer]] = defaultdict(dict)
    for answer in answers:
        asked[answer["user"]][_name(answer)] = answer
    return {
        name: {f"m{number}" for number in best}
        for user, own in asked.items()
        for name, best in _of_user(layout, user, own).items()
    }


def _of_user(layout: Layout, user: str, asked: Mapping[Any, Answer]) -> dict[Any, list[int]]:
    """Return the numbers of the best ten, a session at a time: a user may have a million."""
    queries = np.array([one["vector"] for one in asked.values()], dtype=np.float32)
    first = int(user[1:]) * layout.each
    best: list[list[tuple[float, int]]] = [[] for _ in asked]
    for start in range(0, layout.each, SESSION):
        rows = _vectors(user, first + start, min(SESSION, layout.each - start))
        scores = queries @ rows.T
        for place, one in enumerate(asked.values()):
            fits = _fitting(one["topic"], first + start, len(rows))
            pairs = zip(scores[place][fits - first - start].tolist(), fits.tolist(), strict=True)
            best[place] = sorted([*best[place], *pairs], reverse=True)[:LIMIT]
    return {name: [number for _, number in found] for name, found in zip(asked, best, strict=True)}


@lru_cache(maxsize=500)
def _vectors(user: str, start: int, count: int) -> Floats:
    return np.stack([memo.vector for memo in memos(user, start, count)])


def _fitting(wanted: str | None, start: int, count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    numbers = np.arange(start, start + count)
    if wanted is None:
        return numbers
    return numbers[[topic(number) == wanted for number in numbers.tolist()]]
