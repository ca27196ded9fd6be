"""`Memory(graph=...)`: what is asked of the model, what is kept, what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from holdfast import InvalidInputError, Memory
from holdfast.testing import HashEmbedder, ScriptedLLM
from support.story import triple

SAID: Any = {
    "facts": [
        {
            "text": "Rita lives in Lyon",
            "turns": [1],
            "when": "",
            "relations": [triple("Rita", "lives_in", "Lyon")],
        }
    ]
}


@pytest.fixture
def without(tmp_path: Path) -> Iterator[tuple[Memory, ScriptedLLM]]:
    llm = ScriptedLLM([SAID])
    with Memory(tmp_path / "m.db", embedder=HashEmbedder(), llm=llm, graph=False) as memory:
        yield memory, llm


def test_without_a_graph_no_relation_is_asked_for_or_kept(
    without: tuple[Memory, ScriptedLLM], tmp_path: Path
) -> None:
    memory, llm = without
    memory.add("Rita lives in Lyon", user_id="ann")
    (call,) = llm.calls

    assert "relation:" not in call.messages[0]["content"]
    assert "single_valued" not in str(call)
    with Memory(tmp_path / "m.db", embedder=HashEmbedder()) as reader:
        assert {record.kind for record in reader.list(user_id="ann")} == {"fact", "turn"}
        assert reader.graph(user_id="ann").relations() == []


def test_without_a_graph_nothing_can_be_asked_of_it(without: tuple[Memory, ScriptedLLM]) -> None:
    memory, _ = without
    with pytest.raises(InvalidInputError, match="graph=False"):
        memory.graph(user_id="ann")
    with pytest.raises(InvalidInputError, match="graph=False"):
        memory.add_relations([("Rita", "likes", "tea")], user_id="ann")
    with pytest.raises(InvalidInputError, match="graph=False"):
        asyncio.run(memory.aadd_relations([("Rita", "likes", "tea")], user_id="ann"))


@pytest.mark.parametrize("graph", [None, True])
def test_by_default_and_with_it_relations_are_asked_for(tmp_path: Path, graph: bool | None) -> None:
    llm = ScriptedLLM([SAID])
    with Memory(tmp_path / "m.db", embedder=HashEmbedder(), llm=llm, graph=graph) as memory:
        memory.add("Rita lives in Lyon", user_id="ann")
        assert "- relations:" in llm.calls[0].messages[0]["content"]
        assert memory.graph(user_id="ann").relations()[0].target == "Lyon"


@pytest.mark.parametrize("graph", ["yes", 1])
def test_a_switch_is_on_off_or_left_alone(tmp_path: Path, graph: Any) -> None:
    with pytest.raises(InvalidInputError, match="graph must be"):
        Memory(tmp_path / "m.db", embedder=HashEmbedder(), graph=graph)
