"""`search(graph=True)`: what relations boost, and what they never do."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from holdfast import InvalidInputError, Memory
from holdfast.graph import Triple
from holdfast.testing import HashEmbedder
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = datetime.now(timezone.utc)
ASKED = "Whom does Paul know in Lyon?"
FAR = "She found a flat by the river there"
SMALL_TALK = tuple(f"It was a grey day number {n}, and we know no end to it" for n in range(30))


def tell(memory: Memory, *others: str, **scope: str) -> str:
    """Store the story, a relation a turn, among small talk; return the far turn's id."""
    if others:
        memory.add([*others], **scope)
    said = ["We share a desk at the mill", "My little sister, a painter", FAR]
    turns = [memory.add(text, **scope)[0].id for text in said]
    stated = [
        ("Paul", "works_with", "Quinn"),
        ("Quinn", "sister", "Rita"),
        ("Rita", "lives_in", "Lyon"),
    ]
    memory.add_relations(
        [Triple(*one, sources=(turn,)) for one, turn in zip(stated, turns, strict=True)], **scope
    )
    return turns[-1]


def place(memory: Memory, key: str, query: str = ASKED, **asked: Any) -> int:
    """Return at which place a record is found, the first being 0; -1 if it is not."""
    found = memory.search(query, **{"user_id": "ann", "limit": 1_000, **asked})
    return next((n for n, match in enumerate(found) if match.record.id == key), -1)


def test_the_turn_of_a_far_relation_rises(memory: Memory) -> None:
    far = tell(memory, *SMALL_TALK, user_id="ann")

    without = place(memory, far, kinds=["turn"])
    assert place(memory, far, kinds=["turn"], graph=True) < 3 < without


def test_the_fact_that_states_it_rises_too(memory: Memory) -> None:
    tell(memory, *SMALL_TALK, user_id="ann")

    found = memory.search(ASKED, user_id="ann", graph=True, explain=True)
    parts = {match.record.text: match.parts["graph"] for match in found}
    assert parts["Rita lives in Lyon"] == max(parts.values()) > 0


def test_what_relations_added_is_told_only_where_they_were_asked(memory: Memory) -> None:
    tell(memory, user_id="ann")

    assert "graph" not in memory.search(ASKED, user_id="ann", explain=True)[0].parts
    assert all(match.parts == {} for match in memory.search(ASKED, user_id="ann", graph=True))
    for match in memory.search(ASKED, user_id="ann", graph=True, explain=True):
        assert 0 <= match.parts["graph"] <= 0.2001
        assert match.score == pytest.approx(sum(match.parts.values()), abs=1e-5)


def test_without_relations_it_finds_what_a_search_finds(memory: Memory) -> None:
    memory.add([*SMALL_TALK, FAR], user_id="ann")
    assert memory.search(ASKED, user_id="ann", graph=True) == memory.search(ASKED, user_id="ann")


def test_in_an_empty_file_it_finds_nothing(memory: Memory) -> None:
    assert memory.search(ASKED, user_id="ann", graph=True) == []


def test_the_async_twin_finds_the_same(memory: Memory) -> None:
    tell(memory, *SMALL_TALK, user_id="ann")

    found = asyncio.run(memory.asearch(ASKED, user_id="ann", graph=True, explain=True))
    assert found == memory.search(ASKED, user_id="ann", graph=True, explain=True)


def test_a_memory_that_keeps_no_relations_refuses(tmp_path: Path) -> None:
    with Memory(tmp_path / "m.db", embedder=HashEmbedder(), graph=False) as memory:
        assert memory.search(ASKED, user_id="ann") == []
        with pytest.raises(InvalidInputError, match="graph=False"):
            memory.search(ASKED, user_id="ann", graph=True)
        with pytest.raises(InvalidInputError, match="graph=False"):
            asyncio.run(memory.asearch(ASKED, user_id="ann", graph=True))


def test_the_graph_of_another_user_lifts_nothing(memory: Memory) -> None:
    memory.add([*SMALL_TALK, FAR], user_id="ann")
    alone = memory.search(ASKED, user_id="ann", graph=True, limit=100)
    tell(memory, user_id="bob")

    assert memory.search(ASKED, user_id="ann", graph=True, limit=100) == alone


