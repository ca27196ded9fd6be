"""Paths, times and isolation over a scripted conversation of four sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from holdfast import Memory
from holdfast.graph import Graph
from holdfast.testing import HashEmbedder, ScriptedLLM
from support.story import USER, answers, day, tell


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(
        tmp_path / "memory.db", embedder=HashEmbedder(), llm=ScriptedLLM(answers())
    ) as opened:
        yield opened


@pytest.fixture
def turns(memory: Memory) -> list[str]:
    return tell(memory)


@pytest.fixture
def graph(memory: Memory, turns: list[str]) -> Graph:
    return memory.graph(user_id=USER)


def test_the_shortest_path_has_two_hops_with_dates_and_turns(
    graph: Graph, turns: list[str]
) -> None:
    first = graph.paths("Paul", "Oslo")[0]

    assert first.names == ("Paul", "Rita", "Oslo")
    visits, lives = (hop.relations[0] for hop in first)
    assert (visits.label, visits.sources) == ("visits", (turns[3],))
    assert (lives.label, lives.sources) == ("lives_in", (turns[2],))
    assert lives.valid_from == day("2024-06-01")
    assert lives.occurred_at == day("2024-06-20")
    assert first.sources == (turns[3], turns[2])


def test_longer_paths_follow_the_shortest(graph: Graph) -> None:
    found = [path.names for path in graph.paths("Paul", "Oslo")]

    assert found == [("Paul", "Rita", "Oslo"), ("Paul", "Quinn", "Rita", "Oslo")]
    assert graph.paths("Paul", "Oslo", max_hops=1) == []
    assert len(graph.paths("Paul", "Oslo", limit=1)) == 1


def test_before_the_move_she_lives_in_lyon(graph: Graph) -> None:
    (then,) = graph.relations("Rita", label="lives_in", valid_at=day("2024-04-01"))
    (now,) = graph.relations("Rita", label="lives_in")

    assert (then.target, then.valid_to) == ("Lyon", day("2024-06-01"))
    assert (now.target, now.valid_to) == ("Oslo", None)
    assert graph.paths("Paul", "Lyon") == []
    found = graph.paths("Paul", "Lyon", valid_at=day("2024-04-01"))
    assert [path.names for path in found] == [("Paul", "Quinn", "Rita", "Lyon")]


def test_as_of_reads_what_was_known(memory: Memory, graph: Graph) -> None:
    before = datetime.now(timezone.utc)
    memory.add_relations([("Paul", "lives_in", "Bergen")], user_id=USER)

    assert graph.relations("Paul", label="lives_in", as_of=before) == []
    assert graph.relations("Paul", label="lives_in")[0].target == "Bergen"


def test_nobody_else_sees_the_graph(memory: Memory, graph: Graph) -> None:
    assert memory.search("Rita Oslo", user_id="viktor") == []
    stranger = memory.graph(user_id="viktor")
    assert stranger.entities() == []
    assert stranger.relations() == []
    assert stranger.neighbours("Rita") == []
    assert stranger.paths("Paul", "Oslo") == []


def test_two_users_of_one_agent_keep_their_own_people(memory: Memory) -> None:
    memory.add_relations([("Bob", "likes", "tea")], user_id="ann", agent_id="helper")
    memory.add_relations([("Bob", "likes", "coffee")], user_id="eve", agent_id="helper")
    both = memory.graph(agent_id="helper")

    assert {one.user_id for one in both.entities("Bob")} == {"ann", "eve"}
    assert both.paths("tea", "coffee") == []


def test_entities_tell_their_type_and_when_they_were_seen(graph: Graph) -> None:
    rita = graph.entities("rita")[0]

    assert (rita.name, rita.type) == ("Rita", "person")
    assert (rita.first_seen, rita.last_seen) == (day("2024-03-02"), day("2024-06-25"))
    assert graph.entities()[0].name == "Rita"


def test_neighbours_come_nearest_first(graph: Graph) -> None:
    found = graph.neighbours("Oslo", 2)

    assert [(one.entity.name, one.distance) for one in found] == [
        ("Rita", 1),
        ("Quinn", 2),
        ("Paul", 2),
    ]


def test_every_async_twin_answers_the_same(graph: Graph) -> None:
    async def ask() -> list[object]:
        return [
            await graph.aentities("rita"),
            await graph.arelations("Rita"),
            await graph.aneighbours("Oslo", 2),
            await graph.apaths("Paul", "Oslo"),
        ]

    assert asyncio.run(ask()) == [
        graph.entities("rita"),
        graph.relations("Rita"),
        graph.neighbours("Oslo", 2),
        graph.paths("Paul", "Oslo"),
    ]


def test_a_turn_that_is_erased_takes_along_what_it_alone_says(
    memory: Memory, graph: Graph, turns: list[str]
) -> None:
    gone = graph.relations("Paul", label="visits")[0]
    memory.delete(turns[3], user_id=USER)

    assert graph.relations("Paul", label="visits") == []
    assert [path.names for path in graph.paths("Paul", "Oslo")] == [
        ("Paul", "Quinn", "Rita", "Oslo")
    ]
    assert memory.history(gone.id, user_id=USER)[-1].reason == "erased"


def test_erasing_the_move_brings_lyon_back(memory: Memory, graph: Graph, turns: list[str]) -> None:
    memory.delete(turns[2], user_id=USER)

    assert [one.target for one in graph.relations("Rita", label="lives_in")] == ["Lyon"]
    assert graph.entities("Oslo") == []
