"""`HoldfastStorage` keeps CrewAI's protocol where the built-in backends break it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from crewai.memory.storage.backend import EmbeddingDimensionMismatchError, StorageBackend
from crewai.memory.types import MemoryRecord
from crewai.memory.unified_memory import Memory
from holdfast import EmbedderMismatchError
from holdfast.testing import HashEmbedder
from holdfast_crewai import HoldfastMemory, HoldfastStorage
from support.crewai_doubles import FakeLLM, embed

NEW = datetime(2025, 6, 1)
OLD = datetime(2024, 6, 1)


@pytest.fixture
def storage(path: str) -> Iterator[HoldfastStorage]:
    storage = HoldfastStorage(path)
    yield storage
    storage.close()


def record(id: str, scope: str = "/", vector: list[float] | None = None, **rest: Any) -> Any:
    rest.setdefault("content", f"content of {id}")
    return MemoryRecord(id=id, scope=scope, embedding=vector or [1.0, 0.0], **rest)


def ids(storage: HoldfastStorage, scope: str | None = None) -> set[str]:
    return {found.id for found in storage.list_records(scope, limit=1000)}


def found(storage: HoldfastStorage, vector: list[float], **options: Any) -> list[str]:
    return [record.id for record, _ in storage.search(vector, **options)]


def test_it_is_a_storage_backend(storage: HoldfastStorage) -> None:
    assert isinstance(storage, StorageBackend)


# -- scopes ---------------------------------------------------------------------------------------


def test_a_scope_does_not_reach_its_sibling_with_a_longer_name(storage: HoldfastStorage) -> None:
    storage.save([record("a", "/user/1"), record("b", "/user/10"), record("c", "/user/1/notes")])
    assert ids(storage, "/user/1") == {"a", "c"}
    assert set(found(storage, [1, 0], scope_prefix="/user/1")) == {"a", "c"}
    assert storage.count("/user/1") == 2
    assert storage.get_scope_info("/user/1").record_count == 2


def test_deleting_a_scope_leaves_the_root_records(storage: HoldfastStorage) -> None:
    storage.save([record("root", "/"), record("a", "/a")])
    assert storage.delete(scope_prefix="/a") == 1
    assert ids(storage) == {"root"}


def test_resetting_a_scope_leaves_its_siblings(storage: HoldfastStorage) -> None:
    storage.save(
        [
            record("gone", "/crew/research"),
            record("two", "/crew/research-two"),
            record("x", "/crew/research.x"),
        ]
    )
    storage.reset("/crew/research")
    assert ids(storage) == {"two", "x"}


def test_paths_are_one_however_they_are_spelled(storage: HoldfastStorage) -> None:
    storage.save([record("a", "crew//a/"), record("b", "/crew/a")])
    assert ids(storage, "/crew/a/") == {"a", "b"}
    assert storage.list_scopes() == ["/crew"]


def test_list_scopes_knows_children_of_which_only_children_hold_records(
    storage: HoldfastStorage,
) -> None:
    storage.save([record("a", "/x/y/z"), record("b", "/x2")])
    assert storage.list_scopes("/") == ["/x", "/x2"]
    assert storage.list_scopes("/x") == ["/x/y"]
    assert storage.list_scopes("/x2") == []


# -- deleting by several filters ------------------------------------------------------------------


@pytest.fixture
def filled(storage: HoldfastStorage) -> HoldfastStorage:
    storage.save(
        [
            record(
                f"{place}-{age}-{kind}",
                f"/{place}",
                categories=[kind],
                created_at=NEW if age == "new" else OLD,
                metadata={"owner": place},
            )
            for place in ("a", "b")
            for age in ("new", "old")
            for kind in ("fact", "note")
        ]
    )
    return storage


CUTOFF = datetime(2025, 1, 1)


@pytest.mark.parametrize(
    ("filters", "gone"),
    [
        ({"scope_prefix": "/a", "older_than": CUTOFF}, {"a-old-fact", "a-old-note"}),
        (
            {"scope_prefix": "/a", "older_than": CUTOFF.replace(tzinfo=timezone.utc)},
            {"a-old-fact", "a-old-note"},
        ),
        ({"record_ids": ["a-new-fact", "b-new-fact"], "scope_prefix": "/a"}, {"a-new-fact"}),
        ({"record_ids": ["a-new-fact"], "categories": ["note"]}, set()),
        ({"record_ids": ["a-new-fact"], "categories": ["fact"]}, {"a-new-fact"}),
        ({"record_ids": []}, set()),
        ({"categories": ["note"], "metadata_filter": {"owner": "b"}}, {"b-new-note", "b-old-note"}),
        (
            {
                "scope_prefix": "/b",
                "categories": ["note", "other"],
                "older_than": CUTOFF,
                "metadata_filter": {"owner": "b"},
            },
            {"b-old-note"},
        ),
    ],
)
def test_only_what_satisfies_every_filter_is_deleted(
    filled: HoldfastStorage, filters: dict[str, Any], gone: set[str]
) -> None:
    before = ids(filled)
    assert filled.delete(**filters) == len(gone)
    assert before - ids(filled) == gone


def test_a_deleted_record_is_found_no_more(filled: HoldfastStorage) -> None:
    filled.delete(record_ids=["a-new-fact"])
    assert "a-new-fact" not in found(filled, [1, 0], limit=20)
    assert filled.get_record("a-new-fact") is None


# -- records --------------------------------------------------------------------------------------


def test_a_record_of_a_known_id_replaces_the_stored_one(storage: HoldfastStorage) -> None:
    storage.save([record("a", "/x")])
    storage.save([record("a", "/y", content="moved")])
    assert [(r.content, r.scope) for r in storage.list_records()] == [("moved", "/y")]
    assert storage.count() == 1


def test_a_record_comes_back_as_it_was_saved(storage: HoldfastStorage) -> None:
    saved = record(
        "a",
        "/x",
        [3.0, 4.0],
        categories=["c"],
        metadata={"n": 1, "deep": {"list": [1]}},
        importance=0.9,
        created_at=OLD,
        last_accessed=OLD,
        source="ada",
        private=True,
    )
    storage.save([saved])
    assert storage.get_record("a") == saved


def test_a_record_without_a_vector_is_kept(storage: HoldfastStorage) -> None:
    storage.save([MemoryRecord(id="a", content="x"), record("b")])
    assert ids(storage) == {"a", "b"}
    assert found(storage, [1, 0]) == ["b"]


def test_an_update_without_a_vector_keeps_it(storage: HoldfastStorage) -> None:
    storage.save([record("a", vector=[0.0, 2.0])])
    storage.update(MemoryRecord(id="a", content="content of a", importance=1.0))
    assert found(storage, [0, 1], min_score=0.9) == ["a"]


def test_touching_moves_the_time_of_access_and_writes_no_record(storage: HoldfastStorage) -> None:
    storage.save([record("a", created_at=OLD, last_accessed=OLD)])
    storage.touch_records(["a"])
    (touched,) = storage.list_records()
    assert touched.last_accessed > NEW
    assert touched.created_at == OLD


def test_times_of_access_survive_closing(path: str) -> None:
    first = HoldfastStorage(path)
    first.save([record("a", last_accessed=OLD)])
    first.touch_records(["a"])
    first.close()
    assert HoldfastStorage(path).list_records()[0].last_accessed > NEW


def test_times_of_access_are_written_without_closing_where_there_are_many(path: str) -> None:
    first = HoldfastStorage(path)
    first.save([record(f"{number}", last_accessed=OLD) for number in range(256)])
    first.touch_records([f"{number}" for number in range(256)])
    second = HoldfastStorage(path)
    assert all(one.last_accessed > NEW for one in second.list_records(limit=256))
    second.close()
    first.close()


def test_a_timezone_is_understood(storage: HoldfastStorage) -> None:
    moment = datetime(2025, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    storage.save([record("a", created_at=moment)])
    assert storage.list_records()[0].created_at == datetime(2025, 1, 1, 10)


# -- searching ------------------------------------------------------------------------------------


def test_filters_hold_before_the_limit(storage: HoldfastStorage) -> None:
    near = [record(f"near-{number}", vector=[1.0, 0.01 * number]) for number in range(60)]
    far = record("far", vector=[0.6, 0.8], categories=["rare"], metadata={"k": "v"})
    storage.save([*near, far])
    assert found(storage, [1, 0], categories=["rare"], limit=2) == ["far"]
    assert found(storage, [1, 0], metadata_filter={"k": "v"}, limit=2) == ["far"]


def test_scores_are_cosines_from_zero_to_one(storage: HoldfastStorage) -> None:
    storage.save(
        [
            record("same", vector=[10.0, 0.0]),
            record("half", vector=[0.5, 0.75**0.5]),
            record("none", vector=[0.0, 3.0]),
            record("against", vector=[-1.0, 0.0]),
        ]
    )
    scores = {r.id: score for r, score in storage.search([2.0, 0.0])}
    assert scores == pytest.approx({"same": 1.0, "half": 0.5, "none": 0.0, "against": 0.0})


def test_a_least_score_is_kept(storage: HoldfastStorage) -> None:
    storage.save([record("a", vector=[1, 0]), record("b", vector=[0.5, 0.866])])
    assert found(storage, [1, 0], min_score=0.6) == ["a"]


def test_no_more_are_returned_than_asked_for(storage: HoldfastStorage) -> None:
    storage.save([record(str(number), vector=[1, number / 100]) for number in range(30)])
    assert len(storage.search([1, 0], limit=7)) == 7
    assert storage.search([1, 0], limit=0) == []


def test_a_known_query_is_found_by_its_words_too(storage: HoldfastStorage) -> None:
    embedder = storage.embedding(lambda texts: [[1.0, 0.0] for _ in texts])
    storage.save(
        [
            record("other", vector=[0.8, 0.6], content="the deploy failed"),
            record("meant", vector=[0.7, 0.7], content="incident ERR-4711 was closed"),
        ]
    )
    (query,) = embedder(["what about ERR-4711?"])
    assert found(storage, query)[0] == "meant"
    assert found(storage, [0.999, 0.001])[0] == "other"


def test_a_query_against_an_empty_store_finds_nothing(storage: HoldfastStorage) -> None:
    assert storage.search([1, 2, 3]) == []


def test_vectors_of_another_length_are_refused(storage: HoldfastStorage) -> None:
    storage.save([record("a")])
    with pytest.raises(EmbeddingDimensionMismatchError, match="2-dimensional"):
        storage.save([record("b", vector=[1.0, 0.0, 0.0])])
    with pytest.raises(EmbeddingDimensionMismatchError):
        storage.search([1.0, 0.0, 0.0])


def test_an_emptied_store_takes_vectors_of_another_length(storage: HoldfastStorage) -> None:
    storage.save([record("a")])
    storage.reset()
    storage.save([record("b", vector=[1.0, 0.0, 0.0])])
    assert found(storage, [1, 0, 0]) == ["b"]


def test_counts_are_exact_beyond_any_page(storage: HoldfastStorage) -> None:
    storage.save([record(str(n), f"/s/{n % 7}", categories=["c"]) for n in range(1500)])
    assert storage.count("/s") == 1500
    assert storage.list_categories("/s") == {"c": 1500}
    assert len(storage.list_scopes("/s")) == 7


# -- tenants and handles --------------------------------------------------------------------------


def test_a_tenant_cannot_name_anothers_records(path: str) -> None:
    ada, bob = HoldfastStorage(path, user_id="ada"), HoldfastStorage(path, user_id="bob")
    ada.save([record("a", "/x")])
    assert bob.count() == 0
    assert bob.get_record("a") is None
    assert bob.search([1, 0]) == []
    assert bob.delete(record_ids=["a"]) == 0
    bob.reset()
    assert ids(ada) == {"a"}


def test_no_path_leads_into_a_tenant(path: str) -> None:
    HoldfastStorage(path, user_id="ada").save([record("a", "/x")])
    shared = HoldfastStorage(path)
    assert shared.count() == 0
    assert shared.count("/user_id=ada") == 0
    assert shared.count("/tenant?user_id=ada") == 0


def test_a_specification_names_file_and_tenant(path: str) -> None:
    HoldfastStorage(path, user_id="ada").save([record("a")])
    assert ids(HoldfastStorage(f"holdfast:{path}?user_id=ada")) == {"a"}


def test_another_handle_sees_what_was_written_at_once(path: str) -> None:
    reader, writer = HoldfastStorage(path), HoldfastStorage(path)
    assert reader.search([1, 0]) == []
    writer.save([record("a")])
    assert found(reader, [1, 0]) == ["a"]
    writer.delete(record_ids=["a"])
    assert found(reader, [1, 0]) == []


def test_a_closed_storage_opens_again(storage: HoldfastStorage) -> None:
    storage.save([record("a")])
    storage.close()
    assert storage.count() == 1


def test_the_async_twins_do_the_same(storage: HoldfastStorage) -> None:
    async def flow() -> tuple[list[str], int]:
        await storage.asave([record("a"), record("b", vector=[0.0, 1.0])])
        near = await storage.asearch([1, 0], min_score=0.5)
        return [r.id for r, _ in near], await storage.adelete(record_ids=["a"])

    assert asyncio.run(flow()) == (["a"], 1)


# -- under CrewAI's own memory --------------------------------------------------------------------


def test_crewais_memory_remembers_and_recalls_on_it(storage: HoldfastStorage) -> None:
    memory = Memory(storage=storage, embedder=storage.embedding(embed), llm=FakeLLM(model="fake"))
    memory.remember("Alice likes dark roast", scope="/u/alice", categories=["p"], importance=0.8)
    memory.remember("The moon is far away", scope="/u/moon", categories=["p"], importance=0.8)
    matches = memory.recall("dark roast", depth="shallow")
    assert matches[0].record.content == "Alice likes dark roast"


# -- beside other vectors of one file -------------------------------------------------------------


def test_a_storage_and_a_memory_of_one_embedder_share_a_file(path: str) -> None:
    storage, embedder = HoldfastStorage(path), HashEmbedder()
    stock = Memory(storage=storage, embedder=storage.embedding(embedder))
    ours = HoldfastMemory(storage=path, embedder=embedder)
    stock.remember("the storage's", scope="/", categories=[], importance=0.5)
    ours.remember("the memory's")
    stock.remember("the storage's again", scope="/", categories=[], importance=0.5)
    assert (storage.count(), len(ours.list_records())) == (2, 1)


def test_a_record_is_updated_beside_an_embedders_vectors(path: str) -> None:
    storage = HoldfastStorage(path)
    embed = storage.embedding(HashEmbedder())
    (vector,) = embed(["alpha"])
    storage.save([MemoryRecord(id="a", content="alpha", embedding=vector)])
    again = HoldfastStorage(path)  # of which nobody said whose vectors it is given
    again.update(MemoryRecord(id="a", content="alpha", importance=0.9))
    found = again.get_record("a")
    assert found is not None
    assert found.importance == 0.9
    assert found.embedding == pytest.approx(vector)


def test_vectors_known_to_be_anothers_are_refused(path: str) -> None:
    ours = HoldfastMemory(storage=path, embedder=HashEmbedder(name="other"))
    ours.remember("of another embedder")
    storage = HoldfastStorage(path)
    (vector,) = storage.embedding(HashEmbedder())(["alpha"])
    with pytest.raises(EmbedderMismatchError):
        storage.save([MemoryRecord(content="alpha", embedding=vector)])
