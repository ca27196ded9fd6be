"""The document layer: documents by namespace and key, one at a time."""

from __future__ import annotations

import functools
import operator
from datetime import timedelta
from typing import Any

import pytest
from holdfast import InvalidInputError
from holdfast.documents import Put, Search
from support.faces import DocumentsFace, Face

HOUR = timedelta(hours=1)
TINY = timedelta(microseconds=1)


@pytest.fixture
def documents(face: Face) -> DocumentsFace:
    return face.documents


def keys(matches: Any) -> list[str]:
    return [match.document.key for match in matches]


def test_get_returns_what_was_put(documents: DocumentsFace) -> None:
    value = {"text": "ü ☃", "n": [1, 2.5, None, True, {"deep": []}]}
    documents.put(("users", "ada"), "k", value)
    document = documents.get(("users", "ada"), "k")
    assert (document.namespace, document.key, document.value) == (("users", "ada"), "k", value)
    assert document.created_at == document.updated_at
    assert document.expires_at is None


def test_any_json_but_null_is_a_value(documents: DocumentsFace) -> None:
    for n, value in enumerate([0, False, "", [], {}, "text", 1.5]):
        documents.put(("a",), str(n), value)
        assert documents.get(("a",), str(n)).value == value


def test_get_of_nothing_is_none(documents: DocumentsFace) -> None:
    assert documents.get(("a",), "k") is None
    documents.put(("a",), "k", 1)
    assert documents.get(("a",), "other") is None
    assert documents.get(("a", "b"), "k") is None
    assert documents.get(("b",), "k") is None


def test_a_second_put_takes_the_first_ones_place(documents: DocumentsFace) -> None:
    documents.put(("a",), "k", {"n": 1}, texts=["green tea"])
    first = documents.get(("a",), "k")
    documents.put(("a",), "k", {"n": 2}, texts=["black coffee"])
    second = documents.get(("a",), "k")
    assert second.value == {"n": 2}
    assert first.created_at == second.created_at < second.updated_at
    (match,) = documents.search((), "green tea")
    assert match.document == second


def test_delete_says_whether_there_was_one(documents: DocumentsFace) -> None:
    documents.put(("a",), "k", 1, texts=["green tea"])
    documents.search((), "tea")
    assert documents.delete(("a",), "k") is True
    assert documents.delete(("a",), "k") is False
    assert documents.get(("a",), "k") is None
    assert documents.search((), "tea") == []


@pytest.mark.parametrize("mode", ["hybrid", "vector", "keyword"])
def test_search_ranks_by_the_texts(documents: DocumentsFace, mode: Any) -> None:
    documents.put(("a",), "tea", {}, texts=["green tea in the morning"])
    documents.put(("a",), "walk", {}, texts=["a walk in the rain"])
    found = documents.search(("a",), "green tea", mode=mode)
    assert found[0].document.key == "tea"
    scores = [match.score for match in found]
    assert scores == sorted(scores, reverse=True)


def test_the_best_of_several_texts_counts_and_is_named(documents: DocumentsFace) -> None:
    documents.put(("a",), "k", {}, texts=["weather", "a cat called Mia", "roads"])
    (match,) = documents.search((), "what is the cat called")
    assert match.text == 1


def test_a_document_without_texts_is_found_by_filters_alone(documents: DocumentsFace) -> None:
    documents.put(("a",), "k", {"topic": "tea"})
    assert documents.search((), "tea") == []
    assert keys(documents.search((), filters={"topic": "tea"})) == ["k"]


def test_without_a_query_the_latest_put_comes_first(documents: DocumentsFace) -> None:
    for key in "abc":
        documents.put(("n",), key, {"n": key})
    documents.put(("n",), "a", {"n": "again"})
    assert keys(documents.search(("n",))) == ["a", "c", "b"]
    assert keys(documents.search(("n",), limit=1, offset=1)) == ["c"]
    assert documents.search(("n",), limit=0) == []


def test_limit_and_offset_walk_through_a_ranking(documents: DocumentsFace) -> None:
    for n in range(9):
        documents.put(("n",), str(n), {}, texts=[f"tea {'leaf ' * n}"])
    whole = keys(documents.search(("n",), "tea", limit=9))
    parts = [keys(documents.search(("n",), "tea", limit=4, offset=at)) for at in (0, 4, 8)]
    assert functools.reduce(operator.iadd, parts, []) == whole
    assert len(set(whole)) == 9


