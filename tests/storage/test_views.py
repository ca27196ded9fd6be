"""Views follow what others write: cases that were wrong once, or easily could be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from holdfast import EmbedderMismatchError, Memory, Scope
from holdfast.storage.contract.reach import Reach
from holdfast.storage.index.loading import Reading
from holdfast.storage.index.views import View
from holdfast.storage.sqlite.database import Connection, Cursor
from holdfast.storage.sqlite.loading import SqliteLoader
from holdfast.testing import HashEmbedder


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Memory, Memory]]:
    """Two memories on one file."""
    with (
        Memory(tmp_path / "m.db", embedder=HashEmbedder()) as one,
        Memory(tmp_path / "m.db", embedder=HashEmbedder()) as other,
    ):
        yield one, other


def texts(memory: Memory, query: str = "tea", **ids: str) -> list[str]:
    return [match.record.text for match in memory.search(query, **ids)]  # type: ignore[arg-type]


def problems(memory: Memory) -> tuple[str, ...]:
    return memory.stats(check=True).problems


def test_turns_changed_in_reverse_order_keep_their_order(pair: tuple[Memory, Memory]) -> None:
    one, other = pair
    changes = one.add(["first tea", "second tea"], user_id="ada", run_id="r")
    texts(one, user_id="ada")
    for change in reversed(changes):
        other.update(change.id, importance=0.9, user_id="ada")
    texts(one, user_id="ada")
    assert problems(one) == ()


def test_facts_changed_in_any_order_are_no_false_alarm(pair: tuple[Memory, Memory]) -> None:
    one, other = pair
    changes = one.add(["green tea", "black tea", "a cat"], user_id="ada", kind="fact")
    texts(one, user_id="ada")
    other.update(changes[0].id, importance=0.9, user_id="ada")
    assert problems(one) == ()


def test_a_scope_erased_and_filled_again_by_another_is_followed(
    pair: tuple[Memory, Memory],
) -> None:
    one, other = pair
    one.add("green tea", user_id="ada")
    assert texts(one, user_id="ada") == ["green tea"]
    other.delete_all(user_id="ada")
    other.add("black tea", user_id="ada")
    assert texts(one, user_id="ada") == ["black tea"]
    assert problems(one) == ()


def test_a_new_run_of_a_known_user_is_followed(pair: tuple[Memory, Memory]) -> None:
    one, other = pair
    one.add("green tea", user_id="ada", run_id="r1")
    texts(one, user_id="ada")
    other.add("black tea", user_id="ada", run_id="r2")
    assert sorted(texts(one, user_id="ada")) == ["black tea", "green tea"]
    assert problems(one) == ()


def test_a_search_before_the_first_write_of_a_file_holds_nothing_back(
    pair: tuple[Memory, Memory],
) -> None:
    one, other = pair
    assert texts(one, user_id="ada") == []
    other.add("green tea", user_id="ada")
    assert texts(one, user_id="ada") == ["green tea"]


class Counted:
    """A connection that counts its statements."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.statements = 0

    def execute(self, sql: str, parameters: Any = (), /) -> Cursor:
        self.statements += 1
        return self._connection.execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> Cursor:
        raise AssertionError("a view only reads")


def test_a_burst_of_writes_is_followed_in_few_statements(
    pair: tuple[Memory, Memory],
) -> None:
    memory, _ = pair
    view = View(Reading("records", Reach.of_scope(Scope(user_id="ada"))), 64)
    memory.add("tea", user_id="ada")
    counts = []
    for burst in (0, 1, 400):
        for number in range(burst):
            memory.add(f"tea {number}", user_id="ada")
        with memory._storage.database.read() as connection:
            counted = Counted(connection)
            view.follow(SqliteLoader(counted))
        counts.append(counted.statements)
    assert counts[2] == counts[1]
    assert len(view.rows) == 402


