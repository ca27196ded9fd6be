"""Figures as Markdown tables and as a drawing."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from measures import Result, interval, means

SHOWN = (
    "recall@5",
    "recall@10",
    "recall@20",
    "recall@50",
    "hit@10",
    "ndcg@10",
    "within 250",
    "within 500",
    "within 1000",
    "within 2000",
    "saving@10",
)
SHORT = ("recall@10", "recall@20", "ndcg@10", "within 500", "within 1000")
ALONE = "without "  # how the name of an ablation begins


def markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    rows = (head, ["---"] * len(head), *lines)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def table(results: Sequence[Result]) -> str:
    """Return the means in per cent, intervals of recall@10, search times; ablations left out."""
    lines = []
    for result in results:
        if result.way.startswith(ALONE):
            continue
        mean = means(result.rows)
        low, high = interval([row["recall@10"] for row in result.rows])
        cells = [f"{100 * mean[name]:.1f}" for name in SHOWN]
        cells[1] += f" [{100 * low:.1f}, {100 * high:.1f}]"
        lines.append([result.way, *cells, *(f"{1_000 * value:.2f}" for value in times(result))])
    return markdown(["way", *SHOWN, "ms p50", "p95"], lines)


def by_category(results: Sequence[Result]) -> str:
    """Return the means of each category in per cent, ablations left out."""
    lines = []
    for name in sorted(set(results[0].categories)):
        for result in results:
            if not result.way.startswith(ALONE):
                mean = means(_own(result, result.categories, name))
                number = result.categories.count(name)
                cells = [f"{100 * mean[one]:.1f}" for one in SHORT]
                lines.append([f"{name} ({number})", result.way, *cells])
    return markdown(["category (questions)", "way", *SHORT], lines)


def ablated(results: Sequence[Result]) -> str:
    """Return what each part gains, in points: the first way less each ablation, paired."""
    lines = []
    for result in results:
        if result.way.startswith(ALONE):
            cells = [_gain(results[0], result, name) for name in SHORT]
            lines.append([result.way.removeprefix(ALONE), *cells])
    return markdown(["part", *SHORT], lines)


def _gain(whole: Result, part: Result, name: str) -> str:
    pairs = zip(whole.rows, part.rows, strict=True)
    gains = [100 * (with_it[name] - alone[name]) for with_it, alone in pairs]
    low, high = interval(gains)
    return f"{statistics.fmean(gains):+.1f} [{low:+.1f}, {high:+.1f}]"


def times(result: Result) -> tuple[float, float]:
    """Return the median and the 95th percentile of the search times, in seconds."""
    seconds = sorted(result.seconds)
    return statistics.median(seconds), seconds[int(0.95 * len(seconds))]


def summary(result: Result) -> Mapping[str, Any]:
    """Return the figures of one way: overall with intervals, by category, by conversation."""
    middle, high = times(result)

    def by(labels: Sequence[str]) -> dict[str, dict[str, float]]:
        return {label: means(_own(result, labels, label)) for label in sorted(set(labels))}

    return {
        "questions": len(result.rows),
        "mean": means(result.rows),
        "interval": {n: interval([row[n] for row in result.rows]) for n in result.rows[0]},
        "by category": by(result.categories),
        "by conversation": by(result.conversations),
        "ms": {"p50": 1_000 * middle, "p95": 1_000 * high},
    }


def _own(result: Result, labels: Sequence[str], label: str) -> list[dict[str, float]]:
    return [row for row, own in zip(result.rows, labels, strict=True) if own == label]


def plot(figures: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Draw recall over tokens, one panel a file, as PNG and SVG."""
    import matplotlib  # only here: the tables need no drawing

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(
        1, len(figures), figsize=(5.2 * len(figures), 3.8), layout="constrained", squeeze=False
    )
    for axes, (name, ways) in zip(panels[0], figures.items(), strict=True):
        for way, found in ways.items():
            if way.startswith(ALONE):
                continue
            mean = found["mean"]
            points = [(int(key[7:]), mean[key]) for key in mean if key.startswith("within")]
            axes.plot(*zip(*points, strict=True), marker="o", label=way)
        axes.set(title=name, xscale="log", ylim=(0, 1), xlabel="tokens", ylabel="evidence recall")
        axes.grid(visible=True, alpha=0.3)
    panels[0][0].legend(loc="lower right")
    save(figure, path)


def save(figure: Any, path: Path) -> None:
    """Write a drawing as PNG and as SVG, equal for equal figures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path.with_suffix(".png"), dpi=160)
    figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
