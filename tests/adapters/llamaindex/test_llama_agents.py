from __future__ import annotations

import asyncio
import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from holdfast import Memory
from holdfast_llamaindex import (
    HoldfastChatStore,
    HoldfastMemory,
    HoldfastMemoryBlock,
    HoldfastToolSpec,
    HoldfastVectorStore,
    connect,
)
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.chat_engine import CondenseQuestionChatEngine, SimpleChatEngine
from llama_index.core.memory import Memory as StockMemory
from llama_index.core.workflow import Context, JsonPickleSerializer, JsonSerializer
from support.llama_models import CountingEmbedder, OfflineLLM, by_heart, said, texts
from support.llama_sessions import run as session

pytestmark = [
    pytest.mark.anyio,
    # LlamaIndex's workflows look at every attribute of their classes, pydantic's old ones too.
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20"),
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince211"),
]

TOLD, QUESTION = "My dog is called Rex.", "What is my dog called?"
ROOT = Path(__file__).parents[3]


def double(number: int) -> int:
    """Double a number."""
    return 2 * number


def agent(llm: OfflineLLM | None = None, **options: Any) -> FunctionAgent:
    return FunctionAgent(
        llm=llm or OfflineLLM(), tools=[double], system_prompt="Be kind.", **options
    )


def calling_first(messages: list[ChatMessage]) -> ChatMessage:
    """Call a tool, then answer."""
    if messages[-1].role.value == "tool":
        return said("assistant", "Rex, I think.")
    call = said("assistant", "")
    call.additional_kwargs["calls"] = [("double", {"number": 2})]
    return call


async def test_an_agent_knows_in_the_second_session_what_it_was_told_in_the_first(
    path: Path, opened: Memory
) -> None:
    monday = HoldfastMemory.from_defaults(path=path, user_id="ada", session_id="monday")
    await agent().run(TOLD, memory=monday)
    tuesday = HoldfastMemory.from_defaults(path=path, user_id="ada", session_id="tuesday")

    answer = await agent().run(QUESTION, memory=tuesday)

    assert str(answer) == "Your dog is Rex."


async def test_another_users_agent_does_not(path: Path, opened: Memory) -> None:
    ada = HoldfastMemory.from_defaults(path=path, user_id="ada")
    await agent().run(TOLD, memory=ada)
    bob = HoldfastMemory.from_defaults(path=path, user_id="bob")

    assert str(await agent().run(QUESTION, memory=bob)) == "I do not know."


async def test_an_agent_sees_one_system_message(path: Path, opened: Memory) -> None:
    await agent().run(TOLD, memory=HoldfastMemory.from_defaults(path=path, user_id="ada"))
    llm = OfflineLLM()

    await agent(llm).run(QUESTION, memory=HoldfastMemory.from_defaults(path=path, user_id="ada"))

    assert [message.role.value for message in llm.seen[-1]] == ["system", "user"]
    assert llm.seen[-1][0].content == "Be kind."


@pytest.mark.parametrize("llm", [OfflineLLM(by_heart), OfflineLLM(calling_first)])
@pytest.mark.parametrize("shape", ["memory", "block"])
async def test_a_turn_costs_one_recall_and_one_write(
    path: Path, opened: Memory, embedder: CountingEmbedder, llm: OfflineLLM, shape: str
) -> None:
    memory: StockMemory = HoldfastMemory.from_defaults(path=path, user_id="ada")
    if shape == "block":
        block = HoldfastMemoryBlock(path=str(path), user_id="ada")
        memory = StockMemory.from_defaults(
            memory_blocks=[block], chat_store=HoldfastChatStore(path)
        )

    for number in range(1, 4):
        await agent(llm).run(f"Question {number}", memory=memory)
        assert (len(embedder.writes), len(embedder.questions)) == (number, number)


async def test_the_memory_survives_serialising_the_context(path: Path, opened: Memory) -> None:
    memory = HoldfastMemory.from_defaults(path=path, user_id="ada", session_id="monday")
    for serializer in (JsonSerializer(), JsonPickleSerializer()):
        context = Context(agent())
        await agent().run(TOLD, memory=memory, ctx=context)

        data = json.loads(json.dumps(context.to_dict(serializer=serializer)))
        again = Context.from_dict(agent(), data, serializer=serializer)

        assert str(await agent().run(QUESTION, ctx=again)) == "Your dog is Rex."
        restored = await again.store.get("memory")
        assert isinstance(restored, HoldfastMemory)
        assert len(await restored.aget_all()) >= 4


async def test_an_agent_workflow_takes_it(path: Path, opened: Memory) -> None:
    memory = HoldfastMemory.from_defaults(path=path, user_id="ada")
    workflow = AgentWorkflow(agents=[agent(name="one", description="one")], root_agent="one")
    await workflow.run(TOLD, memory=memory)

    assert str(await workflow.run(QUESTION, memory=memory)) == "Your dog is Rex."


async def test_a_history_given_to_run_replaces_the_stored_one(
    path: Path, opened: Memory, embedder: CountingEmbedder
) -> None:
    memory = HoldfastMemory.from_defaults(path=path, user_id="ada")
    given = [said("user", "My cat is called Tom."), said("assistant", "Noted.")]

    await agent().run(TOLD, memory=memory, chat_history=given)

    assert texts(await memory.aget_all())[:2] == texts(given)
    assert len(embedder.writes) == 1


