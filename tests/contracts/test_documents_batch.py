"""The document layer: several operations at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from holdfast import InvalidInputError, ProviderError
from holdfast.documents import Get, ListNamespaces, Put, Search
from holdfast.testing import HashEmbedder
from support.faces import Face


def test_results_come_in_the_order_of_the_operations(face: Face) -> None:
    face.documents.put(("a",), "k", 1, texts=["tea"])
    got, listed, found, gone, missing = face.documents.batch(
        [
            Get(("a",), "k"),
            ListNamespaces(),
            Search((), "tea"),
            Put(("a",), "k", None),
            Put(("a",), "never", None),
        ]
    )
    assert got.value == 1
    assert listed == [("a",)]
    assert [match.document for match in found] == [got]
    assert (gone, missing) == (True, False)


def test_reads_see_what_was_there_before_the_writes(face: Face) -> None:
    face.documents.put(("a",), "k", 1)
    _, got = face.documents.batch([Put(("a",), "k", 2), Get(("a",), "k")])
    assert got.value == 1
    assert face.documents.get(("a",), "k").value == 2


def test_of_several_puts_to_one_key_the_last_wins(face: Face) -> None:
    face.documents.batch([Put(("a",), "k", 1), Put(("a",), "k", None), Put(("a",), "k", 3)])
    assert face.documents.get(("a",), "k").value == 3
    face.documents.batch([Put(("a",), "k", 4), Put(("a",), "k", None)])
    assert face.documents.get(("a",), "k") is None


def test_an_operation_that_makes_no_sense_spares_its_neighbours(face: Face) -> None:
    results = face.documents.batch(
        [
            Put(("a",), "one", 1),
            Put(("a",), "", 2),
            Put(("a",), "long", 3, texts=["\x00"]),
            Search((), mode="sorcery"),  # type: ignore[arg-type]
            Get(("",), "k"),
            Put(("a",), "two", 2),
        ]
    )
    assert [isinstance(result, InvalidInputError) for result in results] == [
        *(False, True, True, True, True, False)
    ]
    assert face.documents.get(("a",), "one").value == 1
    assert face.documents.get(("a",), "two").value == 2


def test_an_embedder_that_fails_half_way_leaves_nothing(opened: Callable[..., Face]) -> None:
    face = opened(embedder=HashEmbedder(fail_at=3))
    with pytest.raises(ProviderError):
        face.documents.batch([Put(("a",), f"k{n}", n, texts=[f"tea {n}"]) for n in range(5)])
    assert face.documents.namespaces() == []
    assert face.stats(check=True).problems == ()


def test_nothing_to_do_is_nothing_done(face: Face) -> None:
    assert face.documents.batch([]) == []
