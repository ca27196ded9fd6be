"""Rows that carry blobs and are not in the index yet; files made before there were any."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ormsgpack
import pytest
from holdfast import Database
from holdfast_langgraph import HoldfastSaver
from holdfast_langgraph.checkpoint.filing import MOST_UNFILED
from holdfast_langgraph.checkpoint.schema import NAME, STEPS
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.base import Checkpoint
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from support.checkpoints import blobs_of, checkpoint, put, tables, thread, values_of


def said(count: int) -> list[HumanMessage]:
    """Return messages, no two alike."""
    return [HumanMessage(f"message number {at} " * 9, id=str(at)) for at in range(count)]


def grow(saver: HoldfastSaver, puts: int, config: Any = None) -> Any:
    """Put so many states of a conversation; return the last one's config."""
    for at in range(puts):
        config = put(saver, {"messages": said(at + 1)}, config, version=at + 1)
    return config


def unfiled(saver: HoldfastSaver) -> int:
    """Return how many rows the index does not know."""
    with saver.database.read() as connection:
        count: int = connection.execute(
            "SELECT count(*) FROM langgraph_checkpoints WHERE filed = 0"
        ).fetchone()[0]
    return count


def first_step(path: Path) -> Checkpoint:
    """Make a file as the first version did: a checkpoint with two messages, and a write."""
    serde, made = JsonPlusSerializer(), checkpoint({"messages": said(2), "n": 7})
    body = {key: value for key, value in made.items() if key != "channel_values"}
    manifest = {"messages": [b"\x92", 1, 2], "n": ("msgpack", b"\x07")}
    with_id = (made["id"], json.dumps({"step": 3}), *serde.dumps_typed(body))
    database = Database(path)
    database.migrate(NAME, STEPS[:1])
    with database.write() as connection:
        connection.execute("INSERT INTO langgraph_threads VALUES (1, 't', zeroblob(16), 0)")
        for number, message in enumerate(said(2), 1):
            connection.execute(
                "INSERT INTO langgraph_blobs VALUES (?, 1, ?, 'msgpack', ?)",
                (number, bytes([number]) * 16, serde.dumps_typed([message])[1][1:]),
            )
        connection.execute(
            "INSERT INTO langgraph_checkpoints VALUES (1, 1, '', ?, NULL, NULL, 1, 0, ?, ?, ?, ?)",
            (*with_id, ormsgpack.packb(manifest)),
        )
        connection.execute(
            "INSERT INTO langgraph_writes VALUES (1, '', ?, 'task', 0, '', 'messages', ?)",
            (made["id"], ormsgpack.packb([b"\x91", 2])),
        )
    database.close()
    return made


def test_a_file_of_the_first_version_is_read_and_written_on(tmp_path: Path) -> None:
    made = first_step(tmp_path / "c.db")
    with HoldfastSaver(tmp_path / "c.db") as saver:
        found = saver.get_tuple(thread())
        assert found is not None
        assert found.checkpoint == made
        assert found.metadata == {"step": 3}
        assert found.pending_writes == [("task", "messages", said(2)[1:])]
        put(saver, {"messages": said(3)}, found.config, version=2)
        assert values_of(saver, thread())["messages"] == said(3)
        saver.prune(["t"])
        assert tables(saver) == {"threads": 1, "checkpoints": 1, "writes": 0, "blobs": 3}
    with HoldfastSaver(tmp_path / "c.db") as saver:
        assert values_of(saver, thread())["messages"] == said(3)


def test_what_is_not_filed_yet_is_read_listed_and_pruned(tmp_path: Path) -> None:
    with HoldfastSaver(tmp_path / "c.db") as saver, HoldfastSaver(tmp_path / "c.db") as other:
        config = grow(saver, MOST_UNFILED // 2)
        assert unfiled(saver) > 0
        assert values_of(other, thread()) == values_of(other, config)
        assert len(list(other.list(thread()))) == MOST_UNFILED // 2
        other.prune(["t"])
        assert unfiled(saver) == 0
        assert values_of(other, thread())["messages"] == said(MOST_UNFILED // 2)


def test_a_conversation_leaves_few_rows_unfiled(tmp_path: Path) -> None:
    with HoldfastSaver(tmp_path / "c.db") as saver:
        grow(saver, 5 * MOST_UNFILED + 3)
        assert 0 < unfiled(saver) < MOST_UNFILED
        assert len(list(saver.list(thread()))) == 5 * MOST_UNFILED + 3


def test_a_checkpoint_put_again_takes_the_place_of_the_first_and_no_message_from_later_ones(
    tmp_path: Path,
) -> None:
    with HoldfastSaver(tmp_path / "c.db") as saver:
        first = put(saver)
        made = checkpoint({"messages": said(2)})
        second = saver.put(first, made, {}, made["channel_versions"])
        third = put(saver, {"messages": said(3)}, second, version=2)
        again: Checkpoint = {
            **made,
            "channel_values": {"messages": [HumanMessage("other", id="o")]},
        }
        saver.put(first, again, {"step": 9}, made["channel_versions"])
        assert len(list(saver.list(thread()))) == 3
        assert values_of(saver, second)["messages"] == [HumanMessage("other", id="o")]
        assert values_of(saver, third)["messages"] == said(3)
        saver.prune(["t"])
        assert values_of(saver, thread())["messages"] == said(3)
        assert len(blobs_of(saver)) <= 3  # fewer where a run has ended: the salt decides


def test_of_a_checkpoint_that_two_savers_put_the_younger_stays(tmp_path: Path) -> None:
    with HoldfastSaver(tmp_path / "c.db") as one, HoldfastSaver(tmp_path / "c.db") as two:
        steps = [checkpoint({"messages": said(at + 1)}, version=at + 1) for at in range(4)]
        configs: dict[HoldfastSaver, Any] = {one: thread(), two: thread()}
        for made in steps:
            for step, saver in enumerate((one, two)):
                configs[saver] = saver.put(
                    configs[saver], made, {"step": step}, made["channel_versions"]
                )
        one.copy_thread("t", "copy")
        found = list(two.list(thread()))
        assert [one.checkpoint for one in found] == steps[::-1]
        assert {one.metadata["step"] for one in found} == {1}
        assert unfiled(one) == 0


@pytest.mark.parametrize(
    "metadata", [{"run": 1 << 70}, {"text": "half \ud800 a pair"}, {"nested": {"a": [1, None]}}]
)
def test_metadata_reads_back_as_json_would(metadata: Any, tmp_path: Path) -> None:
    with HoldfastSaver(tmp_path / "c.db") as saver:
        saver.put(thread(), checkpoint(), metadata, {})
        found = saver.get_tuple(thread())
        assert found is not None
        told = json.dumps(metadata, ensure_ascii=False).encode("utf-8", "ignore")
        assert found.metadata == json.loads(told)


def test_metadata_that_is_not_json_is_refused(tmp_path: Path) -> None:
    with HoldfastSaver(tmp_path / "c.db") as saver, pytest.raises(TypeError):
        saver.put(thread(), checkpoint(), {"kinds": {1, 2}}, {})  # type: ignore[typeddict-unknown-key]
