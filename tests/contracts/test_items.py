"""The item layer: documents by namespace and key, one at a time."""

from __future__ import annotations

import functools
import operator
from datetime import timedelta
from typing import Any

import pytest
from holdfast import InvalidInputError
from holdfast.documents import Put, Search
from support.faces import Face, ItemsFace

HOUR = timedelta(hours=1)
TINY = timedelta(microseconds=1)


@pytest.fixture
def items(face: Face) -> ItemsFace:
    return face.items


def keys(matches: Any) -> list[str]:
    return [match.item.key for match in matches]


def test_get_returns_what_was_put(items: ItemsFace) -> None:
    value = {"text": "ü ☃", "n": [1, 2.5, None, True, {"deep": []}]}
    items.put(("users", "ada"), "k", value)
    item = items.get(("users", "ada"), "k")
    assert (item.namespace, item.key, item.value) == (("users", "ada"), "k", value)
    assert item.created_at == item.updated_at
    assert item.expires_at is None


def test_any_json_but_null_is_a_value(items: ItemsFace) -> None:
    for n, value in enumerate([0, False, "", [], {}, "text", 1.5]):
        items.put(("a",), str(n), value)
        assert items.get(("a",), str(n)).value == value


def test_get_of_nothing_is_none(items: ItemsFace) -> None:
    assert items.get(("a",), "k") is None
    items.put(("a",), "k", 1)
    assert items.get(("a",), "other") is None
    assert items.get(("a", "b"), "k") is None
    assert items.get(("b",), "k") is None


def test_a_second_put_takes_the_first_ones_place(items: ItemsFace) -> None:
    items.put(("a",), "k", {"n": 1}, texts=["green tea"])
    first = items.get(("a",), "k")
    items.put(("a",), "k", {"n": 2}, texts=["black coffee"])
    second = items.get(("a",), "k")
    assert second.value == {"n": 2}
    assert first.created_at == second.created_at < second.updated_at
    (match,) = items.search(Search((), "green tea"))
    assert match.item == second


def test_delete_says_whether_there_was_one(items: ItemsFace) -> None:
    items.put(("a",), "k", 1, texts=["green tea"])
    items.search(Search((), "tea"))
    assert items.delete(("a",), "k") is True
    assert items.delete(("a",), "k") is False
    assert items.get(("a",), "k") is None
    assert items.search(Search((), "tea")) == []


@pytest.mark.parametrize("mode", ["hybrid", "vector", "keyword"])
def test_search_ranks_by_the_texts(items: ItemsFace, mode: Any) -> None:
    items.put(("a",), "tea", {}, texts=["green tea in the morning"])
    items.put(("a",), "walk", {}, texts=["a walk in the rain"])
    found = items.search(Search(("a",), "green tea", mode=mode))
    assert found[0].item.key == "tea"
    scores = [match.score for match in found]
    assert scores == sorted(scores, reverse=True)


def test_the_best_of_several_texts_counts_and_is_named(items: ItemsFace) -> None:
    items.put(("a",), "k", {}, texts=["weather", "a cat called Mia", "roads"])
    (match,) = items.search(Search((), "what is the cat called"))
    assert match.text == 1


def test_an_item_without_texts_is_found_by_filters_alone(items: ItemsFace) -> None:
    items.put(("a",), "k", {"topic": "tea"})
    assert items.search(Search((), "tea")) == []
    assert keys(items.search(Search((), filters={"topic": "tea"}))) == ["k"]


def test_without_a_query_the_latest_put_comes_first(items: ItemsFace) -> None:
    for key in "abc":
        items.put(("n",), key, {"n": key})
    items.put(("n",), "a", {"n": "again"})
    assert keys(items.search(Search(("n",)))) == ["a", "c", "b"]
    assert keys(items.search(Search(("n",), limit=1, offset=1))) == ["c"]
    assert items.search(Search(("n",), limit=0)) == []


def test_limit_and_offset_walk_through_a_ranking(items: ItemsFace) -> None:
    for n in range(9):
        items.put(("n",), str(n), {}, texts=[f"tea {'leaf ' * n}"])
    whole = keys(items.search(Search(("n",), "tea", limit=9)))
    parts = [keys(items.search(Search(("n",), "tea", limit=4, offset=at))) for at in (0, 4, 8)]
    assert functools.reduce(operator.iadd, parts, []) == whole
    assert len(set(whole)) == 9


def test_min_score_cuts_the_tail(items: ItemsFace) -> None:
    items.put(("n",), "tea", {}, texts=["green tea"])
    items.put(("n",), "walk", {}, texts=["a walk"])
    assert keys(items.search(Search(("n",), "green tea", mode="vector", min_score=0.99))) == ["tea"]