def test_two_users_of_one_agent_keep_their_own_people(memory: Memory) -> None:
    told = {
        user: memory.add("Nothing else to say", user_id=user, agent_id="bot")[0].id
        for user in ("ann", "bob")
    }
    rests = {"ann": ("ann", "Rita", "Lyon"), "bob": ("bob", "Rita", "Oslo")}
    for user, name, city in rests.values():
        stated = Triple(name, "lives_in", city, sources=(told[user],))
        memory.add_relations([stated], user_id=user, agent_id="bot")

    found = memory.search("Lyon", agent_id="bot", graph=True, explain=True, kinds=["turn"])
    parts = {match.record.scope.user_id: match.parts["graph"] for match in found}
    assert parts["ann"] > parts["bob"] == 0


def test_what_is_over_lifts_only_at_its_time(memory: Memory) -> None:
    then = NOW - timedelta(days=50)
    turn = memory.add(FAR, user_id="ann", occurred_at=NOW - timedelta(days=100))[0].id
    first = Triple("Rita", "lives_in", "Lyon", valid_from=NOW - timedelta(days=90), sources=(turn,))
    memory.add_relations([first], user_id="ann")
    before = memory.history(memory.graph(user_id="ann").relations()[0].id, user_id="ann")[0].at
    memory.add_relations(
        [Triple("Rita", "lives_in", "Oslo", valid_from=NOW - timedelta(days=10))], user_id="ann"
    )

    def boost(**when: Any) -> float:
        (found,) = memory.search(
            "Lyon", user_id="ann", graph=True, explain=True, kinds=["turn"], **when
        )
        return found.parts["graph"]

    assert boost() == 0
    assert boost(valid_at=then) > 0
    assert boost(as_of=before) > 0
    assert boost(valid_at=NOW - timedelta(days=95)) == 0


def test_names_that_are_one_lift_together(memory: Memory) -> None:
    turn = memory.add(FAR, user_id="ann")[0].id
    memory.add_relations([Triple("Robert", "likes", "tea", sources=(turn,))], user_id="ann")
    memory.graph(user_id="ann").merge("Bob", "Robert")

    (found,) = memory.search("Bob", user_id="ann", graph=True, explain=True, kinds=["turn"])
    assert found.parts["graph"] > 0


def test_a_turn_lifts_itself_by_what_it_mentions(tmp_path: Path) -> None:
    with Memory(tmp_path / "m.db", embedder=HashEmbedder(), graph=True) as memory:
        memory.add("Yesterday I met Paul Smith in Lyon.", user_id="ann")
        memory.add("Nothing at all.", user_id="ann")
        found = memory.search("Paul Smith", user_id="ann", graph=True, explain=True)
        assert [match.parts["graph"] > 0 for match in found] == [True, False]


def test_in_a_large_store_a_lifted_turn_is_a_candidate(memory: Memory) -> None:
    crowd = [f"Paul may know somebody in town {n}" for n in range(1_100)]
    far = tell(memory, *crowd, user_id="ann")

    assert place(memory, far, limit=100, kinds=["turn"]) == -1
    assert place(memory, far, limit=100, kinds=["turn"], graph=True) >= 0


def test_an_erased_turn_lifts_nothing_any_more(memory: Memory) -> None:
    far = tell(memory, user_id="ann")
    memory.delete(far, user_id="ann")

    found = memory.search(ASKED, user_id="ann", graph=True, explain=True)
    assert "Rita lives in Lyon" not in {match.record.text for match in found}


NAMES = st.sampled_from(["Paul", "Quinn", "Rita", "Lyon", "Oslo"])
TOPICS = st.sampled_from(["work", "home"])


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(NAMES, NAMES, TOPICS), min_size=1, max_size=8),
    st.sampled_from([None, {"topic": "work"}, {"kind": "turn"}, {"topic": {"ne": "work"}}]),
    st.sampled_from([None, ["turn"], ["fact"]]),
    st.lists(NAMES, max_size=3),
)
def test_a_lift_brings_in_nothing_that_may_not_be_found(
    said: list[tuple[str, str, str]], filters: Any, kinds: Any, names: list[str]
) -> None:
    with Memory(":memory:", embedder=HashEmbedder(8)) as memory:
        for a, b, topic in said:
            turn = memory.add("so we said", user_id="ann", metadata={"topic": topic})[0].id
            if a != b:
                memory.add_relations([Triple(a, "knows", b, sources=(turn,))], user_id="ann")
        asked: Any = {"user_id": "ann", "filters": filters, "kinds": kinds, "limit": 100}
        query = " ".join(["who", *names])

        plain = {match.record.id for match in memory.search(query, **asked)}
        assert {match.record.id for match in memory.search(query, graph=True, **asked)} == plain
