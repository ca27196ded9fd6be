"""What waits for a thread: in which order it is done, what together, and what each is told."""

from __future__ import annotations

import asyncio
import contextvars
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from holdfast import StorageClosedError, StorageError
from holdfast.runtime import AsyncRuntime
from holdfast.runtime.operations import Batch, Kind, Operation, arranged
from holdfast.tables import Database
from hypothesis import given
from hypothesis import strategies as st

KINDS = st.lists(st.sampled_from(["store", "read", "write"]), max_size=12)


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


def lose(database: Database) -> None:
    with database.write() as connection:
        connection.execute("ROLLBACK")  # as SQLite does by itself on a full disk
        connection.execute("INSERT INTO nowhere VALUES (1)")


def notes(database: Database) -> list[str]:
    with database.read() as connection:
        rows = connection.execute("SELECT text FROM notes ORDER BY text").fetchall()
    return [row[0] for row in rows]


def operation(kind: Kind, work: Callable[[], Any] = int) -> Operation:
    loop = asyncio.get_running_loop()
    return Operation(loop.create_future(), contextvars.copy_context(), work, kind)


def order(*kinds: Kind) -> list[list[int]]:
    """Return in which order operations of these kinds are done, and which together."""

    async def arrange() -> list[list[int]]:
        given = [operation(kind) for kind in kinds]
        place = {id(one): number for number, one in enumerate(given)}
        return [[place[id(one)] for one in task] for task in arranged(given)]

    return asyncio.run(arrange())


def outcomes(database: Database, shared: float, *works: Callable[[], Any]) -> list[Any]:
    """Do writes as one batch; return what each is told."""

    async def ask() -> list[Any]:
        writes = [operation("write", work) for work in works]
        batch = Batch(arranged(writes), database.together, shared)
        await asyncio.to_thread(batch.work)
        batch.tell()
        told = [write.future for write in writes]
        return await asyncio.gather(*told, return_exceptions=True)

    return asyncio.run(ask())


def test_writes_go_together_ahead_of_the_reads_they_waited_among() -> None:
    assert order("read", "write", "read", "write") == [[1, 3], [0], [2]]


def test_nothing_overtakes_any_other_operation() -> None:
    assert order("read", "store", "write", "store", "write") == [[0], [1], [2], [3], [4]]


@given(KINDS)
def test_each_is_done_once_and_keeps_its_place_among_its_kind(kinds: list[Kind]) -> None:
    done = [number for task in order(*kinds) for number in task]
    assert sorted(done) == list(range(len(kinds)))
    for kind in set(kinds):
        same = [number for number in done if kinds[number] == kind]
        assert same == sorted(same)
    for number in (number for number in done if kinds[number] == "store"):
        assert all(other < number for other in done[: done.index(number)])


def test_each_write_is_told_its_own_result(database: Database) -> None:
    told = outcomes(database, math.inf, *(lambda text=text: note(database, text) for text in "abc"))
    assert told == ["a", "b", "c"]
    assert notes(database) == ["a", "b", "c"]


def test_writes_are_committed_together(database: Database) -> None:
    def look(text: str) -> list[str]:
        seen = notes(database)
        note(database, text)
        return seen

    told = outcomes(database, math.inf, *(lambda text=text: look(text) for text in "abc"))
    assert told == [[], [], []]


def test_long_writes_are_committed_one_by_one(database: Database) -> None:
    def look(text: str) -> list[str]:
        seen = notes(database)
        note(database, text)
        return seen

    told = outcomes(database, -1, *(lambda text=text: look(text) for text in "abc"))
    assert told == [[], ["a"], ["a", "b"]]


def test_a_write_that_fails_is_told_so_alone(database: Database) -> None:
    told = outcomes(
        database,
        math.inf,
        lambda: note(database, "a"),
        lambda: note(database, "a"),
        lambda: note(database, "b"),
    )
    assert [isinstance(one, StorageError) for one in told] == [False, True, False]
    assert notes(database) == ["a", "b"]


def test_when_all_is_taken_back_every_write_is_told_so(database: Database) -> None:
    told = outcomes(
        database,
        math.inf,
        lambda: note(database, "a"),
        lambda: lose(database),
        lambda: note(database, "b"),
    )
    assert all(isinstance(one, StorageError) for one in told)
    assert notes(database) == []


def test_a_closed_file_tells_every_write(database: Database) -> None:
    database.close()
    told = outcomes(database, math.inf, *(lambda text=text: note(database, text) for text in "ab"))
    assert all(isinstance(one, StorageClosedError) for one in told)


def test_what_is_cancelled_is_not_written(database: Database) -> None:
    async def ask() -> None:
        writes = [operation("write", lambda text=text: note(database, text)) for text in "abc"]
        writes[1].future.cancel()
        batch = Batch(arranged(writes), database.together)
        await asyncio.to_thread(batch.work)
        batch.tell()

    asyncio.run(ask())
    assert notes(database) == ["a", "c"]


def test_a_caller_is_told_when_his_write_is_safe(database: Database) -> None:
    async def one(runtime: AsyncRuntime, number: int) -> bool:
        text = await runtime.write(note, database, str(number))
        return text in await runtime.read(notes, database)

    async def ask() -> list[bool]:
        runtime = AsyncRuntime(database.together)
        return await asyncio.gather(*(one(runtime, number) for number in range(100)))

    assert all(asyncio.run(ask()))


def test_writes_that_wait_for_another_process_do_not_hold_up_reads(database: Database) -> None:
    other = Database(database.path)

    async def ask() -> None:
        runtime = AsyncRuntime(database.together)
        with other.write():
            writes = [asyncio.create_task(runtime.write(note, database, text)) for text in "ab"]
            assert await asyncio.gather(*(runtime.read(notes, database) for _ in range(50)))
            assert not any(write.done() for write in writes)
        assert await asyncio.gather(*writes) == ["a", "b"]

    asyncio.run(ask())
    other.close()


def test_no_thread_stays_for_what_comes_after_closing() -> None:
    async def ask() -> list[threading.Thread]:
        runtime = AsyncRuntime()
        seen = [await runtime.read(threading.current_thread)]
        runtime.close()
        return [*seen, await runtime.read(threading.current_thread)]

    for thread in asyncio.run(ask()):
        thread.join()


@contextmanager
def _refused() -> Iterator[None]:
    raise StorageError("the disk is full")
    yield


def test_what_cannot_begin_is_told_to_all() -> None:
    async def ask() -> list[Any]:
        runtime = AsyncRuntime(_refused)
        writes = (runtime.write(int) for _ in range(3))
        return await asyncio.gather(*writes, return_exceptions=True)

    assert [str(one) for one in asyncio.run(ask())] == ["the disk is full"] * 3
