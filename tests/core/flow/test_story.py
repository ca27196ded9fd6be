"""One story over the OpenAI protocol: ADD, UPDATE, DELETE, NONE, and what each costs in calls."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from holdfast import Memory
from support.flows import (
    decision,
    decisions,
    fact,
    facts,
    lives_in,
    model,
    of,
    only,
    opened,
    texts,
)
from support.openai_server import OpenAIServer, called

REX = "Rex is a dog of the user"


def at(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=timezone.utc)


@pytest.fixture
def memory(openai_server: OpenAIServer, tmp_path: Path) -> Iterator[Memory]:
    with opened(tmp_path, model(openai_server)) as made:
        yield made


def test_one_call_where_nothing_is_near(memory: Memory, openai_server: OpenAIServer) -> None:
    openai_server.script(called(facts(REX)))
    changes = memory.add("I have a dog called Rex", user_id="ada")
    turn, added = changes
    assert (added.event, added.after.text) == ("ADD", REX)
    assert added.sources == (turn.id,) == added.after.sources
    assert (changes.usage.calls, changes.usage.prompt_tokens) == (1, 11)
    assert len(openai_server.bodies()) == 1


def test_one_call_where_there_is_no_fact(memory: Memory, openai_server: OpenAIServer) -> None:
    openai_server.script(called(facts()))
    changes = memory.add("Good morning!", user_id="ada")
    assert [change.event for change in changes] == ["ADD"]
    assert (changes.usage.calls, changes.problems) == (1, ())


def test_one_call_where_all_is_known_and_the_fact_rests_on_both_turns(
    memory: Memory, openai_server: OpenAIServer
) -> None:
    openai_server.script(called(facts(REX)), called(facts(f"{REX.upper()}.")))
    first = memory.add("I have a dog called Rex", user_id="ada", run_id="monday")
    again = memory.add("My dog is called Rex", user_id="ada", run_id="friday")
    (none,) = of(again)
    assert (none.event, none.id, again.usage.calls) == ("NONE", first[1].id, 1)
    assert only(memory).sources == (first[0].id, again[0].id)


def test_a_model_that_finds_a_fact_known_makes_it_rest_on_both_turns(
    memory: Memory, openai_server: OpenAIServer
) -> None:
    openai_server.script(
        called(facts(REX)),
        called(facts("Rex, a dog, is the user's")),
        called(decisions(decision("NONE", 1))),
    )
    first = memory.add("I have a dog called Rex", user_id="ada")
    again = memory.add("Rex is my dog", user_id="ada")
    assert again.usage.calls == 2
    assert only(memory).sources == (first[0].id, again[0].id)


def test_two_calls_where_something_must_be_decided(
    memory: Memory, openai_server: OpenAIServer
) -> None:
    openai_server.script(
        called(facts(REX)),
        called(facts("Rex the dog of the user died")),
        called(decisions(decision("DELETE", 1))),
    )
    memory.add("I have a dog called Rex", user_id="ada")
    changes = memory.add("Rex, my dog, died", user_id="ada")
    (ended,) = of(changes)
    assert (ended.event, ended.before.text, ended.after) == ("DELETE", REX, None)
    assert ended.reason == "model: because delete"
    assert ended.sources == (changes[0].id,)
    assert (changes.usage.calls, texts(memory)) == (2, [])


def test_no_call_for_messages_resent_with_known_ids(
    memory: Memory, openai_server: OpenAIServer
) -> None:
    openai_server.script(called(facts(REX)))
    message = {"role": "user", "content": "I have a dog called Rex", "id": "m1"}
    memory.add(message, user_id="ada")
    again = memory.add(message, user_id="ada")
    assert (len(again), again.usage.calls, len(openai_server.bodies())) == (0, 0, 1)


def test_the_whole_story_can_be_read_in_history(
    memory: Memory, openai_server: OpenAIServer
) -> None:
    openai_server.script(
        called(facts("The dog of the user is Rex")),
        called(facts("The dog of the user is Rex and he is old")),
        called(decisions(decision("UPDATE", 1, text="The dog of the user is Rex, an old one"))),
        called(facts("The dog of the user is Rex, an old one")),
        called(facts("The dog of the user, Rex, is dead")),
        called(decisions(decision("DELETE", 1))),
    )
    said = ["My dog is Rex", "Rex is old", "Rex, my dog, is old", "Rex is dead"]
    made = [memory.add(words, user_id="ada") for words in said]
    assert [changes.usage.calls for changes in made] == [1, 2, 1, 2]
    past = memory.history(made[0][1].id, user_id="ada")
    assert [change.event for change in past] == ["ADD", "UPDATE", "NONE", "DELETE"]
    assert [change.sources for change in past] == [(changes[0].id,) for changes in made]
    assert past[1].after.text == "The dog of the user is Rex, an old one"
    assert memory.stats(check=True).problems == ()


def test_both_calls_of_an_async_add_are_awaited(
    memory: Memory, openai_server: OpenAIServer
) -> None:
    openai_server.script(
        called(facts(REX)),
        called(facts("Rex the dog of the user died")),
        called(decisions(decision("DELETE", 1))),
    )

    async def flow() -> int:
        await memory.aadd("I have a dog called Rex", user_id="ada")
        return (await memory.aadd("Rex, my dog, died", user_id="ada")).usage.calls

    assert asyncio.run(flow()) == 2
    assert texts(memory) == []


def test_the_sync_face_works_inside_a_running_loop(
    memory: Memory, openai_server: OpenAIServer
) -> None:
    openai_server.script(called(facts(REX)))

    async def flow() -> None:
        memory.add("I have a dog called Rex", user_id="ada")

    asyncio.run(flow())
    assert texts(memory) == [REX]


def test_many_adds_at_once_lose_nothing(memory: Memory, openai_server: OpenAIServer) -> None:
    openai_server.default = called(facts("A fact"), delay=0.02)

    async def flow() -> list[int]:
        added = [memory.aadd("words", user_id=f"user {n}") for n in range(40)]
        return [changes.usage.calls for changes in await asyncio.gather(*added)]

    assert asyncio.run(flow()) == [1] * 40
    stats = memory.stats(check=True)
    assert (stats.records, stats.waiting, stats.problems) == ({"turn": 40, "fact": 40}, 0, ())


def test_one_fact_told_by_many_at_once_is_stored_once(
    memory: Memory, openai_server: OpenAIServer
) -> None:
    openai_server.default = called(facts("Tea is good"), delay=0.02)

    async def flow() -> None:
        await asyncio.gather(*(memory.aadd("tea", user_id="ada", run_id=f"{n}") for n in range(20)))

    asyncio.run(flow())
    assert len(only(memory).sources) == 20


# -- Paris and Berlin ---------------------------------------------------------------------------

PARIS = facts(fact("User lives in Paris", relations=[lives_in("Paris")]))
BERLIN = facts(
    fact("User lives in Berlin", when="2026-05-20", relations=[lives_in("Berlin")]),
)


@pytest.fixture(params=["the rule", "a model that forgets to supersede"])
def moved(
    request: pytest.FixtureRequest, memory: Memory, openai_server: OpenAIServer
) -> tuple[Memory, datetime, list[str]]:
    """Paris, then Berlin; in the second case another near fact makes the model be asked."""
    openai_server.script(called(PARIS))
    forgetful = request.param != "the rule"
    if forgetful:
        openai_server.script(called(facts("User lives in a flat")))
        openai_server.script(called(decisions(decision("ADD"))))
    openai_server.script(called(BERLIN))
    if forgetful:
        openai_server.script(called(decisions(decision("ADD"))))
    first = memory.add("I live in Paris", user_id="ada", occurred_at=at("2026-01-15"))
    if forgetful:
        memory.add("I live in a flat", user_id="ada", occurred_at=at("2026-01-16"))
    between = memory.list(user_id="ada", kinds=["fact"], order="-created_at").records[0].created_at
    second = memory.add(
        "I moved to Berlin three weeks ago", user_id="ada", occurred_at=at("2026-06-10")
    )
    assert second.usage.calls == (2 if forgetful else 1)
    return memory, between, [first[0].id, second[0].id]


def best(memory: Memory, **when: datetime) -> str:
    asked = "Where does the user live, in which city?"
    (match, *_) = memory.search(asked, user_id="ada", kinds=["fact"], **when)
    return match.record.text


def test_search_says_berlin(moved: tuple[Memory, datetime, list[str]]) -> None:
    memory, _, _ = moved
    assert "User lives in Berlin" in texts(memory)
    assert "User lives in Paris" not in texts(memory)
    assert "Paris" not in best(memory)


def test_valid_at_april_says_paris(moved: tuple[Memory, datetime, list[str]]) -> None:
    memory, _, _ = moved
    found = memory.search("lives in", user_id="ada", kinds=["fact"], valid_at=at("2026-04-01"))
    assert "User lives in Paris" in {match.record.text for match in found}
    assert "User lives in Berlin" not in {match.record.text for match in found}


def test_as_of_the_moment_between_says_paris(moved: tuple[Memory, datetime, list[str]]) -> None:
    memory, between, _ = moved
    found = memory.search("lives in", user_id="ada", as_of=between)
    told = {match.record.text for match in found}
    assert {"User lives in Paris", "I live in Paris"} <= told
    assert not any("Berlin" in text for text in told)


def test_history_shows_both_with_their_source_turns(
    moved: tuple[Memory, datetime, list[str]],
) -> None:
    memory, _, turns = moved
    (berlin,) = [
        record for record in memory.list(user_id="ada", kinds=["fact"]) if "Berlin" in record.text
    ]
    added, updated = memory.history(berlin.id, user_id="ada")
    assert (added.event, updated.event) == ("ADD", "UPDATE")
    assert updated.before.text == "User lives in Paris"
    assert updated.before.valid_to == at("2026-05-20") == updated.after.valid_from
    assert [added.sources, updated.sources] == [(turn,) for turn in turns]


def test_a_move_can_be_undone(moved: tuple[Memory, datetime, list[str]]) -> None:
    memory, _, _ = moved
    (berlin,) = [
        record for record in memory.list(user_id="ada", kinds=["fact"]) if "Berlin" in record.text
    ]
    memory.undo(memory.history(berlin.id, user_id="ada")[-1], user_id="ada")
    assert "User lives in Paris" in texts(memory)
    assert "User lives in Berlin" not in texts(memory)


def test_an_end_and_an_addition_can_be_undone(memory: Memory, openai_server: OpenAIServer) -> None:
    openai_server.script(
        called(facts(REX)),
        called(facts("Rex the dog of the user died")),
        called(decisions(decision("DELETE", 1))),
    )
    added = memory.add("I have a dog called Rex", user_id="ada")
    (ended,) = of(memory.add("Rex, my dog, died", user_id="ada"))
    memory.undo(ended, user_id="ada")
    assert texts(memory) == [REX]
    memory.undo(memory.history(added[1].id, user_id="ada")[-1], user_id="ada")
    memory.delete(added[0].id, user_id="ada")
    assert REX not in texts(memory)
    assert memory.stats(check=True).problems == ()


def test_a_home_told_of_in_another_session_is_superseded_too(
    memory: Memory, openai_server: OpenAIServer
) -> None:
    openai_server.script(called(PARIS), called(BERLIN))
    memory.add("I live in Paris", user_id="ada", run_id="r1", occurred_at=at("2026-01-15"))
    memory.add("Berlin now", user_id="ada", run_id="r2", occurred_at=at("2026-06-10"))
    assert texts(memory) == ["User lives in Berlin"]
    assert only(memory).scope.run_id == "r2"


def test_a_home_of_another_user_is_none_of_it(memory: Memory, openai_server: OpenAIServer) -> None:
    openai_server.script(called(PARIS), called(BERLIN), called(facts("Same", "Same")))
    memory.add("I live in Paris", user_id="ada", occurred_at=at("2026-01-15"))
    memory.add("Berlin now", user_id="bob", occurred_at=at("2026-06-10"))
    assert texts(memory) == ["User lives in Paris"]
    assert texts(memory, user_id="bob") == ["User lives in Berlin"]


def test_a_fact_told_twice_in_a_batch_confirms_no_other_users_fact(
    memory: Memory, openai_server: OpenAIServer
) -> None:
    twice = facts(fact("Tea is good", 1), fact("Tea is the good", 2))
    openai_server.script(called(facts()), called(facts("Tea is good")), called(twice))
    memory.add("hello", user_id="ada")
    (theirs,) = of(memory.add("tea is good", user_id="bob"))
    mine = memory.add(["tea is good", "tea is the good"], user_id="ada")
    assert [change.event for change in of(mine)] == ["ADD", "NONE"]
    assert only(memory).sources == (mine[0].id, mine[1].id)
    assert only(memory, user_id="bob").sources == theirs.sources
