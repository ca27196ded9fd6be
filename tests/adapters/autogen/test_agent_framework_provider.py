"""`HoldfastContextProvider`: whose memory, recalled before a run, written down after it."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from agent_framework import Agent, AgentSession, Message
from blockbuster import blockbuster_ctx
from holdfast import Memory, ProviderError, ScopeError
from holdfast.testing import HashEmbedder
from holdfast_autogen.agent_framework import (
    HoldfastContextProvider,
    HoldfastHistoryProvider,
    serving,
)
from support.framework_agents import Witness, agent, session_of

pytestmark = pytest.mark.anyio

REX = "My dog is called Rex."
ASKED = "What is my dog called?"
FACTS = {"called Rex": "Your dog is Rex."}


def recalled(prompt: list[Message]) -> list[Message]:
    return [message for message in prompt if message.text.startswith("<memory>")]


async def test_told_in_one_session_it_is_known_in_another(memory: Memory) -> None:
    client = Witness(FACTS)
    helper = agent(client, HoldfastContextProvider(memory))
    await helper.run(REX, session=session_of("ada"))

    result = await helper.run(ASKED, session=session_of("ada"))

    assert result.text == "Your dog is Rex."


async def test_what_is_recalled_says_from_which_sessions(memory: Memory) -> None:
    client = Witness()
    helper = agent(client, HoldfastContextProvider(memory))
    await helper.run(REX, session=session_of("ada", "monday"))
    await helper.run(ASKED, session=session_of("ada", "tuesday"))

    (message,) = recalled(client.prompts[1])

    assert message.additional_properties["_attribution"] == {
        "source_id": "holdfast",
        "source_type": "HoldfastContextProvider",
        "origin_session_ids": ["monday"],
    }


async def test_another_user_hears_nothing_of_it(memory: Memory) -> None:
    client = Witness(FACTS)
    helper = agent(client, HoldfastContextProvider(memory))
    await helper.run(REX, session=session_of("ada"))

    result = await helper.run(ASKED, session=session_of("bo"))

    assert result.text == "noted"
    assert not recalled(client.prompts[1])


@pytest.mark.parametrize("session", [session_of(None), None, session_of("")])
async def test_a_run_that_names_nobody_fails(memory: Memory, session: AgentSession | None) -> None:
    client = Witness()

    with pytest.raises(ScopeError):
        await agent(client, HoldfastContextProvider(memory)).run(REX, session=session)

    assert not client.prompts
    assert not memory.stats().records


async def test_ids_of_another_type_are_refused(memory: Memory) -> None:
    session = session_of(None)
    session.state["user_id"] = 7

    with pytest.raises(ScopeError, match="must be strings, not 7"):
        await agent(Witness(), HoldfastContextProvider(memory)).run(REX, session=session)


async def test_a_session_of_another_user_is_refused_by_a_users_own_provider(
    memory: Memory,
) -> None:
    helper = agent(Witness(), HoldfastContextProvider(memory, user_id="ada"))

    with pytest.raises(ScopeError, match="belongs to user_id='ada'"):
        await helper.run(REX, session=session_of("bo"))


async def test_ids_may_be_fixed_or_served_as_well(memory: Memory) -> None:
    helper = agent(Witness(), HoldfastContextProvider(memory, app_id="desk"))
    with serving(user_id="ada"):
        await helper.run(REX)

    (told, _) = memory.list(user_id="ada")
    assert told.scope.app_id == "desk"


async def test_a_memory_of_one_session_needs_no_user(memory: Memory) -> None:
    client = Witness(FACTS)
    helper = agent(client, HoldfastContextProvider(memory, sessions="this"))
    await helper.run(REX, session=session_of(None, "monday"))

    await helper.run(ASKED, session=session_of(None, "tuesday"))

    assert not recalled(client.prompts[1])
    assert memory.list(run_id="monday").records


async def test_fifty_users_of_one_agent_at_once_hear_only_their_own(memory: Memory) -> None:
    client = Witness()
    helper = agent(client, HoldfastContextProvider(memory), HoldfastHistoryProvider(memory))

    async def visit(number: int) -> None:
        for text in (f"My dog is called Rex{number}x.", f"{ASKED} ({number})"):
            await helper.run(text, session=session_of(f"user-{number}"))

    await asyncio.gather(*map(visit, range(50)))

    for prompt in client.prompts:
        number = "".join(filter(str.isdigit, prompt[-1].text))
        for message in recalled(prompt):
            assert f"Rex{number}x" in message.text
            assert message.text.count("called Rex") == 1
    assert sum(len(recalled(prompt)) for prompt in client.prompts) == 50


async def test_each_turn_is_written_down_once_under_user_and_session(memory: Memory) -> None:
    helper = agent(Witness(), HoldfastContextProvider(memory))
    session = session_of("ada", "monday")
    for text in ("Yes.", "Yes."):
        await helper.run(text, session=session)

    told = [(one.role, one.text, one.scope.run_id) for one in memory.list(user_id="ada")]
    assert told == [("user", "Yes.", "monday"), ("assistant", "noted", "monday")] * 2


async def test_a_transcript_sent_again_is_not_written_again(memory: Memory) -> None:
    helper = agent(Witness(), HoldfastContextProvider(memory))
    session = session_of("ada", "monday")
    transcript: list[Message] = []
    for text in (REX, ASKED, "Good."):
        transcript.append(Message("user", [text]))
        result = await helper.run(transcript, session=session)
        transcript.extend(result.messages)

    told = [record.text for record in memory.list(user_id="ada")]
    assert told == [REX, "noted", ASKED, "noted", "Good.", "noted"]


async def test_a_session_survives_being_written_down(memory: Memory) -> None:
    session = session_of("ada", "monday")
    await agent(Witness(), HoldfastContextProvider(memory)).run(REX, session=session)

    restored = AgentSession.from_dict(json.loads(json.dumps(session.to_dict())))
    await agent(Witness(), HoldfastContextProvider(memory)).run("Good.", session=restored)

    assert [record.text for record in memory.list(user_id="ada")] == [
        REX,
        "noted",
        "Good.",
        "noted",
    ]


async def test_the_conversation_at_hand_is_not_recalled_into_itself(memory: Memory) -> None:
    client = Witness()
    helper = agent(client, HoldfastHistoryProvider(memory), HoldfastContextProvider(memory))
    session = session_of("ada")
    for text in (REX, ASKED):
        await helper.run(text, session=session)

    assert not recalled(client.prompts[1])
    assert [message.text for message in client.prompts[1]] == [REX, "noted", ASKED]


async def test_what_was_recalled_is_neither_remembered_nor_kept_as_history(
    memory: Memory,
) -> None:
    memory.add(REX, user_id="ada", run_id="before")
    client = Witness()
    helper = agent(client, HoldfastHistoryProvider(memory), HoldfastContextProvider(memory))
    session = session_of("ada")
    for turn in range(10):
        await helper.run(f"Turn {turn}: what is my dog called?", session=session)

    assert [len(recalled(prompt)) for prompt in client.prompts] == [1] * 10
    assert not [one for one in memory.list(user_id="ada") if "<memory>" in one.text]


async def test_tools_are_offered_on_request_and_bound_to_the_user(memory: Memory) -> None:
    memory.add(REX, user_id="ada")
    memory.add("My dog is called Fido.", user_id="bo")
    client = Witness()
    helper = agent(client, HoldfastContextProvider(memory, tools=True))
    await helper.run("Hello", session=session_of("ada", "monday"))

    tools = {tool.name: tool for tool in client.options[0]["tools"]}
    told = await tools["recall"].invoke(arguments={"query": "dog called"})

    assert sorted(tools) == ["forget", "recall", "remember"]
    assert tools["forget"].approval_mode == "always_require"
    assert "Rex" in told[0].text
    assert "Fido" not in told[0].text
    await tools["remember"].invoke(arguments={"text": "Ada sails."})
    (fact,) = memory.list(user_id="ada", kinds=["fact"])
    assert (fact.text, fact.scope.run_id) == ("Ada sails.", "monday")
    assert "Forgotten" in (await tools["forget"].invoke(arguments={"id": fact.id}))[0].text


async def test_a_failing_model_costs_memory_and_not_the_answer(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Memory(path, embedder=HashEmbedder(fail_at=2)) as memory:
        memory.add(REX, user_id="ada")
        with caplog.at_level(logging.WARNING, "holdfast_autogen"):
            helper = agent(Witness(), HoldfastContextProvider(memory))
            result = await helper.run(ASKED, session=session_of("ada"))

        assert result.text == "noted"
        assert "memory could not recall" in caplog.text


async def test_a_strict_memory_lets_the_run_fail(path: Path) -> None:
    with Memory(path, embedder=HashEmbedder(fail_at=2)) as memory:
        memory.add(REX, user_id="ada")
        helper = agent(Witness(), HoldfastContextProvider(memory, strict=True))

        with pytest.raises(ProviderError):
            await helper.run(ASKED, session=session_of("ada"))


async def test_what_a_failed_store_lost_is_written_with_the_next_replay(path: Path) -> None:
    # Text 1 is the search for REX in an empty file's first run, texts 2 and 3 its two turns.
    with Memory(path, embedder=HashEmbedder(fail_at=1)) as memory:
        helper = agent(Witness(), HoldfastContextProvider(memory))
        session = session_of("ada", "monday")
        await helper.run(REX, session=session)
        await helper.run([Message("user", [REX]), Message("assistant", ["noted"]),
                          Message("user", ["Good."])], session=session)  # fmt: skip

        told = [record.text for record in memory.list(user_id="ada")]
        assert told == [REX, "noted", "Good.", "noted"]


async def test_a_workflow_agent_named_by_its_author_is_remembered_by_name(memory: Memory) -> None:
    client: Any = Witness()
    helper: Agent[Any] = Agent(
        client, name="Skipper", context_providers=[HoldfastContextProvider(memory)]
    )
    await helper.run(REX, session=session_of("ada"))

    assert [record.speaker for record in memory.list(user_id="ada")] == [None, "Skipper"]


async def test_the_event_loop_runs_on_while_a_run_is_remembered(memory: Memory) -> None:
    helper = agent(
        Witness(), HoldfastHistoryProvider(memory), HoldfastContextProvider(memory, tools=True)
    )
    await helper.run(REX, session=session_of("ada"))  # what is imported on first use
    with blockbuster_ctx():
        await helper.run(ASKED, session=session_of("ada"))

    assert len(memory.list(user_id="ada")) == 4
