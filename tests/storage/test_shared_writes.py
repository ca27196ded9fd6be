"""Writes that wait for each other share one commit: each whole or undone, none safe before it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from holdfast import Memory, Scope, StorageClosedError, StorageError
from holdfast.ingestion.conductor import indexing
from holdfast.storage.contract.memories import Draft
from holdfast.storage.contract.reach import Reach
from holdfast.storage.index.loading import Reading
from holdfast.storage.sqlite import log, records
from holdfast.storage.sqlite.database import Connection
from holdfast.tables import Database
from holdfast.testing import HashEmbedder
from support.queued import FACES, outcomes

NOTES = "CREATE TABLE notes (text TEXT UNIQUE)"


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> str:
    given: str = request.param
    return given


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "m.db", durability="full")
    database.migrate("test", [NOTES])
    yield database
    database.close()


def insert(connection: Connection, text: str) -> None:
    connection.execute("INSERT INTO notes VALUES (?)", (text,))


def note(database: Database, text: str) -> str:
    with database.write() as connection:
        insert(connection, text)
    return text


def noting(database: Database, texts: str) -> list[Callable[[], object]]:
    return [partial(note, database, text) for text in texts]


def notes(database: Database) -> list[str]:
    with database.read() as connection:
        rows = connection.execute("SELECT text FROM notes ORDER BY text").fetchall()
    return [row[0] for row in rows]


def fail(database: Database) -> None:
    with database.write() as connection:
        insert(connection, "undone")
        raise ValueError


def lose(database: Database) -> None:
    with database.write() as connection:
        connection.execute("ROLLBACK")  # as SQLite does by itself on a full disk
        connection.execute("INSERT INTO nowhere VALUES (1)")


def kinds(found: list[Any]) -> list[type]:
    return [type(one) for one in found]


def test_each_is_told_its_own_result_and_all_are_there(face: str, database: Database) -> None:
    assert outcomes(face, database, *noting(database, "abcde")) == list("abcde")
    assert notes(database) == list("abcde")


@pytest.mark.parametrize("place", [0, 1, 3])
def test_one_that_fails_is_undone_alone(face: str, database: Database, place: int) -> None:
    works = noting(database, "abcd")
    works[place] = partial(fail, database)
    found = kinds(outcomes(face, database, *works))
    assert found == [ValueError if number == place else str for number in range(4)]
    assert len(notes(database)) == 3
    assert "undone" not in notes(database)


def test_a_constraint_broken_by_one_is_its_own_error(face: str, database: Database) -> None:
    found = outcomes(face, database, *noting(database, "aba"))
    assert kinds(found) == [str, str, StorageError]
    assert notes(database) == ["a", "b"]


def test_they_share_one_commit(face: str, database: Database, tmp_path: Path) -> None:
    other = Database(tmp_path / "m.db")

    def look(text: str) -> int:
        seen = len(notes(other))
        note(database, text)
        return seen

    assert outcomes(face, database, *(partial(look, text) for text in "abc")) == [0, 0, 0]
    other.close()


def test_when_sqlite_takes_all_back_every_write_before_says_so_and_later_ones_go_on(
    face: str, database: Database
) -> None:
    works = noting(database, "abc")
    found = outcomes(face, database, *works[:2], partial(lose, database), works[2])
    assert kinds(found) == [StorageError, StorageError, StorageError, str]
    assert notes(database) == ["c"]


def test_a_commit_that_fails_is_an_error_of_every_write(face: str, tmp_path: Path) -> None:
    database = Database(tmp_path / "m.db", durability="full")
    parts = "CREATE TABLE parts (whole INTEGER REFERENCES wholes DEFERRABLE INITIALLY DEFERRED)"
    database.migrate("test", ["CREATE TABLE wholes (no INTEGER PRIMARY KEY)", parts])
    with database.bare() as connection:
        connection.execute("PRAGMA foreign_keys = ON")

    def write(sql: str) -> None:
        with database.write() as connection:
            connection.execute(sql)

    works = ("INSERT INTO wholes VALUES (1)", "INSERT INTO parts VALUES (2)")
    found = outcomes(face, database, *(partial(write, sql) for sql in works))
    assert kinds(found) == [StorageError, StorageError]
    assert all("FOREIGN KEY" in str(error) for error in found)
    with database.read() as connection:
        assert connection.execute("SELECT count(*) FROM wholes").fetchone()[0] == 0
    assert outcomes(face, database, partial(write, works[0])) == [None]
    database.close()


def test_queued_writes_wait_for_a_thread_that_is_inside_a_write(database: Database) -> None:
    begun = threading.Event()

    def write() -> list[str]:
        begun.set()
        note(database, "later")
        return notes(database)

    def hold() -> None:
        with database.write() as connection:
            holds.set()
            begun.wait(60)
            for number in range(1_000):
                insert(connection, str(number))

    holds = threading.Event()
    thread = threading.Thread(target=hold)
    thread.start()
    holds.wait(60)
    assert len(database.writes.wait(write)) == 1_001
    thread.join()


@pytest.mark.parametrize("path", ["m.db", ":memory:"])
def test_a_call_that_reads_sees_what_it_and_others_have_written(tmp_path: Path, path: str) -> None:
    database = Database(path if path == ":memory:" else tmp_path / path)
    database.migrate("test", [NOTES])

    def both(text: str) -> list[str]:
        note(database, text)
        return notes(database)

    assert outcomes("loop", database, partial(both, "a"), partial(both, "b")) == [["a"], ["a", "b"]]
    database.close()


def test_a_transaction_within_a_transaction_is_refused(face: str, database: Database) -> None:
    def nest() -> None:
        with database.write() as connection:
            insert(connection, "outer")
            note(database, "inner")

    found = outcomes(face, database, nest, *noting(database, "a"))
    assert kinds(found) == [StorageError, str]
    assert "do not nest" in str(found[0])
    with pytest.raises(StorageError, match="do not nest"):
        nest()
    assert notes(database) == ["a"]


def test_a_view_forgets_what_was_taken_back(face: str, tmp_path: Path) -> None:
    memory = Memory(tmp_path / "m.db", embedder=HashEmbedder(), durability="full")
    memory.add("kept", user_id="ada")
    storage = memory._storage
    vectors = np.asarray(HashEmbedder().embed(["lost"]), dtype=np.float32)
    lost = Draft("lost", "turn", indexing.indexed("lost", [(0, 4)], vectors))
    reading = Reading("records", Reach.of_scope(Scope(user_id="ada")))

    def fails() -> None:
        with storage.file.viewing(reading, writing=True) as seen:
            assert seen is not None
            loader, view = seen
            records.add(loader.connection, Scope(user_id="ada"), [lost], storage.file.now())
            view.follow(loader, log.last(loader.connection))
            assert len(view.rows) == 2
            loader.connection.execute("INSERT INTO nowhere VALUES (1)")

    assert kinds(outcomes(face, storage.database, fails)) == [StorageError]
    memory.add("new", user_id="ada")  # it gets the row and the place in the log of what was lost
    assert [match.record.text for match in memory.search("new", user_id="ada")] == ["new", "kept"]
    assert memory.stats(check=True).problems == ()
    memory.close()


def test_a_closed_file_refuses_every_write(face: str, database: Database) -> None:
    def close() -> None:
        database.close()

    found = outcomes(face, database, *noting(database, "a"), close, *noting(database, "bc"))
    assert kinds(found) == [str, type(None), StorageClosedError, StorageClosedError]


def test_an_interrupted_thread_leaves_its_waiting_write_out(database: Database) -> None:
    """Its Ctrl-C comes while another call of the queue is under way."""
    let_go, begun = threading.Event(), threading.Event()
    main = threading.main_thread().ident
    assert main is not None

    def hold() -> None:
        begun.set()
        with database.write():
            while not database.writes._waiting:
                threading.Event().wait(0.001)
        signal.pthread_kill(main, signal.SIGINT)
        let_go.wait(60)

    thread = threading.Thread(target=database.writes.wait, args=(hold,))
    thread.start()
    begun.wait(60)
    with pytest.raises(KeyboardInterrupt):
        database.writes.wait(partial(note, database, "left out"))
    let_go.set()
    thread.join()
    assert outcomes("threads", database, *noting(database, "a")) == ["a"]
    assert notes(database) == ["a"]
