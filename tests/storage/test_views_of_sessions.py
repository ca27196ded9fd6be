"""Views where facts cross sessions: each shows its own region, whoever looked before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from holdfast import FilterError, Memory, Scope
from holdfast.storage.contract.reach import Reach
from holdfast.storage.index.graphs import GraphView
from holdfast.storage.index.loading import GraphReading, Reading
from holdfast.storage.index.views import View
from holdfast.storage.sqlite.file import File
from support.sessions import anew, listener, ranked

MONDAY = {"user_id": "ada", "run_id": "monday"}
FRIDAY = {"user_id": "ada", "run_id": "friday"}
ADA = Reach.of_scope(Scope("ada"))


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Memory, Memory]]:
    """Two memories on one file."""
    with listener(tmp_path / "m.db") as one, listener(tmp_path / "m.db") as other:
        yield one, other


def cities(handle: Memory, **options: Any) -> list[str]:
    found = handle.search("Where does the user live?", kinds=["fact"], **options)
    return [match.record.text.split()[-1] for match in found]


def file_of(memory: Memory) -> File:
    return memory._storage.file


# -- what others wrote --------------------------------------------------------------------------


def test_a_fact_that_another_session_renewed_is_found_once_by_another_process(
    pair: tuple[Memory, Memory], tmp_path: Path
) -> None:
    one, other = pair
    one.add("I live in Paris", **MONDAY)
    assert cities(other, user_id="ada") == ["Paris"]
    one.add("I live in Rome", **FRIDAY)
    assert cities(other, user_id="ada") == ["Rome"]
    with anew(tmp_path / "m.db") as fresh:
        assert ranked(other, user_id="ada") == ranked(fresh, user_id="ada")
    assert other.stats(check=True).problems == ()


def test_searches_go_on_when_such_a_fact_is_erased(pair: tuple[Memory, Memory]) -> None:
    one, other = pair
    one.add("I live in Paris", **MONDAY)
    cities(other, user_id="ada")
    key = one.add("I live in Rome", **FRIDAY)[1].id
    cities(other, user_id="ada")
    one.delete(key, user_id="ada")
    assert cities(other, user_id="ada") == []
    assert "Rome" not in other.context("Where?", user_id="ada", run_id="monday").text


@pytest.mark.parametrize(
    "ids",
    [MONDAY, {"run_id": "monday"}, {"user_id": "ada", "run_id": "monday", "agent_id": "bot"}],
    ids=["session", "run", "agent"],
)
@pytest.mark.parametrize("looked", [False, True], ids=["unseen", "seen"])
def test_a_bound_handle_finds_the_same_whoever_looked_before(
    pair: tuple[Memory, Memory], ids: dict[str, str], looked: bool
) -> None:
    memory, _ = pair
    whose = {**MONDAY, **ids}
    handle = memory.scoped(**ids)
    memory.add("I live in Paris, I like tea", **whose)
    if looked:
        cities(handle)
        handle.graph().relations()
    memory.add("I live in Berlin", **{**whose, "run_id": "friday"})

    assert cities(handle) == ["tea"]
    assert "Berlin" not in handle.context("Where does the user live?").text
    assert [relation.target for relation in handle.graph().relations()] == ["tea"]
    assert [match.record.text for match in handle.search("user", kinds=["fact"], graph=True)] == [
        "The user likes tea"
    ]
    assert memory.stats(check=True).problems == ()


# -- views that fail ----------------------------------------------------------------------------


def lent(file: File, error: Exception) -> View:
    """Fail while a view is lent; return it."""
    with pytest.raises(type(error)), file.viewing(Reading("records", ADA)) as seen:
        assert seen is not None
        view = seen[1]
        raise error
    return view


def test_a_view_is_cleared_when_it_fails_and_kept_after_an_error_of_the_callers(
    pair: tuple[Memory, Memory],
) -> None:
    memory, _ = pair
    memory.add("I live in Paris", **MONDAY)
    assert len(lent(file_of(memory), FilterError("no such operator")).rows) == 2
    assert len(lent(file_of(memory), KeyError(7)).rows) == 0
    assert cities(memory, user_id="ada") == ["Paris"]


def test_a_graph_view_is_cleared_when_it_fails(pair: tuple[Memory, Memory]) -> None:
    memory, _ = pair
    memory.add("I live in Paris", **MONDAY)
    file, reading = file_of(memory), GraphReading(ADA)
    for error, left in ((FilterError("no such operator"), 1), (KeyError(7), 0)):
        with pytest.raises(type(error)), file.graph(reading) as (_, view):
            raise error
        assert len(view) == left
    assert len(memory.graph(user_id="ada").relations()) == 1


def test_a_search_that_fails_clears_the_graph_it_looked_at(pair: tuple[Memory, Memory]) -> None:
    memory, _ = pair
    memory.add("I live in Paris", **MONDAY)
    memory.search("Paris", user_id="ada", graph=True)
    view = file_of(memory).graphs.get(GraphReading(ADA))
    del view._members
    with pytest.raises(AttributeError):
        memory.search("Where is Paris?", user_id="ada", graph=True)
    assert memory.search("Where is Paris?", user_id="ada", graph=True)


# -- what a check sees --------------------------------------------------------------------------


def twice(view: View) -> None:
    view.rows._grow(1)
    view.rows._table[view.rows._count - 1] = view.rows._table[0]


def lost_word(view: View) -> None:
    view.keywords._tail._words.values[0] = 7


def lost_link(view: View) -> None:
    view.keywords.relink(1, -1)


def counted_otherwise(view: View) -> None:
    view.keywords._words += 1


def other_expiry(view: View) -> None:
    view.rows._table["expires"][0] = 1


def other_speaker(view: View) -> None:
    view.rows.speakers["Rosa"] = 99


def missing(view: View) -> None:
    view._remove(next(iter(view._places)))


WRONG: list[tuple[Callable[[View], None], str]] = [
    (twice, "different numbers"),
    (missing, "other rows"),
    (lost_word, "other words"),
    (lost_link, "other words"),
    (counted_otherwise, "other words"),
    (other_expiry, "other rows"),
    (other_speaker, "other speakers"),
]


@pytest.mark.parametrize(("spoil", "said"), WRONG, ids=[spoil.__name__ for spoil, _ in WRONG])
def test_a_check_reports_what_a_live_view_holds_wrongly(
    pair: tuple[Memory, Memory], spoil: Callable[[View], None], said: str
) -> None:
    memory, _ = pair
    memory.add(["I live in Paris", "tea"], infer=False, **MONDAY)
    memory.search("tea", user_id="ada")
    assert memory.stats(check=True).problems == ()
    view = file_of(memory).views.find(Reading("records", ADA))
    assert view is not None
    spoil(view)
    (problem,) = memory.stats(check=True).problems
    assert said in problem


def without_edges(view: GraphView) -> None:
    view._edges.clear()


def one_name(view: GraphView) -> None:
    user, paris = sorted(view.classes(), key=lambda node: node[1] == "paris")
    view._unite(user, paris)


def other_neighbours(view: GraphView) -> None:
    next(iter(view._near.values())).clear()


WRONG_GRAPHS: list[tuple[Callable[[GraphView], None], str]] = [
    (without_edges, "other relations"),
    (one_name, "other names"),
    (other_neighbours, "other neighbours"),
]


@pytest.mark.parametrize(
    ("spoil", "said"), WRONG_GRAPHS, ids=[spoil.__name__ for spoil, _ in WRONG_GRAPHS]
)
def test_a_check_reports_what_a_live_graph_holds_wrongly(
    pair: tuple[Memory, Memory], spoil: Callable[[GraphView], None], said: str
) -> None:
    memory, _ = pair
    memory.add_relations([("user", "lives_in", "Paris")], **MONDAY)
    memory.graph(user_id="ada").neighbours("user")
    assert memory.stats(check=True).problems == ()
    spoil(file_of(memory).graphs.get(GraphReading(ADA)))
    (problem,) = memory.stats(check=True).problems
    assert said in problem


# -- who spoke ----------------------------------------------------------------------------------


def speakers(memory: Memory) -> set[str]:
    return set(memory._storage.speakers(ADA, newest=False))


def said_by(name: str, words: str = "hello there") -> dict[str, str]:
    return {"role": "user", "content": words, "name": name}


def test_an_erased_speaker_is_forgotten_by_a_live_view(
    pair: tuple[Memory, Memory], tmp_path: Path
) -> None:
    memory, _ = pair
    rosa, again, _ = memory.add([*map(said_by, ["Rosa", "Rosa", "Ada"])], infer=False, **MONDAY)
    ranked(memory, user_id="ada")
    for change, left in ((rosa, {"Rosa", "Ada"}), (again, {"Ada"})):
        memory.delete(change.id, user_id="ada")
        ranked(memory, user_id="ada")
        assert speakers(memory) == left
    memory.add(["The rosa garden is red", "Blue garden"], infer=False, user_id="ada")
    with anew(tmp_path / "m.db") as fresh:
        asked = "What about Rosa garden?"
        assert ranked(memory, asked, user_id="ada") == ranked(fresh, asked, user_id="ada")


def test_a_speaker_whose_turn_is_taken_back_is_forgotten(pair: tuple[Memory, Memory]) -> None:
    memory, _ = pair
    rosa, _ = memory.add([*map(said_by, ["Rosa", "Ada"])], infer=False, **MONDAY)
    ranked(memory, user_id="ada")
    memory.undo(rosa, user_id="ada")
    ranked(memory, user_id="ada")
    assert speakers(memory) == {"Ada"}


def test_a_question_is_read_again_when_one_speaker_went_and_another_came(
    pair: tuple[Memory, Memory], tmp_path: Path
) -> None:
    memory, other = pair
    rosa, _ = memory.add([*map(said_by, ["Rosa", "Ada"])], infer=False, **MONDAY)
    ranked(memory, user_id="ada")
    other.delete(rosa.id, user_id="ada")
    other.add(said_by("Bert", "the garden is red"), infer=False, **MONDAY)
    asked = "What did Bert and Rosa say?"
    with anew(tmp_path / "m.db") as fresh:
        ranked(fresh, asked, user_id="ada")  # who speaks there is known now
        assert ranked(memory, asked, user_id="ada") == ranked(fresh, asked, user_id="ada")
