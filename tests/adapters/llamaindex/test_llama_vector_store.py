from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from holdfast import EmbedderMismatchError, FilterError
from holdfast_llamaindex import HoldfastVectorStore
from llama_index.core import Document, StorageContext, VectorStoreIndex
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.memory import VectorMemoryBlock
from llama_index.core.schema import (
    ImageNode,
    IndexNode,
    NodeRelationship,
    RelatedNodeInfo,
    TextNode,
)
from llama_index.core.vector_stores import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
)
from llama_index.core.vector_stores.types import VectorStoreQueryMode
from support.llama_models import said

pytestmark = pytest.mark.anyio


def node(id: str, embedding: list[float], document: str = "d", **metadata: Any) -> TextNode:
    source = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id=document)}
    return TextNode(
        id_=id, text=f"text of {id}", embedding=embedding, metadata=metadata, relationships=source
    )


NODES = [
    node("a", [1, 0], "d0", weight=1.0, rank="a", tags=["mid", "high"], code="6FTR78Yun", on=True),
    node("b", [0, 1], "d1", weight=2.0, rank="c", tags=["mid"], code="6FTR78Ygl", note=""),
    node("c", [1, 1], "d2", weight=3.0, rank="c", tags=[], code="6FTR78Ztl", **{"a.b": "%"}),
]


@pytest.fixture
def store(path: Path) -> Iterator[HoldfastVectorStore]:
    made = HoldfastVectorStore(path)
    made.add(NODES)
    yield made
    made.close()


def ids(store: HoldfastVectorStore, **options: Any) -> list[str]:
    asked = {"query_embedding": [1.0, 1.0], "similarity_top_k": 3} | options
    return store.query(VectorStoreQuery(**asked)).ids or []


def filtered(*filters: Any, condition: FilterCondition | None = FilterCondition.AND) -> Any:
    return {"filters": MetadataFilters(filters=list(filters), condition=condition)}


def test_the_nearest_come_first_with_cosines(store: HoldfastVectorStore) -> None:
    found = store.query(VectorStoreQuery(query_embedding=[1.0, 1.0], similarity_top_k=3))

    assert (found.ids or [])[0] == "c"
    assert found.similarities == pytest.approx([1, 0.7071, 0.7071], abs=1e-4)
    assert (found.nodes or [])[0].metadata["weight"] == 3.0
    assert ids(store, similarity_top_k=1) == ["c"]


O = FilterOperator  # noqa: E741 - it heads every line of the table
TABLE = [
    ("rank", O.EQ, "c", "bc"),
    ("weight", O.EQ, 2, "b"),
    ("on", O.EQ, 1, "a"),
    ("tags", O.EQ, ["mid"], "b"),
    ("missing", O.EQ, "x", ""),
    ("weight", O.NE, 1.0, "bc"),
    ("missing", O.NE, "x", "abc"),
    ("weight", O.GT, 1.5, "bc"),
    ("weight", O.GTE, 2.0, "bc"),
    ("weight", O.LT, 2, "a"),
    ("weight", O.LTE, 2, "ab"),
    ("rank", O.GT, "b", "bc"),
    ("rank", O.IN, ["a", "x"], "a"),
    ("rank", O.IN, [], ""),
    ("rank", O.NIN, ["c"], "a"),
    ("missing", O.NIN, ["c"], "abc"),
    ("tags", O.CONTAINS, "high", "a"),
    ("code", O.CONTAINS, "Ztl", "c"),
    ("tags", O.ANY, ["high", "low"], "a"),
    ("tags", O.ANY, [], ""),
    ("tags", O.ALL, ["mid", "high"], "a"),
    ("tags", O.ALL, [], "abc"),
    ("code", O.TEXT_MATCH, "78Y", "ab"),
    ("code", O.TEXT_MATCH, "78y", ""),
    ("code", O.TEXT_MATCH_INSENSITIVE, "78y", "ab"),
    ("tags", O.IS_EMPTY, None, "c"),
    ("note", O.IS_EMPTY, None, "abc"),
    ("a.b", O.EQ, "%", "c"),
]


@pytest.mark.parametrize(("key", "operator", "value", "expected"), TABLE)
def test_every_operator_filters(
    store: HoldfastVectorStore, key: str, operator: FilterOperator, value: Any, expected: str
) -> None:
    one = MetadataFilter(key=key, operator=operator, value=value)

    assert sorted(ids(store, **filtered(one))) == list(expected)
    rest = sorted(ids(store, **filtered(one, condition=FilterCondition.NOT)))
    assert rest == sorted({"a", "b", "c"} - set(expected))


