"""Delta channels: their history, and that no deletion changes a state that stays."""

from __future__ import annotations

import asyncio
import operator
from pathlib import Path
from typing import Annotated, Any

import pytest
from holdfast_langgraph import HoldfastSaver, Retention
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from langgraph.graph import START, StateGraph
from support.checkpoints import bytes_of, checkpoint, encrypted, notebook, put, tables, thread
from typing_extensions import TypedDict


@pytest.fixture(params=["plain", "encrypted"])
def saver(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    serde = encrypted() if request.param == "encrypted" else None
    with HoldfastSaver(tmp_path / "c.db", serde=serde) as saver:
        yield saver


def history(saver: HoldfastSaver, config: Any, *channels: str) -> Any:
    """Return the history, having checked it against LangGraph's own walk and the async twin."""
    found = saver.get_delta_channel_history(config=config, channels=channels)
    walked = BaseCheckpointSaver.get_delta_channel_history(saver, config=config, channels=channels)
    twin = asyncio.run(saver.aget_delta_channel_history(config=config, channels=channels))
    assert found == walked == twin
    return found


def chain(saver: HoldfastSaver, length: int, parent: Any = None, name: str = "w") -> list[Any]:
    """Put a chain of checkpoints without values, each followed by a write; return configs."""
    configs = []
    for at in range(length):
        parent = put(saver, parent=parent)
        saver.put_writes(parent, [("items", f"{name}{at}"), ("other", at)], f"task{at}")
        configs.append(parent)
    return configs


def values(entry: Any) -> list[Any]:
    return [value for _, _, value in entry["writes"]]


def test_no_channels_no_history(saver: HoldfastSaver) -> None:
    assert history(saver, thread()) == {}


def test_a_missing_thread_has_an_empty_history(saver: HoldfastSaver) -> None:
    assert history(saver, thread("none"), "items") == {"items": {"writes": []}}


def test_writes_of_ancestors_come_oldest_first_without_the_targets_own(
    saver: HoldfastSaver,
) -> None:
    configs = chain(saver, 4)
    assert history(saver, configs[-1], "items") == {
        "items": {"writes": [(f"task{at}", "items", f"w{at}") for at in range(3)]}
    }


def test_the_walk_ends_at_a_stored_value_and_includes_the_writes_after_it(
    saver: HoldfastSaver,
) -> None:
    old = chain(saver, 2)
    seed = put(saver, {"items": _DeltaSnapshot(["kept"])}, old[-1])
    saver.put_writes(seed, [("items", "after the seed")], "task")
    target = chain(saver, 2, seed)[-1]
    found = history(saver, target, "items", "other")
    assert found["items"]["seed"] == _DeltaSnapshot(["kept"])
    assert values(found["items"]) == ["after the seed", "w0"]
    assert "seed" not in found["other"]
    assert values(found["other"]) == [0, 1, 0]


def test_a_plain_value_and_none_are_seeds_too(saver: HoldfastSaver) -> None:
    first = put(saver, {"items": ["plain"], "none": None})
    target = put(saver, parent=first)
    found = history(saver, target, "items", "none")
    assert found == {
        "items": {"writes": [], "seed": ["plain"]},
        "none": {"writes": [], "seed": None},
    }


def test_only_the_branch_that_leads_to_the_target_counts(saver: HoldfastSaver) -> None:
    trunk = chain(saver, 2)
    chain(saver, 3, trunk[-1], "left")
    right = chain(saver, 2, trunk[-1], "right")
    assert values(history(saver, right[-1], "items")["items"]) == ["w0", "w1", "right0"]


def test_writes_of_one_step_follow_task_path_then_task_then_index(saver: HoldfastSaver) -> None:
    first = put(saver)
    for path, task in (("b", "1"), ("a", "2"), ("", "9"), ("a", "1")):
        saver.put_writes(
            first, [("items", f"{path}{task}x"), ("items", f"{path}{task}y")], task, path
        )
    found = saver.get_tuple(first)
    assert found is not None
    wanted = ["9x", "9y", "a1x", "a1y", "a2x", "a2y", "b1x", "b1y"]
    # Task "1" wrote twice under two paths: its first writes stay, as for every saver.
    wanted = [name for name in wanted if not name.startswith("a1")]
    assert [value for _, _, value in found.pending_writes or []] == wanted
    assert values(history(saver, put(saver, parent=first), "items")["items"]) == wanted


def test_a_chain_that_bites_its_tail_ends(saver: HoldfastSaver) -> None:
    first = checkpoint()
    a = saver.put(thread(), first, {}, {})
    b = put(saver, parent=a)
    saver.put(b, first, {}, {})
    found = saver.get_delta_channel_history(config=b, channels=["items"])
    assert found == {"items": {"writes": []}}


def state(saver: HoldfastSaver, config: Any = None) -> list[str]:
    items: list[str] = notebook(saver).get_state(config or thread()).values["items"]
    return items


def fill(saver: HoldfastSaver, turns: int, **config: Any) -> list[str]:
    graph = notebook(saver)
    for at in range(turns):
        graph.invoke({"items": [f"note {at}"]}, {**thread(), **config})
    return state(saver)


def test_keeping_the_latest_keeps_the_state(saver: HoldfastSaver) -> None:
    """A prune that only deletes rows empties the channel without a word."""
    before = fill(saver, 5)
    saver.prune(["t"])
    assert len(list(saver.list(thread()))) == 1
    assert state(saver) == before
    assert len(before) == 10


def test_a_pruned_thread_goes_on_and_can_be_pruned_again(saver: HoldfastSaver) -> None:
    before = fill(saver, 3)
    saver.prune(["t"])
    middle = fill(saver, 2)
    assert middle[: len(before)] == before
    saver.prune(["t"])
    assert state(saver) == middle


def test_what_is_hidden_is_seen_by_no_read(saver: HoldfastSaver) -> None:
    fill(saver, 3)
    every = list(saver.list(thread()))
    saver.prune(["t"])
    assert tables(saver)["checkpoints"] > 1
    assert [saver.get_tuple(one.config) for one in every[1:]] == [None] * (len(every) - 1)
    assert len(list(saver.list(None))) == 1


def test_a_snapshot_lets_everything_before_it_go(tmp_path: Path) -> None:
    class Often(TypedDict):
        items: Annotated[list[str], DeltaChannel(operator.add, snapshot_frequency=2)]

    with HoldfastSaver(tmp_path / "c.db") as saver:
        builder = StateGraph(Often).add_node("note", lambda _: {"items": ["seen"]})
        graph: Any = builder.add_edge(START, "note").compile(checkpointer=saver)
        for _ in range(10):
            graph.invoke({"items": ["note"]}, thread())
        before = graph.get_state(thread()).values
        saver.prune(["t"])
        assert tables(saver)["checkpoints"] <= 4
        assert graph.get_state(thread()).values == before


def test_what_lies_before_a_snapshot_is_not_kept_for_what_rests_on_it(tmp_path: Path) -> None:
    with HoldfastSaver(tmp_path / "c.db") as saver:
        before = chain(saver, 3)[-1]
        last = put(saver, {"items": ["snapshot"]}, before)
        for at in range(2):
            last = put(saver, None, last, counters_since_delta_snapshot={"items": at + 1})
        saver.prune(["t"])
        assert tables(saver)["checkpoints"] == 3
        found = saver.get_delta_channel_history(config=last, channels=["items"])
        assert found["items"]["seed"] == ["snapshot"]


def test_the_words_of_ancestors_that_a_snapshot_replaces_go_with_a_prune(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    with HoldfastSaver(path) as saver:
        before = chain(saver, 3, name="quokka")[-1]
        last = put(saver, {"items": ["snapshot"]}, before)
        saver.put_writes(last, [("items", "wombat")], "task")
        last = put(saver, None, last, counters_since_delta_snapshot={"items": 1})
        assert b"quokka" in bytes_of(path)
        saver.prune(["t"])
        entry = saver.get_delta_channel_history(config=last, channels=["items"])["items"]
        assert (entry["seed"], values(entry)) == (["snapshot"], ["wombat"])
    assert b"quokka" not in bytes_of(path)
    assert b"wombat" in bytes_of(path)


def test_deleting_a_run_leaves_the_state_of_later_runs_alone(saver: HoldfastSaver) -> None:
    fill(saver, 2, metadata={"run_id": "first"})
    before = fill(saver, 2, metadata={"run_id": "second"})
    saver.delete_for_runs(["first"])
    assert {one.metadata["run_id"] for one in saver.list(thread())} == {"second"}
    assert state(saver) == before


def test_deleting_every_run_deletes_the_thread(saver: HoldfastSaver) -> None:
    fill(saver, 2, metadata={"run_id": "only"})
    saver.delete_for_runs(["only"])
    assert set(tables(saver).values()) == {0}


def test_a_copy_has_the_whole_history_even_of_a_pruned_thread(saver: HoldfastSaver) -> None:
    before = fill(saver, 3)
    saver.prune(["t"])
    saver.copy_thread("t", "copy")
    saver.delete_thread("t")
    assert state(saver, thread("copy")) == before
    notebook(saver).invoke({"items": ["more"]}, thread("copy"))
    assert state(saver, thread("copy"))[: len(before)] == before


def test_retention_keeps_the_state(tmp_path: Path) -> None:
    with HoldfastSaver(tmp_path / "c.db", retention=Retention(last=4)) as saver:
        before = fill(saver, 12)
        assert len(before) == 24
        assert len(list(saver.list(thread()))) <= 5
