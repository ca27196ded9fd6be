import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from holdfast import Memory
from holdfast.testing import HashEmbedder
from holdfast_langgraph import HoldfastStore, namespace
from langgraph.store.base import PutOp, SearchOp


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "a.db", embedder=HashEmbedder()) as opened:
        opened.add("Ada moved to Berlin", user_id="ann@example.com", kind="fact")
        opened.add(
            "Ada drinks green tea",
            user_id="ann@example.com",
            kind="fact",
            metadata={"topic": "food"},
        )
        opened.add("Bob drives a red car", user_id="bob", kind="fact")
        yield opened


ANN = namespace("holdfast", "ann@example.com")


def test_a_users_memories_are_found_in_a_namespace_of_their_own(memory: Memory) -> None:
    store = HoldfastStore.from_memory(memory)

    found = store.search(ANN, query="tea")
    listed = store.search(ANN, limit=1, offset=1)
    got = store.get(ANN, found[0].key)

    assert [item.value["content"] for item in found] == [
        "Ada drinks green tea",
        "Ada moved to Berlin",
    ]
    assert found[0].value["metadata"] == {"topic": "food"}
    assert [item.value["content"] for item in listed] == ["Ada moved to Berlin"]
    assert got is not None
    assert got.value == found[0].value
    assert store.get(ANN, "none") is None


def test_the_async_face_finds_the_same(memory: Memory) -> None:
    store = HoldfastStore.from_memory(memory)

    async def scenario() -> list[object]:
        found = await store.asearch(ANN, query="tea", limit=1)
        listed = await store.asearch(ANN)
        got = await store.aget(ANN, found[0].key)
        return [found[0].value, len(listed), got and got.value, await store.aget(ANN, "none")]

    value, count, got, none = asyncio.run(scenario())

    assert value == got
    assert (count, none) == (2, None)


def test_filters_reach_their_metadata_and_text(memory: Memory) -> None:
    store = HoldfastStore.from_memory(memory)

    by_topic = store.search(ANN, filter={"metadata": {"topic": "food"}, "kind": "fact"})
    by_text = store.search(ANN, filter={"$or": [{"content": {"$contains": "Berlin"}}]})

    assert [item.value["content"] for item in by_topic] == ["Ada drinks green tea"]
    assert [item.value["content"] for item in by_text] == ["Ada moved to Berlin"]


def test_nobody_reads_another_users_memories(memory: Memory) -> None:
    store = HoldfastStore.from_memory(memory)
    key = store.search(ANN, query="tea")[0].key

    assert store.get(("holdfast", "bob"), key) is None
    assert len(store.search(("holdfast", "bob"), query="tea")) == 1
    assert store.search(()) == []
    with pytest.raises(ValueError, match="user"):
        store.search(("holdfast",))


def test_memories_are_read_only_here(memory: Memory) -> None:
    store = HoldfastStore.from_memory(memory)
    key = store.search(ANN, query="tea")[0].key

    for operation in (PutOp(ANN, key, {}), PutOp(ANN, key, None)):
        with pytest.raises(ValueError, match="read-only"):
            store.batch([PutOp(("notes",), "1", {}), operation])

    assert store.get(("notes",), "1") is None


def test_a_question_about_memories_that_fails_writes_nothing(memory: Memory) -> None:
    store = HoldfastStore.from_memory(memory)
    nobody = SearchOp(("holdfast", "x" * 300), query="tea")

    with pytest.raises(ValueError, match="user_id"):
        store.batch([PutOp(("notes",), "1", {}), nobody])
    with pytest.raises(ValueError, match="user_id"):
        asyncio.run(store.abatch([PutOp(("notes",), "1", {}), nobody]))

    assert store.get(("notes",), "1") is None


def test_items_lie_beside_memories_and_share_the_embedder(memory: Memory) -> None:
    store = HoldfastStore.from_memory(memory, index={"fields": ["text"]}, memories=None)
    store.put(("holdfast", "x"), "1", {"text": "green tea"})
    store.close()

    assert store.search(("holdfast",), query="tea")[0].score > 0.5
    assert memory.documents.get(("holdfast", "x"), "1") is not None


def test_a_memorys_store_takes_no_other_embedder(memory: Memory) -> None:
    with pytest.raises(ValueError, match="embed"):
        HoldfastStore.from_memory(memory, index={"embed": HashEmbedder()})  # type: ignore[typeddict-item]
