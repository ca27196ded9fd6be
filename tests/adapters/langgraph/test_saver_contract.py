"""What the stock savers do, and callers rely on, beyond the conformance suite."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from holdfast import FilterError, InvalidInputError, Memory, SchemaVersionError, StorageClosedError
from holdfast.testing import HashEmbedder
from holdfast_langgraph import HoldfastSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from support.checkpoints import checkpoint, put, thread, values_of


@pytest.fixture
def saver(tmp_path: Path) -> Any:
    with HoldfastSaver.from_conn_string(str(tmp_path / "c.db")) as saver:
        yield saver


def ids(found: Any) -> list[str]:
    return [one.checkpoint["id"] for one in found]


def test_a_given_config_comes_back_as_it_was_given(saver: HoldfastSaver) -> None:
    stored = put(saver)
    asked = {**stored, "tags": ["mine"]}
    found = saver.get_tuple(asked)
    assert found is not None
    assert found.config is asked


def test_a_thread_id_may_be_any_scalar(saver: HoldfastSaver) -> None:
    stored = put(saver, {"a": 1}, {"configurable": {"thread_id": 7, "checkpoint_ns": ""}})
    assert stored["configurable"]["thread_id"] == 7
    assert values_of(saver, thread("7")) == {"a": 1}


def test_a_checkpoint_put_again_takes_the_place_of_the_old(saver: HoldfastSaver) -> None:
    made = checkpoint({"a": 1})
    saver.put(thread(), made, {}, {"a": 1})
    made["channel_values"] = {"a": 2}
    saver.put(thread(), made, {}, {"a": 2})
    assert values_of(saver, thread()) == {"a": 2}
    assert len(list(saver.list(thread()))) == 1


def test_metadata_takes_scalars_from_the_config_and_leaves_secrets(saver: HoldfastSaver) -> None:
    config = thread(user="ada", __private="no", deep={"no": 1})
    config["metadata"] = {"run_id": "r1", "thread_id": "not this"}
    saver.put(config, checkpoint(), {"source": "input", "step": -1}, {})
    found = saver.get_tuple(thread())
    assert found is not None
    assert found.metadata == {"source": "input", "step": -1, "run_id": "r1", "user": "ada"}


def test_metadata_reads_back_as_json_does(saver: HoldfastSaver) -> None:
    put(saver, score=None, pair=(1, 2), words="naïve ☕", nested={"1": [True]})
    found = saver.get_tuple(thread())
    assert found is not None
    wanted = {"score": None, "pair": [1, 2], "words": "naïve ☕", "nested": {"1": [True]}}
    assert wanted.items() <= dict(found.metadata).items()


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


@pytest.mark.parametrize(
    ("filter", "steps"),
    [
        ({}, [2, 1, 0]),
        ({"step": 1}, [1]),
        ({"score": None}, [2, 1]),
        ({"missing": None}, [2, 1, 0]),
        ({"tags": ["a", "b"]}, [2]),
        ({"tags": ("a", "b")}, [2]),
        ({"user.access-level": 3}, [1]),
        ({"a.b": "literal"}, [0]),
        ({"step": "1"}, []),
    ],
)
def test_filters_compare_metadata(
    saver: HoldfastSaver, filter: dict[str, Any], steps: list[int]
) -> None:
    put(saver, step=0, score=1, **{"a.b": "literal"})
    put(saver, step=1, user={"access-level": 3})
    put(saver, step=2, tags=["a", "b"])
    assert [one.metadata["step"] for one in saver.list(thread(), filter=filter)] == steps


def test_a_malformed_filter_key_is_refused(saver: HoldfastSaver) -> None:
    with pytest.raises(FilterError, match="Invalid filter key"):
        list(saver.list(None, filter={"x') OR 1=1 --": 1}))


def test_limit_counts_what_matches_not_what_was_looked_at(saver: HoldfastSaver) -> None:
    for step in range(40):
        put(saver, step=step, even=step % 2 == 0)
    found = list(saver.list(thread(), filter={"even": True}, limit=7))
    assert [one.metadata["step"] for one in found] == [38, 36, 34, 32, 30, 28, 26]
    assert list(saver.list(thread(), limit=0)) == []


def test_list_pages_through_everything_newest_first(saver: HoldfastSaver) -> None:
    stored = [put(saver, {"n": step}, version=step) for step in range(150)]
    wanted = [config["configurable"]["checkpoint_id"] for config in reversed(stored)]
    assert ids(saver.list(None)) == wanted
    assert ids(saver.list(thread(), before=stored[100], limit=100)) == wanted[50:]


def test_before_without_a_checkpoint_excludes_nothing(saver: HoldfastSaver) -> None:
    put(saver)
    assert len(list(saver.list(thread(), before=thread()))) == 1


def test_list_covers_the_namespaces_of_a_thread_unless_one_is_named(saver: HoldfastSaver) -> None:
    put(saver, parent=thread(checkpoint_ns="child:1"))
    put(saver)
    assert len(list(saver.list({"configurable": {"thread_id": "t"}}))) == 2
    assert len(list(saver.list(thread()))) == 1


def test_writes_keep_their_first_value_and_interrupts_their_last(saver: HoldfastSaver) -> None:
    stored = put(saver)
    for round in ("first", "second"):
        saver.put_writes(stored, [("a", round), ("b", round)], "task", "path")
        saver.put_writes(stored, [("__interrupt__", round)], "task", "path")
    found = saver.get_tuple(stored)
    assert found is not None
    assert found.pending_writes == [
        ("task", "__interrupt__", "second"),
        ("task", "a", "first"),
        ("task", "b", "first"),
    ]


def test_writes_may_come_before_their_checkpoint(saver: HoldfastSaver) -> None:
    made = checkpoint()
    saver.put_writes(thread(checkpoint_id=made["id"]), [("a", "early")], "task")
    saver.put(thread(), made, {}, {})
    found = saver.get_tuple(thread())
    assert found is not None
    assert found.pending_writes == [("task", "a", "early")]


def test_versions_count_up_and_go_on_from_another_savers_form(saver: HoldfastSaver) -> None:
    assert saver.get_next_version(None, None) == 1
    assert saver.get_next_version(41, None) == 42
    theirs = f"{7:032}.{0.25:016}"
    ours = saver.get_next_version(theirs, None)
    assert ours > theirs
    assert ours.startswith(f"{8:032}.")


def test_an_unknown_strategy_is_refused(saver: HoldfastSaver) -> None:
    with pytest.raises(InvalidInputError, match="keep_latest"):
        saver.prune(["t"], strategy="keep_some")


def test_a_shallow_copy_shares_the_file(saver: HoldfastSaver) -> None:
    saver.serde = JsonPlusSerializer(allowed_msgpack_modules=None)
    copy = saver.with_allowlist([("somewhere", "Something")])
    assert copy is not saver
    put(copy, {"a": ["x" * 100]})
    assert values_of(saver, thread()) == {"a": ["x" * 100]}


def test_a_saver_shares_a_memorys_file_and_leaves_it_open(tmp_path: Path) -> None:
    with Memory(tmp_path / "m.db", embedder=HashEmbedder()) as memory:
        with HoldfastSaver.from_memory(memory) as saver:
            put(saver, {"a": 1})
        memory.add("still open", user_id="ada")
        assert values_of(HoldfastSaver(memory._storage.database), thread()) == {"a": 1}


def test_a_closed_saver_says_so(tmp_path: Path) -> None:
    saver = HoldfastSaver.from_conn_string(str(tmp_path / "c.db"))
    with saver:
        put(saver)
    with pytest.raises(StorageClosedError):
        saver.get_tuple(thread())


def test_another_programs_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    path.write_bytes(b"not a database, but long enough to look at" * 20)
    with pytest.raises(SchemaVersionError):
        HoldfastSaver(path).setup()


def test_async_with_opens_and_closes(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with HoldfastSaver.from_conn_string(str(tmp_path / "c.db")) as saver:
            made = checkpoint({"a": 1})
            await saver.aput(thread(), made, {}, {"a": 1})
            found = [one async for one in saver.alist(thread(), limit=1)]
            assert found[0].checkpoint["channel_values"] == {"a": 1}
            assert await saver.aget(thread()) == (await saver.aget_tuple(thread()) or [0, 0])[1]
        with pytest.raises(StorageClosedError):
            await saver.aget_tuple(thread())

    asyncio.run(scenario())
