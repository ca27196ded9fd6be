"""What the stock stores get wrong; each test fails with at least one of them."""

import asyncio
import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from holdfast import ProviderError
from holdfast.documents import Documents
from holdfast.testing import HashEmbedder
from holdfast_langgraph import HoldfastStore
from langgraph.store.base import InvalidNamespaceError, PutOp, SearchOp
from support.langgraph_workers import opened, write_and_read
from support.word_embeddings import WordEmbeddings

NOTES = ("notes", "ada")


def searchable(**options: Any) -> HoldfastStore:
    index = {"embed": WordEmbeddings(), "fields": ["text"]}
    return HoldfastStore(":memory:", index=index, **options)  # type: ignore[arg-type]


def keys(found: Any) -> list[str]:
    return [item.key for item in found]


# -- the index ------------------------------------------------------------------------------------


def test_fields_that_are_not_named_never_reach_the_embedder() -> None:
    embeddings = WordEmbeddings()
    store = HoldfastStore(":memory:", index={"embed": embeddings, "fields": ["text"]})

    store.put(NOTES, "1", {"text": "green tea", "secret": "12345"})

    assert embeddings.documents == ["green tea"]


def test_a_query_is_embedded_as_a_query() -> None:
    embeddings = WordEmbeddings()
    store = HoldfastStore(":memory:", index={"embed": embeddings, "fields": ["text"]})
    store.put(NOTES, "1", {"text": "green tea"})

    store.search(NOTES, query="tea")

    assert (embeddings.queries, embeddings.documents) == (["tea"], ["green tea"])


def test_every_page_of_a_search_is_full() -> None:
    store = searchable()
    store.batch([PutOp(NOTES, str(number), {"text": f"tea {number}"}) for number in range(100)])

    pages = [
        keys(store.search(NOTES, query="tea", limit=10, offset=at)) for at in range(0, 110, 10)
    ]

    assert [len(page) for page in pages] == [10] * 10 + [0]
    assert len({key for page in pages for key in page}) == 100


def test_an_item_of_many_vectors_takes_one_place() -> None:
    index = {"embed": WordEmbeddings(), "fields": ["texts[*]"]}
    store = HoldfastStore(":memory:", index=index)  # type: ignore[arg-type]
    store.put(NOTES, "many", {"texts": [f"tea number {number}" for number in range(50)]})
    store.batch([PutOp(NOTES, str(number), {"texts": ["tea"]}) for number in range(20)])

    found = keys(store.search(NOTES, query="tea number", limit=21))

    assert len(found) == len(set(found)) == 21
    assert found[0] == "many"


def test_an_item_put_again_without_index_is_not_found_by_its_old_text() -> None:
    store = searchable()
    store.put(NOTES, "1", {"text": "green tea"})
    store.put(NOTES, "1", {"text": "red car"}, index=False)

    assert [item.score for item in store.search(NOTES, query="green tea")] == [None]


def test_a_key_used_again_does_not_inherit_the_vectors_of_what_was_deleted() -> None:
    store = searchable()
    store.put(NOTES, "1", {"text": "green tea"})
    store.delete(NOTES, "1")
    store.put(NOTES, "1", {"text": "red car"}, index=False)

    assert [item.score for item in store.search(NOTES, query="green tea")] == [None]


def test_the_nearest_comes_first_whatever_distance_is_named() -> None:
    for distance in ("cosine", "l2", "inner_product"):
        index = {"embed": WordEmbeddings(), "fields": ["text"], "distance_type": distance}
        store = HoldfastStore(":memory:", index=index)  # type: ignore[arg-type]
        store.put(NOTES, "far", {"text": "red car"})
        store.put(NOTES, "near", {"text": "green tea"})

        assert keys(store.search(NOTES, query="green tea")) == ["near", "far"]


def test_the_same_text_twice_in_a_batch_is_embedded_once() -> None:
    embeddings = WordEmbeddings()
    store = HoldfastStore(":memory:", index={"embed": embeddings, "fields": ["text"]})

    store.batch([PutOp(NOTES, key, {"text": "green tea"}) for key in "ab"])

    assert embeddings.documents == ["green tea"]
    assert len(store.search(NOTES, query="green tea")) == 2


def test_a_get_does_not_wait_while_texts_are_embedded(tmp_path: Path) -> None:
    embedding, go_on = threading.Event(), threading.Event()

    def slow(texts: Any) -> list[list[float]]:
        if "slow" in texts:
            embedding.set()
            assert go_on.wait(30)
        return HashEmbedder().embed(texts)

    index = {"embed": slow, "fields": ["text"]}
    with HoldfastStore(tmp_path / "a.db", index=index) as store:  # type: ignore[arg-type]
        store.put(NOTES, "1", {"text": "quick"})
        with ThreadPoolExecutor() as pool:
            putting = pool.submit(store.put, NOTES, "2", {"text": "slow"})
            assert embedding.wait(30)
            got = pool.submit(store.get, NOTES, "1").result(timeout=30)
            store.put(NOTES, "3", {"text": "quick"})
            go_on.set()
            putting.result()

    assert got is not None


