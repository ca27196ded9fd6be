"""`Memory.add_relations`, names that are one, and bad input."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from holdfast import InvalidInputError, Memory, RecordNotFoundError, ScopeError
from holdfast.graph import Graph, Triple
from holdfast.testing import HashEmbedder

NOW = datetime.now(timezone.utc)


def state(memory: Memory, *given: Any) -> Any:
    return memory.add_relations(list(given), user_id="ann")


def targets(graph: Graph, name: str, label: str, **when: Any) -> list[str]:
    return [one.target for one in graph.relations(name, label=label, **when)]


def test_relations_are_facts_that_search_finds(memory: Memory) -> None:
    (change,) = state(memory, ("Rita", "works with", "Quinn"))

    assert (change.event, change.after.text) == ("ADD", "Rita works with Quinn")
    assert memory.search("Who works with Quinn?", user_id="ann")[0].record == change.after


def test_a_new_home_ends_the_old_one_and_both_stay_readable(memory: Memory, graph: Graph) -> None:
    moved = NOW - timedelta(days=10)
    state(memory, Triple("Rita", "lives_in", "Lyon", valid_from=NOW - timedelta(days=100)))
    (change,) = state(memory, Triple("Rita", "moved to", "Oslo", valid_from=moved))

    assert change.event == "UPDATE"
    assert targets(graph, "Rita", "lives_in") == ["Oslo"]
    assert targets(graph, "Rita", "lives_in", valid_at=NOW - timedelta(days=20)) == ["Lyon"]
    memory.undo(change, user_id="ann")
    assert targets(graph, "Rita", "lives_in") == ["Lyon"]


def test_a_name_of_many_values_ends_nothing(memory: Memory, graph: Graph) -> None:
    state(memory, ("Rita", "likes", "tea"), ("Rita", "likes", "coffee"))
    assert sorted(targets(graph, "Rita", "likes")) == ["coffee", "tea"]


def test_what_is_known_is_confirmed_not_stored_twice(memory: Memory, graph: Graph) -> None:
    state(memory, ("Rita", "likes", "tea"))
    (change,) = state(memory, ("Rita", "likes", "tea"))

    assert change.event == "NONE"
    assert len(graph.relations()) == 1


def test_a_relation_without_a_source_stands_alone(memory: Memory, graph: Graph) -> None:
    state(memory, ("Rita", "likes", "tea"))
    assert graph.relations()[0].sources == ()


def test_a_relation_goes_with_the_last_turn_it_rests_on(memory: Memory, graph: Graph) -> None:
    turns = [memory.add(text, user_id="ann")[0].id for text in ("Tea!", "Tea again")]
    state(memory, Triple("Rita", "likes", "tea", sources=tuple(turns)))

    memory.delete(turns[0], user_id="ann")
    assert graph.relations()[0].sources == (turns[1],)
    memory.delete(turns[1], user_id="ann")
    assert graph.relations() == []


def test_a_source_of_somebody_else_is_refused(memory: Memory, graph: Graph) -> None:
    turn = memory.add("Tea!", user_id="eve")[0].id
    with pytest.raises(RecordNotFoundError):
        state(memory, Triple("Rita", "likes", "tea", sources=(turn,)))
    assert graph.relations() == []


@pytest.mark.parametrize(
    "given",
    [
        ("", "likes", "tea"),
        ("Rita", "", "tea"),
        ("Rita", "__", "tea"),
        ("Rita", "likes", "  "),
        ("Rita", "likes"),
        ("Rita", "likes", 7),
        ("Rita", "likes", "t" * 10_000),
        ("Ri\ud800ta", "likes", "tea"),
        {"subject": "Rita", "relation": "likes"},
        {"subject": "Rita", "relation": "likes", "object": "tea", "colour": "red"},
        Triple("Rita", "likes", "tea", confidence=2.0),
        Triple("Rita", "likes", "tea", sources="abc"),  # type: ignore[arg-type]
        Triple("Rita", "likes", "tea", valid_from=datetime(2024, 1, 1)),
        None,
    ],
)
def test_what_cannot_be_stored_is_refused_and_nothing_is_written(
    memory: Memory, graph: Graph, given: Any
) -> None:
    with pytest.raises(InvalidInputError):
        state(memory, ("Paul", "likes", "tea"), given)
    assert graph.relations() == []


def test_a_relation_needs_a_scope(memory: Memory) -> None:
    with pytest.raises(ScopeError):
        memory.add_relations([("Rita", "likes", "tea")])


def test_nothing_to_add_changes_nothing(memory: Memory) -> None:
    assert len(state(memory)) == 0


def test_redaction_reaches_names(tmp_path: Path) -> None:
    def redact(text: str) -> str:
        return text.replace("Rita", "someone")

    with Memory(tmp_path / "r.db", embedder=HashEmbedder(), redact=redact) as memory:
        state(memory, ("Rita", "likes", "tea"))
        assert memory.graph(user_id="ann").relations()[0].text == "someone likes tea"


@pytest.mark.parametrize(
    ("one", "other"),
    [("José", "JOSE"), ("Dr. Weber", "weber"), ("The Louvre", "louvre"), ("Jean-Luc", "jean luc")],
)
def test_case_accents_titles_and_articles_make_no_other_name(
    memory: Memory, graph: Graph, one: str, other: str
) -> None:
    state(memory, (one, "likes", "tea"), (other, "likes", "coffee"))
    found = graph.entities(one)

    assert len(found) == 1
    assert {found[0].name, *found[0].aliases} == {one, other}


def test_another_script_is_another_name_until_merged(memory: Memory, graph: Graph) -> None:
    state(memory, ("Иван", "likes", "tea"), ("Ivan", "likes", "coffee"))
    assert graph.paths("tea", "coffee") == []
    graph.merge("Иван", "Ivan")
    assert graph.paths("tea", "coffee")[0].names[1] in ("Иван", "Ivan")


def test_a_person_and_a_place_of_one_name_are_two(memory: Memory, graph: Graph) -> None:
    state(
        memory,
        Triple("Sydney", "likes", "tea", subject_type="person"),
        Triple("Paul", "visited", "Sydney", object_type="city"),
    )
    assert {one.type for one in graph.entities("Sydney")} == {"person", "city"}
    assert graph.paths("Paul", "tea") == []


def test_merging_unites_and_splitting_parts_with_history_and_undo(
    memory: Memory, graph: Graph
) -> None:
    state(memory, ("Bob", "likes", "tea"), ("Robert Smith", "works_at", "Acme"))
    (merged,) = graph.merge("Robert Smith", "Bob")
    assert graph.paths("tea", "Acme")[0].names[1] == "Robert Smith"
    assert graph.entities("bob")[0].aliases == ("Bob",)

    ended, stated = graph.split("Bob", "Robert Smith")
    assert (ended.event, ended.id) == ("DELETE", merged.id)
    assert graph.paths("tea", "Acme") == []
    assert [one.event for one in memory.history(merged.id, user_id="ann")] == ["ADD", "DELETE"]

    memory.undo(stated, user_id="ann")
    memory.undo(ended, user_id="ann")
    assert len(graph.paths("tea", "Acme")) == 1


def test_an_alias_shared_by_two_people_can_be_told_apart(memory: Memory, graph: Graph) -> None:
    state(memory, ("Bob Smith", "likes", "tea"), ("Bob Jones", "likes", "coffee"))
    graph.split("Bob Smith", "Bob Jones")
    graph.merge("Bob Smith", "Bob")
    graph.merge("Bob Jones", "Bob")

    assert graph.paths("tea", "coffee") == []
    assert graph.neighbours("Bob")[0].entity.name == "tea"


def test_one_name_cannot_be_merged_with_itself(graph: Graph) -> None:
    with pytest.raises(InvalidInputError, match="one name"):
        graph.merge("Bob", "BOB")


def test_the_async_twins_write_the_same(memory: Memory, graph: Graph) -> None:
    async def flow() -> None:
        await memory.aadd_relations(
            [("Bob", "likes", "tea"), ("Rob", "likes", "rum")], user_id="ann"
        )
        await graph.amerge("Bob", "Rob")
        assert len(graph.paths("tea", "rum")) == 1
        await graph.asplit("Bob", "Rob")

    asyncio.run(flow())
    assert graph.paths("tea", "rum") == []


def test_loops_and_cycles_end(memory: Memory, graph: Graph) -> None:
    state(
        memory, ("A", "knows", "A"), ("A", "knows", "B"), ("B", "knows", "C"), ("C", "knows", "A")
    )

    assert [one.entity.name for one in graph.neighbours("A", 6)] == ["B", "C"]
    assert [path.names for path in graph.paths("A", "C")] == [("A", "C"), ("A", "B", "C")]
    assert graph.paths("A", "A") == []


@pytest.mark.slow
def test_a_hub_of_ten_thousand_relations_answers(memory: Memory, graph: Graph) -> None:
    state(memory, *[("hub", "knows", f"n{number}") for number in range(10_000)])

    assert len(graph.neighbours("hub")) == 100
    assert graph.paths("n1", "n9999")[0].names == ("n1", "hub", "n9999")
    assert graph.entities("hub")[0].relations == 10_000


@pytest.mark.parametrize("hops", [0, 7, True, "4"])
def test_a_senseless_number_of_hops_is_refused(graph: Graph, hops: Any) -> None:
    with pytest.raises(InvalidInputError, match="max_hops"):
        graph.paths("A", "B", max_hops=hops)


def test_a_bound_handle_has_its_own_graph_only(memory: Memory) -> None:
    handle = memory.scoped(user_id="ann")
    handle.add_relations([("Rita", "likes", "tea")])

    assert len(handle.graph().relations()) == 1
    with pytest.raises(ScopeError):
        handle.graph(user_id="eve")


def test_another_process_sees_what_was_written(
    memory: Memory, graph: Graph, tmp_path: Path
) -> None:
    state(memory, ("Rita", "likes", "tea"))
    assert len(graph.relations()) == 1
    with Memory(tmp_path / "memory.db", embedder=HashEmbedder()) as other:
        other.add_relations([("Rita", "likes", "coffee")], user_id="ann")
    assert len(graph.relations()) == 2
