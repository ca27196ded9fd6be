from collections import UserDict
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from holdfast import EmbedderMismatchError, InvalidInputError, ProviderError
from holdfast.testing import HashEmbedder
from holdfast_langgraph import HoldfastStore, escape_label, namespace, unescape_label
from langgraph.store.base import (
    GetOp,
    InvalidNamespaceError,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    SearchOp,
)
from pydantic import BaseModel
from support.drivers import needs_encryption
from support.word_embeddings import WordEmbeddings

NOTES = ("notes", "ada")


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[HoldfastStore]:
    path = ":memory:" if request.param == "memory" else tmp_path / "store.db"
    with HoldfastStore(path, index={"embed": WordEmbeddings(), "dims": 64}) as opened:
        yield opened


def keys(found: Any) -> list[str]:
    return [item.key for item in found]


# -- batches --------------------------------------------------------------------------------------


def test_reads_of_a_batch_see_what_was_before_its_puts(store: HoldfastStore) -> None:
    store.put(NOTES, "1", {"n": 1})

    put, got, found, listed, gone = store.batch(
        [
            PutOp(NOTES, "1", {"n": 2}),
            GetOp(NOTES, "1"),
            SearchOp(("notes",)),
            ListNamespacesOp(),
            PutOp(("other",), "1", {}),
        ]
    )

    assert (put, gone) == (None, None)
    assert got.value == {"n": 1}
    assert [item.value for item in found] == [{"n": 1}]
    assert listed == [NOTES]
    assert store.get(NOTES, "1").value == {"n": 2}


def test_the_last_put_of_a_key_wins(store: HoldfastStore) -> None:
    store.batch([PutOp(NOTES, "1", {"n": 1}), PutOp(NOTES, "1", {"n": 2})])
    store.batch([PutOp(NOTES, "2", {"n": 1}), PutOp(NOTES, "2", None)])

    assert store.get(NOTES, "1").value == {"n": 2}
    assert store.get(NOTES, "2") is None


def test_deleting_what_is_not_there_is_silent(store: HoldfastStore) -> None:
    store.delete(NOTES, "none")

    assert store.list_namespaces() == []


def test_an_operation_of_another_kind_is_refused(store: HoldfastStore) -> None:
    with pytest.raises(ValueError, match="Unknown operation"):
        store.batch([PutOp(NOTES, "1", {}), "get"])  # type: ignore[list-item]

    assert store.get(NOTES, "1") is None


def test_a_batch_with_a_bad_filter_writes_nothing(store: HoldfastStore) -> None:
    with pytest.raises(ValueError, match=r"\$near"):
        store.batch([PutOp(NOTES, "1", {}), SearchOp(NOTES, filter={"a": {"$near": 1}})])

    assert store.get(NOTES, "1") is None


@pytest.mark.parametrize("labels", [("a.b",), ("a", ""), ("a", 1), ("a\x00",), "notes"])
@pytest.mark.parametrize("kind", ["get", "put", "delete", "search", "prefix", "suffix"])
def test_a_batch_refuses_labels_before_it_does_anything(
    store: HoldfastStore, labels: Any, kind: str
) -> None:
    operations: dict[str, Op] = {
        "get": GetOp(labels, "1"),
        "put": PutOp(labels, "1", {}),
        "delete": PutOp(labels, "1", None),
        "search": SearchOp(labels),
        "prefix": ListNamespacesOp((MatchCondition("prefix", labels),)),
        "suffix": ListNamespacesOp((MatchCondition("suffix", labels),)),
    }

    with pytest.raises(InvalidNamespaceError):
        store.batch([PutOp(NOTES, "1", {}), operations[kind]])

    assert store.get(NOTES, "1") is None


# -- values and times -----------------------------------------------------------------------------


class Taste(Enum):
    SWEET = "sweet"


class Profile(BaseModel):
    name: str
    since: datetime


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (UserDict({"a": 1}), {"a": 1}),
        (MappingProxyType({"a": (1, 2)}), {"a": [1, 2]}),
        ({"at": datetime(2026, 1, 2, tzinfo=timezone.utc)}, {"at": "2026-01-02T00:00:00+00:00"}),
        ({"id": UUID(int=1)}, {"id": "00000000-0000-0000-0000-000000000001"}),
        ({"taste": Taste.SWEET}, {"taste": "sweet"}),
        (
            {"who": Profile(name="Ada", since=datetime(2026, 1, 2, tzinfo=timezone.utc))},
            {"who": {"name": "Ada", "since": "2026-01-02T00:00:00Z"}},
        ),
        ({"nul": "a\x00b", "deep": {"list": [{"x": None}]}}, None),
    ],
)
def test_values_become_json(store: HoldfastStore, given: Any, stored: Any) -> None:
    store.put(NOTES, "1", given)

    assert store.get(NOTES, "1").value == (given if stored is None else stored)


