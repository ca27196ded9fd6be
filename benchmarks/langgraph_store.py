"""The store beside LangGraph's own: a put, a semantic search, a filtered search, a listing.

    python benchmarks/langgraph_store.py        (see langgraph.py for the environment)

Every contestant does the same work in turn, so a busy machine slows all alike; the embedding (a
bag of words, 384 dimensions, about .05 ms a text) is part of it. Durability: "holdfast" and
"sqlite + WAL" (set by hand) are equal, a commit survives the death of the process; "holdfast full"
and "sqlite as shipped" (rollback journal, synchronous FULL) too, it survives that of the machine.
`InMemoryStore` keeps nothing. The mode is Holdfast's default: hybrid, which the others have not.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from holdfast_langgraph import HoldfastStore
from langgraph.store.base import BaseStore, PutOp
from langgraph.store.memory import InMemoryStore
from langgraph.store.sqlite import SqliteStore

CONTESTANTS = ("holdfast", "holdfast full", "sqlite + WAL", "sqlite as shipped", "in memory")
DIMENSION = 384
WORDS = [f"w{number:x}rd" for number in range(3_000)]
PLACE = ("memories", "ada")

Figures = dict[str, dict[str, float]]
Step = Callable[[BaseStore, random.Random], object]


class Embedding:
    """The sum of a text's words, each a random vector."""

    def __init__(self) -> None:
        vectors = np.random.default_rng(7).standard_normal((len(WORDS), DIMENSION))
        self._vectors = dict(zip(WORDS, vectors.astype(np.float32), strict=True))

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector a text."""
        sums = (sum(self._vectors[word] for word in text.split()) for text in texts)
        return [vector.tolist() for vector in sums]  # type: ignore[union-attr]


def open_store(name: str, folder: Path, stack: ExitStack) -> BaseStore:
    """Return a store on a file of its own."""
    # The SQLite store reads its fields from a key of its own.
    index: Any = {
        "dims": DIMENSION,
        "embed": Embedding(),
        "fields": ["text"],
        "text_fields": ["text"],
    }
    if name == "in memory":
        return InMemoryStore(index=index)
    path = folder / f"{name.replace(' ', '-')}.db"
    if name.startswith("holdfast"):
        durability: Any = "full" if name.endswith("full") else "normal"
        return stack.enter_context(HoldfastStore(path, index=index, durability=durability))
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    stack.callback(connection.close)
    if name == "sqlite + WAL":
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
    store = SqliteStore(connection, index=index)
    store.setup()
    return store


def text(dice: random.Random, words: int) -> str:
    """Return so many random words."""
    return " ".join(dice.choices(WORDS, k=words))


def value(dice: random.Random) -> dict[str, Any]:
    """Return a memory of twenty words, with fields to filter by."""
    return {
        "text": text(dice, 20),
        "bucket": dice.randrange(10),
        "rare": dice.randrange(1_000),
        "user": f"u{dice.randrange(50)}",
    }


STEPS: dict[str, Step] = {
    "search": lambda store, dice: store.search(("memories",), query=text(dice, 6)),
    "search, page 10": lambda store, dice: store.search(
        ("memories",), query=text(dice, 6), offset=90
    ),
    "search, filter keeps 1/10": lambda store, dice: store.search(
        ("memories",), query=text(dice, 6), filter={"bucket": dice.randrange(10)}
    ),
    "search, filter keeps 1/1000": lambda store, dice: store.search(
        ("memories",), query=text(dice, 6), filter={"rare": dice.randrange(1_000)}
    ),
    "list, filter keeps 1/10": lambda store, dice: store.search(
        ("memories",), filter={"bucket": dice.randrange(10)}
    ),
    "get": lambda store, dice: store.get(PLACE, str(dice.randrange(1_000))),
    "put, then search": lambda store, dice: (
        store.put(PLACE, str(dice.randrange(1_000)), value(dice)),
        store.search(("memories",), query=text(dice, 6)),
    ),
}


def interleave(stores: dict[str, BaseStore], rounds: int, step: Step) -> dict[str, list[float]]:
    """Run a step for every contestant in every round, in changing order; return milliseconds.

    An untimed call comes before each timed one, so that nobody pays for caches others emptied.
    """
    times: dict[str, list[float]] = {name: [] for name in stores}
    order, shuffle = list(stores), random.Random(7)
    for at in range(rounds):
        shuffle.shuffle(order)
        for name in order:
            dice = random.Random(at)  # the same work for all
            step(stores[name], dice)
            begin = time.perf_counter()
            step(stores[name], dice)
            times[name].append(1000 * (time.perf_counter() - begin))
    return times


def compared(stores: dict[str, BaseStore], puts: int, items: int, rounds: int) -> Figures:
    """Return the median of every contestant in every discipline, in milliseconds."""
    keys = {id(store): itertools.count() for store in stores.values()}

    def put(store: BaseStore, dice: random.Random) -> None:
        store.put(PLACE, str(next(keys[id(store)])), value(dice))

    figures = {"put, one by one": interleave(stores, puts, put)}
    for store in stores.values():
        dice = random.Random(1)
        for start in range(2 * puts, items, 500):
            numbers = range(start, min(start + 500, items))
            store.batch([PutOp(PLACE, str(number), value(dice)) for number in numbers])
    for name, step in STEPS.items():
        figures[name] = interleave(stores, rounds, step)
    return {
        name: {who: statistics.median(times) for who, times in each.items()}
        for name, each in figures.items()
    }


def measured(puts: int, items: int, rounds: int) -> Figures:
    """Compare the stores, each on a new file."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        stores = {name: open_store(name, Path(folder), stack) for name in CONTESTANTS}
        return compared(stores, puts, items, rounds)


def show(figures: Figures, items: int) -> None:
    """Print a table."""
    title = f"store: median ms, {items:,} items"
    print(f"{title:30}", *(f"{name:>18}" for name in CONTESTANTS))
    for name, each in figures.items():
        print(f"{name:30}", *(f"{each[who]:18.2f}" for who in CONTESTANTS))


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--puts", type=int, default=1_000)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", type=Path, help="write the figures here")
    asked = parser.parse_args()
    figures = measured(asked.puts, asked.items, asked.rounds)
    show(figures, asked.items)
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