def test_min_score_cuts_the_tail(documents: DocumentsFace) -> None:
    documents.put(("n",), "tea", {}, texts=["green tea"])
    documents.put(("n",), "walk", {}, texts=["a walk"])
    assert keys(documents.search(("n",), "green tea", mode="vector", min_score=0.99)) == ["tea"]


def test_a_prefix_reaches_everything_below_it(documents: DocumentsFace) -> None:
    for labels in (("a",), ("a", "b"), ("a", "b", "c"), ("ab",), ("b", "a")):
        documents.put(labels, "k", {"at": list(labels)}, texts=["tea"])
    for query in (None, "tea"):
        found = documents.search(("a",), query)
        assert {match.document.namespace for match in found} == {
            ("a",),
            ("a", "b"),
            ("a", "b", "c"),
        }
        assert len(documents.search((), query)) == 5
        (match,) = documents.search(("a", "b"), query, exact=True)
        assert match.document.namespace == ("a", "b")


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
    ("'; DROP TABLE documents; --",),
    ("日本", "\U0001f600"),
)


def test_labels_with_separators_escapes_and_look_alikes_stay_apart(
    documents: DocumentsFace,
) -> None:
    for labels in AWKWARD:
        documents.put(labels, "k", list(labels), texts=["tea"])
    assert set(documents.namespaces()) == set(AWKWARD)
    for labels in AWKWARD:
        assert documents.get(labels, "k").value == list(labels)
        below = {other for other in AWKWARD if other[: len(labels)] == labels}
        assert set(documents.namespaces(labels)) == below
        found = documents.search(labels, "tea", limit=50)
        assert {match.document.namespace for match in found} == below
        (match,) = documents.search(labels, "tea", exact=True)
        assert match.document.namespace == labels


def test_namespaces_list_those_that_hold_something(documents: DocumentsFace) -> None:
    documents.put(("a", "b"), "k", 1)
    documents.put(("a", "c"), "k", 1)
    documents.put(("a", "d"), "k", 1, lifetime=TINY)
    documents.delete(("a", "c"), "k")
    assert documents.namespaces() == [("a", "b")]
    assert documents.namespaces(("a",)) == [("a", "b")]
    assert documents.namespaces(("x",)) == []


def test_an_expired_document_is_found_by_no_read(documents: DocumentsFace) -> None:
    documents.put(("a",), "k", {"n": 1}, texts=["tea"], lifetime=TINY)
    assert documents.get(("a",), "k") is None
    assert documents.search((), "tea") == []
    assert documents.search((), filters={"n": 1}) == []
    assert documents.sweep() == 1
    assert documents.sweep() == 0


def test_expired_documents_are_gone_before_the_limit(documents: DocumentsFace) -> None:
    for n in range(20):
        documents.put(("a",), f"old {n}", {}, texts=["green tea"], lifetime=TINY)
    documents.put(("a",), "new", {}, texts=["something else"])
    assert keys(documents.search((), "green tea", limit=1)) == ["new"]


def test_a_put_over_an_expired_document_is_a_new_document(documents: DocumentsFace) -> None:
    documents.put(("a",), "k", 1, lifetime=TINY)
    documents.put(("a",), "k", 2)
    document = documents.get(("a",), "k")
    assert document.value == 2
    assert document.created_at == document.updated_at
    assert document.expires_at is None


def test_each_search_finds_what_was_put_since_the_last_one(documents: DocumentsFace) -> None:
    for query in ("green tea", None):
        documents.put(("a",), "one", {"n": 1}, texts=["green tea"])
        assert keys(documents.search((), query)) == ["one"]
        documents.put(("b",), "two", {"n": 2}, texts=["green tea leaves"])
        assert sorted(keys(documents.search((), query))) == ["one", "two"]
        documents.put(("a",), "one", {"n": 3}, texts=["green tea"])
        found = documents.search((), query)
        values = {match.document.key: match.document.value["n"] for match in found}
        assert values == {"one": 3, "two": 2}
        documents.delete(("b",), "two")
        assert keys(documents.search((), query)) == ["one"]


def test_a_refreshing_read_begins_the_lifetime_anew(documents: DocumentsFace) -> None:
    documents.put(("a",), "k", {}, texts=["tea"], lifetime=HOUR)
    first = documents.get(("a",), "k", refresh=True).expires_at
    second = documents.get(("a",), "k").expires_at
    assert second > first
    documents.search((), "tea", refresh=True)
    third = documents.get(("a",), "k").expires_at
    assert third > second
    documents.search((), refresh=True)
    assert documents.get(("a",), "k").expires_at > third


