"""A fact that is given other words says other things: its old relations end, with history."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from holdfast import Memory
from holdfast.graph import Graph, Triple
from holdfast.language.wording import fingerprint
from holdfast.testing import HashEmbedder, ScriptedLLM
from support.flows import decision, decisions, fact, facts, of, opened
from support.story import USER, answers, tell, triple


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(
        tmp_path / "memory.db", embedder=HashEmbedder(), llm=ScriptedLLM(answers())
    ) as opened:
        yield opened


@pytest.fixture
def graph(memory: Memory) -> Graph:
    return memory.graph(user_id=USER)


def state(memory: Memory, *triple: str) -> str:
    return memory.add_relations([triple], user_id=USER)[0].id


def labels(graph: Graph, name: str, **when: datetime) -> list[str]:
    return sorted(one.label for one in graph.relations(name, **when))


def test_other_words_end_the_relations_of_the_old_ones(memory: Memory, graph: Graph) -> None:
    key = state(memory, "Rita", "lives_in", "Lyon")
    before = datetime.now(timezone.utc)
    memory.update(key, user_id=USER, text="Rita has left Lyon")

    assert graph.relations() == []
    assert labels(graph, "Rita", as_of=before) == ["lives_in"]
    assert labels(graph, "Rita", valid_at=before) == ["lives_in"]


def test_undoing_the_words_brings_the_relations_back(memory: Memory, graph: Graph) -> None:
    key = state(memory, "Rita", "lives_in", "Lyon")
    changed = memory.update(key, user_id=USER, text="Rita has left Lyon")
    memory.undo(changed, user_id=USER)

    assert labels(graph, "Rita") == ["lives_in"]


def test_a_relation_that_would_outlast_its_fact_ends_with_its_words(
    memory: Memory, graph: Graph
) -> None:
    tell(memory)
    key = graph.relations("Rita", label="lives_in")[0].id
    memory.undo(memory.history(key, user_id=USER)[-1], user_id=USER)
    assert memory.get(key, user_id=USER).text == "Quinn's sister Rita moved to Lyon."
    assert "sister" in labels(graph, "Quinn")

    memory.update(key, user_id=USER, text="Quinn has no sister")
    assert "sister" not in labels(graph, "Quinn")


def test_of_a_fact_that_was_over_other_words_end_what_would_have_outlasted_it(
    tmp_path: Path,
) -> None:
    said = [triple("Quinn", "sister", "Rita"), triple("Rita", "lives_in", "Lyon", "person city")]
    lives = {**fact("Quinn's sister Rita lives in Lyon", relations=said)}
    left = facts("Quinn's sister Rita left Lyon"), decisions(decision("DELETE", 1))
    with opened(tmp_path, ScriptedLLM([facts(lives), *left])) as memory:
        graph = memory.graph(user_id="ada")
        key = of(memory.add("My sister Rita lives in Lyon", user_id="ada", run_id="r1"))[0].id
        memory.add("Rita has left Lyon", user_id="ada", run_id="r2")
        assert memory.get(key, user_id="ada").valid_to is not None
        assert labels(graph, "Rita") == ["sister"]
        before = datetime.now(timezone.utc)

        changed = memory.update(key, user_id="ada", text="Quinn has no sister")
        assert labels(graph, "Rita") == []
        assert labels(graph, "Rita", as_of=before) == ["sister"]
        assert labels(graph, "Rita", valid_at=before) == ["sister"]

        memory.undo(changed, user_id="ada")
        assert labels(graph, "Rita") == ["sister"]


@pytest.mark.parametrize("reworded", [True, False])
def test_words_that_are_known_do_not_keep_a_relation_out(
    memory: Memory, graph: Graph, reworded: bool
) -> None:
    if reworded:
        key = state(memory, "Rita", "likes", "coffee")
        memory.update(key, user_id=USER, text="Rita likes tea!")
    else:
        memory.add("Rita likes tea!", user_id=USER, kind="fact", wait=False)
    memory.add_relations([("Rita", "likes", "tea")], user_id=USER)
    assert [one.target for one in graph.relations("Rita")] == ["tea"]
    (again,) = memory.add_relations([("Rita", "likes", "tea")], user_id=USER)
    assert again.event == "NONE"


def test_a_fact_is_known_by_its_new_words(memory: Memory) -> None:
    key = state(memory, "Rita", "likes", "coffee")
    memory.update(key, user_id=USER, text="Rita likes tea!")
    with memory._storage.database.read() as connection:
        found = connection.execute(
            "SELECT text FROM records WHERE digest = ?", (fingerprint("Rita likes tea"),)
        ).fetchall()
    assert found == [("Rita likes tea!",)]


def test_the_same_words_say_the_same(memory: Memory, graph: Graph) -> None:
    key = state(memory, "Rita", "lives_in", "Lyon")
    memory.update(key, user_id=USER, text="Rita lives in Lyon!")
    assert labels(graph, "Rita") == ["lives_in"]

    (moved,) = memory.add_relations([("Rita", "lives_in", "Oslo")], user_id=USER)
    assert moved.event == "UPDATE"
    assert [one.target for one in graph.relations("Rita")] == ["Oslo"]


def test_a_change_of_anything_else_leaves_the_relations(memory: Memory, graph: Graph) -> None:
    key = state(memory, "Rita", "lives_in", "Lyon")
    memory.update(key, user_id=USER, metadata={"seen": True}, importance=0.9)
    assert labels(graph, "Rita") == ["lives_in"]


def test_undo_of_other_words_brings_back_an_end_that_is_yet_to_come(memory: Memory) -> None:
    soon = datetime.now(timezone.utc) + timedelta(days=30)
    memory.add_relations([Triple("Rita", "lives_in", "Nice", valid_from=soon)], user_id=USER)
    key = state(memory, "Rita", "lives_in", "Lyon")
    assert memory.get(key, user_id=USER).valid_to == soon

    change = memory.update(key, user_id=USER, text="Rita lives in Lyon, by the river")
    assert memory.get(key, user_id=USER).valid_to == soon
    memory.undo(change, user_id=USER)

    assert memory.get(key, user_id=USER).valid_to == soon
    assert memory.stats(check=True).problems == ()
