"""What is said in threads reaches long-term memory, once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from holdfast import Memory, ProviderError, Scope
from holdfast.testing import HashEmbedder
from holdfast_langgraph import HoldfastSaver
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from support.checkpoints import chat, put, thread


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m.db", embedder=HashEmbedder()) as memory:
        yield memory


def saver_of(memory: Memory) -> HoldfastSaver:
    return HoldfastSaver.from_memory(memory, capture=True)


def remembered(memory: Memory, **scope: str) -> list[str]:
    return [record.text for record in memory.list(**scope).records]


def ada(thread_id: str = "t") -> Any:
    return thread(thread_id, user_id="ada")


def test_a_conversation_is_remembered_across_threads(memory: Memory) -> None:
    graph = chat(saver_of(memory))
    graph.invoke({"messages": [HumanMessage("I love green tea", id="h1")]}, ada())
    graph.invoke({"messages": [HumanMessage("and Berlin", id="h2")]}, ada("other"))
    found = memory.search("what tea do I love", user_id="ada")
    assert found[0].record.text == "I love green tea"
    assert found[0].record.role == "user"
    assert found[0].record.scope == Scope(user_id="ada", run_id="t")
    assert "noted 1" in remembered(memory, user_id="ada")
    assert memory.search("tea", user_id="bob") == []


def test_every_message_is_remembered_once_even_after_a_restart(memory: Memory) -> None:
    for at in range(3):
        graph = chat(saver_of(memory))
        graph.invoke({"messages": [HumanMessage(f"hello {at}", id=f"h{at}")]}, ada())
    wanted = ["hello 0", "noted 1", "hello 1", "noted 3", "hello 2", "noted 5"]
    assert remembered(memory, user_id="ada") == wanted


def test_ids_of_a_deleted_thread_may_be_said_again_by_another_user(memory: Memory) -> None:
    saver = saver_of(memory)
    chat(saver).invoke({"messages": [HumanMessage("of ada", id="1")]}, ada())
    saver.delete_thread("t")
    chat(saver).invoke({"messages": [HumanMessage("of bob", id="1")]}, thread("t", user_id="bob"))
    assert "of bob" in remembered(memory, user_id="bob")
    assert "of ada" not in remembered(memory, user_id="bob")


def test_the_async_face_captures_too(memory: Memory) -> None:
    graph = chat(saver_of(memory))
    said = {"messages": [HumanMessage("hello", id="h")]}
    asyncio.run(graph.ainvoke(said, ada()))
    assert remembered(memory, user_id="ada") == ["hello", "noted 1"]


def test_without_a_user_the_thread_alone_is_the_scope(memory: Memory) -> None:
    chat(saver_of(memory)).invoke({"messages": [HumanMessage("hello", id="h")]}, thread())
    assert remembered(memory, run_id="t") == ["hello", "noted 1"]


def test_only_words_of_people_and_the_assistant_count(memory: Memory) -> None:
    call = {"name": "find", "args": {}, "id": "c", "type": "tool_call"}
    said = [
        SystemMessage("you are kind", id="1"),
        HumanMessage("find tea", id="2"),
        AIMessage("", id="3", tool_calls=[call]),
        ToolMessage("raw result", tool_call_id="c", id="4"),
        AIMessage([{"type": "text", "text": "green tea"}], id="5"),
        HumanMessage("without an id"),
    ]
    put(saver_of(memory), {"messages": said}, ada())
    put(saver_of(memory), {"messages": "no list"}, ada("odd"))
    assert remembered(memory, user_id="ada") == ["find tea", "green tea"]


def test_a_subgraphs_messages_stay_in_it(memory: Memory) -> None:
    put(saver_of(memory), {"messages": [HumanMessage("inner", id="i")]}, thread(checkpoint_ns="a"))
    assert memory.stats().records == {}


def test_a_callable_says_whose_they_are(memory: Memory) -> None:
    def scope(config: Any) -> Scope | None:
        team = config["configurable"].get("team")
        return Scope(app_id=team) if team else None

    saver = HoldfastSaver(memory._storage.database, capture=memory, capture_scope=scope)
    put(saver, {"messages": [HumanMessage("for the team", id="1")]}, thread(team="blue"))
    put(saver, {"messages": [HumanMessage("for nobody", id="2")]}, thread("u"))
    assert remembered(memory, app_id="blue") == ["for the team"]
    assert memory.stats().records == {"turn": 1}


class Broken(HashEmbedder):
    """Fails while told to."""

    fails = True

    def embed(self, texts: Any) -> Any:
        if self.fails:
            raise ProviderError("down")
        return super().embed(texts)


def test_a_failure_is_logged_and_made_up_for_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    embedder = Broken()
    with Memory(tmp_path / "m.db", embedder=embedder) as memory:
        saver = saver_of(memory)
        with caplog.at_level(logging.WARNING):
            stored = put(saver, {"messages": [HumanMessage("hello", id="h")]}, ada())
        assert "could not capture" in caplog.text
        assert saver.get_tuple(stored) is not None
        embedder.fails = False
        put(saver, {"messages": [HumanMessage("hello", id="h")]}, ada(), version=2)
        assert remembered(memory, user_id="ada") == ["hello"]
