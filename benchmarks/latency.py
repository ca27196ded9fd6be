"""How long a search takes, embedding excluded, in small and large scopes of small and large files.

    uv run python benchmarks/latency.py --records 1000 10000 --others 0 100000 --json out.json

Texts are twenty words long, drawn from three thousand made-up ones (Zipf); vectors are random, of
384 numbers. Sessions have fifty turns of two speakers, the others' scopes a thousand records each.
A question has six words and names a speaker. Times are those of `Memory.search(limit=10)` on a
scope that has been searched before; the first search, which reads the scope, is given apart.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from holdfast import Embedder, Memory, Message
from tables import markdown

WORDS = 3_000
BATCH = 50  # turns of a session


@dataclass(frozen=True)
class Timing:
    """Milliseconds of a search in a scope of so many records, beside so many of others."""

    records: int
    others: int
    first: float
    least: float
    p50: float
    p95: float
    cpu_p50: float


class Drawn(Embedder):
    """Draws vectors at random for texts, and gives every question the same one."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(0)
        self._query = self._random.standard_normal(384).tolist()

    @property
    def fingerprint(self) -> str:
        """Return a name."""
        return "drawn/384"

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Draw a vector a text."""
        return self._random.standard_normal((len(texts), 384)).tolist()

    def embed_query(self, text: str) -> Sequence[float]:
        """Return always the same vector."""
        return self._query


class Speech:
    """Draws sentences, always the same ones."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(1)
        letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
        sizes = self._random.integers(3, 10, WORDS)
        self._words = np.array(["".join(self._random.choice(letters, size)) for size in sizes])
        shares = 1 / np.arange(1, WORDS + 1)
        self._shares = shares / shares.sum()

    def words(self, count: int) -> str:
        """Draw words."""
        return " ".join(self._random.choice(self._words, count, p=self._shares))

    def session(self) -> list[Message]:
        """Draw the turns of a session."""
        return [Message(self.words(20), name=("Ada", "Bob")[turn % 2]) for turn in range(BATCH)]


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--records", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--others", type=int, nargs="+", default=[0, 100_000])
    parser.add_argument("--searches", type=int, default=300)
    parser.add_argument("--json", type=Path, help="write the figures here")
    asked = parser.parse_args()
    timings = measure(sorted(asked.records), sorted(asked.others), asked.searches)
    print(table(timings))
    if asked.json:
        asked.json.write_text(json.dumps([asdict(one) for one in timings], indent=1) + "\n")


def measure(sizes: Sequence[int], others: Sequence[int], searches: int) -> list[Timing]:
    """Return the timings of every size beside every number of others, in one file."""
    speech, timings, beside = Speech(), [], 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "memory.db"
        with Memory(path, embedder=Drawn()) as memory:
            for size in sizes:
                fill(memory, speech, f"user of {size}", size)
        for other in others:
            with Memory(path, embedder=Drawn()) as memory:
                for start in range(beside, other, 1_000):
                    fill(memory, speech, f"other {start}", min(1_000, other - start))
            beside = other
            for size in sizes:
                with Memory(path, embedder=Drawn()) as memory:
                    timings.append(timed(memory, speech, size, other, searches))
    return timings


def fill(memory: Memory, speech: Speech, user: str, size: int) -> None:
    """Store so many turns of a user."""
    for start in range(0, size, BATCH):
        messages = speech.session()[: size - start]
        memory.add(messages, user_id=user, run_id=f"session {start}")


def timed(memory: Memory, speech: Speech, size: int, others: int, searches: int) -> Timing:
    """Search many times."""
    user, wall, cpu = f"user of {size}", [], []
    for _ in range(searches + 1):
        question = f"{speech.words(6)} Ada?"
        begun, used = time.perf_counter(), time.process_time()
        memory.search(question, user_id=user)
        wall.append(1_000 * (time.perf_counter() - begun))
        cpu.append(1_000 * (time.process_time() - used))
    first, *wall = wall
    spread = sorted(wall)
    return Timing(
        size,
        others,
        first,
        spread[0],
        statistics.median(spread),
        spread[int(0.95 * len(spread))],
        statistics.median(cpu[1:]),
    )


def table(timings: Sequence[Timing]) -> str:
    """Return the timings as a Markdown table, in milliseconds."""
    head = ["records", "others'", "least", "p50", "p95", "CPU p50", "first search"]
    lines = [
        [
            f"{one.records:,}",
            f"{one.others:,}",
            *(f"{ms:.2f}" for ms in (one.least, one.p50, one.p95, one.cpu_p50)),
            f"{one.first:.0f}",
        ]
        for one in timings
    ]
    return markdown(head, lines)


if __name__ == "__main__":
    main()
