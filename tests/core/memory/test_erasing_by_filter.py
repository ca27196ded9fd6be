"""Erasing what a filter lets through, listing the scopes in a file, stating importance."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from holdfast import FilterError, InvalidInputError, Memory, Scope, Within
from holdfast.testing import HashEmbedder


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "memory.db", embedder=HashEmbedder()) as memory:
        for number in range(6):
            memory.add(
                f"note {number}",
                user_id="ada" if number % 2 else "bob",
                metadata={"topic": "food" if number < 4 else "work"},
                occurred_at=datetime(2024, 1, number + 1, tzinfo=timezone.utc),
            )
        yield memory


def left(memory: Memory) -> set[str]:
    return {
        record.text.removeprefix("note ")
        for user in ("ada", "bob")
        for record in memory.list(user_id=user)
    }


def test_all_conditions_must_hold_for_a_record_to_be_erased(memory: Memory) -> None:
    gone = memory.delete_all(
        user_id="ada",
        filters={
            "topic": "food",
            "occurred_at": {"lt": datetime(2024, 1, 4, tzinfo=timezone.utc)},
        },
    )
    assert gone == 1
    assert left(memory) == {"0", "2", "3", "4", "5"}


def test_the_async_twin_erases_by_filter_too(memory: Memory) -> None:
    async def erase() -> int:
        return await memory.adelete_all(user_id="bob", filters={"topic": "work"})

    assert asyncio.run(erase()) == 1


def test_what_a_filter_erased_is_found_no_more(memory: Memory) -> None:
    memory.delete_all(user_id="bob", filters={"topic": "food"})
    found = memory.search("note", user_id="bob")
    assert [match.record.text for match in found] == ["note 4"]


def test_an_unknown_operator_erases_nothing(memory: Memory) -> None:
    with pytest.raises(FilterError):
        memory.delete_all(user_id="ada", filters={"topic": {"like": "f%"}})
    assert len(left(memory)) == 6


def test_what_a_filter_erased_may_be_remembered_again(memory: Memory) -> None:
    memory.add({"role": "user", "content": "again", "id": "m1"}, user_id="cy")
    memory.delete_all(user_id="cy", filters={"text": "again"})
    assert len(memory.add({"role": "user", "content": "again", "id": "m1"}, user_id="cy")) == 1


def test_scopes_lists_what_a_read_would_see(memory: Memory) -> None:
    memory.add("x", user_id="ada", app_id="a")
    memory.add("y", user_id="ada", app_id="a/b")
    assert memory.scopes(user_id="ada", app_id=Within("a")) == [
        Scope(user_id="ada", app_id="a"),
        Scope(user_id="ada", app_id="a/b"),
    ]
    assert memory.scoped(user_id="bob").scopes() == [Scope(user_id="bob")]


def test_importance_is_stored_as_stated(memory: Memory) -> None:
    (change,) = memory.add("the code is 7", user_id="ada", kind="fact", importance=0.9)
    assert memory.get(change.id, user_id="ada").importance == 0.9


def test_an_importance_beyond_one_is_refused(memory: Memory) -> None:
    with pytest.raises(InvalidInputError):
        memory.add("x", user_id="ada", importance=1.5)
