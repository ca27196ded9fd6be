"""The whole fault suite: every part, in several processes, with counts at the end.

    cd tests && python -m faults.whole [--processes 2] [--scale 1] [--seed 1] [NAME ...]

`make faults` runs all of it. A name picks the parts that begin with it. With a failure it exits 1
and says what failed, and with which seed that is found again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from functools import partial
from importlib import import_module
from multiprocessing import get_context

from faults.crash import SHARED_MEMORY, crash
from faults.failing import failing
from faults.parts import Counts, Report
from faults.stories import STORIES, variants
from faults.vfs import can_watch

Part = Callable[[int, float, Report], Counts]

# Parts of their own modules; each has a function ``whole(seed, scale, report)``. The longest first.
MODULES = ("texts", "tenants", "writers", "forks", "needles", "imports", "damage")


def parts() -> dict[str, Part]:
    """Return every part by name."""
    found: dict[str, Part] = {name: partial(_module, name) for name in MODULES}
    if can_watch():
        stories = [story for story in STORIES.values() if variants(story)]
        found |= {f"crash: {story.name}": partial(_crash, story.name) for story in stories}
        found |= {f"writes: {story.name}": partial(_failing, story.name) for story in stories}
    return found


def _crash(name: str, seed: int, scale: float, report: Report) -> Counts:
    return crash(STORIES[name], seed, scale, report)


def _failing(name: str, seed: int, scale: float, report: Report) -> Counts:
    return failing(STORIES[name], seed, scale, report)


def _module(name: str, seed: int, scale: float, report: Report) -> Counts:
    counts: Counts = import_module(f"faults.{name}").whole(seed, scale, report)
    return counts


def _run(name: str, seed: int, scale: float) -> tuple[dict[str, int], list[str], float]:
    """Run one part in a process of its own, its files in memory where that is a folder."""
    begun = time.monotonic()
    if SHARED_MEMORY.is_dir():  # a third of the time is the disk's otherwise
        tempfile.tempdir = str(SHARED_MEMORY)
    counts = Counts()
    try:
        counts = parts()[name](seed, scale, lambda words: say(f"  {name}: {words}"))
    except Exception:  # noqa: BLE001 - the other parts go on; this one has failed
        counts.fail(traceback.format_exc())
    return dict(counts), counts.told, time.monotonic() - begun


def say(words: str) -> None:
    """Show something at once."""
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def main(given: Sequence[str] | None = None) -> int:
    """Run the parts that are asked for; return 1 if one of them failed."""
    parser = argparse.ArgumentParser(description="Run the whole fault suite.")
    parser.add_argument("names", nargs="*", help="parts that begin so; all by default")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--scale", type=float, default=1.0, help="1: all; .01: a hundredth of it")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(given)
    names = [name for name in parts() if name.startswith(tuple(asked.names) or "")]
    rows, failed = [], 0
    for name, counts, told, seconds in _all(names, asked.processes, asked.seed, asked.scale):
        rows.append((name, counts, seconds))
        failed += counts["failures"]
        say(f"[{len(rows)}/{len(names)}] {name}: {_counted(counts)} in {seconds:.0f} s")
        for words in told:
            say(f"    {words}")
    say("\n" + "\n".join(table(rows)))
    return 1 if failed else 0


def _all(
    names: Sequence[str], processes: int, seed: int, scale: float
) -> Iterator[tuple[str, dict[str, int], list[str], float]]:
    # Spawned: a forked process would inherit this one's threads and open files.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        running: dict[Future[tuple[dict[str, int], list[str], float]], str] = {
            pool.submit(_run, name, seed, scale): name for name in names
        }
        for done in as_completed(running):
            yield running[done], *done.result()


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in counts.items())


def table(rows: Sequence[tuple[str, dict[str, int], float]]) -> list[str]:
    """Return the counts of all parts, and what they come to, as a Markdown table."""
    lines = ["| part | counts | failures | seconds |", "|---|---|---|---|"]
    total: dict[str, int] = {}
    for name, counts, seconds in sorted(rows):
        others = {what: number for what, number in counts.items() if what != "failures"}
        lines.append(f"| {name} | {_counted(others)} | {counts['failures']} | {seconds:.0f} |")
        for what, number in counts.items():
            total[what] = total.get(what, 0) + number
    failures = total.pop("failures", 0)
    seconds = sum(row[2] for row in rows)
    return [*lines, f"| all | {_counted(total)} | {failures} | {seconds:.0f} |"]


if __name__ == "__main__":
    sys.exit(main())