def test_conditions_combine_and_nest(store: HoldfastVectorStore) -> None:
    rank = MetadataFilter(key="rank", value="c")
    light = MetadataFilter(key="weight", operator=O.LT, value=2.5)
    either = MetadataFilters(filters=[rank, light], condition=FilterCondition.OR)
    neither = MetadataFilters(filters=[rank, light], condition=FilterCondition.NOT)

    assert ids(store, **filtered(rank, light)) == ["b"]
    assert ids(store, **filtered(rank, light, condition=None)) == ["b"]
    assert sorted(ids(store, filters=either)) == ["a", "b", "c"]
    assert ids(store, filters=neither) == []
    assert ids(store, **filtered(either, MetadataFilter(key="weight", value=3.0))) == ["c"]
    assert len(ids(store, **filtered())) == 3


def test_a_filter_is_settled_before_the_limit(path: Path) -> None:
    with_noise = HoldfastVectorStore(path)
    with_noise.add([node(f"n{number}", [1, 0.01 * number], kind="noise") for number in range(500)])
    with_noise.add([node("far", [-1, 0], kind="wanted")])

    wanted = MetadataFilter(key="kind", value="wanted")
    assert ids(with_noise, query_embedding=[1.0, 0.0], **filtered(wanted)) == ["far"]


@pytest.mark.parametrize(
    ("operator", "value"), [(O.GT, ["a"]), (O.TEXT_MATCH, 1), (O.IN, None), (O.CONTAINS, None)]
)
def test_a_filter_without_sense_is_an_error(
    store: HoldfastVectorStore, operator: FilterOperator, value: Any
) -> None:
    with pytest.raises(FilterError):
        ids(store, **filtered(MetadataFilter(key="rank", operator=operator, value=value)))


def test_nodes_and_documents_can_be_named(store: HoldfastVectorStore) -> None:
    assert ids(store, node_ids=["b"]) == ["b"]
    assert len(ids(store, node_ids=[], doc_ids=[])) == 3  # as the retriever sends them
    assert sorted(ids(store, doc_ids=["d0", "d1"])) == ["a", "b"]


def test_hybrid_search_lifts_shared_words(path: Path) -> None:
    words = HoldfastVectorStore(path)
    words.add(
        [
            TextNode(id_="near", text="the weather in Oslo", embedding=[1.0, 0.6]),
            TextNode(id_="named", text="order number 4711", embedding=[1.0, 0.8]),
        ]
    )
    asked = {"query_embedding": [1.0, 0.0], "query_str": "4711", "similarity_top_k": 2}

    assert ids(words, **asked) == ["near", "named"]
    assert ids(words, mode=VectorStoreQueryMode.HYBRID, **asked) == ["named", "near"]
    assert ids(words, mode=VectorStoreQueryMode.HYBRID, alpha=1.0, **asked) == ["near", "named"]
    assert ids(words, mode=VectorStoreQueryMode.HYBRID, hybrid_top_k=1, **asked) == ["named"]


def test_diverse_search_passes_over_twins(path: Path) -> None:
    twins = HoldfastVectorStore(path)
    twins.add([node("one", [1, 0.1]), node("twin", [1, 0.11]), node("other", [0.6, 0.8])])
    asked = {"query_embedding": [1.0, 0.2], "similarity_top_k": 2, "mmr_threshold": 0.3}

    assert ids(twins, mode=VectorStoreQueryMode.MMR, **asked) == ["twin", "other"]


def test_a_mode_it_does_not_have_is_an_error(store: HoldfastVectorStore) -> None:
    with pytest.raises(ValueError, match="query mode 'svm'"):
        ids(store, mode=VectorStoreQueryMode.SVM)
    with pytest.raises(ValueError, match="no embedding"):
        store.query(VectorStoreQuery(query_str="text"))


def test_a_documents_nodes_are_deleted(store: HoldfastVectorStore) -> None:
    store.delete("d1")

    assert sorted(ids(store)) == ["a", "c"]


def test_nodes_are_deleted_by_id_by_filter_and_by_both(store: HoldfastVectorStore) -> None:
    light = MetadataFilters(filters=[MetadataFilter(key="weight", operator=O.LT, value=2.5)])
    store.delete_nodes(["c"], filters=light)
    assert len(ids(store)) == 3
    store.delete_nodes(["c"])
    store.delete_nodes(filters=light)
    assert ids(store) == []


def test_deleting_nothing_in_particular_is_an_error(store: HoldfastVectorStore) -> None:
    with pytest.raises(ValueError, match="clear"):
        store.delete_nodes()


def test_a_cleared_store_takes_vectors_of_another_model(store: HoldfastVectorStore) -> None:
    with pytest.raises(EmbedderMismatchError):
        store.add([node("x", [1, 2, 3])])

    store.clear()
    store.add([node("x", [1, 2, 3])])

    assert ids(store, query_embedding=[1.0, 2.0, 3.0]) == ["x"]


