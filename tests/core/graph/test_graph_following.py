"""A graph that followed every write is the graph of a file opened anew."""

from __future__ import annotations

import random
import tempfile
from contextlib import suppress
from pathlib import Path

from holdfast import InvalidInputError, Memory
from holdfast.graph import Graph
from holdfast.testing import HashEmbedder
from hypothesis import given, settings
from hypothesis import strategies as st

NAMES = ("Ann", "Bob", "Cid", "Dr Cid", "Eve", "Oslo")


def step(memory: Memory, graph: Graph, chance: random.Random) -> None:
    """Do one thing at random."""
    a, b = chance.sample(NAMES, 2)
    held = memory.list(user_id="u", limit=1_000).records
    match chance.randrange(6):
        case 0 | 1:
            label = chance.choice(("likes", "lives_in"))
            memory.add_relations([(a, label, b)], user_id="u", run_id=chance.choice("xy"))
        case 2 if held:
            memory.delete(chance.choice(held).id, user_id="u")
        case 3 if held:
            last = memory.history(chance.choice(held).id, user_id="u")[-1]
            if last.event != "NONE":
                memory.undo(last, user_id="u")
        case _:
            with suppress(InvalidInputError):  # Cid and Dr Cid are one name
                chance.choice((graph.merge, graph.split))(a, b)


def told(memory: Memory) -> object:
    graph = memory.graph(user_id="u")
    return (
        graph.entities(),
        graph.relations(),
        graph.paths("Ann", "Oslo"),
        graph.neighbours("Bob", 3),
    )


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000))
def test_following_the_log_gives_the_graph_of_a_file_opened_anew(seed: int) -> None:
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "memory.db"
        with Memory(path, embedder=HashEmbedder()) as memory:
            graph = memory.graph(user_id="u")
            for _ in range(25):
                step(memory, graph, chance)
                graph.entities()
            with Memory(path, embedder=HashEmbedder()) as anew:
                assert told(memory) == told(anew)


def test_a_scope_that_is_erased_leaves_no_name() -> None:
    with Memory(":memory:", embedder=HashEmbedder()) as memory:
        memory.add_relations([("Ann", "likes", "tea")], user_id="u")
        assert len(memory.graph(user_id="u").entities()) == 2
        memory.delete_all(user_id="u")
        assert memory.graph(user_id="u").entities() == []
