"""Many threads, processes and event loops on one file."""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from blockbuster import blockbuster_ctx
from holdfast_langgraph import HoldfastSaver
from langchain_core.messages import HumanMessage
from support.checkpoints import chat, checkpoint, put, thread, values_of
from support.many_savers import MESSAGES, be_one_of_many

TURNS = 4


def converse(saver: HoldfastSaver, name: str) -> int:
    """Have a conversation on a thread of one's own; return how many messages it has."""
    graph = chat(saver)
    for at in range(TURNS):
        said = {"messages": [HumanMessage(f"{name} says {at} " + "so " * 40, id=f"{name}-{at}")]}
        result = graph.invoke(said, thread(name))
    return len(result["messages"])


def test_twenty_threads_converse_at_once(tmp_path: Path) -> None:
    with HoldfastSaver(tmp_path / "c.db") as saver, ThreadPoolExecutor(20) as pool:
        counts = list(pool.map(lambda at: converse(saver, f"thread {at}"), range(20)))
        assert counts == [2 * TURNS] * 20
        for at in range(20):
            said = values_of(saver, thread(f"thread {at}"))["messages"]
            assert all(one.text.startswith(f"thread {at} says") for one in said[::2])


def test_twenty_threads_write_and_prune_one_conversation(tmp_path: Path) -> None:
    with HoldfastSaver(tmp_path / "c.db") as saver:

        def work(at: int) -> None:
            stored = put(saver, {"messages": [f"{at} " * 60, "same " * 60]}, version=at)
            saver.put_writes(stored, [("messages", [f"write {at} " * 30])], f"task {at}")
            if at % 5 == 0:
                saver.prune(["t"])

        with ThreadPoolExecutor(20) as pool:
            list(pool.map(work, range(60)))
        for one in saver.list(thread()):
            own, same = one.checkpoint["channel_values"]["messages"]
            assert same == "same " * 60
            assert own in {f"{at} " * 60 for at in range(60)}


def test_four_processes_share_a_file(tmp_path: Path) -> None:
    path = str(tmp_path / "c.db")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(4, mp_context=context) as pool:
        counts = list(pool.map(be_one_of_many, [path] * 4, [f"process {at}" for at in range(4)]))
    assert counts == [MESSAGES] * 4
    with HoldfastSaver(path) as saver:
        for one in saver.list(None):
            said = one.checkpoint["channel_values"]["messages"]
            name = said[0].partition(" says")[0]
            assert said == [f"{name} says {at} " * 12 for at in range(len(said))]
        assert {f"process {at}" for at in range(4)} <= {
            one.config["configurable"]["thread_id"] for one in saver.list(None)
        }


def test_two_savers_on_one_file_see_each_others_writes(tmp_path: Path) -> None:
    with HoldfastSaver(tmp_path / "c.db") as one, HoldfastSaver(tmp_path / "c.db") as other:
        first = put(one, {"messages": ["a " * 50]})
        second = put(other, {"messages": ["a " * 50, "b " * 50]}, first, version=2)
        put(one, {"messages": ["a " * 50, "b " * 50, "c " * 50]}, second, version=3)
        assert values_of(other, thread()) == {"messages": ["a " * 50, "b " * 50, "c " * 50]}


def test_the_async_face_never_blocks_the_loop(tmp_path: Path) -> None:
    async def scenario() -> None:
        with blockbuster_ctx():
            async with HoldfastSaver.from_conn_string(str(tmp_path / "c.db")) as saver:
                made = checkpoint({"messages": [HumanMessage("hi " * 99, id="h")]})
                stored = await saver.aput(thread(), made, {}, {"messages": 1})
                await saver.aput_writes(stored, [("messages", ["x" * 99])], "task")
                assert await saver.aget_tuple(thread())
                assert [one async for one in saver.alist(None, filter={"a": None})]
                await saver.aget_delta_channel_history(config=stored, channels=["messages"])
                await saver.acopy_thread("t", "copy")
                await saver.aprune(["t"])
                await saver.adelete_for_runs(["r"])
                await saver.adelete_thread("t")
                assert await saver.asweep() == 0

    asyncio.run(scenario())


def test_a_hundred_coroutines_put_at_once(tmp_path: Path) -> None:
    async def scenario() -> int:
        async with HoldfastSaver.from_conn_string(str(tmp_path / "c.db")) as saver:

            async def one(at: int) -> None:
                made = checkpoint({"n": at})
                await saver.aput(thread(f"t{at % 7}"), made, {}, {"n": 1})

            await asyncio.gather(*(one(at) for at in range(100)))
            return len([found async for found in saver.alist(None)])

    assert asyncio.run(scenario()) == 100


def test_a_cancelled_put_is_stored_whole_or_not_at_all(tmp_path: Path) -> None:
    async def scenario() -> Any:
        async with HoldfastSaver.from_conn_string(str(tmp_path / "c.db")) as saver:
            made = checkpoint({"messages": ["x" * 999]})
            putting = asyncio.ensure_future(saver.aput(thread(), made, {}, {"messages": 1}))
            await asyncio.sleep(0)
            putting.cancel()
            await asyncio.gather(putting, return_exceptions=True)
            return await saver.aget(thread())

    found = asyncio.run(scenario())
    assert found is None or found["channel_values"] == {"messages": ["x" * 999]}


def test_a_read_goes_on_while_another_thread_writes(tmp_path: Path) -> None:
    """AsyncPostgresSaver holds one lock around every operation."""
    with HoldfastSaver(tmp_path / "c.db") as saver:
        put(saver, {"a": 1})
        found: list[Any] = []
        with saver.database.write():
            reader = threading.Thread(target=lambda: found.append(saver.get_tuple(thread())))
            reader.start()
            reader.join(20)
        assert [one.checkpoint["channel_values"] for one in found] == [{"a": 1}]
