"""Undo and erasure go by the change that ended a version, not by its time, which may repeat."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from holdfast import Memory
from holdfast.testing import HashEmbedder


@pytest.fixture
def memory() -> Iterator[Memory]:
    with Memory(":memory:", embedder=HashEmbedder()) as opened:
        yield opened


def make_all_times_equal(memory: Memory) -> None:
    with memory._storage.database.write() as connection:
        connection.execute("UPDATE records SET retired_at = 1 WHERE retired_at IS NOT NULL")
        connection.execute("UPDATE records SET closed_at = 1 WHERE closed_at IS NOT NULL")
        connection.execute("UPDATE log SET at = 1")


def test_undo_of_other_columns_leaves_an_end_of_the_same_time(memory: Memory) -> None:
    key = memory.add("lives in Lyon", user_id="ada")[0].id
    memory.update(key, "lives in Oslo", user_id="ada")
    amended = memory.update(key, metadata={"seen": True}, user_id="ada")
    make_all_times_equal(memory)
    memory.undo(memory.history(key, user_id="ada")[-1], user_id="ada")
    found = memory.get(key, user_id="ada")
    assert amended.after is not None
    assert (found.text, found.metadata, found.valid_to) == ("lives in Oslo", {}, None)


def test_undo_of_new_words_lets_the_old_ones_hold_again(memory: Memory) -> None:
    key = memory.add("lives in Lyon", user_id="ada")[0].id
    memory.update(key, metadata={"seen": True}, user_id="ada")
    memory.update(key, "lives in Oslo", user_id="ada")
    make_all_times_equal(memory)
    memory.undo(memory.history(key, user_id="ada")[-1], user_id="ada")
    found = memory.get(key, user_id="ada")
    assert (found.text, found.valid_to) == ("lives in Lyon", None)
