"""Figures of `speed.py` as tables, ratios and a drawing."""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aims
import numpy as np
from peers import OURS, SYSTEMS
from tables import markdown, save

Result = Mapping[str, Any]

COLUMNS = {
    "search": "search",
    "filtered": "+ filter",
    "add_search": "after an add",
    "warm": "first of a user",
    "reopen": "reopen + first",
    "load, a memo": "load, a memo",
    "add": "add",
    "get": "get",
    "update": "update",
    "delete": "delete",
    "delete_all": "delete a user",
}
DRAWN = {
    "search": "search",
    "filtered": "search with a filter",
    "add": "one durable add",
    "reopen": "reopen + first search",
}
EACH = 1_000  # memos of one of many users
BEGIN, END = "<!-- speed: begin -->", "<!-- speed: end -->"


def summary(rounds: Sequence[Sequence[float]], used: Sequence[float]) -> dict[str, Any]:
    """Return what a phase took: percentiles over all, of processor time too; rounds' medians."""
    every = [ms for times in rounds for ms in times]
    p50, p95, p99 = (float(np.percentile(every, part)) for part in (50, 95, 99))
    return {
        "p50": p50,
        "p95": p95,
        "p99": p99,
        "least": min(every),
        "most": max(every),
        "count": len(every),
        "cpu p50": float(np.percentile(used, 50)) if used else None,
        "cpu p99": float(np.percentile(used, 99)) if used else None,
        "rounds": [statistics.median(times) for times in rounds if times],
    }


