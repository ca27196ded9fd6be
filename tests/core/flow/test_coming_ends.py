"""A fact whose end is yet to come: it keeps that end through what is undone, erased or moved."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from holdfast import Change, Memory
from holdfast.graph import Triple
from holdfast.testing import ScriptedLLM
from support.flows import decision, decisions, fact, facts, lives_in, opened

NOW = datetime.now(timezone.utc)
SOON = NOW + timedelta(days=30)
ENDS = facts("Ada lives in Lyon no longer"), decisions(decision("DELETE", 1))
SUPERSEDES = (
    facts(
        fact("Ada lives in Oslo", about="Ada", relations=[])
        | {"relations": [{**lives_in("Oslo"), "subject": "Ada"}]}
    ),
)


@pytest.fixture(params=[ENDS, SUPERSEDES], ids=["ended", "superseded"])
def memory(request: pytest.FixtureRequest, tmp_path: Path) -> Memory:
    return opened(tmp_path, ScriptedLLM(list(request.param)))


def moving_soon(memory: Memory) -> str:
    """State where Ada lives until she moves; return the fact's id."""
    memory.add_relations([Triple("Ada", "lives_in", "Nice", valid_from=SOON)], user_id="ada")
    (stated,) = memory.add_relations([("Ada", "lives_in", "Lyon")], user_id="ada")
    assert memory.get(stated.id, user_id="ada").valid_to == SOON
    return stated.id


def moved_already(memory: Memory, key: str) -> tuple[str, Change]:
    """Say that she has left; return the turn that says so, and what it did to the fact."""
    turn, *changes = memory.add("I have left Lyon", user_id="ada")
    (change,) = (change for change in changes if change.id == key)
    return turn.id, change


def test_undoing_what_a_model_decided_brings_a_coming_end_back(memory: Memory) -> None:
    with memory:
        key = moving_soon(memory)
        _, change = moved_already(memory, key)
        memory.undo(change, user_id="ada")

        record = memory.get(key, user_id="ada")
        assert (record.text, record.valid_to) == ("Ada lives in Lyon", SOON)
        assert memory.stats(check=True).problems == ()


def test_erasing_the_turn_that_ended_a_fact_brings_a_coming_end_back(memory: Memory) -> None:
    with memory:
        key = moving_soon(memory)
        turn, _ = moved_already(memory, key)
        memory.delete(turn, user_id="ada")

        record = memory.get(key, user_id="ada")
        assert (record.text, record.valid_to) == ("Ada lives in Lyon", SOON)
        assert memory.stats(check=True).problems == ()


def test_a_moved_memory_brings_a_coming_end_back_too(memory: Memory, tmp_path: Path) -> None:
    with memory:
        key = moving_soon(memory)
        moved_already(memory, key)
        memory.export(tmp_path / "moved.jsonl")
    (tmp_path / "other").mkdir()
    with opened(tmp_path / "other", None) as other:
        other.import_(tmp_path / "moved.jsonl")
        other.undo(other.history(key, user_id="ada")[-1], user_id="ada")
        assert other.get(key, user_id="ada").valid_to == SOON


def test_nothing_is_kept_of_the_ends_of_what_was_erased(memory: Memory) -> None:
    with memory:
        key = moving_soon(memory)
        moved_already(memory, key)
        memory.delete_all(user_id="ada")
        with memory._storage.database.read() as connection:
            assert connection.execute("SELECT count(*) FROM ends").fetchone() == (0,)
