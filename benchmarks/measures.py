"""What a ranking of turns is worth, given the turns that answer: recall, nDCG, recall in a budget.

All are shares between 0 and 1 for one question. Tokens are counted on a match as a prompt would
show it, "Speaker (8 May 2023): text", the date with every one of them; a budget is filled from
the top and ends at the first match that does not fit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from holdfast import Match
from holdfast.context import tokens

CUTS = (5, 10, 20, 50)
BUDGETS = (250, 500, 1_000, 2_000)


@dataclass(frozen=True)
class Shown:
    """One match: which turns it stands for, and its tokens."""

    turns: frozenset[str]
    tokens: int


@dataclass
class Result:
    """Figures of one way on one file: a row a question, and the times of its searches."""

    way: str
    rows: list[dict[str, float]] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    conversations: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def rendered(match: Match) -> str:
    """Return a match as a prompt shows it."""
    record = match.record
    who = record.speaker or record.role or "memory"
    return f"{who} ({record.occurred_at:%-d %B %Y}): {match.passage}"


def measured(shown: Sequence[Shown], evidence: Collection[str], full: int = 0) -> dict[str, float]:
    """Return every measure of one question's matches; `full`: tokens of the whole history."""
    wanted = set(evidence)
    found = {f"recall@{cut}": _recall(shown[:cut], wanted) for cut in CUTS}
    found |= {f"hit@{cut}": float(found[f"recall@{cut}"] > 0) for cut in (10, 20)}
    found["ndcg@10"] = _ndcg(shown[:10], wanted)
    found |= {f"within {most}": _recall(_fitting(shown, most), wanted) for most in BUDGETS}
    found["tokens@10"] = float(sum(one.tokens for one in shown[:10]))
    found["saving@10"] = 1 - found["tokens@10"] / full if full else 0.0
    return found


def _recall(shown: Iterable[Shown], wanted: set[str]) -> float:
    seen = frozenset[str]().union(*(one.turns for one in shown))
    return len(wanted & seen) / len(wanted)


def _ndcg(shown: Sequence[Shown], wanted: set[str]) -> float:
    gain, left = 0.0, set(wanted)
    for place, one in enumerate(shown):
        if left & one.turns:
            gain += 1 / math.log2(place + 2)
            left -= one.turns
    return gain / sum(1 / math.log2(place + 2) for place in range(min(len(wanted), len(shown), 10)))


def _fitting(shown: Sequence[Shown], most: int) -> Sequence[Shown]:
    used = np.cumsum([one.tokens for one in shown])
    return shown[: int(np.searchsorted(used, most, side="right"))]


def interval(values: Sequence[float], rounds: int = 1_000) -> tuple[float, float]:
    """Return the 95 % interval of a mean: percentile bootstrap over questions."""
    drawn = np.random.default_rng(0).choice(np.asarray(values), (rounds, len(values)))
    low, high = np.percentile(drawn.mean(axis=1), (2.5, 97.5))
    return float(low), float(high)


def counter() -> tuple[Callable[[str], int], str]:
    """Return how tokens are counted, and the counter's name; nothing is ever fetched."""
    known = tokens.counter("gpt-4")
    return known, "estimated" if known is tokens.estimate else "cl100k_base"


def means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of every measure."""
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
