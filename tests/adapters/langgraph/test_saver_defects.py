"""Defects of the stock savers; each test names the class that fails it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from holdfast_langgraph import HoldfastSaver
from langgraph.checkpoint.conformance.capabilities import DetectedCapabilities
from support.checkpoints import bytes_of, chat, put, thread, values_of
from support.drivers import needs_encryption


def test_reading_and_writing_inside_a_listing(path: Path) -> None:
    """SqliteSaver deadlocks: its generator holds the lock."""
    with HoldfastSaver(path) as saver:
        for step in range(10):
            put(saver, {"n": step}, version=step)
        seen = []
        for one in saver.list(thread()):
            assert saver.get_tuple(one.config) == one
            put(saver, {"n": "meanwhile"}, version=99)
            seen += [len(list(saver.list(thread(), limit=2)))]
            seen += [one.checkpoint["channel_values"]["n"]]
        assert seen == [item for step in range(9, -1, -1) for item in (2, step)]


def test_a_listing_abandoned_half_way_holds_nothing(path: Path) -> None:
    """SqliteSaver keeps its lock until the generator is collected."""
    with HoldfastSaver(path) as saver:
        for step in range(10):
            put(saver, {"n": step})
        listing = saver.list(thread())
        next(listing)
        saver.delete_thread("t")
        assert saver.get_tuple(thread()) is None


def test_one_class_runs_under_ainvoke_and_invoke(path: Path) -> None:
    """SqliteSaver raises NotImplementedError under ainvoke, AsyncSqliteSaver on its own loop."""
    with HoldfastSaver(path) as saver:
        graph = chat(saver)

        async def both() -> int:
            await graph.ainvoke({"messages": ["one"]}, thread())
            return len(graph.invoke({"messages": ["two"]}, thread())["messages"])

        assert asyncio.run(both()) == 4


def test_every_capability_is_there() -> None:
    """No stock saver has copy_thread and delete_for_runs; SqliteSaver has no prune either."""
    found = DetectedCapabilities.from_instance(HoldfastSaver(":memory:"))
    assert found.missing == frozenset()
    for name in ("get_delta_channel_history", "aget_delta_channel_history"):
        assert getattr(HoldfastSaver, name).__module__.startswith("holdfast_langgraph")


def test_a_second_connection_waits_for_a_busy_writer(path: Path) -> None:
    """SqliteSaver raises "database is locked" once a writer holds the file for five seconds.

    Here the wait is that of the file, six times as long, and a reader never waits.
    """
    with HoldfastSaver(path) as saver, HoldfastSaver(path) as other:
        put(saver, {"a": 1})
        with saver.database.write():
            assert values_of(other, thread()) == {"a": 1}
        with other.database.read() as connection:
            assert connection.execute("PRAGMA busy_timeout").fetchone()[0] >= 30_000


@needs_encryption
def test_a_key_encrypts_metadata_too(path: Path) -> None:
    """Every stock saver leaves metadata and thread ids in the clear, cipher or not."""
    with HoldfastSaver(path, key=bytes(range(32))) as saver:
        put(saver, {"a": "value-word"}, thread("thread-word"), note="metadata-word")
        found = bytes_of(path)
        assert saver.get_tuple(thread("thread-word")) is not None
    for word in (b"value-word", b"thread-word", b"metadata-word"):
        assert word not in found
