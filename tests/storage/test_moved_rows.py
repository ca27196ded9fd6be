"""SQLite leaves copies of rows that it moved to another page; an erasure must reach them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from holdfast import Memory
from holdfast.storage.sqlite import wal_erasure
from holdfast.testing import HashEmbedder

# With these, rows of several users are moved such that the sqlcipher3 of 2026 leaves a copy.
SEEDS = (4, 8)


def erased_among_others(memory: Memory, seed: int) -> list[str]:
    """Store rows of many sizes for users in turn; delete half of them, and return their words."""
    rng = random.Random(seed)
    stored = []
    for _ in range(80):
        word = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=18))
        user = f"u{rng.randrange(6)}"
        rest = " ".join("x" * rng.randrange(1, 9) for _ in range(rng.randrange(3, 60)))
        (record,) = memory.add(f"{word} {rest}", user_id=user).records
        stored.append((record.id, user, word))
    rng.shuffle(stored)
    for key, user, _ in stored[:40]:
        memory.delete(key, user_id=user)
    return [word for _, _, word in stored[:40]]


def left(path: Path, words: list[str]) -> list[str]:
    return [word for word in words if word.encode() in path.read_bytes()]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_purge_reaches_copies_of_moved_rows(tmp_path: Path, seed: int) -> None:
    with Memory(tmp_path / "m.db", embedder=HashEmbedder(32)) as memory:
        words = erased_among_others(memory, seed)
        memory.purge()
        assert left(tmp_path / "m.db", words) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_closing_a_small_file_reaches_copies_of_moved_rows(tmp_path: Path, seed: int) -> None:
    with Memory(tmp_path / "m.db", embedder=HashEmbedder(32)) as memory:
        words = erased_among_others(memory, seed)
    assert left(tmp_path / "m.db", words) == []


def test_a_larger_file_waits_for_a_purge(tmp_path: Path) -> None:
    with Memory(tmp_path / "m.db", embedder=HashEmbedder(32)) as memory:
        memory.documents.put(("large",), "k", {"text": "x" * wal_erasure.SMALL})
        memory.delete(memory.add("hello", user_id="ada").records[0].id, user_id="ada")
        memory.documents.delete(("large",), "k")
    assert (tmp_path / "m.db").stat().st_size > wal_erasure.SMALL
    with Memory(tmp_path / "m.db", embedder=HashEmbedder(32)) as memory:
        memory.purge()
    assert (tmp_path / "m.db").stat().st_size < wal_erasure.SMALL


def test_a_file_that_others_hold_is_purged_all_the_same(tmp_path: Path) -> None:
    with (
        Memory(tmp_path / "m.db", embedder=HashEmbedder(32)) as memory,
        Memory(tmp_path / "m.db", embedder=HashEmbedder(32)) as other,
    ):
        memory.delete(memory.add("hello", user_id="ada").records[0].id, user_id="ada")
        with other._storage.database.read() as connection:
            connection.execute("SELECT count(*) FROM records").fetchone()
            assert memory.purge() == 0
        assert memory.purge() == 0
        assert memory.stats(check=True).problems == ()
