"""What is deleted through a `Database` leaves the write-ahead log, also without a `Memory`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from holdfast import Memory
from holdfast.tables import Database
from holdfast.testing import HashEmbedder
from support.queued import outcomes

WORD = "QUINOAXYZ"
NOTES = ["CREATE TABLE notes (text TEXT)"]


def opened(path: Path, upkeep: float = 3600.0) -> Database:
    database = Database(path, upkeep=upkeep)
    database.migrate("notes", NOTES)
    return database


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database = opened(path)
    with database.write() as connection:
        connection.execute("INSERT INTO notes VALUES (?)", (WORD,))
    yield database
    database.close()


@pytest.fixture
def reader(path: Path, database: Database) -> Iterator[Database]:
    reader = Database(path, upkeep=3600.0)
    yield reader
    reader.close()


def on_disk(path: Path) -> list[str]:
    files = sorted(path.parent.iterdir())
    return [file.name for file in files if WORD.encode() in file.read_bytes()]


def is_pending(database: Database) -> bool:
    with database.read() as connection:
        found = connection.execute("SELECT 1 FROM properties WHERE name = 'erasure_pending'")
        return found.fetchone() is not None


def erase(database: Database) -> None:
    with database.erasing() as connection:
        connection.execute("DELETE FROM notes")


def erase_before(reader: Database, database: Database) -> None:
    """Delete the word while a reader holds it."""
    with reader.read() as connection:
        connection.execute("SELECT count(*) FROM notes").fetchone()
        erase(database)


def test_what_is_erased_is_in_no_file(path: Path, database: Database) -> None:
    assert on_disk(path)
    erase(database)
    assert on_disk(path) == []
    assert not is_pending(database)


def test_an_erasure_waits_for_readers_and_says_so(
    path: Path, database: Database, reader: Database
) -> None:
    with reader.read() as connection:
        connection.execute("SELECT count(*) FROM notes").fetchone()
        erase(database)
        assert is_pending(database)
        assert database.finish_erasure() is False
    assert database.finish_erasure() is True
    assert not is_pending(database)
    assert on_disk(path) == []


def test_closing_finishes_an_erasure(path: Path, database: Database, reader: Database) -> None:
    erase_before(reader, database)
    assert on_disk(path)
    database.close()
    assert not is_pending(reader)
    assert on_disk(path) == []


def test_opening_finishes_an_erasure(path: Path, database: Database, reader: Database) -> None:
    erase_before(reader, database)
    opened(path).close()
    assert not is_pending(reader)
    assert on_disk(path) == []


def test_a_later_write_finishes_an_erasure(
    path: Path, database: Database, reader: Database
) -> None:
    later = opened(path, upkeep=0.0)
    erase_before(reader, database)
    with later.write() as connection:
        connection.execute("INSERT INTO notes VALUES ('another')")
    assert not is_pending(reader)
    assert on_disk(path) == []
    later.close()


def test_a_memory_on_the_file_shows_the_erasure_and_finishes_it(
    path: Path, database: Database, reader: Database
) -> None:
    with Memory(path, embedder=HashEmbedder()) as memory:
        erase_before(reader, database)
        assert memory.stats().erasure_pending is True
        memory.purge()
        assert memory.stats().erasure_pending is False
        assert on_disk(path) == []


def test_an_erasure_that_fails_deletes_nothing_and_notes_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.erasing() as connection:
        connection.execute("DELETE FROM notes")
        raise ZeroDivisionError
    with database.read() as connection:
        assert connection.execute("SELECT text FROM notes").fetchone() == (WORD,)
    assert not is_pending(database)


def test_an_erasure_among_writes_that_share_a_transaction_is_noted(
    path: Path, database: Database, reader: Database
) -> None:
    def write() -> None:
        with database.write() as connection:
            connection.execute("INSERT INTO notes VALUES ('another')")

    with reader.read() as connection:
        connection.execute("SELECT count(*) FROM notes").fetchone()
        assert outcomes("loop", database, write, partial(erase, database), write) == [None] * 3
        assert is_pending(database)
    assert database.finish_erasure() is True
    assert on_disk(path) == []


def test_a_write_may_leave_the_erasure_to_later(path: Path, database: Database) -> None:
    with database.write() as connection:
        connection.execute("DELETE FROM notes")
        database.expect_erasure(connection)
    assert is_pending(database)
    assert database.finish_erasure() is True
    assert on_disk(path) == []


def test_a_file_in_memory_erases_as_well() -> None:
    database = opened(Path(":memory:"))
    with database.write() as connection:
        connection.execute("INSERT INTO notes VALUES (?)", (WORD,))
    erase(database)
    assert not is_pending(database)
    database.close()