def test_a_plain_read_leaves_the_lifetime_alone(documents: DocumentsFace) -> None:
    documents.put(("a",), "k", {}, texts=["tea"], lifetime=HOUR)
    first = documents.get(("a",), "k").expires_at
    documents.search((), "tea")
    assert documents.get(("a",), "k").expires_at == first


@pytest.mark.parametrize("labels", [(), ("",), ("a", ""), ("a", 1), "abc", None, ("\ud800",)])
def test_a_namespace_that_makes_no_sense_is_an_error(documents: DocumentsFace, labels: Any) -> None:
    with pytest.raises(InvalidInputError, match="namespace"):
        documents.put(labels, "k", 1)
    with pytest.raises(InvalidInputError, match="namespace"):
        documents.search(labels, exact=True)
    with pytest.raises(InvalidInputError, match="namespace"):
        documents.get(labels, "k")


@pytest.mark.parametrize("prefix", [("a", 1), "abc", None, ("\ud800",), ("",)])
def test_a_prefix_that_makes_no_sense_is_an_error(documents: DocumentsFace, prefix: Any) -> None:
    with pytest.raises(InvalidInputError, match="namespace"):
        documents.search(prefix)
    with pytest.raises(InvalidInputError, match="namespace"):
        documents.namespaces(prefix)


@pytest.mark.parametrize("key", ["", None, 1, "\ud800"])
def test_a_key_that_makes_no_sense_is_an_error(documents: DocumentsFace, key: Any) -> None:
    for call in (lambda: documents.put(("a",), key, 1), lambda: documents.get(("a",), key)):
        with pytest.raises(InvalidInputError, match="key"):
            call()


@pytest.mark.parametrize("value", [float("nan"), object(), {"x": {1, 2}}, "\ud800", b"bytes"])
def test_a_value_that_is_no_json_is_an_error(documents: DocumentsFace, value: Any) -> None:
    with pytest.raises(InvalidInputError, match="JSON"):
        documents.put(("a",), "k", value)
    assert documents.get(("a",), "k") is None


@pytest.mark.parametrize(
    "lifetime", [timedelta(0), -HOUR, timedelta.max, timedelta(days=3_000_000)]
)
def test_a_lifetime_that_makes_no_sense_is_an_error(
    documents: DocumentsFace, lifetime: Any
) -> None:
    with pytest.raises(InvalidInputError, match="lifetime"):
        documents.put(("a",), "k", 1, lifetime=lifetime)


@pytest.mark.parametrize("texts", ["one text", ["fine", "\x00"], ["x" * 500_001], [1], ["\ud800"]])
def test_texts_that_make_no_sense_are_an_error(documents: DocumentsFace, texts: Any) -> None:
    with pytest.raises(InvalidInputError, match="text"):
        documents.put(("a",), "k", 1, texts=texts)
    assert documents.get(("a",), "k") is None


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
def test_a_search_that_makes_no_sense_is_an_error(documents: DocumentsFace, search: Search) -> None:
    documents.put(("a",), "k", {"a": 1}, texts=["tea"])
    with pytest.raises(ValueError, match=r".+") as caught:
        documents.batch([search], strict=True)
    assert caught.type.__module__ == "holdfast.errors"


def test_a_field_of_a_value_may_bear_the_name_of_a_records_own(documents: DocumentsFace) -> None:
    documents.put(("a",), "k", {"created_at": "2024", "kind": "note", "importance": "high"})
    filters = {"created_at": "2024", "kind": "note", "importance": {"contains": "hi"}}
    assert keys(documents.search((), filters=filters)) == ["k"]


def test_many_documents_are_found_and_fetched_at_once(face: Face) -> None:
    puts = [Put(("many",), f"k{n}", {"n": n}, texts=["tea"]) for n in range(1500)]
    assert face.documents.batch(puts) == [None] * 1500
    assert len(face.documents.search(("many",), "tea", limit=100_000)) == 1500


def test_memories_and_documents_do_not_see_each_other(face: Face) -> None:
    face.add("green tea", user_id="ada")
    face.documents.put(("ada",), "k", {}, texts=["green tea"])
    assert len(face.search("tea", user_id="ada")) == 1
    assert len(face.documents.search((), "tea")) == 1
    assert face.documents.namespaces() == [("ada",)]
    face.delete_all(user_id="ada")
    assert len(face.documents.search((), "tea")) == 1
    assert face.stats(check=True).problems == ()
    assert face.stats().documents == 1