def joined(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return several runs as one; what one table shows is all of the last run that measured it."""
    rest: dict[str, Any] = {}
    tables: dict[tuple[int, int], Sequence[Result]] = {}
    for run in runs:
        rest |= {name: value for name, value in run.items() if name != "results"}
        for size, users in {(one["size"], one["users"]) for one in run["results"]}:
            own = [one for one in run["results"] if (one["size"], one["users"]) == (size, users)]
            tables[(size, users)] = own
    every = [one for own in tables.values() for one in own]
    return {**rest, "command": " ; ".join(run["command"] for run in runs), "results": every}


def page(found: Mapping[str, Any]) -> str:
    """Return everything as Markdown."""
    parts = [setup(found)]
    for size, users in sorted({(one["size"], one["users"]) for one in found["results"]}):
        rows = [one for one in found["results"] if (one["size"], one["users"]) == (size, users)]
        whose = "one user" if users == 1 else f"{users:,} users"
        parts += [f"### {size:,} memos of {whose}", times(rows), spans(rows), left_out(rows)]
    parts += [_growth(found.get("growth", [])), _crowd(found.get("crowd", []))]
    parts += ["### What is aimed at", aims.table(found)] if found["results"] else []
    return "\n\n".join(part for part in parts if part)


def setup(found: Mapping[str, Any]) -> str:
    """Say what was measured, how each system is set up, and what its acknowledgement means."""
    measured = {one["system"] for one in found["results"]}
    lines = [
        [name, entry.setting, entry.durability]
        for name, entry in SYSTEMS.items()
        if name in measured
    ]
    machine = found["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    where = f"{machine['cpus']} cores, Python {machine['python']}; {versions}."
    told = re.sub(r" --(out|write|plot) \S+", "", found["command"]).replace(" ; ", "\n")
    return f"{where}\n\n```\n{told}\n```\n\n" + markdown(
        ["system", "set up", "death that a write survives"], lines
    )


def times(rows: Sequence[Result]) -> str:
    """Return medians in milliseconds, disk, memory and recall: one system a row."""
    head = ["ms, p50", *COLUMNS.values(), "disk MB", "RSS MB", "recall@10", "+ filter"]
    lines = [
        [
            row["system"],
            *(_ms(row["phases"].get(phase, {}).get("p50")) for phase in COLUMNS),
            *(_mb((row["facts"].get("full") or {}).get(what)) for what in ("disk", "rss")),
            *(_recall(row, phase) for phase in ("search", "filtered")),
        ]
        for row in _whole(rows)
    ]
    return markdown(head, lines)


def spans(rows: Sequence[Result]) -> str:
    """Return the range of the rounds' medians, the 99th percentile, and ratios to ours."""
    ours = {row["system"]: row["phases"] for row in rows}
    spread = ["rounds", "p99", "CPU", "CPU p99"]
    head = ["search", *spread, "times items'", "times hybrid's", "add", *spread]
    lines = []
    for row in _whole(rows):
        search, add = row["phases"].get("search"), row["phases"].get("add")
        ratios = [_ratio(search, ours.get(name, {}).get("search")) for name in OURS[2::-2]]
        lines.append(
            [
                f"{row['system']}: {_ms((search or {}).get('p50'))}",
                *_spread(search),
                *ratios,
                _ms((add or {}).get("p50")),
                *_spread(add),
            ]
        )
    return markdown(head, lines)


def left_out(rows: Sequence[Result]) -> str:
    """Say what was left out, and why."""
    why: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for phase, reason in row["left out"].items():
            why.setdefault((row["system"], reason), []).append(COLUMNS.get(phase, phase))
    return "\n".join(
        f"* {system}: {reason} ({', '.join(phases)})" for (system, reason), phases in why.items()
    )


def _whole(rows: Sequence[Result]) -> list[Result]:
    order = list(SYSTEMS)
    some = [row for row in rows if "all" not in row["left out"]]
    return sorted(some, key=lambda row: order.index(row["system"]))


def _growth(rows: Sequence[Result]) -> str:
    if not rows:
        return ""
    lines = []
    for name in dict.fromkeys(row["system"] for row in rows):
        own = sorted((row for row in rows if row["system"] == name), key=lambda row: row["size"])
        for phase in ("search", "filtered"):
            small, large = (row["phases"][phase]["p50"] for row in (own[0], own[-1]))
            cells = [_ms(small), _ms(large), f"{large / small:.2f}"]
            lines.append([f"{name}, {COLUMNS[phase]}", *cells])
    head = ["one user's search, ms p50", "9,000 of others", "99,000 of others", "ratio"]
    return "### As others grow\n\n" + markdown(head, lines)


def _crowd(rounds: Sequence[Mapping[str, Any]]) -> str:
    if not rounds:
        return ""
    head = ["a thousand adds and searches", "errors", "a second", "loop blocked", "collector"]
    lines = []
    for way in dict.fromkeys(one["way"] for one in rounds):
        own = [one for one in rounds if one["way"] == way]
        asked = [one["calls"] / one["seconds"] for one in own if one["calls"]]
        blocked = [one["blocked_ms"] for one in own if one["blocked_ms"]]
        lines.append(
            [
                way,
                f"{sum(one['errors'] for one in own)}",
                f"{statistics.median(asked):,.0f}" if asked else "",
                _ends(blocked),
                _ends([one["collector_ms"] for one in own]),
            ]
        )
    return "### A thousand adds and searches at once\n\n" + markdown(head, lines)


def _ends(values: Sequence[float]) -> str:
    return f"{min(values):.1f} to {max(values):.1f} ms" if values else ""


def _ms(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _mb(value: float | None) -> str:
    return "" if value is None else f"{value / 1e6:,.0f}"


def _recall(row: Result, phase: str) -> str:
    if row["system"].startswith("holdfast") and "items" not in row["system"]:
        return "hybrid"
    known = row["recall"].get(phase)
    return "" if known is None else f"{known['mean']:.3f}"


def _spread(phase: Mapping[str, Any] | None) -> list[str]:
    if phase is None:
        return [""] * 4
    ends = f"{_ms(min(phase['rounds']))} to {_ms(max(phase['rounds']))}"
    return [ends, *(_ms(phase.get(part)) for part in ("p99", "cpu p50", "cpu p99"))]


def _ratio(phase: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> str:
    return "" if phase is None or other is None else f"{phase['p50'] / other['p50']:.2f}"


# -- drawing ------------------------------------------------------------------------------------

# Okabe and Ito's colours, told apart by most colour-blind eyes; ours are thick.
COLOURS = ("#000000", "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F")
MARKS = "osv^D*Px"


def plot(results: Sequence[Result], path: Path) -> None:
    """Draw cost over the number of memos, a panel an operation, log-log: many users, and one."""
    _draw([one for one in results if one["users"] == max(1, one["size"] // EACH)], path)
    alone = [one for one in results if one["users"] == 1]
    if len({one["size"] for one in alone}) > 1:
        _draw(alone, path.with_name(f"{path.name}-one"))


def _draw(results: Sequence[Result], path: Path) -> None:
    import matplotlib  # only here: the tables need no drawing

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = [name for name in SYSTEMS if "full" not in name and "bare" not in name]
    figure, panels = pyplot.subplots(2, 2, figsize=(11, 8), layout="constrained")
    for axes, (phase, title) in zip(panels.flat, DRAWN.items(), strict=True):
        for number, name in enumerate(names):
            points = sorted(
                (one["size"], one["phases"][phase]["p50"])
                for one in results
                if one["system"] == name and phase in one["phases"]
            )
            if points:
                style = {"color": COLOURS[number % 8], "marker": MARKS[number % 8]}
                width = 2.6 if name in OURS else 1.2
                dashes = "-" if number < 8 else "--"
                axes.plot(*zip(*points, strict=True), dashes, lw=width, label=name, **style)
        axes.set(title=title, xscale="log", yscale="log", xlabel="memos in all", ylabel="ms, p50")
        axes.grid(visible=True, alpha=0.3)
    handles = {
        label: handle
        for axes in panels.flat
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside right upper")
    save(figure, path)


def put(path: Path, text: str) -> None:
    """Put tables into a page, between its marks."""
    old = path.read_text()
    before, rest = old.split(BEGIN)
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}")
