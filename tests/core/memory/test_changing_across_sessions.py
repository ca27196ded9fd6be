"""A fact that another session renewed can be changed only from where both are reached."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from holdfast import Memory, RecordNotFoundError, ScopeError
from support.sessions import listener

MONDAY = {"user_id": "ada", "run_id": "monday"}
FRIDAY = {"user_id": "ada", "run_id": "friday"}


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with listener(tmp_path / "m.db") as memory:
        yield memory
        assert memory.stats(check=True).problems == ()


def renewed(memory: Memory) -> str:
    """Say one fact on Monday and its next version on Friday; return its id."""
    memory.add("I live in Paris", **MONDAY)
    return memory.add("I live in Rome", **FRIDAY)[1].id


@pytest.mark.parametrize(
    "change",
    [
        {"text": "The user lives in Bern"},
        {"metadata": {"n": 1}},
        {"importance": 0.9},
        {"expires_at": datetime(2024, 1, 1, tzinfo=timezone.utc)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_older_session_cannot_update_it(memory: Memory, change: dict[str, Any]) -> None:
    key = renewed(memory)
    before = memory.history(key, user_id="ada")
    for update in (
        lambda: memory.scoped(**MONDAY).update(key, **change),
        lambda: memory.update(key, **change, **MONDAY),
    ):
        with pytest.raises(ScopeError, match="said in another session"):
            update()
    assert memory.history(key, user_id="ada") == before


def test_the_newer_session_and_the_user_can(memory: Memory) -> None:
    key = renewed(memory)
    memory.scoped(**FRIDAY).update(key, "The user lives in Bern")
    memory.scoped(user_id="ada").update(key, "The user lives in Oslo")
    held = memory.list(user_id="ada", kinds=["fact"]).records
    assert [record.text for record in held] == ["The user lives in Oslo"]


@pytest.mark.parametrize("ids", [MONDAY, FRIDAY], ids=["monday", "friday"])
def test_neither_session_alone_can_undo_what_touches_both(
    memory: Memory, ids: dict[str, str]
) -> None:
    key = renewed(memory)
    handle = memory.scoped(**ids)
    with pytest.raises(ScopeError, match="said in another session"):
        handle.undo(handle.history(key)[-1])
    assert len(memory.history(key, user_id="ada")) == 2


def test_the_user_can_undo_it_and_the_older_session_has_it_again(memory: Memory) -> None:
    key = renewed(memory)
    memory.undo(memory.history(key, user_id="ada")[-1], user_id="ada")
    monday = memory.scoped(**MONDAY)
    assert [match.record.text for match in monday.search("where", kinds=["fact"])] == [
        "The user lives in Paris"
    ]
    monday.update(key, "The user lives in Bern")


def test_the_newer_session_cannot_undo_again_what_the_user_took_back(memory: Memory) -> None:
    key = renewed(memory)
    friday = memory.scoped(**FRIDAY)
    update = friday.history(key)[-1]
    memory.undo(memory.history(key, user_id="ada")[-1], user_id="ada")
    with pytest.raises(ScopeError):
        friday.undo(update)


def test_a_session_reads_its_own_versions_alone(memory: Memory) -> None:
    key = renewed(memory)
    for ids, own, other in ((MONDAY, "Paris", "Rome"), (FRIDAY, "Rome", "Paris")):
        handle = memory.scoped(**ids)
        for told in (handle.get(key), handle.history(key)):
            assert own in str(told)
            assert other not in str(told)
    with pytest.raises(RecordNotFoundError):
        memory.history(key, user_id="ada", run_id="sunday")
