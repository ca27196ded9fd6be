"""A copy of an open file holds what was written, but for the last second."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest
from holdfast import Memory
from holdfast.storage.sqlite.wal_checkpoints import LONGEST, Moving
from holdfast.tables import Database
from holdfast.testing import HashEmbedder
from support.queued import outcomes


def new(path: Path) -> Memory:
    return Memory(path, embedder=HashEmbedder())


def copied(path: Path) -> list[str]:
    """Return what a copy of the file alone holds, which must be sound."""
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    with new(copy) as memory:
        assert memory.stats(check=True).problems == ()
        return sorted(record.text for record in memory.list(user_id="ada", limit=10_000))


def test_a_copy_holds_the_first_write(path: Path) -> None:
    with new(path) as memory:
        memory.add([f"turn {number}" for number in range(200)], user_id="ada")
        assert len(copied(path)) == 200


@pytest.mark.slow
def test_a_copy_holds_most_of_many_writes_from_the_beginning_on(path: Path) -> None:
    with new(path) as memory:
        for number in range(400):
            memory.add(f"turn {number:03}", user_id="ada")
        found = copied(path)
    assert found == [f"turn {number:03}" for number in range(len(found))]
    assert len(found) > 100


def test_a_reader_delays_neither_the_write_nor_what_it_does_not_need(path: Path) -> None:
    with new(path) as memory, new(path) as other:
        with other._storage.database.read() as connection:
            connection.execute("SELECT count(*) FROM records").fetchone()
            memory.add("tea", user_id="ada")
        assert [record.text for record in memory.list(user_id="ada")] == ["tea"]


def test_another_writer_does_not_hold_up_a_write_that_has_committed(path: Path) -> None:
    with new(path) as memory, new(path) as other:
        with memory._storage.database.write() as connection:
            connection.execute("INSERT INTO properties VALUES ('any', 1)")
        with other._storage.database.write() as connection:
            connection.execute("INSERT INTO properties VALUES ('other', 1)")
            memory._storage.database._move_wal()  # waits for none of them
        assert memory.stats(check=True).problems == ()


def test_a_log_that_cannot_be_moved_fails_no_write(path: Path) -> None:
    database = Database(path)
    database._moving = Moving(database._move_wal)
    with database.write() as connection:
        connection.execute("CREATE TABLE mine (value)")
        connection.execute("INSERT INTO mine VALUES (1)")
    database.close()
    database._move_wal()  # closed: nobody is told
    with Database(path).read() as connection:
        assert connection.execute("SELECT count(*) FROM mine").fetchone()[0] == 1


def test_writes_that_share_a_transaction_move_nothing_before_its_end(path: Path) -> None:
    database = Database(path)

    def make(number: int) -> bool:
        with database.write() as connection:
            connection.execute(f"CREATE TABLE t{number} (value)")
        return b"CREATE TABLE t0" in path.read_bytes()

    moved = outcomes("loop", database, *(partial(make, number) for number in range(3)))
    assert moved == [False] * 3
    assert b"CREATE TABLE t2" in path.read_bytes()
    database.close()


def test_the_log_is_moved_ever_more_seldom() -> None:
    moved: list[None] = []
    moving = Moving(lambda: moved.append(None))
    for _ in range(1000):  # a millisecond, not a second
        moving.look()
    assert 1 <= len(moved) < 100
    while moving._pause < LONGEST:
        moving._due = 0.0
        moving.look()
    assert moving._pause == LONGEST
