"""LangChain's models, when they fail: their words are in the cause, and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from holdfast import LLM, Embedder, Memory
from holdfast_langgraph import HoldfastSaver, LangChainEmbedder, LangChainLLM, MemoryMiddleware
from langchain.agents import create_agent
from langchain_core.embeddings import Embeddings
from langchain_core.messages import BaseMessage, HumanMessage
from langchain_core.outputs import ChatResult
from support.checkpoints import put, thread
from support.langgraph_models import ObedientModel
from support.secrecy import EmbedderSecrecy, LLMSecrecy, blab, unsaid, unwritten


class Blabbing(ObedientModel):
    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        blab()


class Prosaic(Blabbing):
    """Cannot call tools."""

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Any:
        raise NotImplementedError


class Unbindable(Blabbing):
    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Any:
        blab()


class BlabbingEmbeddings(Embeddings):
    embed_documents = embed_query = blab


async def ablab(texts: Sequence[str]) -> list[list[float]]:
    blab()


@pytest.mark.parametrize("model", [Blabbing, Prosaic, Unbindable])
class TestLangChainLLM(LLMSecrecy):
    @pytest.fixture
    def llm(self, model: Callable[[], Blabbing]) -> LLM:
        return LangChainLLM(model())


@pytest.mark.parametrize("given", [BlabbingEmbeddings(), blab], ids=["object", "function"])
class TestLangChainEmbedder(EmbedderSecrecy):
    @pytest.fixture
    def embedder(self, given: Any) -> Embedder:
        return LangChainEmbedder(given)


class TestLangChainAsyncFunction(EmbedderSecrecy):
    @pytest.fixture(params=["async"])
    def face(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def embedder(self) -> Embedder:
        return LangChainEmbedder(ablab)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "a.db", embedder=LangChainEmbedder(BlabbingEmbeddings())) as memory:
        yield memory


def test_an_agent_goes_on_and_logs_nothing_an_embedder_said(
    memory: Memory, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    middleware = MemoryMiddleware(memory, scope=lambda request: {"user_id": "ada"})
    made = create_agent(ObedientModel(), middleware=[middleware])
    asked: Any = {"messages": [HumanMessage("hello")]}

    assert made.invoke(asked)["messages"][-1].text.startswith("My prompt says")
    assert unsaid(caplog)
    caplog.clear()
    assert asyncio.run(made.ainvoke(asked))["messages"][-1].text.startswith("My prompt says")
    assert unsaid(caplog)
    assert unwritten(tmp_path)


def test_a_saver_captures_and_logs_nothing_an_embedder_said(
    memory: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    saver = HoldfastSaver.from_memory(memory, capture=True)
    put(saver, {"messages": [HumanMessage("hello", id="h")]}, thread("t", user_id="ada"))
    assert unsaid(caplog)