@pytest.mark.parametrize("value", [{"a": object()}, {"a": float("nan")}, ["a"], "a"])
def test_what_is_no_json_object_is_refused(store: HoldfastStore, value: Any) -> None:
    with pytest.raises(ValueError, match="value"):
        store.put(NOTES, "1", value)

    assert store.get(NOTES, "1") is None


def test_keys_become_strings(store: HoldfastStore) -> None:
    store.put(NOTES, 7, {"n": 7})  # type: ignore[arg-type]

    assert store.get(NOTES, "7").value == {"n": 7}


# -- listing --------------------------------------------------------------------------------------


def test_without_a_query_the_latest_put_comes_first(store: HoldfastStore) -> None:
    for key in "abc":
        store.put(NOTES, key, {})
    store.put(NOTES, "a", {})

    assert keys(store.search(("notes",))) == ["a", "c", "b"]
    assert keys(store.search((), query="", limit=2, offset=1)) == ["c", "b"]
    assert keys(store.search(["notes"], query="  ", limit=1)) == ["a"]  # type: ignore[arg-type]


def test_a_prefix_ends_at_a_label(store: HoldfastStore) -> None:
    for labels in [("foo",), ("foo", "x"), ("foobar",), ("foo2",), ("Foo",)]:
        store.put(labels, "1", {})

    found = store.search(("foo",), limit=100)

    assert {item.namespace for item in found} == {("foo",), ("foo", "x")}


def test_namespaces_are_listed_by_prefix_suffix_and_wildcard(store: HoldfastStore) -> None:
    for labels in [("a", "b", "c"), ("a", "b", "d", "e"), ("a", "x", "c"), ("b", "*", "c")]:
        store.put(labels, "1", {})

    assert store.list_namespaces(prefix=("a", "b")) == [("a", "b", "c"), ("a", "b", "d", "e")]
    assert store.list_namespaces(suffix=("c",)) == [
        ("a", "b", "c"),
        ("a", "x", "c"),
        ("b", "*", "c"),
    ]
    assert store.list_namespaces(prefix=("a", "*", "c")) == [("a", "b", "c"), ("a", "x", "c")]
    assert store.list_namespaces(prefix=("a",), suffix=("*", "e")) == [("a", "b", "d", "e")]
    assert store.list_namespaces(max_depth=2) == [("a", "b"), ("a", "x"), ("b", "*")]
    assert store.list_namespaces(max_depth=1, limit=1, offset=1) == [("b",)]
    assert store.list_namespaces(prefix=("c",)) == []


# -- the index ------------------------------------------------------------------------------------


def test_fields_and_paths_choose_what_is_embedded() -> None:
    embeddings = WordEmbeddings()
    store = HoldfastStore(":memory:", index={"embed": embeddings, "fields": ["a.b", "c[*].d"]})

    store.put(NOTES, "1", {"a": {"b": "one"}, "c": [{"d": "two"}, {"d": "three"}], "e": "private"})
    store.put(NOTES, "2", {"e": "secret", "f": "four"}, index=["f"])
    store.put(NOTES, "3", {"a": {"b": "five"}}, index=False)
    store.put(NOTES, "4", {"e": "nothing to find"})

    assert embeddings.documents == ["one", "two", "three", "four"]
    found = store.search(NOTES, query="three")
    assert found[0].key == "1"
    assert found[0].score == pytest.approx(1.0, abs=1e-6)
    assert {item.key: item.score for item in found[2:]} == {"3": None, "4": None}


def test_without_an_index_a_query_lists() -> None:
    store = HoldfastStore(":memory:")
    store.put(NOTES, "1", {"text": "tea"}, index=["text"])

    found = store.search(NOTES, query="coffee")

    assert keys(found) == ["1"]
    assert found[0].score is None
    assert store.embeddings is None


def test_a_function_or_a_holdfast_embedder_will_do() -> None:
    for embed in (lambda texts: HashEmbedder().embed(texts), HashEmbedder()):
        store = HoldfastStore(":memory:", index={"embed": embed, "dims": 64})  # type: ignore[typeddict-item]
        store.put(NOTES, "1", {"text": "green tea"})
        store.put(NOTES, "2", {"text": "red car"})

        assert keys(store.search(NOTES, query="tea")) == ["1", "2"]


