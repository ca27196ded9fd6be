"""Real graphs on the saver: time travel, interrupts, subgraphs, restarts, both faces."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from holdfast_langgraph import HoldfastSaver
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt
from support.checkpoints import chat, encrypted, thread


@pytest.fixture(params=["plain", "encrypted"])
def path_and_serde(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return tmp_path / "c.db", encrypted() if request.param == "encrypted" else None


def texts(messages: Any) -> list[str]:
    return [message.text for message in messages]


def approval(saver: HoldfastSaver) -> Any:
    """Return a graph that asks before it answers."""

    def ask(state: MessagesState) -> dict[str, Any]:
        verdict = interrupt({"approve": state["messages"][-1].text})
        return {"messages": [AIMessage(f"it was {verdict}", id="verdict")]}

    return (
        StateGraph(MessagesState)
        .add_node("ask", ask)
        .add_edge(START, "ask")
        .compile(checkpointer=saver)
    )


def test_a_conversation_goes_on_after_a_restart(path_and_serde: Any) -> None:
    path, serde = path_and_serde
    for at, wanted in ((1, 2), (2, 4), (3, 6)):
        with HoldfastSaver(path, serde=serde) as saver:
            said = [HumanMessage(f"hello {at}", id=f"h{at}")]
            assert len(chat(saver).invoke({"messages": said}, thread())["messages"]) == wanted


def test_an_interrupt_waits_through_a_restart_and_resumes(path_and_serde: Any) -> None:
    path, serde = path_and_serde
    with HoldfastSaver(path, serde=serde) as saver:
        asked = approval(saver).invoke({"messages": [HumanMessage("pay", id="h")]}, thread())
        assert asked["__interrupt__"][0].value == {"approve": "pay"}
    with HoldfastSaver(path, serde=serde) as saver:
        graph = approval(saver)
        assert graph.get_state(thread()).next == ("ask",)
        done = graph.invoke(Command(resume="fine"), thread())
        assert texts(done["messages"]) == ["pay", "it was fine"]
        assert graph.get_state(thread()).next == ()


def test_time_travel_replays_and_forks(path_and_serde: Any) -> None:
    path, serde = path_and_serde
    with HoldfastSaver(path, serde=serde) as saver:
        graph = chat(saver)
        for at in range(3):
            graph.invoke({"messages": [HumanMessage(f"hello {at}", id=f"h{at}")]}, thread())
        states = list(graph.get_state_history(thread()))
        past = next(one for one in states if len(one.values.get("messages", ())) == 2)
        forked = graph.update_state(
            past.config, {"messages": [HumanMessage("instead", id="fork")]}, as_node="reply"
        )
        assert texts(graph.get_state(forked).values["messages"]) == [
            "hello 0",
            "noted 1",
            "instead",
        ]
        for one in states:
            assert graph.get_state(one.config).values == one.values
        answered = graph.invoke({"messages": [HumanMessage("and then", id="n")]}, past.config)
        assert texts(answered["messages"]) == ["hello 0", "noted 1", "and then", "noted 3"]


def test_a_subgraph_has_a_namespace_of_its_own(tmp_path: Path) -> None:
    with HoldfastSaver(tmp_path / "c.db") as saver:
        inner = StateGraph(MessagesState)
        inner.add_node("think", lambda _: {"messages": [AIMessage("thought", id="think")]})
        inner.add_edge(START, "think")
        outer = StateGraph(MessagesState).add_node("inner", inner.compile(checkpointer=True))
        graph: Any = outer.add_edge(START, "inner").compile(checkpointer=saver)
        result = graph.invoke({"messages": [HumanMessage("hi", id="h")]}, thread())
        assert texts(result["messages"]) == ["hi", "thought"]
        found = {
            one.config["configurable"]["checkpoint_ns"]
            for one in saver.list({"configurable": {"thread_id": "t"}})
        }
        assert len(found) == 2


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_every_durability_of_a_run_ends_in_the_same_state(durability: Any, tmp_path: Path) -> None:
    with HoldfastSaver(tmp_path / "c.db") as saver:
        for at in range(2):
            said = {"messages": [HumanMessage(f"hello {at}", id=f"h{at}")]}
            chat(saver).invoke(said, thread(), durability=durability)
        state = chat(saver).get_state(thread())
        assert texts(state.values["messages"]) == ["hello 0", "noted 1", "hello 1", "noted 3"]


def test_one_saver_serves_sync_and_async_and_several_loops(path_and_serde: Any) -> None:
    path, serde = path_and_serde
    with HoldfastSaver(path, serde=serde) as saver:
        graph = chat(saver)

        async def turn(at: int) -> int:
            said = {"messages": [HumanMessage(f"hello {at}", id=f"h{at}")]}
            return len((await graph.ainvoke(said, thread()))["messages"])

        assert asyncio.run(turn(0)) == 2
        assert (
            len(graph.invoke({"messages": [HumanMessage("sync", id="s")]}, thread())["messages"])
            == 4
        )
        assert asyncio.run(turn(1)) == 6

        async def states() -> list[int]:
            return [len(one.values["messages"]) async for one in graph.aget_state_history(thread())]

        assert asyncio.run(states())[0] == 6


@pytest.mark.skipif(sys.version_info < (3, 11), reason="LangGraph cannot, before Python 3.11")
def test_an_async_interrupt_resumes(tmp_path: Path) -> None:
    async def scenario() -> list[str]:
        async with HoldfastSaver.from_conn_string(str(tmp_path / "c.db")) as saver:
            graph = approval(saver)
            await graph.ainvoke({"messages": [HumanMessage("pay", id="h")]}, thread())
            done = await graph.ainvoke(Command(resume="fine"), thread())
            return texts(done["messages"])

    assert asyncio.run(scenario()) == ["pay", "it was fine"]
