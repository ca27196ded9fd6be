"""Store and checkpointer beside LangGraph's own: one run, in turn, with what was asked of us.

    export UV_PROJECT_ENVIRONMENT=/tmp/langgraph-env    # a Python whose sqlite3 loads extensions
    uv sync --all-packages --python /usr/bin/python3
    uv pip install --python $UV_PROJECT_ENVIRONMENT langgraph-checkpoint-sqlite
    $UV_PROJECT_ENVIRONMENT/bin/python benchmarks/langgraph.py

`SqliteStore` needs such a Python; uv's own has none. What is measured, and at which durability, is
said in `langgraph_store.py` and `langgraph_checkpoint.py`, which also run alone. In the last table
a ratio above 1 says that Holdfast is quicker (or smaller); each line compares equal durability,
but where it says otherwise.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

if __name__ == "langgraph":
    # The scripts beside this one mean the real package, which has no file of its own to be found.
    from pkgutil import extend_path

    __path__ = extend_path([], __name__)

Line = tuple[str, str, float]
"""What is compared, what was asked, and how many times better Holdfast is."""

SEARCHES = {
    "search": (10, 30),
    "search, filter keeps 1/10": (5, 5),
    "search, filter keeps 1/1000": (5, 5),
}


def store_lines(figures: Any) -> list[Line]:
    """Compare the stores."""

    def ratio(task: str, ours: str, theirs: str) -> float:
        return float(figures[task][theirs] / figures[task][ours])

    put = "put, one by one"
    lines = [
        (f"{put}: SqliteStore as shipped", "10", ratio(put, "holdfast full", "sqlite as shipped")),
        (
            "  the same, Holdfast's default (less durable)",
            "",
            ratio(put, "holdfast", "sqlite as shipped"),
        ),
        (f"{put}: SqliteStore, WAL by hand", "1.5", ratio(put, "holdfast", "sqlite + WAL")),
    ]
    for task, (sqlite, memory) in SEARCHES.items():
        lines.append(
            (
                f"{task}: SqliteStore, WAL by hand",
                f"{sqlite}",
                ratio(task, "holdfast", "sqlite + WAL"),
            )
        )
        lines.append((f"{task}: InMemoryStore", f"{memory}", ratio(task, "holdfast", "in memory")))
    return lines


def checkpoint_lines(rows: Any) -> list[Line]:
    """Compare the checkpointers."""
    tasks = [
        task
        for task in rows["holdfast normal"]
        if task.startswith(("put", "list")) and "mean" not in task
    ]
    lines = [
        (
            f"checkpoint {task}, {durability}: SqliteSaver",
            "1",
            rows[f"sqlite {durability}"][task] / rows[f"holdfast {durability}"][task],
        )
        for durability in ("normal", "full")
        for task in tasks
    ]
    file = "file, kB"
    lines.append(
        (
            f"checkpoint {file}: SqliteSaver",
            "5",
            rows["sqlite normal"][file] / rows["holdfast normal"][file],
        )
    )
    return lines


def main() -> None:
    """Measure, print three tables, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--puts", type=int, default=1_000, help="into the stores, one by one")
    parser.add_argument(
        "--items", type=int, default=10_000, help="in the stores when they are searched"
    )
    parser.add_argument("--rounds", type=int, default=30, help="of each search")
    parser.add_argument("--turns", type=int, default=200, help="of the chat")
    parser.add_argument("--json", type=Path, help="write the figures here")
    asked = parser.parse_args()

    import langgraph_checkpoint  # they import the real langgraph, as which this file may stand in
    import langgraph_store

    store = langgraph_store.measured(asked.puts, asked.items, asked.rounds)
    langgraph_store.show(store, asked.items)
    rows = langgraph_checkpoint.measured(asked.turns)
    print()
    langgraph_checkpoint.show(rows, asked.turns)
    print(f"\n{'Holdfast beside':62} {'asked':>6} {'times':>8}")
    for what, wanted, times in [*store_lines(store), *checkpoint_lines(rows)]:
        print(f"{what:62} {wanted:>6} {times:8.2f}")
    if asked.json:
        asked.json.write_text(json.dumps({"store": store, "checkpoint": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
