"""When something begins and ends, to the microsecond: from its first on, up to its last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from holdfast import Memory, RecordNotFoundError
from holdfast.graph import Triple
from holdfast.testing import HashEmbedder

END = datetime(2100, 1, 1, tzinfo=timezone.utc)
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "memory.db", embedder=HashEmbedder()) as memory:
        memory.add("green tea", user_id="ada", expires_at=END)
        memory.add_relations([("Rita", "likes", "tea")], user_id="ada")
        (fact,) = memory.list(user_id="ada", kinds=["fact"])
        memory.update(fact.id, expires_at=END, user_id="ada")
        yield memory


def look_at(memory: Memory, moment: datetime) -> None:
    """Let the file's clock, which never runs back, say this next, and then a microsecond more."""
    since_1970 = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    memory._storage.file._clock._last = since_1970 // MICROSECOND - 1


READS: dict[str, Callable[[Memory], Any]] = {
    "search": lambda memory: memory.search("tea", user_id="ada", kinds=["turn"]),
    "list": lambda memory: memory.list(user_id="ada", kinds=["turn"]).records,
    "relations": lambda memory: memory.graph(user_id="ada").relations("Rita"),
}


@pytest.mark.parametrize("read", READS)
def test_what_expires_is_seen_up_to_that_microsecond(memory: Memory, read: str) -> None:
    look_at(memory, END - MICROSECOND)
    assert len(READS[read](memory)) == 1
    look_at(memory, END)
    assert len(READS[read](memory)) == 0


def test_what_expires_can_be_got_up_to_that_microsecond(memory: Memory) -> None:
    (turn,) = memory.list(user_id="ada", kinds=["turn"])
    look_at(memory, END - MICROSECOND)
    assert memory.get(turn.id, user_id="ada") == turn
    look_at(memory, END)
    with pytest.raises(RecordNotFoundError):
        memory.get(turn.id, user_id="ada")


def test_a_purge_erases_from_that_microsecond_on(memory: Memory) -> None:
    look_at(memory, END - 10 * MICROSECOND)
    assert memory.purge() == 0
    look_at(memory, END)
    assert memory.purge() == 2


def test_a_relation_holds_from_its_first_microsecond_up_to_its_last() -> None:
    first, second = (
        datetime(2020, 1, 1, tzinfo=timezone.utc),
        datetime(2021, 1, 1, tzinfo=timezone.utc),
    )
    with Memory(":memory:", embedder=HashEmbedder()) as memory:
        for home, since in (("Lyon", first), ("Oslo", second)):
            memory.add_relations(
                [Triple("Rita", "lives_in", home, valid_from=since)], user_id="ada"
            )
        graph = memory.graph(user_id="ada")

        def homes(moment: datetime) -> list[str]:
            return [one.target for one in graph.relations("Rita", valid_at=moment)]

        assert homes(first - MICROSECOND) == []
        assert homes(first) == homes(second - MICROSECOND) == ["Lyon"]
        assert homes(second) == ["Oslo"]
