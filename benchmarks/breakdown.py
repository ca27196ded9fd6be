"""Where the time of one `add` and one `search` goes, part by part, beside the limit of each part.

    uv run python benchmarks/breakdown.py --records 1000 --repeats 2000 --json out.json

(Not called `profile.py`: beside a script of that name the standard library's `cProfile` breaks.)

Four operations: `Memory.add` of one message, `Memory.search`, `Documents.put` and a vector search
of documents, each at both durability levels where it writes. Texts have about 120 characters,
vectors 384 random numbers, handed in: embedding costs nothing here. Time is that of a sampling
profiler, which counts time in C for the line that called it. Limits: SQLite, FAISS, JSON and numpy
on the same bytes with nothing around them. Every figure is in microseconds.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import holdfast
import physical
from holdfast import Memory
from holdfast.documents import Put
from holdfast.storage.sqlite.database import Durability
from material import Asked, Handed, Memo, memos, questions
from physical import Limit
from sampling import Place, Samples, sampling
from tables import markdown

USER, SPACE = "ada", ("ada",)
SOURCE = Path(holdfast.__file__).parent
WARM = 50
DURABILITIES: tuple[Durability, ...] = ("normal", "full")
SHOWN = 14  # places of each operation

_files = itertools.count()

Step = Callable[[int], object]


@dataclass
class Operation:
    """One operation taken apart; microseconds an operation.

    Attributes:
        name: What was done.
        wall, cpu: Median time by the clock, and mean processor time, without the profiler.
        parts: Time by part.
        places: Time by module and function, longest first.
        statements: How often each SQL statement ran in one operation.
        limits: What parts of it would cost with nothing around them.
    """

    name: str
    wall: float
    cpu: float
    parts: dict[str, float]
    places: dict[str, float]
    statements: dict[str, float]
    limits: list[Limit] = field(default_factory=list)


# -- a memory to work on --------------------------------------------------------------------------


@dataclass
class Bench:
    """An open memory that holds so many records and items, and what to add and ask next."""

    memory: Memory
    embedder: Handed
    more: list[Memo]
    asked: list[Asked]

    def add(self, at: int) -> object:
        """Add one message."""
        return self.memory.add(
            self.more[at].text, user_id=USER, metadata=self.more[at].value, infer=False
        )

    def put(self, at: int) -> object:
        """Put one item."""
        memo = self.more[at]
        return self.memory.documents.batch(
            [Put(SPACE, memo.key, memo.value, [memo.text])], strict=True
        )

    def search(self, at: int) -> object:
        """Search the records."""
        return self.memory.search(self.asked[at].text, user_id=USER)

    def find(self, at: int) -> object:
        """Search the items by vector."""
        return self.memory.documents.search(SPACE, self.asked[at].text, mode="vector")


@contextmanager
def bench(folder: Path, durability: Durability, records: int, repeats: int) -> Iterator[Bench]:
    """Open a memory with so many records and as many items."""
    stored = memos(USER, 0, records)
    more = memos(USER, records, repeats + 2 * WARM)
    asked = questions([USER], repeats + 2 * WARM)
    embedder = Handed({memo.text: memo.vector for memo in stored + more})
    embedder.known |= {one.text: one.vector for one in asked}
    with Memory(folder / f"{next(_files)}.db", embedder=embedder, durability=durability) as memory:
        for start in range(0, records, 500):
            some = stored[start : start + 500]
            memory.add([one.text for one in some], user_id=USER, infer=False)
            memory.documents.batch([Put(SPACE, one.key, one.value, [one.text]) for one in some])
        yield Bench(memory, embedder, more, asked)


# -- taking apart ---------------------------------------------------------------------------------


def taken_apart(name: str, place: Bench, step: Step, repeats: int) -> Operation:
    """Take an operation apart: half of the repeats timed bare, half under the profiler."""
    for at in range(WARM):
        step(at)
    half = WARM + repeats // 2
    wall, cpu = timed(step, range(WARM, half))
    with sampling(SOURCE) as samples:
        for at in range(half, WARM + repeats):
            step(at)
    statements = counted(place.memory, step, range(WARM + repeats, 2 * WARM + repeats))
    by_place = shares(samples, lambda at: f"{at.module}.{at.function}", wall)
    return Operation(name, wall, cpu, shares(samples, part_of, wall), by_place, statements)


def timed(step: Step, numbers: range) -> tuple[float, float]:
    """Return the median time of a step by the clock, and its mean processor time."""
    wall, used = [], time.process_time()
    for at in numbers:
        begun = time.perf_counter()
        step(at)
        wall.append(1e6 * (time.perf_counter() - begun))
    return statistics.median(wall), 1e6 * (time.process_time() - used) / len(numbers)


def shares(samples: Samples, name: Callable[[Place], str], whole: float) -> dict[str, float]:
    """Return the time under each name, longest first."""
    found: Counter[str] = Counter()
    for place, count in samples.counts.items():
        found[name(place)] += count
    return {one: whole * count / max(1, samples.total) for one, count in found.most_common()}


def counted(memory: Memory, step: Step, numbers: range) -> dict[str, float]:
    """Return how often each statement runs in one step; all of one thread share a connection."""
    found: Counter[str] = Counter()
    with memory._storage.database.bare() as connection:
        connection.set_trace_callback(lambda sql: found.update([shape(sql)]))  # type: ignore[attr-defined]
    for at in numbers:
        step(at)
    with memory._storage.database.bare() as connection:
        connection.set_trace_callback(None)  # type: ignore[attr-defined]
    return {sql: count / len(numbers) for sql, count in found.most_common()}


def shape(sql: str) -> str:
    """Return a statement without its values, cut short."""
    bare = re.sub(r"x?'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b", "?", sql)
    return re.sub(r"(\?, ?){2,}\?|(\?,)+\?", "?..", " ".join(bare.split()))[:110]


PARTS = {
    "storage.vectors": "vectors (FAISS)",
    "storage.keywords": "keywords (BM25)",
    "storage.views": "view: following, columns",
    "storage.columns": "view: following, columns",
    "storage.fields": "filters",
    "storage.codec": "JSON, times, packing",
    "storage.searching": "choosing candidates",
    "storage.database": "connection and locks",
    "ranking": "ranking",
    "indexing": "unit vectors, passages",
    "language": "words (terms, cues)",
    "storage": "rows and drafts in Python",
    "outside": "the benchmark itself",
}


def part_of(place: Place) -> str:
    """Return the part of an operation that a place belongs to."""
    if place.sql:
        return "SQLite: begin and commit" if place.ends else "SQLite: statements"
    name = place.module
    while name and name not in PARTS:
        name = name.rpartition(".")[0]
    return PARTS.get(name, "checks and flow")


# -- the whole ------------------------------------------------------------------------------------


def measured(folder: Path, records: int, repeats: int) -> list[Operation]:
    """Take every operation apart, and set the limits of its parts beside it."""
    found = []
    with bench(folder, "normal", records, repeats) as place:
        least = physical.of_finding(folder, place.asked, records)
        for name, step in (("Memory.search", place.search), ("Documents.search", place.find)):
            found.append(taken_apart(f"{name}, {records:,} records", place, step, repeats))
            found[-1].limits = least
    for durability in DURABILITIES:
        with bench(folder, durability, records, repeats) as place:
            for name, step in (("Memory.add", place.add), ("Documents.put", place.put)):
                found.append(taken_apart(f"{name}, {durability}", place, step, repeats))
                source = folder / f"{name} {durability}.db"
                found[-1].limits = adding(source, durability, name, repeats)
    return found


def adding(path: Path, durability: Durability, name: str, repeats: int) -> list[Limit]:
    """Return the limits of an add, measured in turn with adds to a file that holds nothing else."""
    count = max(40, repeats // 2)
    more = memos(USER, 0, 2 * count)
    embedder = Handed({memo.text: memo.vector for memo in more})
    with Memory(path, embedder=embedder, durability=durability) as memory:
        place = Bench(memory, embedder, more, [])
        step = place.add if name == "Memory.add" else place.put
        for at in range(count):
            step(at)
        return physical.of_adding(memory._storage.database, durability, more, step)


def report(operation: Operation) -> str:
    """Return one operation as text."""
    head = f"## {operation.name}: {operation.wall:.0f} by the clock, CPU {operation.cpu:.0f}"
    whole = operation.wall
    parts = [[n, f"{us:.1f}", f"{100 * us / whole:.0f} %"] for n, us in operation.parts.items()]
    places = list(operation.places.items())[:SHOWN]
    around = [[limit.part, f"{limit.cost:.1f}", limit.what] for limit in operation.limits]
    statements = [[f"{times:.2f}", f"`{sql}`"] for sql, times in operation.statements.items()]
    return "\n\n".join(
        [
            head,
            markdown(["part", "µs", "share"], parts),
            markdown(["limit of", "µs", "what was measured"], around),
            markdown(["longest places", "µs"], [[name, f"{us:.1f}"] for name, us in places]),
            markdown(["statements", "SQL"], statements),
        ]
    )


def main() -> None:
    """Measure, print tables, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--records", type=int, default=1_000, help="records and items of the scope")
    parser.add_argument("--repeats", type=int, default=2_000, help="times each operation is done")
    parser.add_argument("--json", type=Path, help="write the figures here")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measured(Path(folder), asked.records, asked.repeats)
    print("\n\n".join(report(operation) for operation in found))
    if asked.json:
        asked.json.write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n")


if __name__ == "__main__":
    main()
