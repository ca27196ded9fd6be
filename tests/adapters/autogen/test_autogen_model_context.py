"""`HoldfastModelContext`: the window stays as it is, memory comes and goes around it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import FunctionCall
from autogen_core.model_context import (
    BufferedChatCompletionContext,
    ChatCompletionContext,
    UnboundedChatCompletionContext,
)
from autogen_core.models import (
    AssistantMessage,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    UserMessage,
)
from autogen_ext.models.replay import ReplayChatCompletionClient
from holdfast import Memory, ScopeError
from holdfast.testing import HashEmbedder
from holdfast_autogen import HoldfastModelContext, connect, serving
from support.autogen_agents import Witness, agent, texts

pytestmark = pytest.mark.anyio

REX = "My dog is called Rex."
ASKED = "What is my dog called?"
FACTS = {"called Rex": "Your dog is Rex."}


def asked(text: str = ASKED) -> UserMessage:
    return UserMessage(content=text, source="user")


async def test_told_in_one_conversation_it_is_known_in_another(memory: Memory) -> None:
    told = HoldfastModelContext(memory, user_id="ada")
    await agent(Witness(), model_context=told).run(task=REX)

    another = agent(Witness(FACTS), model_context=HoldfastModelContext(memory, user_id="ada"))

    assert (await another.run(task=ASKED)).messages[-1].to_text() == "Your dog is Rex."


async def test_the_last_answer_is_written_down_too(memory: Memory) -> None:
    context = HoldfastModelContext(memory, user_id="ada")
    await agent(Witness(), model_context=context).run(task=REX)

    said = [(record.role, record.speaker, record.text) for record in memory.list(user_id="ada")]

    assert said == [("user", None, REX), ("assistant", "helper", "noted")]


async def test_what_is_recalled_is_not_in_the_saved_window(memory: Memory) -> None:
    memory.add(REX, user_id="ada")
    context = HoldfastModelContext(memory, user_id="ada", run_id="now")
    await agent(Witness(), model_context=context).run(task=ASKED)

    shown = texts(await context.get_messages())
    saved = json.dumps(await context.save_state())

    assert [text.startswith("<memory>") for text in shown] == [True, False, False]
    assert "<memory>" not in saved


async def test_memory_is_recalled_once_a_question(memory: Memory) -> None:
    context = HoldfastModelContext(memory, user_id="ada", run_id="now")
    memory.add(REX, user_id="ada")
    await context.add_message(asked())
    first = await context.get_messages()
    memory.add("My dog is called Rex the Second.", user_id="ada")

    assert await context.get_messages() == first
    await context.add_message(asked("And now, what is my dog called?"))
    assert "Second" in texts(await context.get_messages())[1]


async def test_what_leaves_a_bounded_window_is_recalled(memory: Memory) -> None:
    window = BufferedChatCompletionContext(buffer_size=2)
    context = HoldfastModelContext(memory, user_id="ada", inner=window)
    for text in (REX, "The weather is fine.", "I had soup.", ASKED):
        await context.add_message(asked(text))

    shown = texts(await context.get_messages())

    assert shown[0] == "I had soup."
    assert "called Rex" in shown[1]
    assert shown[2] == ASKED


async def test_tool_calls_and_results_are_not_remembered(memory: Memory) -> None:
    context = HoldfastModelContext(memory, user_id="ada")
    call = FunctionCall(id="1", name="look", arguments="{}")
    result = FunctionExecutionResult(content="a secret", name="look", call_id="1", is_error=False)
    await context.add_message(AssistantMessage(content=[call], source="helper"))
    await context.add_message(FunctionExecutionResultMessage(content=[result]))

    assert not memory.list(user_id="ada").records
    assert len(await context.get_messages()) == 2


async def test_a_saved_conversation_goes_on_without_saying_anything_twice(memory: Memory) -> None:
    first = agent(Witness(), model_context=HoldfastModelContext(memory, user_id="ada"))
    await first.run(task=REX)
    state = json.loads(json.dumps(await first.save_state()))

    second = agent(Witness(), model_context=HoldfastModelContext(memory, user_id="ada"))
    await second.load_state(state)
    await second.run(task=REX)

    assert [record.text for record in memory.list(user_id="ada")] == [REX, "noted"] * 2
    assert texts(await second.model_context.get_messages()) == [REX, "noted"] * 2


async def test_the_state_of_a_plain_context_can_be_loaded(memory: Memory) -> None:
    plain = UnboundedChatCompletionContext([asked("Hello")])
    context = HoldfastModelContext(memory, user_id="ada")

    await context.load_state(await plain.save_state())

    assert texts(await context.get_messages()) == ["Hello"]


async def test_clear_empties_the_window_and_not_the_memory(memory: Memory) -> None:
    context = HoldfastModelContext(memory, user_id="ada")
    await context.add_message(asked(REX))
    await context.clear()

    assert await context.get_messages() == []
    await context.add_message(asked(REX))
    assert [record.text for record in memory.list(user_id="ada")] == [REX, REX]


async def test_it_is_dumped_and_loaded_with_its_window(path: Path) -> None:
    connect(path, embedder=HashEmbedder()).add(REX, user_id="ada")
    window = BufferedChatCompletionContext(buffer_size=5)
    context = HoldfastModelContext(path, user_id="ada", inner=window, inject_as="system")
    helper = agent(ReplayChatCompletionClient(["noted"]), model_context=context)
    dumped = json.loads(helper.dump_component().model_dump_json())

    loaded = AssistantAgent.load_component(dumped)
    await loaded.run(task=ASKED)

    assert "called Rex" in texts(await loaded.model_context.get_messages())[0]
    assert loaded.model_context.dump_component() == context.dump_component()
    assert isinstance(
        ChatCompletionContext.load_component(context.dump_component()), HoldfastModelContext
    )
    connect(path).close()


async def test_agents_of_a_team_tell_one_run_nothing_twice(memory: Memory) -> None:
    def context() -> HoldfastModelContext:
        return HoldfastModelContext(memory, user_id="ada", run_id="team")

    team = RoundRobinGroupChat(
        [
            agent(ReplayChatCompletionClient(["one", "three"]), "left", model_context=context()),
            agent(ReplayChatCompletionClient(["two", "four"]), "right", model_context=context()),
        ],
        termination_condition=MaxMessageTermination(5),
    )
    await team.run(task=REX)

    told = [(record.speaker, record.text) for record in memory.list(user_id="ada")]
    assert told == [
        (None, REX),
        ("left", "one"),
        ("right", "two"),
        ("left", "three"),
        ("right", "four"),
    ]


async def test_what_could_not_be_written_down_is_tried_again(path: Path) -> None:
    with Memory(path, embedder=HashEmbedder(fail_at=1)) as memory:
        context = HoldfastModelContext(memory, user_id="ada")
        await context.add_message(asked(REX))
        assert not memory.list(user_id="ada").records

        await context.add_message(asked("Good dog."))

        assert [record.text for record in memory.list(user_id="ada")] == [REX, "Good dog."]


async def test_fifty_users_at_once_hear_only_their_own(memory: Memory) -> None:
    async def visit(number: int) -> list[str]:
        with serving(user_id=f"user-{number}"):
            for task in (f"My dog is called Rex{number}x.", ASKED):
                client = Witness()
                await agent(client, model_context=HoldfastModelContext(memory)).run(task=task)
        return texts(client.prompts[0])

    for number, prompt in enumerate(await asyncio.gather(*map(visit, range(50)))):
        assert f"called Rex{number}x." in prompt[1]
        assert prompt[1].count("called Rex") == 1


async def test_nobody_named_is_nobodys_memory(memory: Memory) -> None:
    context = HoldfastModelContext(memory)

    with pytest.raises(ScopeError):
        await context.add_message(asked(REX))
    with pytest.raises(ScopeError):
        await context.get_messages()


async def test_a_context_that_serves_another_hands_nothing_on(path: Path) -> None:
    with Memory(path, embedder=HashEmbedder(fail_at=2)) as memory:
        memory.add(REX, user_id="ada", run_id="before")
        context = HoldfastModelContext(memory)
        with serving(user_id="ada"):
            await context.add_message(asked())
            assert "Rex" in texts(await context.get_messages())[0]
        with serving(user_id="bo"):
            assert texts(await context.get_messages()) == [ASKED]
            await context.add_message(asked("Hello."))

        assert [record.text for record in memory.list(user_id="bo")] == ["Hello."]
