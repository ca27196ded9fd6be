"""Facts and names meet those of the same user, agent and app; an id not given is none."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
from holdfast import Memory, RecordNotFoundError
from holdfast.graph import Triple
from holdfast.testing import HashEmbedder, ScriptedLLM
from holdfast.types import Within
from support.sessions import listening

ADA = {"user_id": "ada", "agent_id": "bot", "app_id": "shop", "run_id": "monday"}
BOB = {"user_id": "bob", "agent_id": "bot", "app_id": "shop", "run_id": "monday"}
# Whom facts of these scopes must not meet, though a read of them may see more.
STRANGERS: list[dict[str, Any]] = [
    {"agent_id": "bot"},
    {"agent_id": "bot", "run_id": "monday"},
    {"agent_id": "bot", "app_id": "shop", "run_id": "monday"},
    {"app_id": "shop"},
    {"app_id": "shop", "run_id": "monday"},
    {"run_id": "monday"},
    {"user_id": "ada"},
    {"user_id": "ada", "run_id": "monday"},
    {"user_id": "ada", "agent_id": "bot"},
    {"user_id": "ada", "app_id": "shop", "run_id": "monday"},
    {"user_id": "ada", "agent_id": "bot", "app_id": Within("/")},
    {"user_id": "eve", "agent_id": "bot", "app_id": "shop", "run_id": "monday"},
]
stranger = pytest.mark.parametrize("ids", STRANGERS, ids=lambda ids: "-".join(ids.values()))


@pytest.fixture
def llm() -> ScriptedLLM:
    return ScriptedLLM(repeat(listening))


@pytest.fixture
def memory(tmp_path: Path, llm: ScriptedLLM) -> Iterator[Memory]:
    with Memory(tmp_path / "m.db", embedder=HashEmbedder(), llm=llm, graph=True) as memory:
        yield memory
        assert memory.stats(check=True).problems == ()


def held(memory: Memory, ids: dict[str, Any]) -> list[str]:
    """Return the facts of exactly this scope that hold."""
    found = memory.list(kinds=["fact"], **ids).records
    return sorted(record.text for record in found if record.scope.ids() == ids)


@stranger
def test_a_turn_ends_and_reads_no_fact_of_another_scope(
    memory: Memory, llm: ScriptedLLM, ids: dict[str, Any]
) -> None:
    memory.add("I live in Paris, I like Lyon", **ADA)
    memory.add("I live in Rome", **BOB)
    asked = len(llm.calls)

    handle = memory.scoped(**ids)
    changes = handle.add("I live in Nowhere, I like Lille")

    assert [change.event for change in changes] == ["ADD"] * 3
    assert held(memory, ADA) == ["The user likes Lyon", "The user lives in Paris"]
    assert held(memory, BOB) == ["The user lives in Rome"]
    prompts = str([call.messages for call in llm.calls[asked:]])
    assert not [word for word in ("Paris", "Lyon", "Rome") if word in prompts]
    assert all(len(handle.history(change.id)) == 1 for change in changes)


@stranger
def test_a_stated_relation_ends_none_of_another_scope(memory: Memory, ids: dict[str, Any]) -> None:
    memory.add_relations([("Ann", "lives_in", "Paris")], **ADA)
    changes = memory.add_relations([("Ann", "lives_in", "Rome")], **ids)
    assert [change.event for change in changes] == ["ADD"]
    assert held(memory, ADA) == ["Ann lives in Paris"]


@stranger
def test_naming_two_one_ends_no_other_scopes_word_that_they_are_two(
    memory: Memory, ids: dict[str, Any]
) -> None:
    memory.graph(**ADA).split("Ann", "Anna")
    changes = memory.graph(**ids).merge("Ann", "Anna")
    assert [change.event for change in changes] == ["ADD"]
    assert held(memory, ADA) == ["Ann different from Anna"]


@stranger
def test_a_name_is_not_compared_with_those_of_another_scope(
    memory: Memory, llm: ScriptedLLM, ids: dict[str, Any]
) -> None:
    memory.add("I like Lyon", **ADA)
    memory.add("I like Lille", **ids)
    asked = len(llm.calls)
    memory.add("I like Lyons, I like Lille", **ids)
    assert "of Lyon" not in str([call.messages for call in llm.calls[asked:]])


@stranger
def test_a_record_of_another_scope_cannot_be_cited(memory: Memory, ids: dict[str, Any]) -> None:
    turn = memory.add("hello", infer=False, **ADA)[0].id
    with pytest.raises(RecordNotFoundError):
        memory.add_relations([Triple("Ann", "likes", "tea", sources=(turn,))], **ids)


def test_the_sessions_of_a_user_meet(memory: Memory) -> None:
    memory.add("I live in Paris", **ADA)
    changes = memory.add("I live in Rome", **{**ADA, "run_id": "friday"})
    assert [change.event for change in changes] == ["ADD", "UPDATE"]
    assert changes[1].before is not None
    assert held(memory, ADA) == []


def test_the_turns_of_one_session_without_a_user_meet(memory: Memory) -> None:
    ids = {"agent_id": "bot", "run_id": "one"}
    memory.add("I live in Paris", **ids)
    memory.add("I live in Rome", **ids)
    assert held(memory, ids) == ["The user lives in Rome"]


@pytest.mark.parametrize("ids", [{"agent_id": "bot"}, {"app_id": "shop"}, {}], ids=str)
def test_two_sessions_without_a_user_never_meet(memory: Memory, ids: dict[str, Any]) -> None:
    memory.add("I live in Paris", run_id="one", **ids)
    memory.add("I live in Rome", run_id="two", **ids)
    assert held(memory, {**ids, "run_id": "one"}) == ["The user lives in Paris"]


def test_an_id_with_levels_meets_what_lies_at_itself_alone(memory: Memory) -> None:
    memory.add("I live in Paris", user_id="ada", app_id="acme/sales")
    memory.add("I live in Rome", user_id="ada", app_id="acme")
    memory.add("I live in Oslo", user_id="ada", app_id=Within("acme"))
    found = memory.list(user_id="ada", kinds=["fact"]).records
    assert sorted(record.text for record in found) == [
        "The user lives in Oslo",
        "The user lives in Paris",
    ]


def test_a_bound_handle_is_told_of_a_change_elsewhere_but_not_shown_its_record(
    memory: Memory,
) -> None:
    memory.add("I live in Paris", **ADA)
    friday = memory.scoped(**{**ADA, "run_id": "friday"})
    changes = friday.add("I live in Rome")
    assert [(one.event, one.before) for one in changes] == [("ADD", None), ("UPDATE", None)]
    assert [(one.event, one.before) for one in friday.history(changes[1].id)] == [("UPDATE", None)]
    stated = friday.add_relations([("user", "lives_in", "Oslo")])
    assert [one.before.text for one in stated if one.before] == ["The user lives in Rome"]


def test_a_confirmed_record_of_another_session_is_not_shown_to_a_bound_handle(
    memory: Memory,
) -> None:
    memory.add("I live in Paris", **ADA)
    changes = memory.scoped(**{**ADA, "run_id": "friday"}).add("I live in Paris")
    assert [(one.event, one.before, one.after) for one in changes[1:]] == [("NONE", None, None)]
    confirmed = memory.add("I live in Paris", **{**ADA, "run_id": "sunday"})[1]
    assert confirmed.after is not None
    assert confirmed.after.scope.run_id == "monday"