@pytest.mark.parametrize("shape", ["memory", "block"])
def test_a_chat_engine_knows_across_sessions(path: Path, opened: Memory, shape: str) -> None:
    def memory() -> StockMemory:
        if shape == "memory":
            return HoldfastMemory.from_defaults(path=path, user_id="ada")
        block = HoldfastMemoryBlock(path=str(path), user_id="ada")
        return StockMemory.from_defaults(memory_blocks=[block], chat_store=HoldfastChatStore(path))

    SimpleChatEngine.from_defaults(llm=OfflineLLM(), memory=memory()).chat(TOLD)
    later = SimpleChatEngine.from_defaults(llm=OfflineLLM(), memory=memory())

    assert str(later.chat(QUESTION)) == "Your dog is Rex."


async def test_a_chat_engine_streams_and_keeps_the_answer(path: Path, opened: Memory) -> None:
    memory = HoldfastMemory.from_defaults(path=path, user_id="ada")
    engine = SimpleChatEngine.from_defaults(llm=OfflineLLM(), memory=memory)
    await engine.achat(TOLD)

    response = await engine.astream_chat(QUESTION)
    answer = "".join([token async for token in response.async_response_gen()])

    assert answer.strip() == "Your dog is Rex."
    assert len(engine.chat_history) == 4
    engine.reset()
    assert engine.chat_history == []


async def test_a_sync_chat_engine_works_inside_a_running_loop(path: Path, opened: Memory) -> None:
    memory = HoldfastMemory.from_defaults(path=path, user_id="ada")
    engine = SimpleChatEngine.from_defaults(llm=OfflineLLM(), memory=memory)
    engine.chat(TOLD)

    assert str(engine.chat(QUESTION)) == "Your dog is Rex."


def test_a_chat_engine_makes_one_by_its_class(opened: Memory, path: Path) -> None:
    class Ours(HoldfastMemory):
        @classmethod
        def from_defaults(cls, **options: Any) -> HoldfastMemory:  # type: ignore[override]
            return HoldfastMemory.from_defaults(path=path, user_id="ada", **options)

    history = [said("user", "My cat is called Tom."), said("assistant", "Noted.")]
    engine = SimpleChatEngine.from_defaults(llm=OfflineLLM(), memory_cls=Ours, chat_history=history)

    assert str(engine.chat("What is my cat called?")) == "Your cat is Tom."


def test_a_condensing_engine_asks_before_it_puts(path: Path, opened: Memory) -> None:
    HoldfastMemory.from_defaults(path=path, user_id="ada").put(said("user", TOLD))
    memory = HoldfastMemory.from_defaults(path=path, user_id="ada")
    store = HoldfastVectorStore()
    from llama_index.core import VectorStoreIndex
    from llama_index.core.embeddings import MockEmbedding

    index = VectorStoreIndex.from_vector_store(store, embed_model=MockEmbedding(embed_dim=3))
    engine = CondenseQuestionChatEngine.from_defaults(
        query_engine=index.as_query_engine(llm=OfflineLLM()), llm=OfflineLLM(), memory=memory
    )

    engine.chat(QUESTION)

    assert texts(memory.get_all())[0] == f"user: {QUESTION}"


async def test_an_agent_remembers_and_recalls_by_tools(opened: Memory) -> None:
    tools = HoldfastToolSpec(memory=opened, user_id="ada").to_tool_list()

    def asking(messages: list[ChatMessage]) -> ChatMessage:
        if messages[-1].role.value == "tool":
            return said("assistant", messages[-1].content or "")
        call = said("assistant", "")
        name = "remember" if messages[-1].content == TOLD else "recall"
        words = {"text": TOLD} if name == "remember" else {"question": QUESTION}
        call.additional_kwargs["calls"] = [(name, words)]
        return call

    worker = FunctionAgent(llm=OfflineLLM(asking), tools=tools)
    await worker.run(TOLD)

    assert TOLD in str(await worker.run(QUESTION))


def test_told_in_one_process_known_in_another(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = ROOT / "tests" / "support" / "llama_sessions.py"
    subprocess.run([sys.executable, str(script), "tell", str(path)], check=True)

    asyncio.run(session("ask", path))

    assert capsys.readouterr().out.splitlines() == [
        "memory: Your dog is Rex.",
        "block: Your dog is Rex.",
        "engine: Your dog is Rex.",
        "context: Your dog is Rex.",
        "stranger: I do not know.",
    ]


def test_the_example_remembers_from_monday_to_tuesday(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    example = ROOT / "examples" / "llamaindex_agent.py"
    path = str(tmp_path / "example.db")
    for turn in (("monday", "My dog is called Rex."), ("tuesday", "What is my dog called?")):
        monkeypatch.setattr(sys, "argv", [str(example), path, *turn])
        runpy.run_path(str(example), run_name="__main__")
        connect(path).close()

    assert "tuesday< I know a dog called Rex." in capsys.readouterr().out
