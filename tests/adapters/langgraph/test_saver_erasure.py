"""What a saver deletes leaves the write-ahead log, at once or when readers allow."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from holdfast import Memory
from holdfast.tables import Database
from holdfast.testing import HashEmbedder
from holdfast_langgraph import HoldfastSaver, Retention
from support.checkpoints import bytes_of, put, thread

WORD = "unforgettable"
DELETIONS: dict[str, Callable[[HoldfastSaver], object]] = {
    "delete_thread": lambda saver: saver.delete_thread("t"),
    "delete_for_runs": lambda saver: saver.delete_for_runs(["r"]),
    "prune": lambda saver: saver.prune(["t"]),
    "prune all": lambda saver: saver.prune(["t"], strategy="delete"),
    "sweep": lambda saver: saver.sweep(),
}


def say_and_drop(saver: HoldfastSaver) -> None:
    """Put a checkpoint of one run with a word, and one of another run without it."""
    first = put(saver, {"said": [WORD]}, thread(), 1, run_id="r")
    put(saver, {"said": ["another"]}, first, 2, run_id="s")


@pytest.mark.parametrize("deleting", list(DELETIONS))
def test_a_deletion_leaves_no_byte(path: Path, deleting: str) -> None:
    with HoldfastSaver(path) as saver:
        say_and_drop(saver)
        assert WORD.encode() in bytes_of(path)
    with HoldfastSaver(path, retention=Retention(last=1)) as saver:
        DELETIONS[deleting](saver)
        assert WORD.encode() not in bytes_of(path)


@pytest.mark.parametrize("deleting", list(DELETIONS))
def test_a_deletion_is_pending_while_a_reader_holds_the_file(path: Path, deleting: str) -> None:
    with HoldfastSaver(path) as saver:
        say_and_drop(saver)
    with (
        Memory(path, embedder=HashEmbedder()) as memory,
        HoldfastSaver(path, retention=Retention(last=1)) as saver,
    ):
        put(saver, {"said": ["elsewhere"]}, thread("u"))
        with memory._storage.database.read() as connection:
            connection.execute("SELECT count(*) FROM records").fetchone()
            DELETIONS[deleting](saver)
            assert memory.stats().erasure_pending is True
            memory.purge()
            assert memory.stats().erasure_pending is True
        memory.purge()
        assert memory.stats().erasure_pending is False
        assert WORD.encode() not in bytes_of(path)


def test_what_a_retention_clears_away_goes_with_a_later_write(path: Path) -> None:
    database = Database(path, upkeep=0.0)
    with HoldfastSaver(database, retention=Retention(last=1, age=timedelta(days=1))) as saver:
        say_and_drop(saver)
        put(saver, {"said": ["elsewhere"]}, thread("u"))
        assert WORD.encode() not in bytes_of(path)
    database.close()
