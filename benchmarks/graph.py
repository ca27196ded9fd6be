"""What a graph costs as it grows: neighbours, paths, opening, following a write; a Markdown table.

    uv run python benchmarks/graph.py --sizes 1000 10000 100000

N relations between N / 5 entities of one scope, ends drawn with weights 1 / rank ** 0.7 (some
entities are hubs), a tenth of N at one hub besides. Embedding is a hash: it is not measured here.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from holdfast import Memory
from holdfast.graph import Graph
from holdfast.testing import HashEmbedder

LABELS = ("works_with", "knows", "visited", "likes", "owns")
ASKED = 50
BATCH = 5_000


def main() -> None:
    """Build, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    print("| what (ms, p50 / p95) |" + "".join(f" {n:,} |" for n in parser.parse_args().sizes))
    columns = [measure(size) for size in parser.parse_args().sizes]
    print("|---" * (len(columns) + 1) + "|")
    for what in columns[0]:
        print(f"| {what} | " + " | ".join(column[what] for column in columns) + " |")


def triples(count: int) -> Iterator[tuple[str, str, str]]:
    """Yield relations that differ, with hubs."""
    chance = random.Random(1)
    names = [f"entity {number}" for number in range(count // 5)]
    weights = [1 / (rank + 1) ** 0.7 for rank in range(len(names))]
    seen: set[tuple[str, str, str]] = set()
    ends = iter(())
    while len(seen) < count:
        ends = iter(chance.choices(names, weights, k=2 * count))
        for a, b in zip(ends, ends, strict=True):
            first = names[0] if len(seen) < count // 10 else a
            one = (first, chance.choice(LABELS), b)
            if one not in seen and first != b and len(seen) < count:
                seen.add(one)
                yield one


def measure(count: int) -> dict[str, str]:
    """Return the figures of one size."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "memory.db"
        with Memory(path, embedder=HashEmbedder(8)) as memory:
            fill(memory, list(triples(count)))
        with Memory(path, embedder=HashEmbedder(8)) as memory:
            return asked(memory)


def fill(memory: Memory, given: Sequence[tuple[str, str, str]]) -> None:
    """State the relations, some thousands at a time."""
    for start in range(0, len(given), BATCH):
        memory.add_relations(given[start : start + BATCH], user_id="u")


def asked(memory: Memory) -> dict[str, str]:
    """Ask one graph everything."""
    graph, chance = memory.graph(user_id="u"), random.Random(2)
    opened = timed(lambda _: graph.neighbours("entity 1"), 1)
    names = [entity.name for entity in graph.entities(limit=1_000_000)]
    pairs = [(chance.choice(names), chance.choice(names)) for _ in range(ASKED)]

    def write_and_ask(number: int) -> None:
        memory.add_relations([(f"new {number}", "knows", "entity 1")], user_id="u")

    def write_many(number: int) -> None:
        many = [(f"{number} of {n}", "knows", f"entity {n}") for n in range(1_000)]
        memory.add_relations(many, user_id="u")

    return {
        "opening (first question)": opened,
        "neighbours, depth 1": timed(lambda n: graph.neighbours(pairs[n][0])),
        "neighbours, depth 2": timed(lambda n: graph.neighbours(pairs[n][0], 2)),
        "neighbours of the largest hub": timed(lambda _: graph.neighbours("entity 0")),
        "paths, up to 4 hops": timed(lambda n: graph.paths(*pairs[n])),
        "paths from the largest hub": timed(lambda n: graph.paths("entity 0", pairs[n][1])),
        "paths to a stranger (none)": paths_to_nobody(memory, graph, pairs),
        "add_relations, one": timed(write_and_ask, 20),
        "add_relations, 1,000 at once": timed(write_many, 1),
        "neighbours after a write": after_a_write(memory, graph),
    }


def paths_to_nobody(memory: Memory, graph: Graph, pairs: list[tuple[str, str]]) -> str:
    """Take the time of paths that do not exist."""
    memory.add_relations([("hermit", "knows", "crab")], user_id="u")
    return timed(lambda n: graph.paths(pairs[n][0], "hermit"))


def after_a_write(memory: Memory, graph: Graph) -> str:
    """Take the time of a question that must first follow the log."""
    taken = []
    for number in range(20):
        memory.add_relations([(f"newer {number}", "knows", "entity 1")], user_id="u")
        begun = time.perf_counter()
        graph.neighbours("entity 5")
        taken.append(time.perf_counter() - begun)
    return shown(taken)


def timed(ask: Callable[[int], object], times: int = ASKED) -> str:
    """Ask so many times; return p50 / p95."""
    taken = []
    for number in range(times):
        begun = time.perf_counter()
        ask(number)
        taken.append(time.perf_counter() - begun)
    return shown(taken)


def shown(taken: list[float]) -> str:
    """Return p50 / p95 in milliseconds."""
    low, high = statistics.median(taken), sorted(taken)[int(0.95 * len(taken))]
    return f"{1000 * low:.2f} / {1000 * high:.2f}"


if __name__ == "__main__":
    main()