def test_vectors_of_another_length_are_refused() -> None:
    store = HoldfastStore(":memory:", index={"embed": WordEmbeddings(), "dims": 65})

    with pytest.raises(InvalidInputError, match="dims is 65"):
        store.put(NOTES, "1", {"text": "tea"})

    assert store.get(NOTES, "1") is None


def test_a_file_refuses_another_embedder(tmp_path: Path) -> None:
    with HoldfastStore(tmp_path / "a.db", index={"embed": WordEmbeddings()}) as store:
        store.put(NOTES, "1", {"text": "tea"})

    with (
        HoldfastStore(tmp_path / "a.db", index={"embed": HashEmbedder()}) as store,  # type: ignore[typeddict-item]
        pytest.raises(EmbedderMismatchError),
    ):
        store.search(NOTES, query="tea")


def test_an_index_without_an_embedder_makes_no_sense() -> None:
    with pytest.raises(InvalidInputError, match="embed"):
        HoldfastStore(":memory:", index={"dims": 64})


def test_an_embedder_that_fails_says_who_and_why() -> None:
    def broken(texts: Any) -> list[list[float]]:
        raise OSError("no route")

    store = HoldfastStore(":memory:", index={"embed": broken})

    with pytest.raises(ProviderError, match="OSError") as caught:
        store.put(NOTES, "1", {"text": "tea"})

    assert isinstance(caught.value.__cause__, OSError)
    assert store.get(NOTES, "1") is None


def test_a_hybrid_search_finds_a_rare_word_and_a_vector_search_scores_the_cosine() -> None:
    index = {"embed": WordEmbeddings(), "fields": ["text"]}
    store = HoldfastStore(":memory:", index=index, mode="vector")  # type: ignore[arg-type]
    hybrid = HoldfastStore(":memory:", index=index)  # type: ignore[arg-type]
    for opened in (store, hybrid):
        opened.put(NOTES, "1", {"text": "ticket XK-4711 is about the printer"})
        opened.put(NOTES, "2", {"text": "the ticket is about paper"})

    cosine = store.search(NOTES, query="XK-4711")[0]
    both = hybrid.search(NOTES, query="XK-4711")[0]

    assert (cosine.key, both.key) == ("1", "1")
    assert cosine.score < both.score <= 1


# -- opening --------------------------------------------------------------------------------------


def test_what_is_put_survives_closing(tmp_path: Path) -> None:
    with HoldfastStore.from_conn_string(str(tmp_path / "a.db")) as store:
        store.setup()
        store.put(NOTES, "1", {"n": 1})

    with HoldfastStore.from_conn_string(str(tmp_path / "a.db")) as store:
        assert store.get(NOTES, "1").value == {"n": 1}


def test_making_a_store_touches_no_file(tmp_path: Path) -> None:
    HoldfastStore(tmp_path / "a.db")

    assert list(tmp_path.iterdir()) == []


@needs_encryption
def test_a_key_encrypts_values_too(tmp_path: Path) -> None:
    with HoldfastStore(tmp_path / "a.db", key="secret") as store:
        store.put(NOTES, "1", {"text": "plainly readable"})

    assert b"plainly readable" not in (tmp_path / "a.db").read_bytes()


# -- labels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["ann@example.com", "100%", "%2E", "", ".", "a\x00b", "plain"])
def test_any_string_can_be_a_label(store: HoldfastStore, value: str) -> None:
    store.put(namespace("users", value), "1", {})

    assert store.search(namespace("users", value))[0].namespace == ("users", escape_label(value))
    assert unescape_label(escape_label(value)) == value


def test_numbers_become_labels_and_plain_ones_stay() -> None:
    assert namespace("users", 42, "ann") == ("users", "42", "ann")
    assert escape_label("ann@example.com") == "ann@example%2Ecom"


def test_created_at_is_kept_and_times_are_aware(store: HoldfastStore) -> None:
    before = datetime.now(timezone.utc) - timedelta(seconds=1)
    store.put(NOTES, "1", {"n": 1})
    first = store.get(NOTES, "1")
    store.put(NOTES, "1", {"n": 2})
    second = store.get(NOTES, "1")

    assert first.created_at == second.created_at > before
    assert second.updated_at > first.updated_at
    assert second.created_at.utcoffset() == timedelta(0)
