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
    assert change.after == memory.get(change.id, app_id="/crew/sales")


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


# -- what was stored without the id ----------------------------------------------------------------


def test_within_or_none_also_reads_what_has_no_such_id(memory: Memory) -> None:
    memory.add("hers, filed", user_id="ada", app_id="/a")
    memory.add("hers, unfiled", user_id="ada", run_id="r1")
    memory.add("his, unfiled", user_id="bob")
    memory.add("hers, of another app", user_id="ada", app_id="helpdesk")

    found = memory.list(user_id="ada", app_id=Within("/", or_none=True))

    assert {record.text for record in found} == {"hers, filed", "hers, unfiled"}


def test_within_or_none_alone_names_nobody(memory: Memory) -> None:
    with pytest.raises(ScopeError, match="all memories that have none"):
        memory.list(app_id=Within("/", or_none=True))


def test_a_handle_bound_without_or_none_does_not_take_it_on(memory: Memory) -> None:
    memory.add("unfiled", user_id="ada")
    bound = memory.scoped(app_id=Within("/"))
    with pytest.raises(ScopeError):
        bound.list(user_id="ada", app_id=Within("/", or_none=True))
    assert len(bound.list(user_id="ada")) == 0


def test_a_scope_or_none_covers_what_has_no_such_id() -> None:
    reading = Scope(user_id="ada", app_id=Within("/", or_none=True))
    assert reading.covers(Scope(user_id="ada"))
    assert reading.covers(Scope(user_id="ada", app_id="/a"))
    assert not reading.covers(Scope(user_id="ada", app_id="a"))
    assert not reading.covers(Scope(user_id="bob"))


def test_an_id_with_levels_is_not_the_plain_id() -> None:
    assert Within("/a") != "/a"
    assert Within("/a") == Within("/a/")
    assert Within("/") != Within("/", or_none=True)
    assert len({Within("/a"), Within("/a/"), "/a"}) == 2


def test_the_context_of_a_plain_id_is_not_that_of_its_levels(memory: Memory) -> None:
    asked = {"query": "written at", "max_tokens": 500}
    wide = memory.context(app_id=Within("/crew/sales"), **asked)  # type: ignore[arg-type]
    narrow = memory.context(app_id="/crew/sales", **asked)  # type: ignore[arg-type]
    assert (len(wide.records), len(narrow.records)) == (2, 1)
