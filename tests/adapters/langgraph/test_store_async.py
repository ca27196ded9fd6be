import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockingError, blockbuster_ctx
from holdfast.testing import HashEmbedder
from holdfast_langgraph import HoldfastStore
from langgraph.store.base import GetOp, PutOp, SearchOp
from support.word_embeddings import WordEmbeddings

NOTES = ("notes", "ada")


def unblocked(scenario: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run a scenario in which nothing may block the event loop."""

    async def guarded() -> Any:
        with blockbuster_ctx():
            return await scenario()

    return asyncio.run(guarded())


def test_every_verb_has_a_twin_that_never_blocks_the_loop(tmp_path: Path) -> None:
    index = {"embed": WordEmbeddings(), "fields": ["text"]}

    async def scenario() -> list[Any]:
        store = HoldfastStore.from_conn_string(str(tmp_path / "a.db"), index=index)  # type: ignore[arg-type]
        async with store:
            await store.setup()
            await store.aput(NOTES, "1", {"text": "green tea"}, ttl=10)
            await store.aput(NOTES, "2", {"text": "red car"})
            await store.adelete(NOTES, "2")
            await store.start_ttl_sweeper()
            return [
                await store.aget(NOTES, "1"),
                await store.asearch(NOTES, query="tea"),
                await store.alist_namespaces(prefix=("notes",)),
                await store.abatch([PutOp(NOTES, "3", {}), GetOp(NOTES, "1"), SearchOp(NOTES)]),
                await store.asweep_ttl(),
            ]

    got, found, listed, batch, swept = unblocked(scenario)

    assert got.value == {"text": "green tea"}
    assert [item.key for item in found] == ["1"]
    assert listed == [NOTES]
    assert batch[1].key == "1"
    assert swept == 0


def test_a_slow_embedding_function_does_not_hold_the_loop() -> None:
    def slow(texts: Any) -> list[list[float]]:
        time.sleep(0)
        return HashEmbedder().embed(texts)

    async def scenario() -> Any:
        store = HoldfastStore(":memory:", index={"embed": slow})
        await store.aput(NOTES, "1", {"text": "green tea"})
        return await store.asearch(NOTES, query="tea")

    assert len(unblocked(scenario)) == 1


def test_the_guard_would_notice() -> None:
    async def scenario() -> None:
        time.sleep(0)  # noqa: ASYNC251 - the very thing

    with pytest.raises(BlockingError):
        unblocked(scenario)


def test_an_async_embedding_function_will_do() -> None:
    async def embed(texts: Any) -> list[list[float]]:
        await asyncio.sleep(0)
        return HashEmbedder().embed(texts)

    async def scenario() -> Any:
        store = HoldfastStore(":memory:", index={"embed": embed, "fields": ["text"]})
        await store.aput(NOTES, "1", {"text": "green tea"})
        await store.aput(NOTES, "2", {"text": "red car"})
        return await store.asearch(NOTES, query="tea")

    assert [item.key for item in asyncio.run(scenario())] == ["1", "2"]


def test_a_module_global_store_outlives_its_event_loops(tmp_path: Path) -> None:
    store = HoldfastStore(tmp_path / "a.db")

    for number in range(3):
        asyncio.run(store.aput(NOTES, str(number), {}))

    assert len(asyncio.run(store.asearch(NOTES))) == 3
    assert len(store.search(NOTES)) == 3
    store.close()


def test_sync_calls_work_inside_a_loop() -> None:
    async def scenario() -> Any:
        store = HoldfastStore(":memory:")
        store.put(NOTES, "1", {"n": 1})
        await store.aput(NOTES, "2", {"n": 2})
        return store.search(NOTES)

    assert len(asyncio.run(scenario())) == 2


def test_a_cancelled_put_is_whole_or_not_there(tmp_path: Path) -> None:
    async def scenario() -> set[int]:
        seen = set()
        async with HoldfastStore(tmp_path / "a.db") as store:
            for number in range(20):
                place = ("notes", str(number))
                task = asyncio.create_task(store.abatch([PutOp(place, key, {}) for key in "abc"]))
                for _ in range(number % 4):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                await store.aput(("last",), "1", {})
                seen.add(len(await store.asearch(place)))
        return seen

    assert asyncio.run(scenario()) <= {0, 3}
