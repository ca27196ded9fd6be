"""Operations off the loop: in order, one after the other, none lost, none held up for long."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from holdfast import Memory, StorageError
from holdfast.adapters import Runner
from holdfast.runtime.asynchronous import READERS
from holdfast.tables import Database
from holdfast.testing import HashEmbedder


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "m.db")
    database.migrate("test", ["CREATE TABLE notes (text TEXT UNIQUE)"])
    yield database
    database.close()


def note(database: Database, text: str) -> str:
    with database.write() as connection:
        connection.execute("INSERT INTO notes VALUES (?)", (text,))
    return text


def notes(database: Database) -> list[str]:
    with database.read() as connection:
        rows = connection.execute("SELECT text FROM notes ORDER BY text").fetchall()
    return [row[0] for row in rows]


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
        pool = Runner()
        return await asyncio.gather(*(pool.write(work, number) for number in range(2_000)))

    assert asyncio.run(ask()) == list(range(2_000))
    assert done == list(range(2_000))


def test_a_read_that_waits_does_not_hold_up_the_others() -> None:
    let_go = threading.Event()

    async def ask() -> None:
        pool = Runner()
        early = asyncio.create_task(pool.read(lambda: "early"))
        stuck = asyncio.create_task(pool.read(let_go.wait, 60))
        others = [pool.read(lambda number=number: number) for number in range(50)]
        assert await asyncio.gather(*others) == list(range(50))
        assert await early == "early"
        assert not stuck.done()
        let_go.set()
        assert await stuck

    asyncio.run(ask())


def test_as_many_as_there_are_threads_may_wait_for_each_other() -> None:
    meeting = threading.Barrier(READERS)

    async def ask() -> None:
        pool = Runner()
        places = [pool.read(meeting.wait, 60) for _ in range(READERS)]
        assert sorted(await asyncio.gather(*places)) == list(range(READERS))

    asyncio.run(ask())


def test_each_operation_sees_its_callers_context_and_raises_to_him_alone() -> None:
    def work() -> int:
        if ASKED.get() % 2:
            raise LookupError(ASKED.get())
        return ASKED.get()

    async def one(pool: Runner, number: int) -> int:
        ASKED.set(number)
        return await pool.write(work)

    async def ask() -> list[int | BaseException]:
        pool = Runner()
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
        pool = Runner()
        blocker = asyncio.create_task(pool.write(hold))
        await asyncio.to_thread(begun.wait, 60)
        doomed = asyncio.create_task(pool.write(done.append, "doomed"))
        kept = asyncio.create_task(pool.write(done.append, "kept"))
        for _ in range(3):
            await asyncio.sleep(0)
        doomed.cancel()
        with pytest.raises(asyncio.CancelledError):
            await doomed
        let_go.set()
        await asyncio.gather(kept, blocker)

    asyncio.run(ask())
    assert done == ["kept"]


def test_one_runtime_serves_a_loop_after_another() -> None:
    pool = Runner()

    async def ask() -> int:
        return sum(await asyncio.gather(*(pool.write(int, number) for number in range(10))))

    assert [asyncio.run(ask()) for _ in range(3)] == [45, 45, 45]


def test_loops_in_many_threads_share_one_runtime() -> None:
    pool, found = Runner(), []

    async def ask() -> int:
        return sum(await asyncio.gather(*(pool.write(int, number) for number in range(100))))

    threads = [threading.Thread(target=lambda: found.append(asyncio.run(ask()))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [4950] * 6


def test_a_loop_that_was_left_early_harms_no_later_one() -> None:
    pool = Runner()
    begun, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        let_go.wait(60)

    async def leave() -> None:
        held = asyncio.create_task(pool.write(hold))
        await asyncio.to_thread(begun.wait, 60)
        held.cancel()

    async def ask() -> int:
        return await pool.write(int, 7)

    asyncio.run(leave())
    let_go.set()
    assert asyncio.run(ask()) == 7


def test_a_caller_is_told_when_his_write_is_safe(database: Database) -> None:
    async def one(runner: Runner, number: int) -> bool:
        text = await runner.write(note, database, str(number))
        return text in await runner.read(notes, database)

    async def ask() -> list[bool]:
        runner = Runner(database.writes)
        return await asyncio.gather(*(one(runner, number) for number in range(100)))

    assert all(asyncio.run(ask()))


def test_a_write_that_is_cancelled_before_its_turn_is_not_made(database: Database) -> None:
    let_go = threading.Event()

    async def ask() -> None:
        runner = Runner(database.writes)
        held = asyncio.create_task(runner.write(let_go.wait, 60))
        tasks = [asyncio.create_task(runner.write(note, database, text)) for text in "abc"]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.sleep(0)
        let_go.set()
        await asyncio.gather(held, *tasks, return_exceptions=True)
        assert tasks[1].cancelled()

    asyncio.run(ask())
    assert notes(database) == ["a", "c"]


def test_writes_that_wait_for_another_process_do_not_hold_up_reads(database: Database) -> None:
    other = Database(database.path)

    async def ask() -> None:
        runner = Runner(database.writes)
        with other.write():
            writes = [asyncio.create_task(runner.write(note, database, text)) for text in "ab"]
            assert await asyncio.gather(*(runner.read(notes, database) for _ in range(50)))
            assert not any(write.done() for write in writes)
        assert await asyncio.gather(*writes) == ["a", "b"]

    asyncio.run(ask())
    other.close()


def test_what_cannot_begin_is_told_to_each(tmp_path: Path) -> None:
    rival, database = Database(tmp_path / "m.db"), Database(tmp_path / "m.db", busy_seconds=0)

    async def ask() -> list[Any]:
        runner = Runner(database.writes)
        writes = (runner.write(note, database, text) for text in "abc")
        return await asyncio.gather(*writes, return_exceptions=True)

    with rival.write():
        told = asyncio.run(ask())
    assert [type(one) for one in told] == [StorageError] * 3
    assert all("locked" in str(one) for one in told)
    rival.close()
    database.close()


def test_no_thread_stays_for_what_comes_after_closing() -> None:
    async def ask() -> list[threading.Thread]:
        runner = Runner()
        seen = [await runner.read(threading.current_thread)]
        seen += [await runner.write(threading.current_thread)]
        runner.close()
        return [*seen, await runner.read(threading.current_thread)]

    for thread in asyncio.run(ask()):
        thread.join()


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
