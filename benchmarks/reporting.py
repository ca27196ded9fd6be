"""Rows of `locomo.py` as figures and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np

SCORES = ("f1", "bleu1", "judge", "recall")
APART = "adversarial"
"""LoCoMo's fifth category: scored, but in no overall figure."""

Rows = Sequence[Mapping[str, Any]]


def figures(rows: Rows) -> dict[str, Any]:
    """Return every figure by way: overall (categories 1 to 4), by category, tokens, latency."""
    return {way: _of_way([row for row in rows if row["way"] == way]) for way in _names(rows, "way")}


def _of_way(rows: Rows) -> dict[str, Any]:
    answerable = [row for row in rows if row["category"] != APART]
    by = {
        name: _scores([row for row in rows if row["category"] == name])
        for name in _names(rows, "category")
    }
    return {
        "overall": _scores(answerable),
        "by category": by,
        "tokens": fmean(row["tokens"] for row in rows),
        "search ms": _percentiles([1_000 * row["search"] for row in rows]),
        "total s": _percentiles([row["total"] for row in rows if "total" in row]),
        "model": _usage(rows),
    }


def _scores(rows: Rows) -> dict[str, float]:
    found: dict[str, float] = {"questions": len(rows)}
    for score in SCORES:
        values = [row[score] for row in rows if row.get(score) is not None]
        if values:
            found[score] = fmean(values)
    return found


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    return {f"p{part}": float(np.percentile(values, part)) for part in (50, 95)}


def _usage(rows: Rows) -> dict[str, int]:
    spent = [row["usage"] for row in rows if "usage" in row]
    names = ("calls", "prompt tokens", "completion tokens")
    return {name: sum(each[place] for each in spent) for place, name in enumerate(names)}


def _names(rows: Rows, field: str) -> list[str]:
    return list(dict.fromkeys(row[field] for row in rows))


def tables(rows: Rows) -> str:
    """Return two Markdown tables: scores by way and category, cost and latency by way."""
    made = figures(rows)
    head = ["way", "category", "questions", "F1", "BLEU-1", "judge", "evidence"]
    scored = [_line(way, "1 to 4", way_["overall"]) for way, way_ in made.items()]
    for way, way_ in made.items():
        scored += [
            _line(way, "5: never said" if name == APART else name, scores)
            for name, scores in sorted(way_["by category"].items(), key=lambda item: item[0])
        ]
    cost = ["way", "tokens", "search ms p50", "p95", "total s p50", "p95"]
    costs = [
        [way, f"{one['tokens']:.0f}", *_two(one["search ms"], 1), *_two(one["total s"], 2)]
        for way, one in made.items()
    ]
    return f"{_table(head, scored)}\n\n{_table(cost, costs)}"


def _line(way: str, name: str, scores: Mapping[str, float]) -> list[str]:
    cells = [f"{100 * scores[score]:.1f}" if score in scores else "" for score in SCORES]
    return [way, name, str(scores["questions"]), *cells]


def _two(percentiles: Mapping[str, float], digits: int) -> list[str]:
    return [f"{value:.{digits}f}" for value in percentiles.values()] or ["", ""]


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
