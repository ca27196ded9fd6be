"""The memory tools and their workbench: called, dumped, loaded."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_core import CancellationToken, FunctionCall
from autogen_core.models import CreateResult, RequestUsage
from autogen_core.tools import Workbench
from autogen_ext.models.replay import ReplayChatCompletionClient
from holdfast import Memory
from holdfast.testing import HashEmbedder
from holdfast_autogen import ForgetTool, HoldfastWorkbench, RecallTool, RememberTool, connect
from support.autogen_agents import INFO, agent

pytestmark = pytest.mark.anyio

REX = "Ada's dog is called Rex."


async def call(bench: HoldfastWorkbench, name: str, **arguments: str) -> str:
    result = await bench.call_tool(name, arguments)
    assert not result.is_error, result.to_text()
    return result.to_text()


async def test_what_is_remembered_is_recalled_and_forgotten(memory: Memory) -> None:
    bench = HoldfastWorkbench(memory, user_id="ada")

    assert await call(bench, "remember", text=REX) == "Remembered."
    assert await call(bench, "remember", text=REX) == "This was known."
    recalled = await call(bench, "recall", query="the dog called?")
    assert REX in recalled
    id = re.findall(r"[0-9a-f-]{36}", recalled)[0]
    assert await call(bench, "forget", id=id) == "Forgotten."

    assert await call(bench, "recall", query="the dog called?") == (
        "Nothing is remembered about this."
    )
    assert (await call(bench, "forget", id=id)).startswith("There is no memory")


async def test_no_tool_reaches_another_users_memory(memory: Memory) -> None:
    record = memory.add(REX, user_id="bo").records[0]
    bench = HoldfastWorkbench(memory, user_id="ada")

    assert "Rex" not in await call(bench, "recall", query="the dog called?")
    assert (await call(bench, "forget", id=record.id)).startswith("There is no memory")
    assert memory.get(record.id, user_id="bo").text == REX


async def test_a_read_only_workbench_only_recalls(memory: Memory) -> None:
    names = [tool["name"] for tool in await HoldfastWorkbench(memory, user_id="a").list_tools()]
    reading = HoldfastWorkbench(memory, user_id="a", read_only=True)

    assert names == ["recall", "remember", "forget"]
    assert [tool["name"] for tool in await reading.list_tools()] == ["recall"]
    assert (await reading.call_tool("remember", {"text": REX})).is_error


async def test_every_argument_is_described_to_the_model(memory: Memory) -> None:
    for tool in await HoldfastWorkbench(memory, user_id="ada").list_tools():
        assert tool["description"]
        (argument,) = tool["parameters"]["properties"].values()
        assert argument["description"]


async def test_a_workbench_is_dumped_and_loaded(path: Path) -> None:
    connect(path, embedder=HashEmbedder())
    async with HoldfastWorkbench(path, user_id="ada", max_tokens=300) as bench:
        await call(bench, "remember", text=REX)
        dumped = json.loads(bench.dump_component().model_dump_json())
        await bench.load_state(await bench.save_state())
        await bench.reset()

    loaded = Workbench.load_component(dumped)

    assert loaded.dump_component() == bench.dump_component()
    assert REX in (await loaded.call_tool("recall", {"query": "the dog called?"})).to_text()
    assert "def " not in json.dumps(dumped)
    connect(path).close()


async def test_an_agent_with_the_tools_is_dumped_and_loaded(path: Path) -> None:
    connect(path, embedder=HashEmbedder()).add(REX, user_id="ada")
    call = FunctionCall(id="1", name="recall", arguments='{"query": "the dog called?"}')
    usage = RequestUsage(prompt_tokens=1, completion_tokens=1)
    asks = CreateResult(finish_reason="function_calls", content=[call], usage=usage, cached=False)
    client = ReplayChatCompletionClient([asks], model_info=INFO)
    tools = [kind(path, user_id="ada") for kind in (RecallTool, RememberTool, ForgetTool)]
    dumped = agent(client, tools=tools).dump_component().model_dump_json()

    loaded = AssistantAgent.load_component(json.loads(dumped))
    result = await loaded.run(task="What is my dog called?")

    assert REX in result.messages[-1].to_text()
    assert "source_code" not in dumped
    connect(path).close()


async def test_a_cancelled_tool_does_nothing(memory: Memory) -> None:
    token = CancellationToken()
    token.cancel()

    with pytest.raises(asyncio.CancelledError):
        await RememberTool(memory, user_id="ada").run_json({"text": REX}, token)

    assert not memory.list(user_id="ada").records
