"""Words that turns lend each other: of a turn said anew, the words that hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from holdfast import Memory
from holdfast.testing import HashEmbedder


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "memory.db", embedder=HashEmbedder()) as memory:
        yield memory
        assert memory.stats(check=True).problems == ()


def lent(memory: Memory, word: str) -> dict[str, float]:
    """Return what a word alone is worth to each turn that holds."""
    found = memory.search(word, user_id="ada", explain=True)
    return {match.record.text: match.parts["keywords"] for match in found}


def talk(memory: Memory) -> list[str]:
    lines = ["Good morning.", "We bought a kayak.", "It is red."]
    return [change.id for change in memory.add(lines, user_id="ada", run_id="r")]


@pytest.mark.parametrize("searched", [False, True], ids=["afresh", "followed"])
def test_the_words_before_an_update_are_lent_no_more(memory: Memory, searched: bool) -> None:
    _, boat, _ = talk(memory)
    if searched:
        assert lent(memory, "kayak")["It is red."] > 0
    memory.update(boat, "We bought a canoe.", user_id="ada")

    assert lent(memory, "kayak") == dict.fromkeys(
        ["Good morning.", "We bought a canoe.", "It is red."], 0
    )
    worth = lent(memory, "canoe")
    assert worth["We bought a canoe."] > worth["It is red."] > 0
    assert worth["Good morning."] > 0


def test_a_turn_updated_twice_and_taken_back_stands_once_in_its_line(memory: Memory) -> None:
    _, boat, _ = talk(memory)
    memory.update(boat, "We bought a canoe.", user_id="ada")
    memory.undo(memory.update(boat, "We bought a raft.", user_id="ada"), user_id="ada")

    assert lent(memory, "raft")["It is red."] == lent(memory, "kayak")["It is red."] == 0
    assert lent(memory, "canoe")["It is red."] > 0


def test_what_is_said_after_an_update_follows_the_new_words(memory: Memory) -> None:
    _, _, colour = talk(memory)
    memory.search("red", user_id="ada")
    memory.update(colour, "It is blue.", user_id="ada")
    memory.search("blue", user_id="ada")
    memory.add("Fine.", user_id="ada", run_id="r")

    assert lent(memory, "blue")["Fine."] > 0
    assert lent(memory, "red")["Fine."] == 0


def test_erasing_an_updated_turn_closes_the_gap(memory: Memory) -> None:
    _, boat, _ = talk(memory)
    memory.update(boat, "We bought a canoe.", user_id="ada")
    memory.search("canoe", user_id="ada")
    memory.delete(boat, user_id="ada")
    memory.add("Fine.", user_id="ada", run_id="r")

    assert lent(memory, "morning")["It is red."] > 0
    assert lent(memory, "red")["Fine."] > 0
