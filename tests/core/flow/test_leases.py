"""Leases end with their caller: whatever the moment of a cancellation, whatever a clock said."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
from holdfast import Memory
from holdfast.ingestion.embedding import embed_waiting
from holdfast.runtime import SYNC, AsyncRuntime, run
from holdfast.storage.sqlite.storage import SqliteStorage
from holdfast.testing import ScriptedLLM
from support.flows import echo, opened

pytestmark = pytest.mark.slow

HOUR = 3_600_000_000  # microseconds


def echoing() -> ScriptedLLM:
    return ScriptedLLM(repeat(echo))


async def cancelled(call: Awaitable[Any], turns: int, times: int = 1) -> bool:
    """Cancel a call after so many turns of the loop, and again in the next ones; say if it was."""
    task = asyncio.ensure_future(call)
    for _ in range(turns):
        await asyncio.sleep(0)
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    (outcome,) = await asyncio.gather(task, return_exceptions=True)
    return isinstance(outcome, asyncio.CancelledError)


# -- cancelled calls ----------------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, 3])
def test_a_cancelled_add_gives_its_turns_back_whatever_the_moment(
    tmp_path: Path, times: int
) -> None:
    async def flow() -> None:
        async with opened(tmp_path, echoing()) as memory:
            for turns in range(60):
                await cancelled(memory.aadd(f"I like {turns}", user_id=f"u{turns}"), turns, times)
                await memory.aflush()
                assert (await memory.astats()).waiting == 0, turns

    asyncio.run(flow())


def test_an_add_that_is_cancelled_while_it_waits_to_write_gives_its_turns_back(
    tmp_path: Path,
) -> None:
    begun, let_go = threading.Event(), threading.Event()

    def write_for_long(memory: Memory) -> None:
        with memory._storage.database.write():
            begun.set()
            let_go.wait(60)

    async def flow() -> None:
        async with opened(tmp_path, echoing()) as memory:
            other = asyncio.create_task(asyncio.to_thread(write_for_long, memory))
            await asyncio.to_thread(begun.wait, 60)
            task = asyncio.create_task(memory.aadd("I like tea", user_id="ada"))
            while not memory._storage.database.writes._working:  # noqa: ASYNC110 - threads set it
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.sleep(0)
            let_go.set()
            await asyncio.gather(task, other, return_exceptions=True)
            assert task.cancelled()
            await memory.aflush()
            assert (await memory.astats()).waiting == 0

    asyncio.run(flow())


@pytest.mark.parametrize("times", [1, 3])
def test_a_cancelled_flush_gives_its_turns_and_summaries_back(tmp_path: Path, times: int) -> None:
    async def flow() -> None:
        async with opened(tmp_path, echoing()) as memory:
            for turns in range(40):
                said = [f"I like {number}" for number in range(20)]
                await memory.aadd(said, user_id=f"u{turns}", wait=False)
                await cancelled(memory.aflush(), turns, times)
                await memory.aflush()
                assert (await memory.astats()).waiting == 0, turns
                assert len(await memory.alist(user_id=f"u{turns}", kinds=["summary"])) == 1, turns

    asyncio.run(flow())


class Held:
    """An operation that waits in its thread until it is let go, and then claims."""

    def __init__(self) -> None:
        self.begun, self.let_go = threading.Event(), threading.Event()
        self.claims: list[str] = []
        self.released: list[str] = []

    def claim(self) -> str:
        self.begun.set()
        self.let_go.wait(60)
        self.claims.append("claimed")
        return "claimed"


def test_a_claim_that_is_made_while_its_caller_is_cancelled_is_released() -> None:
    held = Held()

    async def flow() -> None:
        task = asyncio.create_task(AsyncRuntime().claim(held.released.append, held.claim))
        await asyncio.to_thread(held.begun.wait, 60)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
        assert not task.done()
        held.let_go.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(flow())
    assert held.claims == held.released == ["claimed"]


def test_a_claim_that_lies_ready_when_its_caller_is_cancelled_is_released() -> None:
    released: list[str] = []

    async def flow() -> None:
        task = asyncio.create_task(AsyncRuntime().claim(released.append, lambda: "claimed"))
        done = asyncio.get_running_loop().create_future()

        def look() -> None:  # as soon as the result is there, before its task goes on
            waiter: Any = task._fut_waiter  # type: ignore[attr-defined]
            if waiter is not None and waiter.done():
                task.cancel()
                done.set_result(None)
            else:
                asyncio.get_running_loop().call_soon(look)

        asyncio.get_running_loop().call_soon(look)
        await done
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(flow())
    assert released == ["claimed"]


def test_a_claim_that_had_not_begun_when_its_caller_was_cancelled_is_not_made() -> None:
    stuck = Held()
    made: list[str] = []

    async def flow() -> None:
        pool = AsyncRuntime()
        blocker = asyncio.create_task(pool.write(stuck.claim))
        await asyncio.to_thread(stuck.begun.wait, 60)
        doomed = asyncio.create_task(pool.claim(made.append, made.append, "claimed"))
        await asyncio.sleep(0)
        doomed.cancel()
        await asyncio.sleep(0)
        stuck.let_go.set()
        await blocker
        with pytest.raises(asyncio.CancelledError):
            await doomed

    asyncio.run(flow())
    assert made == []


def test_what_must_be_finished_is_whoever_is_cancelled_meanwhile() -> None:
    held = Held()

    async def flow() -> None:
        task = asyncio.create_task(AsyncRuntime().finish(held.claim))
        await asyncio.sleep(0)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
        held.let_go.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(flow())
    assert held.claims == ["claimed"]


# -- clocks -------------------------------------------------------------------------------------


def ahead(memory: Memory, sql: str, by: int) -> None:
    """Write what a process would have whose clock was so far ahead."""
    storage = memory._storage
    with storage.database.write() as connection:
        connection.execute(sql, (storage.file.now() + by,))


QUEUED = "UPDATE queue SET due_at = ?"
CLAIMED = "UPDATE queue SET worker = 'other', claimed_until = ?"
SUMMARISING = "UPDATE summaries SET worker = 'other', claimed_until = ?"
WAITS: list[tuple[str, int, bool]] = [
    (QUEUED, 3 * HOUR, False),
    (QUEUED, HOUR // 4, True),  # as after many failed attempts
    (CLAIMED, 3 * HOUR, False),
    (CLAIMED, HOUR // 6, True),
]


@pytest.mark.parametrize(("sql", "by", "waits"), WAITS)
def test_a_turn_does_not_wait_for_a_clock_that_was_wrong(
    tmp_path: Path, sql: str, by: int, waits: bool
) -> None:
    with opened(tmp_path, echoing()) as memory:
        memory.add("I sail", user_id="ada", wait=False)
        run(embed_waiting(SYNC, memory._storage, memory._embedder))
        ahead(memory, sql, by)
        due = memory._storage.pipeline.next_due()
        assert due is not None
        assert (due > 0) is waits
        assert len(memory.flush()) == (0 if waits else 1)


@pytest.mark.parametrize(("sql", "by", "waits"), WAITS)
def test_a_record_does_not_wait_for_a_clock_that_was_wrong(
    tmp_path: Path, sql: str, by: int, waits: bool
) -> None:
    with opened(tmp_path, None) as memory:
        memory.add("I sail", user_id="ada", wait=False)
        ahead(memory, sql.replace("queue", "unembedded"), by)
        due = memory._storage.pipeline.next_due()
        assert due is not None
        assert (due > 0) is waits
        assert memory.flush().unembedded == (1 if waits else 0)


def test_turns_claimed_by_a_clock_that_was_wrong_can_be_retried(tmp_path: Path) -> None:
    with opened(tmp_path, echoing()) as memory:
        memory.add("I sail", user_id="ada", wait=False)
        ahead(memory, CLAIMED, 3 * HOUR)
        ahead(memory, QUEUED, HOUR // 4)
        assert len(memory.flush(retry=True)) == 1


def test_a_summary_does_not_wait_for_a_clock_that_was_wrong(tmp_path: Path) -> None:
    with opened(tmp_path, echoing()) as memory:
        memory.add([f"I sail {number}" for number in range(20)], user_id="ada", wait=False)
        ahead(memory, SUMMARISING, 3 * HOUR)
        memory.flush()
        assert len(memory.list(user_id="ada", kinds=["summary"])) == 1


@pytest.mark.parametrize("by", [0, 30_000_000], ids=["together", "half a minute apart"])
def test_a_lease_holds_among_clocks_that_differ_little(tmp_path: Path, by: int) -> None:
    with opened(tmp_path, echoing()) as memory:
        memory.add("I sail", user_id="ada", wait=False)
        other = SqliteStorage(tmp_path / "memory.db")
        assert len(other.pipeline.claim()) == 1
        ahead(memory, CLAIMED, 600_000_000 + by)
        assert len(memory.flush()) == 0
        other.file.close()