# -- batches --------------------------------------------------------------------------------------


def test_a_batch_that_fails_leaves_nothing_behind() -> None:
    index = {"embed": HashEmbedder(fail_at=3), "fields": ["text"]}
    store = HoldfastStore(":memory:", index=index)  # type: ignore[arg-type]
    store.put(NOTES, "old", {"text": "one"})

    with pytest.raises(ProviderError):
        store.batch(
            [
                PutOp(NOTES, "old", None),
                PutOp(NOTES, "a", {"text": "two"}),
                PutOp(NOTES, "b", {"text": "three"}),
            ]
        )

    assert keys(store.search(())) == ["old"]


def test_a_batch_may_have_any_number_of_operations() -> None:
    store = HoldfastStore(":memory:")

    store.batch([PutOp(NOTES, str(number), {}) for number in range(60_000)])

    assert len(store.search(NOTES, limit=2, offset=59_999)) == 1


def test_labels_are_checked_in_a_batch_too() -> None:
    store = HoldfastStore(":memory:")

    with pytest.raises(InvalidNamespaceError):
        store.batch([PutOp(("a.b",), "1", {})])


def test_a_bad_call_does_not_fail_those_made_at_the_same_time() -> None:
    async def scenario() -> list[Any]:
        async with HoldfastStore(":memory:") as store:
            return await asyncio.gather(
                store.aput(NOTES, "1", {"n": 1}),
                store.asearch(NOTES, filter={"a": {"$near": 1}}),
                store.aput(NOTES, "2", {"n": object()}),
                store.aput(NOTES, "3", {"n": 3}),
                return_exceptions=True,
            )

    first, second, third, fourth = asyncio.run(scenario())

    assert (first, fourth) == (None, None)
    assert isinstance(second, ValueError)
    assert isinstance(third, ValueError)


# -- values and namespaces ------------------------------------------------------------------------


def test_changing_a_value_afterwards_changes_nothing_stored() -> None:
    store = HoldfastStore(":memory:")
    value = {"tags": ["a"]}
    store.put(NOTES, "1", value)
    value["tags"].append("b")
    store.get(NOTES, "1").value["tags"].append("c")  # type: ignore[union-attr]
    store.search(NOTES)[0].value["tags"].append("d")

    assert store.get(NOTES, "1").value == {"tags": ["a"]}  # type: ignore[union-attr]


def test_reading_or_deleting_makes_no_namespace() -> None:
    store = HoldfastStore(":memory:")
    store.get(("ghost",), "1")
    store.delete(("ghost",), "1")
    store.put(NOTES, "1", {})
    store.delete(NOTES, "1")

    assert store.list_namespaces() == []


def test_an_update_keeps_created_at_and_times_are_aware_and_exact() -> None:
    store = HoldfastStore(":memory:")
    store.put(NOTES, "1", {"n": 1})
    born: datetime = store.get(NOTES, "1").created_at  # type: ignore[union-attr]
    store.put(NOTES, "1", {"n": 2})
    item = store.get(NOTES, "1")

    assert item is not None
    assert item.created_at == born
    assert item.updated_at > born
    assert born.tzinfo is not None


# -- many at once ---------------------------------------------------------------------------------


def test_one_object_serves_threads_and_event_loops(tmp_path: Path) -> None:
    store = HoldfastStore(tmp_path / "a.db", index={"embed": WordEmbeddings(), "fields": ["text"]})

    def work(thread: int) -> int:
        place = ("notes", str(thread))

        async def inside() -> int:
            store.put(place, "sync in a loop", {"text": "tea"})
            await store.aput(place, "async", {"text": "tea"})
            return len(await store.asearch(place, query="tea"))

        store.put(place, "sync", {"text": "tea"})
        assert store.search(("notes",), query="tea")
        return asyncio.run(inside())

    with store, ThreadPoolExecutor(20) as pool:
        assert list(pool.map(work, range(20))) == [3] * 20
        assert len(store.search(("notes",), query="tea", limit=100)) == 60
        assert len(store.list_namespaces()) == 20


def test_four_processes_write_and_refresh_at_once(tmp_path: Path) -> None:
    path = str(tmp_path / "a.db")

    with multiprocessing.get_context("spawn").Pool(4) as pool:
        done = pool.starmap(write_and_read, [(path, process) for process in range(4)])

    assert done == [50] * 4
    with opened(path) as store:
        assert len(store.search((), query="note", limit=500)) == 200


# -- expiry ---------------------------------------------------------------------------------------

AT_ONCE = 1e-9  # minutes


def expiry(path: Path, key: str) -> datetime | None:
    items = Documents.open(path)
    item = items.get(NOTES, key)
    items.close()
    return None if item is None else item.expires_at