def test_nodes_come_back_by_id_and_by_filter(store: HoldfastVectorStore) -> None:
    rank = MetadataFilters(filters=[MetadataFilter(key="rank", value="c")])

    assert [found.node_id for found in store.get_nodes(["c", "x", "a"])] == ["c", "a"]
    assert [found.node_id for found in store.get_nodes(filters=rank)] == ["b", "c"]
    assert [found.node_id for found in store.get_nodes()] == ["a", "b", "c"]
    whole = store.get_nodes(["a"])[0]
    assert (whole.metadata, whole.ref_doc_id) == (NODES[0].metadata, "d0")


def test_nodes_of_every_kind_come_back_as_they_were(path: Path) -> None:
    store = HoldfastVectorStore(path)
    given = [
        IndexNode(id_="index", text="see there", index_id="there", embedding=[1.0]),
        ImageNode(id_="image", image="cGljdHVyZQ==", embedding=[1.0]),
        TextNode(id_="text", text="lone \ud800 and nul \x00", embedding=[1.0]),
    ]
    store.add(given)

    for one in given:
        found = store.get_nodes([one.node_id])[0]
        assert type(found) is type(one)
        assert found.get_content() == one.get_content()


def test_a_node_of_a_known_id_takes_the_old_ones_place(store: HoldfastVectorStore) -> None:
    store.add([node("a", [0, 1], rank="z")])

    assert len(store.get_nodes()) == 3
    assert store.get_nodes(["a"])[0].metadata == {"rank": "z"}


def test_a_node_without_embedding_stores_nothing(store: HoldfastVectorStore) -> None:
    with pytest.raises(ValueError, match="embedding not set"):
        store.add([node("x", [1, 0]), TextNode(id_="y", text="bare")])

    assert store.get_nodes(["x"]) == []


def test_the_file_is_all_there_is_to_persist(store: HoldfastVectorStore, path: Path) -> None:
    store.persist("elsewhere.json")

    again = HoldfastVectorStore.from_persist_path(str(path))
    assert len(again.get_nodes()) == 3
    assert HoldfastVectorStore.from_dict(store.to_dict()).get_nodes(["a"])


def test_collections_of_one_file_are_kept_apart(store: HoldfastVectorStore, path: Path) -> None:
    other = HoldfastVectorStore(path, collection="other")
    other.add([node("z", [1, 1])])

    assert ids(other) == ["z"]
    assert "z" not in ids(store)


def test_a_file_refuses_vectors_of_another_model(path: Path) -> None:
    one = HoldfastVectorStore(path, embed_model=MockEmbedding(embed_dim=2, model_name="one"))
    one.add([node("a", [1, 0])])
    other = HoldfastVectorStore(path, embed_model=MockEmbedding(embed_dim=2, model_name="other"))

    with pytest.raises(EmbedderMismatchError):
        other.add([node("b", [1, 0])])


async def test_the_async_face_does_the_same(path: Path) -> None:
    store = HoldfastVectorStore(path)
    assert await store.async_add(NODES) == ["a", "b", "c"]
    found = await store.aquery(VectorStoreQuery(query_embedding=[1.0, 1.0], similarity_top_k=1))
    assert found.ids == ["c"]
    await store.adelete("d1")
    await store.adelete_nodes(["c"])
    assert [one.node_id for one in await store.aget_nodes()] == ["a"]
    await store.aclear()
    assert await store.aget_nodes() == []


def test_an_index_stands_on_it(path: Path) -> None:
    store = HoldfastVectorStore(path)
    index = VectorStoreIndex.from_documents(
        [Document(id_="one", text="Rex is a dog."), Document(id_="two", text="Tom is a cat.")],
        storage_context=StorageContext.from_defaults(vector_store=store),
        embed_model=MockEmbedding(embed_dim=4),
    )
    index.delete_ref_doc("one")

    again = VectorStoreIndex.from_vector_store(
        HoldfastVectorStore(path), embed_model=MockEmbedding(embed_dim=4)
    )
    found = again.as_retriever(similarity_top_k=5).retrieve("cat")
    assert [one.node.get_content() for one in found] == ["Tom is a cat."]


async def test_llama_indexs_vector_memory_block_stands_on_it(path: Path) -> None:
    block = VectorMemoryBlock(
        vector_store=HoldfastVectorStore(path), embed_model=MockEmbedding(embed_dim=4)
    )
    await block.aput([said("user", "My dog is called Rex.")], session_id="monday")

    assert "Rex" in await block.aget([said("user", "My dog?")], session_id="monday")
