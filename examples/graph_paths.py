"""A question over several hops: relations stated by hand, a path, a move, two names for one."""

from __future__ import annotations

import tempfile
from datetime import datetime, timezone
from pathlib import Path

from holdfast import Memory
from holdfast.graph import Triple


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, Memory(Path(folder) / "memory.db") as memory:
        ada = memory.scoped(user_id="ada")

        # With an LLM, `add` finds relations in what is said; without one, state them.
        ada.add_relations(
            [
                ("Paul", "works_with", "Quinn"),
                ("Quinn", "sister", "Rita"),
                Triple("Rita", "lives_in", "Lyon", valid_from=day("2024-02-01")),
            ]
        )
        # A home is one at a time: this one ends the other, which stays readable.
        ada.add_relations([Triple("Rita", "lives_in", "Oslo", valid_from=day("2024-06-01"))])

        graph = ada.graph()
        for path in graph.paths("Paul", "Oslo"):
            print(" > ".join(path.names))
            for hop in path:
                for fact in hop.relations:
                    print(f"  {fact.occurred_at:%Y-%m-%d}  {fact.text}")

        (then,) = graph.relations("Rita", label="lives_in", valid_at=day("2024-04-01"))
        print("In April 2024 Rita lived in", then.target)

        # Two names for one: a fact like any other, with history and undo.
        ada.add_relations([("Rita Halvorsen", "plays", "the cello")])
        (change,) = graph.merge("Rita", "Rita Halvorsen")
        print([path.names for path in graph.paths("Quinn", "cello")])
        ada.undo(change)
        print([path.names for path in graph.paths("Quinn", "cello")])

        graph.to_html(Path(folder) / "graph.html")  # one page, offline


if __name__ == "__main__":
    main()
