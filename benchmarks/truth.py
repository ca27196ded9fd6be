"""What a search should have found: brute force over the same memos, made again from their seeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from material import TOPICS, Floats, memos, topic
from peers import LIMIT
from worker import SESSION, Layout

TEN = [topic(number) for number in range(TOPICS)]

Answer = Mapping[str, Any]
"""One answered question: user, topic, vector, found keys."""


class Truth:
    """The best ten of every question about a layout; what several are asked is found once.

    Args:
        layout: Which memos there are.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._best: dict[Any, set[str]] = {}

    def recalls(self, answers: Sequence[Answer]) -> list[float]:
        """Return the share of the true best ten that each answer found."""
        self._find(answers)
        best = [self._best[_name(answer)] for answer in answers]
        return [
            len(right.intersection(answer["found"])) / max(1, len(right))
            for right, answer in zip(best, answers, strict=True)
        ]

    def _find(self, answers: Sequence[Answer]) -> None:
        asked: dict[str, dict[Any, Answer]] = defaultdict(dict)
        for answer in answers:
            if _name(answer) not in self._best:
                asked[answer["user"]][_name(answer)] = answer
        for user, own in asked.items():
            found = self._of_user(user, list(own.values()))
            self._best |= zip(own, found, strict=True)

    def _of_user(self, user: str, asked: Sequence[Answer]) -> list[set[str]]:
        """Return the best ten of each question, a session at a time: a user may have a million."""
        queries = np.array([one["vector"] for one in asked], dtype=np.float32)
        barred = [np.array([one["topic"] not in (None, each) for each in TEN]) for one in asked]
        first = int(user[1:]) * self._layout.each
        best: list[list[tuple[float, int]]] = [[] for _ in asked]
        for start in range(0, self._layout.each, SESSION):
            count = min(SESSION, self._layout.each - start)
            numbers = np.arange(first + start, first + start + count)
            scores = queries @ _vectors(user, first + start, count).T
            for place, no in enumerate(barred):
                own = np.where(no[numbers % TOPICS], -np.inf, scores[place])
                top = np.argpartition(own, -min(LIMIT, count))[-min(LIMIT, count) :]
                pairs = zip(own[top].tolist(), numbers[top].tolist(), strict=True)
                best[place] = sorted([*best[place], *pairs], reverse=True)[:LIMIT]
        return [{f"m{number}" for score, number in own if score > -np.inf} for own in best]


def _name(answer: Answer) -> tuple[str, str | None, float]:
    return answer["user"], answer["topic"], answer["vector"][0]


@lru_cache(maxsize=500)
def _vectors(user: str, start: int, count: int) -> Floats:
    return np.stack([memo.vector for memo in memos(user, start, count)])
