"""An id with levels: `Within` reads it and what lies below, a bound handle cannot leave it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from holdfast import Memory, Scope, ScopeError, Within
from holdfast.testing import HashEmbedder


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "memory.db", embedder=HashEmbedder()) as memory:
        for path in ("/", "/crew/sales", "/crew/sales/agent", "/crew/sales-eu", "/crew/salesX"):
            memory.add(f"written at {path}", app_id=path)
        yield memory


def texts(memory: Memory, app_id: str) -> set[str]:
    return {record.text.removeprefix("written at ") for record in memory.list(app_id=app_id)}


def test_within_reads_the_id_and_what_lies_below_it(memory: Memory) -> None:
    assert texts(memory, Within("/crew/sales")) == {"/crew/sales", "/crew/sales/agent"}


def test_a_plain_id_reads_only_itself(memory: Memory) -> None:
    assert texts(memory, "/crew/sales") == {"/crew/sales"}


def test_within_the_root_reads_every_path(memory: Memory) -> None:
    assert len(texts(memory, Within("/"))) == 5


def test_a_search_within_sees_no_sibling(memory: Memory) -> None:
    found = memory.search("written at", app_id=Within("/crew/sales"), limit=10)
    assert {match.record.scope.app_id for match in found} == {"/crew/sales", "/crew/sales/agent"}


def test_writing_within_stores_at_the_id_itself(memory: Memory) -> None:
    change = memory.add("here", app_id=Within("/crew/sales"))[0]
    assert change.after is not None
    assert change.after.scope == Scope(app_id="/crew/sales")


def test_a_handle_bound_within_reaches_below(memory: Memory) -> None:
    bound = memory.scoped(app_id=Within("/crew/sales"))
    assert texts(bound, "/crew/sales/agent") == {"/crew/sales/agent"}
    assert texts(bound, Within("/crew/sales/agent")) == {"/crew/sales/agent"}


@pytest.mark.parametrize("elsewhere", ["/", "/crew", "/crew/sales-eu", Within("/"), "other"])
def test_a_handle_bound_within_reaches_nothing_else(memory: Memory, elsewhere: str) -> None:
    bound = memory.scoped(app_id=Within("/crew/sales"))
    with pytest.raises(ScopeError):
        bound.list(app_id=elsewhere)


def test_a_handle_bound_to_a_plain_id_does_not_reach_below(memory: Memory) -> None:
    bound = memory.scoped(app_id="/crew/sales")
    with pytest.raises(ScopeError):
        bound.list(app_id=Within("/crew/sales"))