def test_a_prefix_reaches_everything_below_it(items: ItemsFace) -> None:
    for labels in (("a",), ("a", "b"), ("a", "b", "c"), ("ab",), ("b", "a")):
        items.put(labels, "k", {"at": list(labels)}, texts=["tea"])
    for query in (None, "tea"):
        found = items.search(Search(("a",), query))
        assert {match.item.namespace for match in found} == {("a",), ("a", "b"), ("a", "b", "c")}
        assert len(items.search(Search((), query))) == 5
        (match,) = items.search(Search(("a", "b"), query, exact=True))
        assert match.item.namespace == ("a", "b")


AWKWARD = (
    ("a",),
    ("a", "b"),
    ("a.b",),
    ("a\x1fb",),
    ("a\x1eb",),
    ("a\x1e1b",),
    ("a\x1e0", "b"),
    ("a\x1f", "b"),
    ("a b",),
    ("a ",),
    ("%",),
    ("*",),
    ("_",),
    ("a\x00b",),
    ("caf\u00e9",),
    ("cafe\u0301",),
    ("A",),
    ("'; DROP TABLE items; --",),
    ("日本", "\U0001f600"),
)


def test_labels_with_separators_escapes_and_look_alikes_stay_apart(items: ItemsFace) -> None:
    for labels in AWKWARD:
        items.put(labels, "k", list(labels), texts=["tea"])
    assert set(items.namespaces()) == set(AWKWARD)
    for labels in AWKWARD:
        assert items.get(labels, "k").value == list(labels)
        below = {other for other in AWKWARD if other[: len(labels)] == labels}
        assert set(items.namespaces(labels)) == below
        found = items.search(Search(labels, "tea", limit=50))
        assert {match.item.namespace for match in found} == below
        (match,) = items.search(Search(labels, "tea", exact=True))
        assert match.item.namespace == labels


def test_namespaces_list_those_that_hold_something(items: ItemsFace) -> None:
    items.put(("a", "b"), "k", 1)
    items.put(("a", "c"), "k", 1)
    items.put(("a", "d"), "k", 1, lifetime=TINY)
    items.delete(("a", "c"), "k")
    assert items.namespaces() == [("a", "b")]
    assert items.namespaces(("a",)) == [("a", "b")]
    assert items.namespaces(("x",)) == []


def test_an_expired_item_is_found_by_no_read(items: ItemsFace) -> None:
    items.put(("a",), "k", {"n": 1}, texts=["tea"], lifetime=TINY)
    assert items.get(("a",), "k") is None
    assert items.search(Search((), "tea")) == []
    assert items.search(Search((), filters={"n": 1})) == []
    assert items.sweep() == 1
    assert items.sweep() == 0


def test_expired_items_are_gone_before_the_limit(items: ItemsFace) -> None:
    for n in range(20):
        items.put(("a",), f"old {n}", {}, texts=["green tea"], lifetime=TINY)
    items.put(("a",), "new", {}, texts=["something else"])
    assert keys(items.search(Search((), "green tea", limit=1))) == ["new"]


def test_a_put_over_an_expired_item_is_a_new_item(items: ItemsFace) -> None:
    items.put(("a",), "k", 1, lifetime=TINY)
    items.put(("a",), "k", 2)
    item = items.get(("a",), "k")
    assert item.value == 2
    assert item.created_at == item.updated_at
    assert item.expires_at is None


def test_each_search_finds_what_was_put_since_the_last_one(items: ItemsFace) -> None:
    for query in ("green tea", None):
        items.put(("a",), "one", {"n": 1}, texts=["green tea"])
        assert keys(items.search(Search((), query))) == ["one"]
        items.put(("b",), "two", {"n": 2}, texts=["green tea leaves"])
        assert sorted(keys(items.search(Search((), query)))) == ["one", "two"]
        items.put(("a",), "one", {"n": 3}, texts=["green tea"])
        found = items.search(Search((), query))
        assert {match.item.key: match.item.value["n"] for match in found} == {"one": 3, "two": 2}
        items.delete(("b",), "two")
        assert keys(items.search(Search((), query))) == ["one"]


def test_a_refreshing_read_begins_the_lifetime_anew(items: ItemsFace) -> None:
    items.put(("a",), "k", {}, texts=["tea"], lifetime=HOUR)
    first = items.get(("a",), "k", refresh=True).expires_at
    second = items.get(("a",), "k").expires_at
    assert second > first
    items.search(Search((), "tea", refresh=True))
    third = items.get(("a",), "k").expires_at
    assert third > second
    items.search(Search((), refresh=True))
    assert items.get(("a",), "k").expires_at > third


