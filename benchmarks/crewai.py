"""Holdfast beside LanceDB under CrewAI: the same records, one operation of each in turn.

    uv run --all-packages python benchmarks/crewai.py --records 10000 --json out.json

Storage level: `HoldfastStorage` against CrewAI's `LanceDBStorage`, vectors given. Memory level:
`HoldfastMemory` against CrewAI's `Memory` on LanceDB, same embedder, no model; `Memory` on
`HoldfastStorage` shows how much of that the storage alone gives. Times are medians of wall
clock; both sides take turns, so that a busy machine slows both.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

os.environ |= {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "OTEL_SDK_DISABLED": "true",
}
warnings.simplefilter("ignore")
sys.path.remove(str(Path(__file__).resolve().parent))  # or this file would be `import crewai`

from crewai.llms.base_llm import BaseLLM  # noqa: E402 - no telemetry
from crewai.memory.storage.lancedb_storage import LanceDBStorage  # noqa: E402
from crewai.memory.types import MemoryRecord  # noqa: E402
from crewai.memory.unified_memory import Memory  # noqa: E402
from holdfast.testing import HashEmbedder  # noqa: E402
from holdfast_crewai import HoldfastMemory, HoldfastStorage  # noqa: E402

DIMENSION = 384
SCOPES = 50
BATCHES = 5  # values of the metadata field that deletion asks for
WORDS = [f"{first}{second}" for first in "bcdfghklmnprstvz" for second in ("ado", "ine", "orm")]
EMBEDDER = HashEmbedder(DIMENSION)


class Mute(BaseLLM):
    """Stands for the model that CrewAI's memories want, and is never asked."""

    def call(self, *_: Any, **__: Any) -> str:
        """Refuse."""
        raise NotImplementedError


@dataclass(frozen=True)
class Line:
    """Medians of one operation, in milliseconds."""

    operation: str
    lancedb: float
    holdfast: float

    @property
    def ratio(self) -> float:
        """How many times faster Holdfast is."""
        return self.lancedb / self.holdfast


def sentence(chance: random.Random) -> str:
    """Return twelve words."""
    return " ".join(chance.choices(WORDS, k=12))


def records(count: int, chance: random.Random) -> list[MemoryRecord]:
    """Return records over all scopes, with vectors."""
    texts = [f"{sentence(chance)} {number}" for number in range(count)]
    return [
        MemoryRecord(
            content=text,
            scope=f"/user/{number % SCOPES:02}",
            categories=[f"topic-{number % 11}"],
            metadata={"batch": number % BATCHES},
            embedding=vector,
        )
        for number, (text, vector) in enumerate(zip(texts, EMBEDDER.embed(texts), strict=True))
    ]


def timed(operation: Callable[[], Any]) -> float:
    """Return milliseconds; what CrewAI prints goes nowhere."""
    with contextlib.redirect_stdout(io.StringIO()):
        start = time.perf_counter()
        operation()
        return (time.perf_counter() - start) * 1000


def compare(
    name: str, repeats: int, theirs: Callable[[int], Any], ours: Callable[[int], Any]
) -> Line:
    """Run both sides in turn; every repeat changes who begins."""
    times: dict[str, list[float]] = {"theirs": [], "ours": []}
    for number in range(repeats):
        sides = [("theirs", theirs), ("ours", ours)]
        for side, operation in sides if number % 2 else reversed(sides):
            times[side].append(timed(lambda operation=operation, at=number: operation(at)))
    line = Line(name, statistics.median(times["theirs"]), statistics.median(times["ours"]))
    print(f"{name:<34}{line.lancedb:>10.2f}{line.holdfast:>10.2f}{line.ratio:>9.1f}x", flush=True)
    return line


