"""A graph of who mentions whom, read from turns; off unless it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from holdfast import Memory, Message
from holdfast.testing import HashEmbedder, ScriptedLLM

SAID = "I met Paul and Rita in Oslo on 2024-06-01"


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m.db", embedder=HashEmbedder(), graph=True) as opened:
        yield opened


def triples(memory: Memory, name: str | None = None) -> set[tuple[str, str, str]]:
    found = memory.graph(user_id="ann").relations(name)
    return {(one.source, one.label, one.target) for one in found}


def test_a_turn_mentions_names_and_dates_and_is_their_source(memory: Memory) -> None:
    (change,) = memory.add(Message(SAID, name="Ann"), user_id="ann")

    assert triples(memory, "Ann") == {
        ("Ann", "mentions", "Paul"),
        ("Ann", "mentions", "Rita"),
        ("Ann", "mentions", "Oslo"),
        ("Ann", "mentions", "2024-06-01"),
    }
    (beside,) = memory.graph(user_id="ann").paths("Paul", "2024-06-01", max_hops=1)
    assert beside.hops[0].relations[0].label == "mentioned_with"
    assert beside.sources == (change.id,)


def test_nothing_but_the_turn_is_stored(memory: Memory) -> None:
    memory.add(SAID, user_id="ann")
    assert [record.text for record in memory.list(user_id="ann")] == [SAID]


def test_a_turn_in_other_words_mentions_others(memory: Memory) -> None:
    (change,) = memory.add("I met Paul", user_id="ann")
    corrected = memory.update(change.id, user_id="ann", text="I met Quinn")
    assert triples(memory) == {("user", "mentions", "Quinn")}

    memory.undo(corrected, user_id="ann")
    assert triples(memory) == {("user", "mentions", "Paul")}
    memory.delete(change.id, user_id="ann")
    assert memory.graph(user_id="ann").entities() == []


@pytest.mark.parametrize("graph", [None, False])
def test_turns_are_not_read_unless_asked(tmp_path: Path, graph: bool | None) -> None:
    with Memory(tmp_path / "m.db", embedder=HashEmbedder(), graph=graph) as memory:
        memory.add(SAID, user_id="ann")
    with Memory(tmp_path / "m.db", embedder=HashEmbedder()) as memory:
        assert triples(memory) == set()


def test_with_a_model_the_model_reads(tmp_path: Path) -> None:
    llm = ScriptedLLM([{"facts": []}])
    with Memory(tmp_path / "m.db", embedder=HashEmbedder(), llm=llm, graph=True) as memory:
        memory.add(SAID, user_id="ann")
        assert triples(memory) == set()