def test_a_read_refreshes_unless_told_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with HoldfastStore(path, ttl={"default_ttl": 10}) as store:
        store.put(NOTES, "1", {})
        times = [expiry(path, "1")]
        for read in (
            lambda: store.get(NOTES, "1", refresh_ttl=False),
            lambda: store.search(NOTES, refresh_ttl=False),
            lambda: store.get(NOTES, "1"),
            lambda: store.search(NOTES),
        ):
            assert read()
            times.append(expiry(path, "1"))

    assert times[0] == times[1] == times[2] < times[3] < times[4]  # type: ignore[operator]


def test_refresh_on_read_false_is_the_default_of_every_read(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with HoldfastStore(path, ttl={"default_ttl": 10, "refresh_on_read": False}) as store:
        store.put(NOTES, "1", {})
        first = expiry(path, "1")
        store.get(NOTES, "1")
        second = expiry(path, "1")
        store.get(NOTES, "1", refresh_ttl=True)

        assert first == second != expiry(path, "1")


def test_what_has_expired_is_omitted_and_a_read_does_not_revive_it() -> None:
    store = searchable(ttl={"omit_expired": True})
    store.put(NOTES, "1", {"text": "green tea"}, ttl=AT_ONCE)
    store.put(NOTES, "2", {"text": "black tea"}, ttl=None)
    store.put(("gone",), "3", {"text": "red tea"}, ttl=AT_ONCE)

    assert store.get(NOTES, "1", refresh_ttl=True) is None
    assert keys(store.search((), limit=1, offset=0)) == ["2"]
    assert keys(store.search((), query="tea", refresh_ttl=True)) == ["2"]
    assert store.list_namespaces() == [NOTES]
    assert store.sweep_ttl() == 2


def test_without_omit_expired_an_item_is_read_until_it_is_swept() -> None:
    store = searchable()
    store.put(NOTES, "1", {"text": "green tea"}, ttl=AT_ONCE)

    assert store.get(NOTES, "1", refresh_ttl=False) is not None
    assert keys(store.search(NOTES, query="tea", refresh_ttl=False)) == ["1"]
    assert store.list_namespaces() == [NOTES]
    assert store.sweep_ttl() == 1
    assert store.get(NOTES, "1") is None


def test_a_fraction_of_a_minute_is_a_lifetime(tmp_path: Path) -> None:
    with HoldfastStore(tmp_path / "a.db", ttl={"omit_expired": True}) as store:
        store.put(NOTES, "1", {}, ttl=0.4)
        item = store.get(NOTES, "1")
        ends = expiry(tmp_path / "a.db", "1")

    assert item is not None
    assert ends is not None
    assert 20 < (ends - item.updated_at).total_seconds() < 40


@pytest.mark.parametrize("ttl", [0, -1, float("nan")])
def test_a_lifetime_is_positive(ttl: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        HoldfastStore(":memory:").put(NOTES, "1", {}, ttl=ttl)


def test_the_sweeper_sweeps_and_stops() -> None:
    swept = threading.Event()

    class Watched(HoldfastStore):
        def _opened(self) -> Documents:
            swept.set()
            return super()._opened()

    store = Watched(":memory:", ttl={"sweep_interval_minutes": 1 / 60_000})  # type: ignore[typeddict-item]
    future = store.start_ttl_sweeper()

    assert swept.wait(30)
    assert store.stop_ttl_sweeper(timeout=30)
    assert future.done()
    store.close()


def test_without_a_ttl_there_is_nothing_to_sweep() -> None:
    store = HoldfastStore(":memory:")

    assert store.start_ttl_sweeper().result(timeout=1) is None
    assert store.stop_ttl_sweeper() is True


# -- filters --------------------------------------------------------------------------------------


def test_numbers_are_compared_as_numbers() -> None:
    store = HoldfastStore(":memory:")
    for number in (2, 9, 10, 100):
        store.put(NOTES, str(number), {"n": number})

    assert sorted(keys(store.search(NOTES, filter={"n": {"$gt": 9}}))) == ["10", "100"]


def test_a_filter_is_settled_before_the_limit() -> None:
    store = searchable()
    store.batch([PutOp(NOTES, str(n), {"text": "tea", "rare": n == 7}) for n in range(200)])

    assert keys(store.search(NOTES, query="tea", filter={"rare": True}, limit=1)) == ["7"]
    assert keys(store.search(NOTES, filter={"rare": True}, limit=1)) == ["7"]


def test_reading_and_writing_in_threads_disturbs_nobody() -> None:
    store = HoldfastStore(":memory:")
    store.batch([PutOp((str(n % 50),), str(n), {"n": n}) for n in range(500)])

    def write(thread: int) -> None:
        for number in range(20):
            store.put((f"new {thread} {number}",), "1", {})

    def read(_: int) -> None:
        for _ in range(20):
            store.batch([SearchOp((), filter={"n": {"$gte": 0}}, limit=1_000)])
            store.list_namespaces()

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(work, n) for n in range(4) for work in (write, read)]:
            done.result()

    assert len(store.list_namespaces(limit=1_000)) == 130
