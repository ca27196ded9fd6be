"""Writes of tasks: a row a call, whatever came before."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from holdfast_langgraph import HoldfastSaver
from holdfast_langgraph.checkpoint.compression import compress, decompress
from hypothesis import given, settings
from hypothesis import strategies as some
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.base import WRITES_IDX_MAP
from langgraph.checkpoint.memory import InMemorySaver
from support.checkpoints import bytes_of, checkpoint, put, tables, thread

CALLS = some.lists(
    some.tuples(
        some.sampled_from(["one", "two"]),
        some.lists(
            some.sampled_from(["a", "b", "c", "__error__", "__interrupt__"]), min_size=1, max_size=4
        ),
    ),
    max_size=8,
)


def pending(saver: Any) -> Any:
    """Return the pending writes of the latest checkpoint."""
    found = saver.get_tuple(thread())
    assert found is not None
    return found.pending_writes


@settings(max_examples=40, deadline=None)
@given(CALLS)
def test_the_first_write_with_an_index_stays_and_a_signal_gives_way_to_the_next(
    calls: list[tuple[str, list[str]]],
) -> None:
    """Signals (errors, interrupts) give way only to a call that has nothing else."""
    kept: dict[tuple[str, int], tuple[str, str, int]] = {}
    with HoldfastSaver(":memory:") as saver:
        config = put(saver)
        for value, (task, channels) in enumerate(calls):
            saver.put_writes(config, [(channel, value) for channel in channels], task)
            replaces = all(channel in WRITES_IDX_MAP for channel in channels)
            for at, channel in enumerate(channels):
                place = task, WRITES_IDX_MAP.get(channel, at)
                if replaces or place not in kept:
                    kept[place] = task, channel, value
        assert pending(saver) == [kept[place] for place in sorted(kept)]


def test_what_a_task_writes_at_once_is_one_row(tmp_path: Path) -> None:
    with HoldfastSaver(tmp_path / "c.db") as saver:
        config = put(saver)
        writes = [(f"channel {at}", at) for at in range(100)]
        saver.put_writes(config, writes, "task")
        assert tables(saver)["writes"] == 1
        assert pending(saver) == [("task", *write) for write in writes]


@pytest.mark.parametrize("size", [10, 150, 300, 1000, 1900, 2500, 4000, 9000, 100_000])
def test_a_written_value_of_any_size_reads_back(size: int, tmp_path: Path) -> None:
    said = [AIMessage("tea and cake " * (size // 13), id="1"), HumanMessage("ä" * 40, id="2")]
    writes = [("messages", said), ("text", "word " * (size // 5)), ("branch:to:x", None)]
    with HoldfastSaver(tmp_path / "c.db") as saver:
        config = put(saver)
        saver.put_writes(config, writes, "task")
        saver.put_writes(config, [*writes, ("more", b"0" * size)], "task")
        more = ("task", "more", b"0" * size)
        assert pending(saver) == [*(("task", *write) for write in writes), more]


def test_writes_of_many_tasks_are_read_and_deleted_by_another_saver(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    with HoldfastSaver(path) as saver, HoldfastSaver(path) as other:
        config = put(saver)
        for at in range(100):
            saver.put_writes(config, [("unforgettable", at)], f"task {at:03}")
        assert [value for _, _, value in pending(other)] == list(range(100))
        other.delete_thread("t")
        assert tables(saver)["writes"] == 0
        assert b"unforgettable" not in bytes_of(path)


def test_a_copy_takes_the_place_of_what_a_task_wrote_in_the_other_thread(tmp_path: Path) -> None:
    with HoldfastSaver(tmp_path / "c.db") as saver:
        made = checkpoint({"note": "n"})
        for name, length in (("t", 2), ("other", 3)):
            config = saver.put(thread(name), made, {}, made["channel_versions"])
            for at in range(1, length + 1):
                saver.put_writes(config, [(f"c{one}", name * 3000) for one in range(at)], "task")
        saver.copy_thread("t", "other")
        for name in ("t", "other"):
            found = saver.get_tuple(thread(name))
            assert found is not None
            assert found.pending_writes == [("task", f"c{at}", "t" * 3000) for at in range(2)]


def test_a_blob_that_only_a_write_names_outlives_the_checkpoint_that_brought_it(
    tmp_path: Path,
) -> None:
    said = [HumanMessage("much to say " * 500, id="1")]
    with HoldfastSaver(tmp_path / "c.db") as saver:
        first = put(saver, {"messages": said})
        last = put(saver, {"messages": []}, first, version=2)
        saver.put_writes(last, [("messages", said), ("next", None)], "task")
        saver.prune(["t"])
        assert pending(saver) == [("task", "messages", said), ("task", "next", None)]


def test_a_replaced_signal_leaves_no_word(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    with HoldfastSaver(path) as saver:
        config = put(saver)
        saver.put_writes(config, [("__interrupt__", "unforgettable")], "task")
        saver.put_writes(config, [("__interrupt__", "another")], "task")
        assert pending(saver) == [("task", "__interrupt__", "another")]
        saver.database.truncate_wal()
        assert b"unforgettable" not in bytes_of(path)


def test_writes_after_another_saver_deleted_the_thread_begin_it_anew(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    with HoldfastSaver(path) as saver, HoldfastSaver(path) as other:
        config = put(saver)
        saver.put_writes(config, [("a", 1)], "task")
        other.delete_thread("t")
        saver.put_writes(config, [("a", 2), ("b", 3)], "task")
        assert tables(other) == {"threads": 1, "checkpoints": 0, "writes": 1, "blobs": 0}
        other.delete_thread("t")
        assert tables(saver) == dict.fromkeys(("threads", "checkpoints", "writes", "blobs"), 0)


def test_one_by_one_and_all_at_once_are_the_same_in_memory_and_here(tmp_path: Path) -> None:
    with HoldfastSaver(tmp_path / "c.db") as saver:
        stock: Any = InMemorySaver()
        made = checkpoint()
        for one in (saver, stock):
            config = one.put(thread(), made, {}, {})
            one.put_writes(config, [("a", 1)], "x", "path b")
            one.put_writes(config, [("a", 2), ("b", 3)], "y", "path a")
            one.put_writes(config, [("__resume__", 4)], "x", "path b")
        assert sorted(pending(saver)) == sorted(pending(stock))


def test_many_threads_compress_at_once() -> None:
    texts = [f"{number} tea and cake ".encode() * (number + 20) for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        small = list(pool.map(compress, texts))
        assert list(pool.map(decompress, small)) == texts