def test_views_stay_within_their_budget_as_they_grow(tmp_path: Path) -> None:
    budget = 350_000
    with Memory(tmp_path / "m.db", embedder=HashEmbedder(), view_budget=budget) as memory:
        views = memory._storage.file.views
        for n in range(30):
            memory.add([f"tea of {n}, {number}" for number in range(20)], user_id=f"u{n % 6}")
            texts(memory, user_id=f"u{n % 6}")
            held = [views.get(reading, 64).nbytes for reading in views.readings()]
            assert sum(held) <= budget or len(held) == 1
        assert 1 < len(held) < 6


def test_a_view_beyond_the_budget_is_not_built_for_every_search(tmp_path: Path) -> None:
    with Memory(tmp_path / "m.db", embedder=HashEmbedder(), view_budget=1) as memory:
        memory.add("tea", user_id="ada")
        views = memory._storage.file.views
        texts(memory, user_id="ada")
        (reading,) = views.readings()
        view = views.get(reading, 64)
        texts(memory, user_id="ada")
        assert views.get(reading, 64) is view


def test_a_small_budget_changes_no_answer(tmp_path: Path) -> None:
    with Memory(tmp_path / "m.db", embedder=HashEmbedder(), view_budget=1) as memory:
        for n in range(20):
            memory.add(f"tea of {n}", user_id=f"u{n}")
        for _ in range(2):
            for n in range(20):
                assert texts(memory, user_id=f"u{n}") == [f"tea of {n}"]


def test_after_a_reembedding_by_another_nobody_searches_the_old_vectors(
    pair: tuple[Memory, Memory], tmp_path: Path
) -> None:
    one, _ = pair
    one.add(["green tea", "a cat"], user_id="ada")
    one.documents.put(("a",), "k", {}, texts=["green tea"])
    texts(one, user_id="ada")
    with Memory(tmp_path / "m.db", embedder=HashEmbedder(64, name="other")) as other:
        other.reembed()
        assert texts(other, user_id="ada")[0] == "green tea"
    calls: list[Any] = [
        lambda: texts(one, user_id="ada"),
        lambda: one.add("more", user_id="ada"),
        lambda: one.documents.search((), "tea"),
        lambda: one.documents.put(("a",), "l", {}, texts=["tea"]),
    ]
    for call in calls:
        with pytest.raises(EmbedderMismatchError, match="other/64"):
            call()
    assert problems(one) == ()


class Exchangeable(HashEmbedder):
    """Changes its vectors, on demand, under the old name or a new one."""

    name = "first"
    width = 64

    @property
    def fingerprint(self) -> str:
        return self.name

    def embed(self, given: Any) -> list[list[float]]:
        return [[*vector, *[0.0] * self.width][: self.width] for vector in super().embed(given)]


def test_held_views_are_dropped_when_their_own_memory_reembeds(tmp_path: Path) -> None:
    embedder = Exchangeable()
    with Memory(tmp_path / "m.db", embedder=embedder) as memory:
        memory.add(["green tea", "a cat"], user_id="ada")
        texts(memory, user_id="ada")
        embedder.name, embedder.width = "second", 96
        memory.reembed()
        assert texts(memory, user_id="ada")[0] == "green tea"
        assert problems(memory) == ()


@pytest.mark.parametrize("width", [1, 32, 128])
def test_vectors_that_only_claim_to_be_of_the_files_embedder_are_refused(
    tmp_path: Path, width: int
) -> None:
    embedder = Exchangeable()
    with Memory(tmp_path / "m.db", embedder=embedder) as memory:
        (change,) = memory.add("green tea", user_id="ada")
        memory.documents.put(("a",), "k", {}, texts=["green tea"])
        embedder.width = width
        calls: list[Any] = [
            lambda: memory.search("tea", user_id="ada"),
            lambda: memory.add("black tea", user_id="ada"),
            lambda: memory.update(change.id, "black tea", user_id="ada"),
            lambda: memory.documents.search((), "tea"),
            lambda: memory.documents.put(("a",), "l", {}, texts=["tea"]),
        ]
        for call in calls:
            with pytest.raises(EmbedderMismatchError, match="64 dimensions"):
                call()
        assert problems(memory) == ()
