"""Operations off the loop: in order, one after the other, none lost, none held up for long."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest
from holdfast import Memory
from holdfast.runtime import AsyncRuntime, lane
from holdfast.testing import HashEmbedder

ASKED = contextvars.ContextVar("ASKED", default=0)


def test_operations_are_done_one_after_the_other_in_their_order() -> None:
    done: list[int] = []
    at_work: list[int] = []

    def work(number: int) -> int:
        at_work.append(number)
        assert len(at_work) == 1
        done.append(number)
        at_work.remove(number)
        return number

    async def ask() -> list[int]:
        pool = AsyncRuntime()
        return await asyncio.gather(*(pool.store(work, number) for number in range(2_000)))

    assert asyncio.run(ask()) == list(range(2_000))
    assert done == list(range(2_000))


def test_an_operation_that_waits_does_not_hold_up_the_others() -> None:
    let_go = threading.Event()

    async def ask() -> None:
        pool = AsyncRuntime()
        early = asyncio.create_task(pool.store(lambda: "early"))
        stuck = asyncio.create_task(pool.store(let_go.wait, 60))
        others = [pool.store(lambda number=number: number) for number in range(50)]
        assert await asyncio.gather(*others) == list(range(50))
        assert await early == "early"
        assert not stuck.done()
        let_go.set()
        assert await stuck

    asyncio.run(ask())


def test_as_many_as_there_are_threads_may_wait_for_each_other() -> None:
    meeting = threading.Barrier(lane.MOST_THREADS)

    async def ask() -> None:
        pool = AsyncRuntime()
        places = [pool.store(meeting.wait, 60) for _ in range(lane.MOST_THREADS)]
        assert sorted(await asyncio.gather(*places)) == list(range(lane.MOST_THREADS))

    asyncio.run(ask())


def test_each_operation_sees_its_callers_context_and_raises_to_him_alone() -> None:
    def work() -> int:
        if ASKED.get() % 2:
            raise LookupError(ASKED.get())
        return ASKED.get()

    async def one(pool: AsyncRuntime, number: int) -> int:
        ASKED.set(number)
        return await pool.store(work)

    async def ask() -> list[int | BaseException]:
        pool = AsyncRuntime()
        asked = (one(pool, number) for number in range(100))
        return await asyncio.gather(*asked, return_exceptions=True)

    for number, found in enumerate(asyncio.run(ask())):
        if number % 2:
            assert isinstance(found, LookupError)
            assert found.args == (number,)
        else:
            assert found == number


def test_what_is_cancelled_before_its_turn_is_not_done() -> None:
    done: list[str] = []
    begun, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        let_go.wait(60)

    async def ask() -> None:
        pool = AsyncRuntime()
        blockers = [asyncio.create_task(pool.store(hold)) for _ in range(lane.MOST_THREADS)]
        await asyncio.to_thread(begun.wait, 60)
        doomed = asyncio.create_task(pool.store(done.append, "doomed"))
        kept = asyncio.create_task(pool.store(done.append, "kept"))
        for _ in range(3):
            await asyncio.sleep(0)
        doomed.cancel()
        with pytest.raises(asyncio.CancelledError):
            await doomed
        let_go.set()
        await asyncio.gather(kept, *blockers)

    asyncio.run(ask())
    assert done == ["kept"]


def test_one_runtime_serves_a_loop_after_another() -> None:
    pool = AsyncRuntime()

    async def ask() -> int:
        return sum(await asyncio.gather(*(pool.store(int, number) for number in range(10))))

    assert [asyncio.run(ask()) for _ in range(3)] == [45, 45, 45]


def test_loops_in_many_threads_share_one_runtime() -> None:
    pool, found = AsyncRuntime(), []

    async def ask() -> int:
        return sum(await asyncio.gather(*(pool.store(int, number) for number in range(100))))

    threads = [threading.Thread(target=lambda: found.append(asyncio.run(ask()))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [4950] * 6


def test_a_loop_that_was_left_early_harms_no_later_one() -> None:
    pool = AsyncRuntime()
    begun, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        let_go.wait(60)

    async def leave() -> None:
        held = asyncio.create_task(pool.store(hold))
        await asyncio.to_thread(begun.wait, 60)
        held.cancel()

    async def ask() -> int:
        return await pool.store(int, 7)

    asyncio.run(leave())
    let_go.set()
    assert asyncio.run(ask()) == 7


def turns(count: int) -> int:
    """Return in how many turns of the loop so many tasks were let in."""

    async def ask() -> int:
        pool, beats, passed = AsyncRuntime(), 0, 0

        async def one() -> None:
            nonlocal passed
            await pool.turn()
            passed += 1

        tasks = [asyncio.create_task(one()) for _ in range(count)]
        while passed < count:
            await asyncio.sleep(0)
            beats += 1
        await asyncio.gather(*tasks)
        return beats

    return asyncio.run(ask())


def test_of_many_tasks_few_go_on_in_one_turn_of_the_loop() -> None:
    assert turns(1) <= 2
    assert turns(800) >= 800 / lane.ARRIVALS


@pytest.mark.slow
def test_a_thousand_adds_and_searches_at_once_all_succeed() -> None:
    async def ask(memory: Memory) -> None:
        both = (
            (
                memory.aadd(f"tea number {number}", user_id=f"u{number % 5}"),
                memory.asearch("tea", user_id=f"u{number % 5}"),
            )
            for number in range(500)
        )
        await asyncio.gather(*(one for pair in both for one in pair))

    with Memory(":memory:", embedder=HashEmbedder()) as memory:
        asyncio.run(ask(memory))
        counts = [len(memory.list(user_id=f"u{number}", limit=200)) for number in range(5)]
    assert counts == [100] * 5
