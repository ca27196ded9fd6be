"""Writes of one thread that share a transaction: each whole or undone, none safe before the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from holdfast import StorageClosedError, StorageError
from holdfast.storage.sqlite.database import Connection
from holdfast.tables import Database


@pytest.fixture(params=["normal", "full"])
def durability(request: pytest.FixtureRequest) -> Literal["normal", "full"]:
    given: Literal["normal", "full"] = request.param
    return given


@pytest.fixture
def database(tmp_path: Path, durability: Literal["normal", "full"]) -> Iterator[Database]:
    database = Database(tmp_path / "m.db", durability=durability)
    database.migrate("test", ["CREATE TABLE notes (text TEXT UNIQUE)"])
    yield database
    database.close()


def note(database: Database, text: str) -> None:
    with database.write() as connection:
        insert(connection, text)


def insert(connection: Connection, text: str) -> None:
    connection.execute("INSERT INTO notes VALUES (?)", (text,))


def notes(database: Database) -> list[str]:
    with database.read() as connection:
        rows = connection.execute("SELECT text FROM notes ORDER BY text").fetchall()
    return [row[0] for row in rows]


def lose(database: Database) -> None:
    with database.write() as connection:
        connection.execute("ROLLBACK")  # as SQLite does by itself on a full disk
        connection.execute("INSERT INTO nowhere VALUES (1)")


def test_others_see_all_of_them_at_once(database: Database) -> None:
    with database.together():
        for text in "abc":
            note(database, text)
            assert notes(database) == []
    assert notes(database) == ["a", "b", "c"]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_that_fails_is_undone_alone(database: Database, place: int) -> None:
    with database.together():
        for number in range(3):
            if number != place:
                note(database, str(number))
                continue
            with pytest.raises(ValueError, match="no"), database.write() as connection:
                insert(connection, "undone")
                raise ValueError("no")
    assert notes(database) == [str(number) for number in range(3) if number != place]


def test_a_later_one_sees_what_an_earlier_one_wrote(database: Database) -> None:
    with database.together():
        note(database, "a")
        with pytest.raises(StorageError, match="UNIQUE"):
            note(database, "a")
    assert notes(database) == ["a"]


def test_when_sqlite_takes_all_back_all_say_so_and_later_ones_are_refused(
    database: Database,
) -> None:
    with pytest.raises(StorageError, match="nowhere"), database.together():
        note(database, "a")
        with pytest.raises(StorageError, match="nowhere"):
            lose(database)
        with pytest.raises(StorageError, match="nowhere"):
            note(database, "b")
    assert notes(database) == []
    note(database, "c")
    assert notes(database) == ["c"]


def test_a_commit_that_fails_is_an_error_of_the_whole(tmp_path: Path) -> None:
    database = Database(tmp_path / "m.db")
    parts = "CREATE TABLE parts (whole INTEGER REFERENCES wholes DEFERRABLE INITIALLY DEFERRED)"
    database.migrate("test", ["CREATE TABLE wholes (no INTEGER PRIMARY KEY)", parts])
    with database.bare() as connection:
        connection.execute("PRAGMA foreign_keys = ON")
    with pytest.raises(StorageError, match="FOREIGN KEY"), database.together():
        with database.write() as connection:
            connection.execute("INSERT INTO wholes VALUES (1)")
        with database.write() as connection:
            connection.execute("INSERT INTO parts VALUES (2)")
    with database.read() as connection:
        assert connection.execute("SELECT count(*) FROM wholes").fetchone()[0] == 0
    database.close()


def test_another_thread_waits_until_all_are_written(database: Database) -> None:
    other = threading.Thread(target=note, args=(database, "other"))
    with database.together():
        note(database, "a")
        other.start()
        note(database, "b")
    other.join()
    assert notes(database) == ["a", "b", "other"]


def test_what_was_left_open_by_others_is_committed_with_them(tmp_path: Path) -> None:
    database = Database(tmp_path / "m.db", durability="full")
    database.migrate("test", ["CREATE TABLE notes (text TEXT UNIQUE)"])
    begun = threading.Event()

    def first() -> None:
        with database.write() as connection:
            begun.set()
            while not database._pen._waiting:
                threading.Event().wait(0.001)
            insert(connection, "first")

    thread = threading.Thread(target=first)
    thread.start()
    begun.wait()
    with database.together():
        note(database, "second")
    thread.join()
    assert notes(database) == ["first", "second"]
    database.close()


def test_in_memory_each_is_committed_by_itself() -> None:
    database = Database(":memory:")
    database.migrate("test", ["CREATE TABLE notes (text TEXT UNIQUE)"])
    with database.together():
        note(database, "a")
        assert notes(database) == ["a"]
    database.close()


def test_nothing_written_is_nothing_done(database: Database) -> None:
    with database.together():
        pass
    assert notes(database) == []


def test_a_closed_file_refuses(database: Database) -> None:
    database.close()
    with pytest.raises(StorageClosedError), database.together():
        note(database, "late")