def test_a_plain_read_leaves_the_lifetime_alone(items: ItemsFace) -> None:
    items.put(("a",), "k", {}, texts=["tea"], lifetime=HOUR)
    first = items.get(("a",), "k").expires_at
    items.search(Search((), "tea"))
    assert items.get(("a",), "k").expires_at == first


@pytest.mark.parametrize("labels", [(), ("",), ("a", ""), ("a", 1), "abc", None, ("\ud800",)])
def test_a_namespace_that_makes_no_sense_is_an_error(items: ItemsFace, labels: Any) -> None:
    with pytest.raises(InvalidInputError, match="namespace"):
        items.put(labels, "k", 1)
    with pytest.raises(InvalidInputError, match="namespace"):
        items.search(Search(labels, exact=True))
    with pytest.raises(InvalidInputError, match="namespace"):
        items.get(labels, "k")


@pytest.mark.parametrize("prefix", [("a", 1), "abc", None, ("\ud800",), ("",)])
def test_a_prefix_that_makes_no_sense_is_an_error(items: ItemsFace, prefix: Any) -> None:
    with pytest.raises(InvalidInputError, match="namespace"):
        items.search(Search(prefix))
    with pytest.raises(InvalidInputError, match="namespace"):
        items.namespaces(prefix)


@pytest.mark.parametrize("key", ["", None, 1, "\ud800"])
def test_a_key_that_makes_no_sense_is_an_error(items: ItemsFace, key: Any) -> None:
    for call in (lambda: items.put(("a",), key, 1), lambda: items.get(("a",), key)):
        with pytest.raises(InvalidInputError, match="key"):
            call()


@pytest.mark.parametrize("value", [float("nan"), object(), {"x": {1, 2}}, "\ud800", b"bytes"])
def test_a_value_that_is_no_json_is_an_error(items: ItemsFace, value: Any) -> None:
    with pytest.raises(InvalidInputError, match="JSON"):
        items.put(("a",), "k", value)
    assert items.get(("a",), "k") is None


@pytest.mark.parametrize(
    "lifetime", [timedelta(0), -HOUR, timedelta.max, timedelta(days=3_000_000)]
)
def test_a_lifetime_that_makes_no_sense_is_an_error(items: ItemsFace, lifetime: Any) -> None:
    with pytest.raises(InvalidInputError, match="lifetime"):
        items.put(("a",), "k", 1, lifetime=lifetime)


@pytest.mark.parametrize("texts", ["one text", ["fine", "\x00"], ["x" * 500_001], [1], ["\ud800"]])
def test_texts_that_make_no_sense_are_an_error(items: ItemsFace, texts: Any) -> None:
    with pytest.raises(InvalidInputError, match="text"):
        items.put(("a",), "k", 1, texts=texts)
    assert items.get(("a",), "k") is None


@pytest.mark.parametrize(
    "search",
    [
        Search((), limit=-1),
        Search((), offset=-1),
        Search((), "x", limit=-1),
        Search((), limit=10**30),
        Search((), offset=10**30),
        Search((), mode="sorcery"),  # type: ignore[arg-type]
        Search((), "\x00"),
        Search((), "\ud800"),
        Search((), "x", filters={"a": {"near": 1}}),
        Search((), filters={"a": object()}),
        Search((), "x", min_score=float("nan")),
    ],
)
def test_a_search_that_makes_no_sense_is_an_error(items: ItemsFace, search: Search) -> None:
    items.put(("a",), "k", {"a": 1}, texts=["tea"])
    with pytest.raises(ValueError, match=r".+") as caught:
        items.search(search)
    assert caught.type.__module__ == "holdfast.errors"


def test_a_field_of_a_value_may_bear_the_name_of_a_records_own(items: ItemsFace) -> None:
    items.put(("a",), "k", {"created_at": "2024", "kind": "note", "importance": "high"})
    filters = {"created_at": "2024", "kind": "note", "importance": {"contains": "hi"}}
    assert keys(items.search(Search((), filters=filters))) == ["k"]


def test_many_items_are_found_and_fetched_at_once(face: Face) -> None:
    puts = [Put(("many",), f"k{n}", {"n": n}, texts=["tea"]) for n in range(1500)]
    assert face.items.batch(puts) == [None] * 1500
    assert len(face.items.search(Search(("many",), "tea", limit=100_000))) == 1500


def test_memories_and_items_do_not_see_each_other(face: Face) -> None:
    face.add("green tea", user_id="ada")
    face.items.put(("ada",), "k", {}, texts=["green tea"])
    assert len(face.search("tea", user_id="ada")) == 1
    assert len(face.items.search(Search((), "tea"))) == 1
    assert face.items.namespaces() == [("ada",)]
    face.delete_all(user_id="ada")
    assert len(face.items.search(Search((), "tea"))) == 1
    assert face.stats(check=True).problems == ()
    assert face.stats().items == 1
