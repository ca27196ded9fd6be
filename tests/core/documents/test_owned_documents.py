"""Documents that a scope owns: apart from all others, and erased, exported and counted with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from holdfast import InvalidInputError, Memory, Scope, Within
from holdfast.documents import Documents
from holdfast.testing import HashEmbedder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NOTES = ("notes",)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "memory.db", embedder=HashEmbedder()) as memory:
        yield memory


def of(memory: Memory, **ids: str) -> Documents:
    return memory.scoped(**ids).documents


def value(documents: Documents, key: str) -> Any:
    found = documents.get(NOTES, key)
    return None if found is None else found.value


def test_the_same_labels_under_another_scope_are_other_documents(memory: Memory) -> None:
    for owner, words in (("ada", "green tea"), ("bob", "black tea")):
        of(memory, user_id=owner).put(NOTES, "k", {"by": owner}, texts=[words])
    memory.documents.put(NOTES, "k", {"by": "all"}, texts=["white tea"])
    for documents, by in (
        (of(memory, user_id="ada"), "ada"),
        (of(memory, user_id="bob"), "bob"),
        (memory.documents, "all"),
    ):
        assert value(documents, "k") == {"by": by}
        assert [match.document.value["by"] for match in documents.search(NOTES, "tea")] == [by]
        assert [document.value["by"] for document in documents.list()] == [by]
        assert documents.namespaces() == [NOTES]


def test_a_document_tells_whose_it_is(memory: Memory) -> None:
    of(memory, user_id="ada", run_id="monday").put(NOTES, "k", 1)
    memory.documents.put(NOTES, "k", 1)
    (found,) = of(memory, user_id="ada").list()
    assert found.scope == Scope(user_id="ada", run_id="monday")
    assert memory.documents.list()[0].scope is None


def test_a_looser_handle_reads_and_deletes_what_a_narrower_one_wrote(memory: Memory) -> None:
    monday = of(memory, user_id="ada", run_id="monday")
    monday.put(NOTES, "k", "monday", texts=["green tea"])
    ada = of(memory, user_id="ada")
    assert ada.get(NOTES, "k") == monday.get(NOTES, "k")
    assert len(ada.search((), "tea")) == 1
    assert of(memory, user_id="ada", run_id="friday").get(NOTES, "k") is None
    assert of(memory, user_id="bob").list() == []
    assert ada.delete(NOTES, "k")
    assert monday.get(NOTES, "k") is None


def test_a_handle_writes_under_exactly_its_own_ids_and_reads_those_first(memory: Memory) -> None:
    ada, monday = of(memory, user_id="ada"), of(memory, user_id="ada", run_id="monday")
    ada.put(NOTES, "k", "ada")
    monday.put(NOTES, "k", "monday")
    values = [(one.value, one.scope and one.scope.run_id) for one in ada.list()]
    assert values == [("monday", "monday"), ("ada", None)]
    assert value(ada, "k") == "ada"
    ada.put(NOTES, "k", "ada again")
    assert [one.value for one in monday.list()] == ["monday"]


def test_a_prefix_ends_with_a_whole_label(memory: Memory) -> None:
    ada = of(memory, user_id="ada")
    for labels in (("a",), ("a", "b"), ("ab",), ("a\x1fb",), ("\x1e",)):
        ada.put(labels, "k", 1)
    assert ada.namespaces(("a",)) == [("a",), ("a", "b")]
    assert ada.namespaces() == [("\x1e",), ("a",), ("a", "b"), ("a\x1fb",), ("ab",)]
    assert [match.document.namespace for match in ada.search(("a",), exact=True)] == [("a",)]


def test_a_tree_of_ids_reads_the_documents_below_it(memory: Memory) -> None:
    of(memory, user_id="/team/ada").put(NOTES, "k", "ada")
    of(memory, user_id="/teams").put(NOTES, "k", "other")
    assert [one.value for one in of(memory, user_id=Within("/team")).list()] == ["ada"]


def test_records_and_owned_documents_do_not_show_each_other(memory: Memory) -> None:
    memory.add("green tea", user_id="ada")
    of(memory, user_id="ada").put(NOTES, "k", {}, texts=["black tea"])
    assert [match.record.text for match in memory.search("tea", user_id="ada")] == ["green tea"]
    assert [record.text for record in memory.list(user_id="ada")] == ["green tea"]
    assert [match.document.key for match in of(memory, user_id="ada").search((), "tea")] == ["k"]
    memory.add("white tea", user_id="ada")
    assert len(memory.search("tea", user_id="ada")) == 2


def test_erasing_a_scope_erases_its_documents_and_their_bytes(
    memory: Memory, tmp_path: Path
) -> None:
    of(memory, user_id="ada", run_id="r").put(("QUINOAXYZ",), "k", "QUINOAXYZ", texts=["QUINOAXYZ"])
    of(memory, user_id="bob").put(NOTES, "k", "bob")
    memory.documents.put(NOTES, "k", "all")
    memory.delete_all(user_id="ada")
    assert of(memory, user_id="ada").list() == []
    assert of(memory, user_id="bob").get(NOTES, "k") is not None
    assert memory.documents.get(NOTES, "k") is not None
    for file in tmp_path.iterdir():
        assert b"QUINOAXYZ" not in file.read_bytes()
    assert memory.stats(check=True).problems == ()


def test_a_filter_erases_records_alone(memory: Memory) -> None:
    memory.add("tea", user_id="ada", metadata={"kind": "drink"}, infer=False)
    of(memory, user_id="ada").put(NOTES, "k", {"kind": "drink"})
    assert memory.delete_all(user_id="ada", filters={"metadata.kind": "drink"}) == 1
    assert of(memory, user_id="ada").get(NOTES, "k") is not None
    assert memory.stats(check=True).problems == ()


def test_owned_documents_are_counted_with_their_scope_and_others_named(memory: Memory) -> None:
    of(memory, user_id="ada").put(NOTES, "a", 1)
    memory.documents.put(("notes", "2026"), "b", 1)
    memory.documents.put(("notes", "2026"), "c", 1)
    assert memory.scoped(user_id="ada").stats().documents == 1
    counted = memory.stats(check=True)
    assert (counted.documents, counted.problems) == (3, ())
    assert counted.unowned == {"documents: notes/2026": 2}
    assert memory.stats().unowned == {}


def test_an_export_of_a_scope_carries_its_documents_alone(memory: Memory, tmp_path: Path) -> None:
    of(memory, user_id="ada", run_id="r").put(NOTES, "k", {"n": 1}, texts=["green tea"])
    of(memory, user_id="bob").put(NOTES, "k", "bob")
    memory.documents.put(NOTES, "k", "all")
    memory.scoped(user_id="ada").export(tmp_path / "ada.jsonl")
    memory.export(tmp_path / "all.jsonl")
    with Memory(tmp_path / "other.db", embedder=HashEmbedder()) as other:
        with pytest.raises(InvalidInputError, match="outside the scope"):
            other.import_(tmp_path / "all.jsonl", user_id="ada")
        assert other.import_(tmp_path / "ada.jsonl", user_id="ada") == 1
        assert of(other, user_id="ada").list() == of(memory, user_id="ada").list()
        assert len(of(other, user_id="ada", run_id="r").search(NOTES, "green tea")) == 1
        assert other.documents.list() == []
        assert other.stats(check=True).problems == ()
        assert other.import_(tmp_path / "ada.jsonl") == 0


# -- erasure and export beside records, of random scopes ---------------------------------------

ids = st.sampled_from([None, "a", "b"])
scopes = st.fixed_dictionaries(dict.fromkeys(("user_id", "agent_id", "run_id"), ids)).map(
    lambda given: {name: value for name, value in given.items() if value is not None}
)
written = st.lists(
    st.tuples(
        scopes,
        st.sampled_from([(), ("n",), ("n", "m")]),
        st.sampled_from(["k", "l"]),
        st.booleans(),
    ),
    max_size=8,
)


def covers(loose: dict[str, str], exact: dict[str, str]) -> bool:
    return all(exact.get(name) == value for name, value in loose.items())


def held(memory: Memory, scope: dict[str, str]) -> tuple[list[Any], list[Any]]:
    """Return what a scope reaches: its documents, and the texts of its records."""
    documents = [
        (one.namespace, one.key, one.value, one.scope and one.scope.ids())
        for one in of(memory, **scope).list(limit=1000)
    ]
    return sorted(documents, key=repr), sorted(one.text for one in memory.list(**scope).records)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(written, scopes.filter(bool))
def test_erasure_and_export_reach_what_a_scope_reaches(
    tmp_path: Path, rows: list[tuple[dict[str, str], tuple[str, ...], str, bool]], scope: Any
) -> None:
    target = tmp_path / "export.jsonl"
    with Memory(":memory:", embedder=HashEmbedder(8)) as memory:
        expected: dict[str, Any] = {}
        for number, (owner, labels, key, indexed) in enumerate(rows):
            if not labels and owner:
                memory.add(f"record {number}", infer=False, **owner)
            elif labels:
                documents = of(memory, **owner) if owner else memory.documents
                documents.put(labels, key, number, texts=[f"text {number}"] if indexed else ())
                expected[repr((owner, labels, key))] = (owner, labels, key, number)
        mine = [
            (labels, key, number, owner)
            for owner, labels, key, number in expected.values()
            if owner and covers(scope, owner)
        ]
        before = held(memory, scope)
        assert before[0] == sorted(mine, key=repr)
        memory.scoped(**scope).export(target)
        with Memory(":memory:", embedder=HashEmbedder(8)) as copy:
            copy.import_(target, **scope)
            assert held(copy, scope) == before
            assert copy.documents.list() == []
            assert copy.stats(check=True).problems == ()
        everything = len(expected)
        memory.delete_all(**scope)
        assert held(memory, scope) == ([], [])
        assert memory.stats(check=True).problems == ()
        assert memory.stats().documents == everything - len(mine)
