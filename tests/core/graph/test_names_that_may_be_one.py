"""Names near each other by vector: asked about in a call that happens anyway, or left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from holdfast import Memory
from holdfast.graph import Triple
from holdfast.providers.local import LocalEmbedder
from holdfast.storage.sqlite.database import Database
from holdfast.testing import HashEmbedder, ScriptedLLM
from holdfast.types import Tool
from support.story import triple

Open = Callable[..., Memory]
PERSON_THING = "person thing"


def fact(text: str, *relations: Any) -> dict[str, Any]:
    return {"facts": [{"text": text, "turns": [1], "when": "", "relations": list(relations)}]}


class Model:
    """Records the prepared facts, one batch after another; says of every pair what it is told."""

    def __init__(self, *batches: dict[str, Any], same: object = True) -> None:
        self._batches = iter(batches)
        self._same = same
        self.llm = ScriptedLLM(self._answers())

    def _answers(self) -> Iterator[Any]:
        while True:
            yield self._answer

    def _answer(self, messages: Sequence[Mapping[str, str]], tool: Tool | None) -> Any:
        assert tool is not None
        if tool.name == "record_facts":
            return next(self._batches)
        decisions = [{"fact": "F1", "event": "ADD", "memories": [], "text": "", "reason": ""}]
        return {"decisions": decisions, "names": [{"pair": "N1", "same": self._same}]}

    def asked(self) -> list[str]:
        """Return what the model was shown of names."""
        said = [call.messages[-1]["content"] for call in self.llm.calls]
        return [text.partition("<names>")[2] for text in said if "<names>" in text]


TEA = fact("Rita Andersen likes green tea", triple("Rita Andersen", "likes", "tea", PERSON_THING))
MILL = fact("Rita likes green mint tea", triple("Rita", "likes", "mint", PERSON_THING))
FAR = fact("Rita owns a boat", triple("Rita", "owns", "boat", PERSON_THING))


@pytest.fixture
def open_memory(tmp_path: Path) -> Iterator[Open]:
    opened: list[Memory] = []

    def make(model: Model | None = None, **given: Any) -> Memory:
        llm = None if model is None else model.llm
        given = {"embedder": HashEmbedder(256), "graph": True} | given
        opened.append(Memory(tmp_path / "memory.db", llm=llm, **given))
        return opened[-1]

    yield make
    for memory in opened:
        memory.close()


def names_in(path: Path) -> set[str]:
    database = Database(path)
    with database.read() as connection:
        found = {row[0] for row in connection.execute("SELECT name FROM entities")}
    database.close()
    return found


def test_the_call_that_happens_anyway_tells_that_two_names_are_one(open_memory: Open) -> None:
    model = Model(TEA, MILL)
    memory = open_memory(model)
    memory.add("I am Rita Andersen, I like green tea", user_id="ann")
    turn, _, stated = memory.add("Rita likes green mint tea", user_id="ann")

    assert [call.tool.name for call in model.llm.calls] == [
        "record_facts",
        "record_facts",
        "decide",
    ]
    assert '"Rita Andersen" ("person") in "Rita Andersen likes green tea"' in model.asked()[0]
    assert (stated.after.text, stated.reason) == ("Rita same as Rita Andersen", "model: one name")
    assert stated.after.sources == (turn.id,)
    assert memory.graph(user_id="ann").entities("rita")[0].aliases == ("Rita",)


def test_uniting_names_can_be_undone_and_goes_with_its_turn(open_memory: Open) -> None:
    memory = open_memory(Model(TEA, MILL))
    memory.add("I am Rita Andersen, I like green tea", user_id="ann")
    turn, _, stated = memory.add("Rita likes green mint tea", user_id="ann")
    graph = memory.graph(user_id="ann")

    undone = memory.undo(stated, user_id="ann")
    assert len(graph.entities("rita")) == 2
    memory.undo(undone, user_id="ann")
    assert len(graph.entities("rita")) == 1
    memory.delete(turn.id, user_id="ann")
    assert [one.name for one in graph.entities("rita")] == ["Rita Andersen"]


def test_no_call_is_made_for_names_alone(open_memory: Open) -> None:
    model = Model(TEA, FAR, MILL)
    memory = open_memory(model)
    memory.add("I am Rita Andersen, I like green tea", user_id="ann")
    memory.add("Rita has a boat", user_id="ann")
    assert [call.tool.name for call in model.llm.calls] == ["record_facts"] * 2

    memory.add("Rita likes green mint tea", user_id="ann")
    assert len(model.asked()) == 1  # the doubt was not forgotten


@pytest.mark.parametrize("said", [False, "yes", None])
def test_names_stay_two_unless_the_model_says_that_they_are_one(
    open_memory: Open, said: object
) -> None:
    model = Model(TEA, MILL, MILL, same=said)
    memory = open_memory(model)
    memory.add("I am Rita Andersen, I like green tea", user_id="ann")
    memory.add("Rita likes green mint tea", user_id="ann")

    assert len(memory.graph(user_id="ann").entities("rita")) == 2
    memory.add("Rita likes mint and green tea", user_id="ann")
    assert len(model.asked()) == 1  # and nobody asks again


@pytest.mark.parametrize("statement", ["merge", "split"])
def test_what_the_caller_has_told_is_not_asked(open_memory: Open, statement: str) -> None:
    model = Model(TEA, FAR, MILL)
    memory = open_memory(model)
    memory.add("I am Rita Andersen, I like green tea", user_id="ann")
    memory.add("Rita has a boat", user_id="ann")
    getattr(memory.graph(user_id="ann"), statement)("Rita", "Rita Andersen")
    memory.add("Rita likes green mint tea", user_id="ann")

    assert model.asked() == []


def test_another_users_names_are_never_shown(open_memory: Open) -> None:
    model = Model(TEA, FAR, MILL)
    memory = open_memory(model)
    memory.add("I am Rita Andersen, I like green tea", user_id="eve", agent_id="helper")
    memory.add("Rita has a boat", user_id="ann", agent_id="helper")
    memory.add("Rita likes green mint tea", user_id="ann", agent_id="helper")

    assert model.asked() == []
    assert {one.user_id for one in memory.graph(agent_id="helper").entities("rita")} == {
        "ann",
        "eve",
    }


@pytest.mark.parametrize(
    ("known", "new"),
    [
        (triple("Sydney Bay", "likes", "x", "place x"), triple("Sydney", "likes", "y", "person x")),
        (triple("big room 101", "is", "x", "x x"), triple("big room 102", "is", "y", "x x")),
    ],
)
def test_what_cannot_be_one_is_not_asked(open_memory: Open, known: Any, new: Any) -> None:
    model = Model(fact("green mint tea", known), fact("green black tea", new))
    memory = open_memory(model)
    memory.add("a", user_id="ann")
    memory.add("b", user_id="ann")

    assert model.llm.calls[-1].tool.name == "decide"
    assert model.asked() == []


def test_what_has_expired_is_not_shown(open_memory: Open) -> None:
    model = Model(TEA, FAR, MILL)
    memory = open_memory(model)
    _, known = memory.add("I am Rita Andersen, I like green tea", user_id="ann")
    memory.add("Rita has a boat", user_id="ann")
    memory.update(known.id, user_id="ann", expires_at=datetime(2020, 1, 1, tzinfo=timezone.utc))
    memory.add("Rita likes green mint tea", user_id="ann")

    assert model.asked() == []


def test_an_older_fact_is_shown_where_the_newest_of_a_name_has_expired(open_memory: Open) -> None:
    trip = fact("Rita Andersen saw Oslo", triple("Rita Andersen", "saw", "Oslo", "person place"))
    model = Model(TEA, trip, FAR, MILL)
    memory = open_memory(model)
    memory.add("I am Rita Andersen, I like green tea", user_id="ann")
    _, newest = memory.add("Rita Andersen saw Oslo", user_id="ann")
    memory.add("Rita has a boat", user_id="ann")
    memory.update(newest.id, user_id="ann", expires_at=datetime(2020, 1, 1, tzinfo=timezone.utc))
    memory.add("Rita likes green mint tea", user_id="ann")

    (asked,) = model.asked()
    assert "Rita Andersen likes green tea" in asked
    assert "Oslo" not in asked


def test_without_the_switch_nothing_is_embedded_or_asked(open_memory: Open, tmp_path: Path) -> None:
    model = Model(TEA, MILL)
    memory = open_memory(model, graph=None)
    memory.add("I am Rita Andersen, I like green tea", user_id="ann")
    memory.add("Rita likes green mint tea", user_id="ann")

    assert model.llm.calls[-1].tool.name == "decide"
    assert model.asked() == []
    assert names_in(tmp_path / "memory.db") == set()


def test_a_name_is_kept_with_its_fact_and_goes_with_it(open_memory: Open, tmp_path: Path) -> None:
    memory = open_memory()
    (change,) = memory.add_relations([("Rita", "likes", "tea")], user_id="ann")
    assert names_in(tmp_path / "memory.db") == {"rita", "tea"}

    memory.delete(change.id, user_id="ann")
    assert names_in(tmp_path / "memory.db") == set()


def test_another_embedder_drops_the_vectors_of_names(open_memory: Open, tmp_path: Path) -> None:
    memory = open_memory()
    memory.add_relations([("Rita", "likes", "tea")], user_id="ann")
    memory.close()
    other = open_memory(embedder=HashEmbedder(32))
    other.reembed()
    other.add_relations([("Rita Andersen", "likes", "coffee")], user_id="ann")

    assert names_in(tmp_path / "memory.db") == {"rita andersen", "coffee"}


def test_an_embedder_that_was_not_measured_unites_nothing_by_itself(open_memory: Open) -> None:
    memory = open_memory(embedder=HashEmbedder(2))  # most vectors are one of four
    memory.add_relations([(name, "likes", "tea") for name in "ABCDEFGHIJKLMNOP"], user_id="ann")

    assert len(memory.graph(user_id="ann").entities()) == 17


def test_the_bundled_embedder_unites_what_is_all_but_equal(open_memory: Open) -> None:
    memory = open_memory(embedder=LocalEmbedder())
    given = [
        Triple("Rita", "works_at", "Acme Corporation"),
        Triple("Paul", "sells_to", "Acme Corp"),
        Triple("Paul", "knows", "Paula"),
        Triple("Paul", "studied_at", "Boston University"),
        Triple("Quinn", "studied_at", "Boston College"),
    ]
    memory.add_relations(given, user_id="ann")
    graph = memory.graph(user_id="ann")

    assert [path.names[0::2] for path in graph.paths("Rita", "Paul")] == [("Rita", "Paul")]
    assert len(graph.entities("boston")) == 2
    (stated,) = [one for one in memory.list(user_id="ann").records if "same as" in one.text]
    assert memory.history(stated.id, user_id="ann")[0].reason == "rule: names alike"


def test_a_merge_that_ends_a_split_is_one_commit(open_memory: Open) -> None:
    memory = open_memory()
    graph = memory.graph(user_id="ann")
    graph.split("Bob", "Robert")
    ended, stated = graph.merge("Bob", "Robert")

    assert (ended.event, stated.event) == ("DELETE", "ADD")
    assert ended.at == stated.at


def test_loops_hubs_and_odd_names_are_compared_without_harm(open_memory: Open) -> None:
    memory = open_memory()
    odd = ["🙂", "王伟", "Иван", "user", "assistant", "a" * 200]
    given = [
        ("A", "knows", "A"),
        *(("hub", "knows", f"some n{number}") for number in range(300)),
        *((name, "likes", "tea") for name in odd),
    ]
    memory.add_relations(given, user_id="ann")
    memory.add_relations([("hub", "knows", "some n1"), ("Hub", "likes", "🙂")], user_id="ann")
    graph = memory.graph(user_id="ann")

    assert len(graph.relations(limit=1_000)) == len(given) + 1
    assert graph.entities("hub")[0].relations == 301
    assert not [one for one in memory.list(user_id="ann", limit=1_000) if "same as" in one.text]


def test_two_people_who_share_an_alias_are_asked_about_and_stay_two(open_memory: Open) -> None:
    model = Model(
        fact("Bob Smith likes green tea", triple("Bob Smith", "likes", "tea", PERSON_THING)),
        fact("Bob Jones likes green mint tea", triple("Bob Jones", "likes", "mint", PERSON_THING)),
        fact("Bob likes mint and green tea", triple("Bob", "likes", "mint tea", PERSON_THING)),
    )
    memory = open_memory(model)
    graph = memory.graph(user_id="ann")
    memory.add("a", user_id="ann")
    graph.split("Bob Smith", "Bob Jones")
    memory.add("b", user_id="ann")
    memory.add("c", user_id="ann")

    assert len(model.asked()) == 1  # of the two Bobs it was told; Bob may be the nearest of them
    assert [one.name for one in graph.entities("bob")] == ["Bob Smith", "Bob Jones"]
