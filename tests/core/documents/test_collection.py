"""`Collection`: documents whose vectors the caller makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from holdfast import EmbedderMismatchError, InvalidInputError, Memory
from holdfast.documents import Collection, Documents, Put
from holdfast.testing import HashEmbedder


@pytest.fixture
def collection(path: Path) -> Iterator[Collection]:
    collection = Collection(path, ("shop",), fingerprint="mine")
    yield collection
    collection.close()


def entry(key: str, *labels: str, vector: list[float] | None = None, **value: object) -> Put:
    return Put(labels, key, value, [f"text of {key}"], vectors=[vector or [1.0, 0.0]])


def keys(collection: Collection, *below: str) -> set[str]:
    return {document.key for document in collection.list(below, limit=1000)}


def test_the_nearest_are_found_by_vector(collection: Collection) -> None:
    collection.put([entry("a", vector=[2.0, 0.0]), entry("b", vector=[1.0, 1.0])])
    found = collection.search([1.0, 0.0])
    assert [match.document.key for match in found] == ["a", "b"]
    assert [match.score for match in found] == pytest.approx([1.0, 0.5**0.5])


def test_words_lift_what_shares_them(collection: Collection) -> None:
    collection.put([entry("apple", vector=[0.7, 0.7]), entry("pear", vector=[0.8, 0.6])])
    found = collection.search([1.0, 0.0], words="where is the apple?")
    assert [match.document.key for match in found] == ["apple", "pear"]
    assert (found[0].score or 0) > found[0].parts["dense"]


def test_a_search_stays_below_its_labels(collection: Collection) -> None:
    collection.put([entry("a", "x"), entry("b", "x", "y"), entry("c", "xy")])
    found = collection.search([1.0, 0.0], ("x",))
    assert {match.document.key for match in found} == {"a", "b"}


def test_filters_are_settled_before_the_limit(collection: Collection) -> None:
    collection.put([entry(str(n), vector=[1.0, n / 100], kind="near") for n in range(50)])
    collection.put([entry("far", vector=[0.1, 1.0], kind="far")])
    (match,) = collection.search([1.0, 0.0], filters={"kind": "far"}, limit=1)
    assert match.document.key == "far"


def test_a_document_of_a_known_key_gives_way_wherever_it_lies(collection: Collection) -> None:
    collection.put([entry("a", "old", n=1)])
    collection.put([entry("a", "new", n=2)])
    ((document, vector),) = collection.get(["a"])
    assert (document.namespace, document.value) == (("new",), {"n": 2})
    assert vector == pytest.approx([1.0, 0.0])
    assert collection.counts() == {("new",): 1}


def test_documents_come_in_the_order_of_the_keys_asked_for(collection: Collection) -> None:
    collection.put([entry("a", "x"), entry("b", "y")])
    assert [document.key for document, _ in collection.get(["b", "missing", "a"])] == ["b", "a"]


def test_a_document_without_a_vector_is_found_by_key_and_filter_alone(
    collection: Collection,
) -> None:
    collection.put([Put((), "plain", {"n": 1}), entry("a")])
    assert [match.document.key for match in collection.search([1.0, 0.0])] == ["a"]
    assert collection.get(["plain"])[0][1] is None
    assert [document.key for document in collection.list(filters={"n": 1})] == ["plain"]


def test_only_what_satisfies_everything_is_deleted(collection: Collection) -> None:
    collection.put([entry("a", "x", n=1), entry("b", "x", n=2), entry("c", "y", n=1)])
    assert collection.delete(("x",), filters={"n": 1}, keys=["a", "c"]) == 1
    assert keys(collection) == {"b", "c"}
    assert collection.delete(keys=[]) == 0
    assert collection.delete() == 2


def test_what_was_deleted_is_found_no_more(collection: Collection) -> None:
    collection.put([entry(str(n)) for n in range(10)])
    assert len(collection.search([1.0, 0.0])) == 10
    collection.delete(keys=["3"])
    assert "3" not in {match.document.key for match in collection.search([1.0, 0.0])}


def test_lists_are_ordered_by_a_field(collection: Collection) -> None:
    collection.put([entry(key, rank=rank) for key, rank in (("a", 2), ("b", 3), ("c", 1))])
    assert [document.key for document in collection.list(order="-rank")] == ["b", "a", "c"]
    assert [document.key for document in collection.list(order="rank", limit=1, offset=1)] == ["a"]
    assert collection.list(order="rank", limit=0) == []


def test_namespaces_and_values_are_counted(collection: Collection) -> None:
    collection.put([entry(str(n), f"s{n % 2}", tags=["all", f"t{n % 3}"]) for n in range(6)])
    assert collection.namespaces() == [("s0",), ("s1",)]
    assert collection.counts() == {("s0",): 3, ("s1",): 3}
    assert collection.tally("tags") == {"all": 6, "t0": 2, "t1": 2, "t2": 2}
    assert collection.tally("missing") == {}


def test_nothing_beyond_the_prefix_is_reached(path: Path, collection: Collection) -> None:
    other = Collection(path, ("shop-two",), fingerprint="mine")
    other.put([entry("a")])
    assert keys(collection) == set()
    assert collection.get(["a"]) == []
    assert collection.delete(keys=["a"]) == 0
    assert collection.search([1.0, 0.0]) == []


def test_documents_of_the_same_file_are_left_alone(path: Path, collection: Collection) -> None:
    documents = Documents.open(path)
    documents.put(("notes",), "n", {"x": 1})
    collection.put([entry("a")])
    collection.delete()
    assert documents.get(("notes",), "n") is not None


def test_vectors_of_another_length_are_refused(collection: Collection) -> None:
    collection.put([entry("a")])
    with pytest.raises(EmbedderMismatchError):
        collection.put([entry("b", vector=[1.0, 0.0, 0.0])])
    with pytest.raises(EmbedderMismatchError):
        collection.search([1.0, 0.0, 0.0])
    with pytest.raises(EmbedderMismatchError):
        collection.put([entry("c"), entry("d", vector=[1.0])])
    assert keys(collection) == {"a"}


def test_an_emptied_file_takes_another_embedder(path: Path, collection: Collection) -> None:
    collection.put([entry("a")])
    collection.delete()
    other = Collection(path, ("shop",), fingerprint="another")
    other.put([entry("b", vector=[1.0, 0.0, 0.0])])
    assert other.dimension == 3
    assert [match.document.key for match in other.search([1.0, 0.0, 0.0])] == ["b"]


def test_a_file_with_vectors_of_documents_refuses_a_collection(path: Path) -> None:
    documents = Documents.open(path, embedder=HashEmbedder())
    documents.put(("notes",), "n", {"x": 1}, texts=["x"])
    with pytest.raises(EmbedderMismatchError):
        Collection(path, ("shop",), fingerprint="mine").put([entry("a")])


@pytest.mark.parametrize(
    "wrong",
    [
        Put(("",), "a", {}),
        Put((), "", {}),
        Put((), "a", {"when": object()}),
    ],
)
def test_what_cannot_be_stored_is_refused(collection: Collection, wrong: Put) -> None:
    with pytest.raises(InvalidInputError):
        collection.put([entry("b"), wrong])
    assert keys(collection) == set()


# -- a change of embedder ----------------------------------------------------------------------


def vectors(collection: Collection) -> list[object]:
    return [vector for _, vector in collection.get(["a", "b"])]


def test_reembedding_refuses_a_file_with_vectors_that_only_their_caller_can_make(
    path: Path, collection: Collection
) -> None:
    collection.put([entry("a", "shelf"), entry("b", vector=[0.6, 0.8])])
    before = vectors(collection)
    with Memory(path, embedder=HashEmbedder()) as memory:
        with pytest.raises(InvalidInputError, match=r"collection at \('shop'"):
            memory.reembed()
        assert memory.stats().embedder == "mine"
    assert [list(v) for v in vectors(collection)] == [list(v) for v in before]  # type: ignore[call-overload]


def test_the_same_embedder_leaves_the_callers_vectors_alone(path: Path) -> None:
    embedder = HashEmbedder(2)
    collection = Collection(path, ("shop",), fingerprint=embedder.fingerprint)
    collection.put([entry("a", vector=[0.6, 0.8])])
    with Memory(path, embedder=embedder) as memory:
        assert memory.reembed() == 0
        memory.add("said", user_id="ada")
        assert memory.reembed() == 1
        assert memory.stats(check=True).problems == ()
        assert memory.stats().embedder == embedder.fingerprint
    assert list(collection.search([0.6, 0.8])[0].document.key) == ["a"]
    collection.close()


def test_an_emptied_collection_holds_no_reembedding_up(path: Path, collection: Collection) -> None:
    collection.put([entry("a"), Put((), "no vector", {})])
    collection.delete(keys=["a"])
    with Memory(path, embedder=HashEmbedder()) as memory:
        memory.add("said", user_id="ada")
        with Memory(path, embedder=HashEmbedder(48, name="other")) as other:
            assert other.reembed() == 1


@pytest.mark.parametrize(
    "ask",
    [
        lambda collection, text: collection.put([Put((text,), "k", {}, vectors=[[1.0, 0.0]])]),
        lambda collection, text: collection.put([Put((), text, {}, vectors=[[1.0, 0.0]])]),
        lambda collection, text: collection.get([text]),
        lambda collection, text: collection.delete((text,)),
        lambda collection, text: collection.delete(keys=[text]),
        lambda collection, text: collection.list(order=text),
        lambda collection, text: collection.counts((text,)),
        lambda collection, text: collection.namespaces((text,)),
        lambda collection, text: collection.tally(text),
    ],
)
def test_what_is_no_text_names_nothing(collection: Collection, ask: Callable[..., object]) -> None:
    with pytest.raises(InvalidInputError):
        ask(collection, "\ud800")
