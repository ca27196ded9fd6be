"""A thousand adds and a thousand searches at once on one event loop, beside the same in turn.

    uv run python benchmarks/concurrency.py --json out.json

Fifty users have two hundred turns each, of twenty words (Zipf) and a random vector of 384 numbers.
All operations are begun together, adds and searches by turns, and awaited with one `gather`. A
heartbeat sleeps a millisecond at a time meanwhile: how late it wakes is how long the loop was held.
Embedding costs nothing here. `--durability full` waits for the disk with every commit.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from holdfast import Memory
from latency import Drawn, Speech, fill
from tables import markdown

USERS = 50
EACH = 200
BEAT = 0.001


class Prompt(Drawn):
    """Answers at once, on the loop too."""

    async def aembed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Draw a vector a text."""
        return self.embed(texts)

    async def aembed_query(self, text: str) -> Sequence[float]:
        """Return always the same vector."""
        return self.embed_query(text)


@dataclass(frozen=True)
class Outcome:
    """Operations a second, one after the other and all at once; how late the heartbeat was, ms."""

    durability: str
    operations: int
    in_turn: float
    at_once: float
    late_p50: float
    late_p99: float
    late_most: float


@dataclass(frozen=True)
class Work:
    """What is to be done: a text to add and a question, for each user in turn."""

    memory: Memory
    said: Sequence[str]
    asked: Sequence[str]

    def in_turn(self) -> float:
        """Do everything, one operation after the other; return seconds."""
        begun = time.perf_counter()
        for number, (said, asked) in enumerate(zip(self.said, self.asked, strict=True)):
            self.memory.add(said, user_id=f"u{number % USERS}")
            self.memory.search(asked, user_id=f"u{(number + 7) % USERS}")
        return time.perf_counter() - begun

    async def at_once(self) -> tuple[float, list[float]]:
        """Do everything at once; return seconds, and how late each heartbeat was."""
        late: list[float] = []
        heart = asyncio.create_task(beat(late))
        await asyncio.sleep(10 * BEAT)
        late.clear()
        begun = time.perf_counter()
        both = (
            (
                self.memory.aadd(said, user_id=f"u{number % USERS}"),
                self.memory.asearch(asked, user_id=f"u{(number + 7) % USERS}"),
            )
            for number, (said, asked) in enumerate(zip(self.said, self.asked, strict=True))
        )
        await asyncio.gather(*(one for pair in both for one in pair))
        took = time.perf_counter() - begun
        heart.cancel()
        return took, late


async def beat(late: list[float]) -> None:
    """Note again and again how much later than asked the loop went on."""
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(BEAT)
        late.append(time.perf_counter() - begun - BEAT)


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--operations", type=int, default=1_000, help="so many of either")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--durability", nargs="+", default=["normal", "full"])
    parser.add_argument("--json", type=Path, help="write the figures here")
    asked = parser.parse_args()
    outcomes = [
        measure(durability, asked.operations, asked.rounds) for durability in asked.durability
    ]
    print(table(outcomes))
    if asked.json:
        asked.json.write_text(json.dumps([asdict(one) for one in outcomes], indent=1) + "\n")


def measure(durability: Literal["normal", "full"], operations: int, rounds: int) -> Outcome:
    """Return the median speeds of some rounds, either way by turns, and all heartbeats."""
    speech, late = Speech(), list[float]()
    turns, together = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "memory.db"
        with Memory(path, embedder=Prompt(), durability=durability) as memory:
            for user in range(USERS):
                fill(memory, speech, f"u{user}", EACH)
            for _ in range(rounds):
                said = [speech.words(20) for _ in range(operations)]
                work = Work(memory, said, [speech.words(6) for _ in range(operations)])
                turns.append(2 * operations / work.in_turn())
                took, beats = asyncio.run(work.at_once())
                together.append(2 * operations / took)
                late += beats
    late.sort()
    return Outcome(
        durability,
        operations,
        statistics.median(turns),
        statistics.median(together),
        1_000 * statistics.median(late),
        1_000 * late[int(0.99 * len(late))],
        1_000 * late[-1],
    )


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as a Markdown table."""
    head = ["durability", "in turn /s", "at once /s", "late p50 ms", "late p99 ms", "latest ms"]
    lines = [
        [
            one.durability,
            f"{one.in_turn:,.0f}",
            f"{one.at_once:,.0f}",
            *(f"{ms:.1f}" for ms in (one.late_p50, one.late_p99, one.late_most)),
        ]
        for one in outcomes
    ]
    return markdown(head, lines)


if __name__ == "__main__":
    main()