def storage_lines(lance: Any, ours: Any, count: int, repeats: int) -> list[Line]:
    """Compare the storages."""
    chance = random.Random(2)
    queries = EMBEDDER.embed([sentence(chance) for _ in range(repeats)])
    extra = [records(repeats, random.Random(3)), records(repeats, random.Random(3))]

    def each(operation: Callable[[Any, int], Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
        return (lambda at: operation(lance, at)), (lambda at: operation(ours, at))

    def scoped(store: Any, at: int) -> Any:
        return store.search(queries[at], scope_prefix=f"/user/{at % SCOPES:02}", limit=10)

    lines = [
        compare("search, one scope, first time", repeats, *each(scoped)),
        compare("search, one scope", repeats, *each(scoped)),
        compare("search, everything", repeats, *each(lambda s, at: s.search(queries[at]))),
        compare(
            "save one record",
            repeats,
            lambda at: lance.save([extra[0][at]]),
            lambda at: ours.save([extra[1][at]]),
        ),
        compare("list scopes", repeats, *each(lambda s, at: s.list_scopes("/user"))),
        compare("list categories", repeats, *each(lambda s, at: s.list_categories("/"))),
        compare(
            "count in a scope",
            repeats,
            *each(lambda s, at: s.count(f"/user/{at % SCOPES:02}")),
        ),
    ]
    erase = each(lambda s, at: s.delete(metadata_filter={"batch": at}))
    lines.append(compare(f"delete {count // BATCHES} by metadata", BATCHES, *erase))
    return lines


def memory_lines(folder: Path, given: list[MemoryRecord], repeats: int) -> list[Line]:
    """Compare the memories, filled anew."""
    lance, storage = LanceDBStorage(path=folder / "lance-memory"), HoldfastStorage(folder / "s.db")
    mute = Mute(model="mute")
    stock = Memory(storage=lance, embedder=EMBEDDER.embed, llm=mute)
    bridged = Memory(storage=storage, embedder=storage.embedding(EMBEDDER.embed), llm=mute)
    ours = HoldfastMemory(storage=folder / "memory.db", embedder=EMBEDDER)
    for start in range(0, len(given), 500):
        some = given[start : start + 500]
        lance.save(some)
        storage.save(some)
        ours.take(some)
    chance = random.Random(4)
    queries = [sentence(chance) for _ in range(repeats)]

    def recall(memory: Memory, **options: Any) -> Callable[[int], Any]:
        return lambda at: memory.recall(queries[at], limit=10, **options)

    note: dict[str, Any] = {"categories": ["note"], "importance": 0.5}
    return [
        compare("recall, deep", repeats, recall(stock), recall(ours)),
        compare("recall, deep, their memory on ours", repeats, recall(stock), recall(bridged)),
        compare(
            "recall, one scope",
            repeats,
            recall(stock, scope="/user/07"),
            recall(ours, scope="/user/07"),
        ),
        compare(
            "recall, shallow",
            repeats,
            recall(stock, depth="shallow"),
            recall(ours, depth="shallow"),
        ),
        compare(
            "remember one, all fields given",
            repeats,
            lambda at: stock.remember(f"{queries[at]} new", scope=f"/new/{at}", **note),
            lambda at: ours.remember(f"{queries[at]} new", scope=f"/new/{at}", **note),
        ),
    ]


def main() -> None:
    """Fill, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print(f"{options.records} records, {DIMENSION} dimensions; median ms")
    print(f"{'':<34}{'LanceDB':>10}{'Holdfast':>10}{'ratio':>10}")
    given = records(options.records, random.Random(1))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lance, ours = LanceDBStorage(path=folder / "lance"), HoldfastStorage(folder / "storage.db")
        for start in range(0, len(given), 500):
            lance.save(given[start : start + 500])
            ours.save(given[start : start + 500])
        lines = storage_lines(lance, ours, options.records, options.repeats)
        lines += memory_lines(folder, given, options.repeats)
    if options.json:
        result = {"python": sys.version, "lines": [asdict(line) for line in lines]}
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
