"""A listing says the same whether a view of the region is at hand or every row is read."""

from __future__ import annotations

from datetime import timedelta

import pytest
from holdfast import Memory
from holdfast.documents import Documents, Put
from holdfast.testing import HashEmbedder
from hypothesis import given, settings
from hypothesis import strategies as st

FILTERS = [
    None,
    {"n": 1},
    {"n": {"ne": 1}},
    {"n": {"gte": 1}},
    {"tags": {"contains": "a"}},
    {"missing": None},
]

puts = st.lists(
    st.builds(
        Put,
        st.sampled_from([("a",), ("a", "b"), ("c",)]),
        st.sampled_from("klmn"),
        st.none() | st.fixed_dictionaries({"n": st.integers(0, 2), "tags": st.lists(st.just("a"))}),
        st.sampled_from([["one"], ["one", "two"]]),
        st.none() | st.just(timedelta(days=1)),
    ),
    max_size=12,
)


def listings(documents: Documents) -> list[list[tuple[tuple[str, ...], str]]]:
    return [
        [
            (match.document.namespace, match.document.key)
            for match in documents.search(("a",), filters=tree, limit=3, offset=offset)
        ]
        for tree in FILTERS
        for offset in (0, 2)
    ]


@settings(max_examples=25, deadline=None)
@given(puts, puts)
def test_a_view_at_hand_changes_no_listing(before: list[Put], after: list[Put]) -> None:
    with Memory(":memory:", embedder=HashEmbedder()) as memory:
        for put in before:
            memory.documents.batch([put])
        memory.documents.search(("a",), "one")  # now there is a view of it, which must follow
        for put in after:
            memory.documents.batch([put])
        with_view = listings(memory.documents)
        memory.documents.storage.file.views.clear()
        assert with_view == listings(memory.documents)


@pytest.mark.parametrize("warm", [False, True])
def test_documents_without_texts_are_listed(warm: bool) -> None:
    with Memory(":memory:", embedder=HashEmbedder()) as memory:
        memory.documents.put(("a",), "k", {"n": 1}, texts=["one"])
        if warm:
            memory.documents.search(("a",), "one")
        memory.documents.put(("a",), "l", {"n": 2})
        found = memory.documents.search(("a",))
        assert [match.document.key for match in found] == ["l", "k"]
