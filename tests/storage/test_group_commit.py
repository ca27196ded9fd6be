"""Writes of threads that wait for each other share one commit, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from holdfast import Memory, Scope, StorageError
from holdfast.ingestion.conductor import indexing
from holdfast.storage.contract.memories import Draft
from holdfast.storage.contract.reach import Reach
from holdfast.storage.index.loading import Reading
from holdfast.storage.sqlite import records
from holdfast.storage.sqlite.database import Connection
from holdfast.tables import Database
from holdfast.testing import HashEmbedder


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "m.db", durability="full")
    database.migrate("test", ["CREATE TABLE notes (text TEXT UNIQUE)"])
    yield database
    database.close()


def note(text: str) -> Callable[[Connection], object]:
    return lambda connection: connection.execute("INSERT INTO notes VALUES (?)", (text,))


def together(database: Database, *writes: Callable[[Connection], object]) -> list[object]:
    """Let every write but the first wait for it; return what each raised, or None."""
    outcomes: list[object] = [None] * len(writes)
    begun = threading.Event()

    def run(number: int) -> None:
        try:
            with database.write() as connection:
                begun.set()
                while number == 0 and database._pen._waiting < len(writes) - 1:
                    threading.Event().wait(0.001)
                writes[number](connection)
        except (StorageError, ValueError) as error:
            outcomes[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(writes))]
    threads[0].start()
    begun.wait()
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def notes(database: Database) -> list[str]:
    with database.read() as connection:
        rows = connection.execute("SELECT text FROM notes ORDER BY text").fetchall()
    return [row[0] for row in rows]


def fails(connection: Connection) -> None:
    note("undone")(connection)
    raise ValueError


def test_all_are_there_when_all_have_returned(database: Database) -> None:
    assert together(database, *map(note, "abcde")) == [None] * 5
    assert notes(database) == list("abcde")


@pytest.mark.parametrize("place", [0, 1, 3])
def test_one_that_fails_is_undone_alone(database: Database, place: int) -> None:
    writes: list[Callable[[Connection], object]] = list(map(note, "abcd"))
    writes[place] = fails
    outcomes = together(database, *writes)
    assert [isinstance(outcome, ValueError) for outcome in outcomes] == [
        number == place for number in range(4)
    ]
    assert len(notes(database)) == 3
    assert "undone" not in notes(database)


def test_a_constraint_broken_by_one_is_its_own_error(database: Database) -> None:
    outcomes = together(database, note("a"), note("b"), note("a"))
    assert [isinstance(outcome, StorageError) for outcome in outcomes] == [False, False, True]
    assert notes(database) == ["a", "b"]


def test_they_share_one_commit(database: Database, tmp_path: Path) -> None:
    with database.write() as connection:
        note("first")(connection)
    seen: list[int] = []
    other = Database(tmp_path / "m.db")

    def look(connection: Connection) -> None:
        with other.read() as theirs:
            seen.append(int(theirs.execute("SELECT count(*) FROM notes").fetchone()[0]))
        note(f"by {len(seen)}")(connection)

    together(database, look, look, look)
    other.close()
    assert seen == [1, 1, 1], "an earlier write was committed before the last had written"


def test_a_view_forgets_what_was_taken_back(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "m.db", embedder=HashEmbedder(), durability="full")
    memory.add("kept", user_id="ada")
    storage = memory._storage
    begun = threading.Event()
    vectors = np.asarray(HashEmbedder().embed(["lost"]), dtype=np.float32)
    lost = Draft("lost", "turn", indexing.indexed("lost", [(0, 4)], vectors))

    def first() -> None:
        with pytest.raises(StorageError), storage.database.write() as connection:
            begun.set()
            while storage.database._pen._waiting < 1:
                threading.Event().wait(0.001)
            records.add(connection, Scope(user_id="ada"), [lost], storage.file.now())

    def second() -> None:
        reading = Reading("records", Reach.of_scope(Scope(user_id="ada")))
        with (
            pytest.raises(StorageError),
            storage.file.viewing(reading, writing=True) as seen,
        ):
            assert seen is not None
            loader, view = seen
            connection = loader.connection
            assert len(view.rows) == 2, "it sees what it is to be committed with"
            connection.execute("ROLLBACK")
            connection.execute("INSERT INTO nowhere VALUES (1)")

    threads = [threading.Thread(target=run) for run in (first, second)]
    threads[0].start()
    begun.wait()
    threads[1].start()
    for thread in threads:
        thread.join()
    memory.add("new", user_id="ada")  # it gets the row and the place in the log of what was lost
    assert [match.record.text for match in memory.search("new", user_id="ada")] == ["new", "kept"]
    assert memory.stats(check=True).problems == ()
    memory.close()


def test_when_sqlite_takes_all_back_every_write_says_so(database: Database) -> None:
    def lose(connection: Connection) -> None:
        connection.execute("ROLLBACK")  # as SQLite does by itself on a full disk
        connection.execute("INSERT INTO nowhere VALUES (1)")

    outcomes = together(database, note("a"), lose)
    assert all(isinstance(outcome, StorageError) for outcome in outcomes)
    assert notes(database) == []
    assert together(database, note("b"), note("c")) == [None, None]
