import asyncio
import random
from collections.abc import Iterable
from typing import Any

import pytest
from holdfast_langgraph import HoldfastStore
from langgraph.store.base import SearchOp
from langgraph.store.memory import InMemoryStore
from support.word_embeddings import WordEmbeddings

PLACES = [("notes", "ada"), ("notes", "ada", "old"), ("notes", "bob"), ("other",)]


def filled() -> InMemoryStore:
    source = InMemoryStore()
    for number in range(1_203):
        source.put(PLACES[number % 4], str(number), {"text": f"tea {number}"})
    return source


def opened() -> HoldfastStore:
    return HoldfastStore(":memory:", index={"embed": WordEmbeddings(512), "fields": ["text"]})


@pytest.mark.parametrize("face", ["sync", "async"])
def test_every_item_of_another_store_moves_in(face: str) -> None:
    source, store = filled(), opened()

    if face == "sync":
        copied = store.import_store(source)
    else:
        copied = asyncio.run(store.aimport_store(source))

    assert copied == 1_203
    assert len(store.search((), limit=2_000)) == 1_203
    assert store.list_namespaces() == PLACES
    assert store.search(("notes",), query="tea 1202")[0].key == "1202"


class Shuffled(InMemoryStore):
    """Lists equals in another order each time, as PostgreSQL may, and prefixes as text."""

    dice = random.Random(3)

    def batch(self, ops: Iterable[Any]) -> list[Any]:
        return [self._answer(op) for op in ops]

    def _answer(self, op: Any) -> Any:
        if not isinstance(op, SearchOp):
            return super().batch([op])[0]
        found: Any = super().batch([SearchOp((), limit=2_000)])[0]
        begun = [item for item in found if item.namespace[0].startswith(op.namespace_prefix[0])]
        self.dice.shuffle(begun)
        return begun[op.offset : op.offset + op.limit]


def test_a_store_that_lists_equals_in_any_order_moves_in_whole() -> None:
    source, store = Shuffled(), HoldfastStore(":memory:")
    for number in range(1_203):
        source.put(("note" if number % 2 else "notes", "ada"), str(number), {"n": number})

    assert store.import_store(source) == 1_203
    assert len(store.search((), limit=2_000)) == 1_203


def test_items_keep_their_birthday_and_their_order() -> None:
    source, store = filled(), opened()
    store.import_store(source, index=False)

    born: Any = source.get(PLACES[0], "0")
    here: Any = store.get(PLACES[0], "0")

    assert here.created_at == born.created_at
    assert here.updated_at > born.updated_at
    newest = [item.key for item in store.search(("other",), limit=3)]
    assert newest == ["1199", "1195", "1191"]
    assert store.search(("other",), query="tea")[0].score is None


def test_a_lifetime_may_be_given_and_import_may_be_repeated() -> None:
    source, store = filled(), opened()

    store.import_store(source)
    store.import_store(source, ttl=1e-9)

    assert store.sweep_ttl() == 1_203


def test_a_holdfast_store_moves_into_another() -> None:
    first, second = opened(), opened()
    first.import_store(filled())

    assert second.import_store(first) == 1_203
