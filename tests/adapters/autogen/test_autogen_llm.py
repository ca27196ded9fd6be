"""AutoGen's and Agent Framework's chat clients as Holdfast's LLM."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from agent_framework import AgentSession, BaseChatClient, ChatResponse
from agent_framework import Message as ChatMessage
from autogen_core import FunctionCall
from autogen_core.models import CreateResult, ModelInfo, RequestUsage, UserMessage
from autogen_ext.models.replay import ReplayChatCompletionClient
from holdfast import LLM, Answer, Memory, ProviderError, ScopeError, Tool, Usage
from holdfast.testing import HashEmbedder
from holdfast_autogen import AutoGenLLM, HoldfastMemory, HoldfastModelContext
from holdfast_autogen.agent_framework import AgentFrameworkLLM, HoldfastContextProvider
from support.autogen_agents import INFO

pytestmark = pytest.mark.anyio

ASK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
NOTE = Tool("note", "Write it down.", {"type": "object", "properties": {"text": {}}})
PLAIN: ModelInfo = {**INFO, "function_calling": False, "json_output": False}


def calling(arguments: str) -> CreateResult:
    return CreateResult(
        finish_reason="function_calls",
        content=[FunctionCall(id="1", name="note", arguments=arguments)],
        usage=RequestUsage(prompt_tokens=3, completion_tokens=4),
        cached=False,
    )


class Scripted(BaseChatClient[Any]):
    """Gives its answers one by one."""

    def __init__(self, *answers: str) -> None:
        super().__init__()
        self.answers = list(answers)
        self.prompts: list[Sequence[ChatMessage]] = []

    async def _inner_get_response(  # type: ignore[override]
        self, *, messages: Sequence[ChatMessage], stream: bool, options: Mapping[str, Any]
    ) -> ChatResponse:
        self.prompts.append(messages)
        answer = self.answers.pop(0)
        return ChatResponse(
            messages=[ChatMessage("assistant", [answer])],
            usage_details={"input_token_count": 3, "output_token_count": 4},
        )


async def test_a_model_that_calls_functions_is_made_to_call_one() -> None:
    client = ReplayChatCompletionClient([calling('{"text": "hi"}')], model_info=INFO)

    answer = await AutoGenLLM(client).acomplete(ASK, tool=NOTE)

    assert answer.data == {"text": "hi"}
    assert answer.usage.calls == 1
    (asked,) = client.create_calls
    assert [type(message).__name__ for message in asked["messages"]] == [
        "SystemMessage",
        "UserMessage",
    ]
    assert asked["tools"][0]["name"] == "note"


async def test_a_model_that_does_not_is_asked_in_words() -> None:
    client = ReplayChatCompletionClient(['```json\n{"text": "hi"}\n```'], model_info=PLAIN)

    answer = await AutoGenLLM(client).acomplete(ASK, tool=NOTE)

    assert answer.data == {"text": "hi"}
    assert "JSON schema" in client.create_calls[0]["messages"][0].content


async def test_without_a_tool_the_words_come_back() -> None:
    assert (await AutoGenLLM(ReplayChatCompletionClient(["hi"])).acomplete(ASK)).text == "hi"
    client = Scripted("hi")
    assert await AgentFrameworkLLM(client).acomplete(ASK) == Answer("hi", usage=Usage(1, 3, 4))


async def test_agent_frameworks_models_are_asked_in_words() -> None:
    client = Scripted('Sure: {"text": "hi"}')

    answer = await AgentFrameworkLLM(client).acomplete(ASK, tool=NOTE)

    assert answer.data == {"text": "hi"}
    assert "JSON schema" in client.prompts[0][0].text


@pytest.mark.parametrize(
    "llm",
    [AutoGenLLM(ReplayChatCompletionClient([])), AgentFrameworkLLM(Scripted())],
    ids=["autogen", "agent-framework"],
)
def test_the_sync_face_names_the_verbs_that_work(llm: LLM) -> None:
    with pytest.raises(
        ProviderError, match=r"async only: await Memory\.aadd, aflush, aadd_procedure"
    ):
        llm.complete(ASK)


FACT = {
    "text": "Ada's dog is called Rex.",
    "about": "Ada",
    "turns": [1],
    "when": "",
    "importance": 0.7,
    "category": "possession",
    "relations": [],
}


async def test_a_memory_derives_facts_with_an_autogen_client() -> None:
    client = ReplayChatCompletionClient([json.dumps({"facts": [FACT]})], model_info=PLAIN)
    with Memory(":memory:", embedder=HashEmbedder(), llm=AutoGenLLM(client)) as memory:
        context = HoldfastModelContext(memory, user_id="ada")
        await context.add_message(UserMessage(content="My dog is called Rex.", source="user"))
        assert not client.create_calls

        await context.flush()

        assert [record.text for record in memory.list(user_id="ada", kinds=["fact"])] == [
            FACT["text"]
        ]


async def test_flushing_derives_no_facts_of_another_owners_turns() -> None:
    client = Scripted(json.dumps({"facts": []}))
    with Memory(":memory:", embedder=HashEmbedder(), llm=AgentFrameworkLLM(client)) as memory:
        await memory.aadd("bob's own", user_id="bob", wait=False)
        provider = HoldfastContextProvider(memory)

        await HoldfastModelContext(memory, user_id="ada").flush()
        await HoldfastMemory(memory, user_id="ada").flush()
        await HoldfastContextProvider(memory, user_id="ada").flush()
        session = AgentSession(session_id="s")
        session.state["user_id"] = "ada"
        await provider.flush(session)

        assert memory.stats().waiting == 1
        session.state["user_id"] = "bob"
        await provider.flush(session)
        assert memory.stats().waiting == 0
        with pytest.raises(ScopeError):
            await provider.flush()


async def test_facts_can_be_had_before_the_agent_goes_on() -> None:
    client = Scripted(json.dumps({"facts": [FACT]}))
    with Memory(":memory:", embedder=HashEmbedder(), llm=AgentFrameworkLLM(client)) as memory:
        context = HoldfastModelContext(memory, user_id="ada", wait=True)
        await context.add_message(UserMessage(content="My dog is called Rex.", source="user"))

        assert memory.list(user_id="ada", kinds=["fact"]).records


@contextmanager
def elsewhere() -> Iterator[asyncio.AbstractEventLoop]:
    """Run an event loop in another thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class Housebound(ReplayChatCompletionClient):
    """Remembers the loops it was called in."""

    def __init__(self) -> None:
        super().__init__(["hi"] * 9)
        self.loops: list[asyncio.AbstractEventLoop] = []

    async def create(self, *given: Any, **options: Any) -> CreateResult:
        self.loops.append(asyncio.get_running_loop())
        return await super().create(*given, **options)


async def test_a_client_is_asked_in_its_own_loop_from_wherever() -> None:
    client = Housebound()
    llm = AutoGenLLM(client)
    with elsewhere() as home:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(llm.acomplete(ASK), home))
        await llm.acomplete(ASK)

    assert client.loops == [home, home]
    await llm.acomplete(ASK)
    assert client.loops[2] is asyncio.get_running_loop()
