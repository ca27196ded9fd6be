"""Speed and scale beside peers: every operation, in one run, systems in turn.

    uv run --all-packages --group bench python benchmarks/speed.py --sizes 1000 10000

Each system runs in a process of its own, on its own files, and does the same work in turn with the
others for several rounds; `peers/__init__.py` says how each is set up. Memos have about 120
characters and a random unit vector of 384 numbers, handed in: embedding costs nothing here. Users
have a thousand memos each ("many"), or one has all. Recall is against brute force over the same
vectors. `--from` reads earlier results instead of measuring, `--write` puts tables and drawing into
a page between its marks.
"""

from __future__ import annotations

import argparse
import json
import platform
import shlex
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import speed_report as report
from crowd import crowd
from peers import SYSTEMS
from runners import Runner, take_turns
from truth import Truth
from worker import Layout

BUDGET = 1.0  # seconds of a turn, roughly

# Reading first, for what is written afterwards is not part of the truth that recall is judged by.
# Times a round, and in how many turns: what is fast takes turns often, so that all meet the same
# machine.
READING = {"search": (100, 5), "filtered": (100, 5)}
WRITING = {
    "add": (50, 5),
    "add_search": (20, 2),
    "get": (100, 1),
    "update": (30, 2),
    "delete": (20, 2),
}

Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured."""

    systems: Sequence[str]
    sizes: Sequence[int]
    users: Sequence[str]
    rounds: int
    active: int
    patience: float


def layouts(plan: Plan) -> list[Layout]:
    """Return every size with one user and with many, each once."""
    found: dict[tuple[int, int], Layout] = {}
    for size in plan.sizes:
        for users in plan.users:
            number = 1 if users == "one" else max(1, size // report.EACH)
            found[(size, number)] = Layout(size, number)
    return list(found.values())


def measured(plan: Plan, layout: Layout) -> list[Result]:
    """Measure all systems with one layout."""
    with tempfile.TemporaryDirectory(prefix="speed-") as home, ExitStack() as stack:
        runners = [_runner(plan, name, layout, Path(home), stack) for name in plan.systems]
        share = -(-layout.size // plan.rounds)
        print("  load", file=sys.stderr)
        take_turns(runners, plan.rounds, lambda one: one.load(share))
        take_turns(runners, 1, Runner.settle)
        take_turns(runners, 1, Runner.restart)
        print("  reopen", file=sys.stderr)
        take_turns(runners, plan.rounds, lambda one: one.round("reopen"))
        take_turns(runners, 1, lambda one: one.round("warm"))
        for phase, (count, turns) in READING.items():
            _phase(runners, phase, count // turns, turns * plan.rounds)
        take_turns(runners, 1, lambda one: one.weigh("full"))
        for phase, (count, turns) in WRITING.items():
            _phase(runners, phase, count // turns, turns * plan.rounds)
        _phase(runners, "delete_all", 1, min(plan.rounds, layout.users))
        truth = Truth(layout)
        return [result(one, truth) for one in runners]


def _runner(plan: Plan, name: str, layout: Layout, home: Path, stack: ExitStack) -> Runner:
    print(f"  {name}", file=sys.stderr)
    made = Runner(
        name,
        layout.size,
        layout.users,
        active=plan.active,
        home=home,
        patience=plan.patience,
    )
    stack.callback(made.stop)
    return made


def _phase(runners: Sequence[Runner], phase: str, count: int, rounds: int) -> None:
    print(f"  {phase}", file=sys.stderr)
    take_turns(runners, rounds, lambda one: one.round(phase, count=count, budget=BUDGET))


def result(runner: Runner, truth: Truth) -> Result:
    """Return what one system did, recall judged."""
    found: Result = {
        "system": runner.system,
        "size": runner.size,
        "users": runner.users,
        "phases": phases(runner),
        "facts": runner.facts,
        "left out": runner.reasons,
        "recall": {},
    }
    for phase in READING:
        shares = truth.recalls(runner.answers[phase])
        if shares:
            found["recall"][phase] = {"mean": sum(shares) / len(shares), "least": min(shares)}
    fresh = [one["fresh"] for one in runner.answers["add_search"]]
    if fresh:
        found["recall"]["add_search"] = {"mean": sum(fresh) / len(fresh), "least": min(fresh)}
    return found


def phases(runner: Runner) -> dict[str, Any]:
    """Return what each phase took."""
    return {
        phase: report.summary(times, runner.used.get(phase, []))
        for phase, times in runner.times.items()
    }


def growth(plan: Plan) -> list[Result]:
    """Search the same tenants' memos in turn in a file of 10,000 and in one of 100,000."""
    sizes = [Layout(size, size // report.EACH) for size in (10_000, 100_000)]
    names = [name for name in ("holdfast", "holdfast items") if name in plan.systems]
    with tempfile.TemporaryDirectory(prefix="speed-") as home, ExitStack() as stack:
        runners = [
            Runner(name, one.size, one.users, active=10, home=Path(home), patience=plan.patience)
            for one in sizes
            for name in names
        ]
        for runner in runners:
            stack.callback(runner.stop)
        take_turns(runners, 1, lambda one: one.load(one.size))
        take_turns(runners, 1, lambda one: one.round("warm"))
        for phase in READING:
            _phase(runners, phase, 20, 10 * plan.rounds)
        return [
            {
                "system": one.system,
                "size": one.size,
                "phases": phases(one),
            }
            for one in runners
        ]


def run(plan: Plan, checks: Sequence[str]) -> dict[str, Any]:
    """Measure everything that is asked for."""
    found: dict[str, Any] = {"machine": machine(), "command": shlex.join(sys.argv), "results": []}
    for layout in layouts(plan):
        print(f"{layout.size:,} memos of {layout.users:,} users", file=sys.stderr)
        found["results"] += measured(plan, layout)
    if "growth" in checks:
        print("growth", file=sys.stderr)
        found["growth"] = growth(plan)
    if "crowd" in checks:
        print("crowd", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="speed-") as home:
            found["crowd"] = crowd(Path(home), 1_000, plan.rounds)
    return found


def machine() -> dict[str, Any]:
    """Say where this was measured."""
    from importlib.metadata import PackageNotFoundError, version
    from os import cpu_count

    from peers.sqlite_driver import driver

    names = [
        *("chromadb", "faiss-cpu", "lancedb", "langgraph", "langgraph-checkpoint-sqlite"),
        *("mem0ai", "numpy", "qdrant-client", "sqlcipher3", "sqlite-vec"),
    ]
    versions = {}
    for name in names:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    try:
        loads = driver()
        versions["SQLite that loads extensions"] = f"{loads.sqlite_version} of {loads.__name__}"
    except RuntimeError as reason:
        versions["SQLite that loads extensions"] = str(reason)
    return {"cpus": cpu_count(), "python": platform.python_version(), "versions": versions}


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--systems", nargs="+", choices=list(SYSTEMS), default=list(SYSTEMS))
    parser.add_argument("--sizes", type=int, nargs="*", default=[1_000, 10_000])
    parser.add_argument("--users", nargs="+", choices=["one", "many"], default=["one", "many"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--active", type=int, default=50, help="users that are asked about")
    parser.add_argument("--patience", type=float, default=120, help="seconds until one is left out")
    parser.add_argument("--checks", nargs="*", choices=["growth", "crowd"], default=[])
    parser.add_argument("--out", type=Path, help="write the figures here")
    parser.add_argument("--from", dest="known", type=Path, nargs="+", help="read figures instead")
    parser.add_argument("--write", type=Path, help="put tables into this page, between its marks")
    parser.add_argument("--plot", type=Path, help="draw here: a path without its ending")
    return parser.parse_args()


def main() -> None:
    """Measure or read, print tables, write what was asked for."""
    asked = arguments()
    if asked.known:
        found = report.joined([json.loads(path.read_text()) for path in asked.known])
    else:
        plan = Plan(
            asked.systems, asked.sizes, asked.users, asked.rounds, asked.active, asked.patience
        )
        found = run(plan, asked.checks)
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=1) + "\n")
    text = report.page(found)
    print(text)
    if asked.plot:
        report.plot(found["results"], asked.plot)
    if asked.write:
        report.put(asked.write, text)


if __name__ == "__main__":
    main()
