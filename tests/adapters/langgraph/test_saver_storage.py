"""What lies in the file: each message once, nothing that was deleted, nothing in the clear."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from holdfast import InvalidInputError
from holdfast_langgraph import HoldfastSaver, Retention
from holdfast_langgraph.checkpoint.recent import (
    MOST_BYTES,
    MOST_THREADS,
    RecentThreads,
    ThreadState,
)
from langchain_core.messages import HumanMessage, RemoveMessage
from langgraph.checkpoint.base import Checkpoint
from support.checkpoints import (
    blobs_of,
    bytes_of,
    chat,
    checkpoint,
    encrypted,
    put,
    tables,
    thread,
    values_of,
)

TURNS = 60


def said(at: int) -> HumanMessage:
    """Return a message of 240 characters, no two alike."""
    text = " ".join(f"{(at + 1) * prime % 99991:x}" for prime in range(7919, 7919 + 60))
    return HumanMessage(text[:240], id=f"m{at}")


def grow(saver: HoldfastSaver, turns: int) -> Any:
    """Put a conversation that grows by a message a checkpoint; return the last config."""
    config = thread()
    for at in range(turns):
        messages = [said(one) for one in range(at + 1)]
        config = put(saver, {"messages": messages}, config, version=at + 1)
    return config


def blobs_and_bytes(saver: HoldfastSaver) -> tuple[int, int]:
    blobs = blobs_of(saver)
    return len(blobs), sum(size for _, size in blobs)


@pytest.mark.parametrize("serde", [None, encrypted()], ids=["plain", "encrypted"])
def test_a_growing_conversation_stores_each_message_once_alone_and_once_in_a_run(
    serde: Any, tmp_path: Path
) -> None:
    with HoldfastSaver(tmp_path / "c.db", serde=serde) as saver:
        grow(saver, TURNS)
        count, size = blobs_and_bytes(saver)
    one = len(str(said(0).model_dump())) + 200
    assert TURNS <= count <= 1.5 * TURNS
    assert size < 2.2 * TURNS * one


def test_a_chat_of_96_kilobytes_takes_less_than_ten_times_its_text(tmp_path: Path) -> None:
    """The stock SqliteSaver takes over 50 MB for it."""
    path = tmp_path / "c.db"
    with HoldfastSaver(path) as saver:
        graph = chat(saver, answer=said(0).text[:-4])
        for at in range(200):
            graph.invoke({"messages": [said(at)]}, thread())
        saver.database.truncate_wal()
    assert path.stat().st_size < 10 * 96_000


def test_dropping_old_messages_costs_no_new_copies(tmp_path: Path) -> None:
    """Where a run ends depends on its messages: only the run that was cut into is stored anew."""
    drops = 10
    with HoldfastSaver(tmp_path / "c.db") as saver:
        with saver.database.write() as connection:
            # The salt decides where runs end; a given one makes this test the same every time.
            connection.execute(
                "INSERT INTO langgraph_threads(thread_id, salt) VALUES ('t', zeroblob(16))"
            )
        config = grow(saver, 200)
        count, size = blobs_and_bytes(saver)
        for at in range(drops):
            window = [said(one) for one in range(at + 1, 200)]
            config = put(saver, {"messages": window}, config, version=1000 + at)
        more, larger = blobs_and_bytes(saver)
    assert 0 < more - count <= drops
    # Runs of a fixed length would all move along: 119 new blobs, four times the bytes.
    assert larger - size < 0.6 * size


def test_an_unchanged_channel_costs_nothing(tmp_path: Path) -> None:
    with HoldfastSaver(tmp_path / "c.db") as saver:
        first = put(saver, {"document": "word " * 5000})
        made = checkpoint({"document": "word " * 5000, "n": 1})
        saver.put(first, made, {}, {"n": 1})
        assert tables(saver)["blobs"] == 1
        assert values_of(saver, thread())["document"] == "word " * 5000


def test_equal_files_in_a_mapping_are_stored_once(tmp_path: Path) -> None:
    with HoldfastSaver(tmp_path / "c.db") as saver:
        files = {"a.md": "one " * 500, "b.md": "two " * 500}
        first = put(saver, {"files": files})
        put(saver, {"files": {**files, "c.md": "three " * 500}}, first, version=2)
        assert tables(saver)["blobs"] == 3


def test_threads_share_nothing(tmp_path: Path) -> None:
    with HoldfastSaver(tmp_path / "c.db") as saver:
        put(saver, {"messages": [said(1)]}, thread("a"))
        put(saver, {"messages": [said(1)]}, thread("b"))
        assert len({digest for digest, _ in blobs_of(saver)}) == 2
        saver.delete_thread("a")
        assert values_of(saver, thread("b")) == {"messages": [said(1)]}


def test_a_checkpoint_put_again_takes_the_place_of_the_first_and_no_message_from_later_ones(
    tmp_path: Path,
) -> None:
    with HoldfastSaver(tmp_path / "c.db") as saver:
        first = put(saver)
        made = checkpoint({"messages": [said(at) for at in range(2)]})
        second = saver.put(first, made, {}, made["channel_versions"])
        third = put(saver, {"messages": [said(at) for at in range(3)]}, second, version=2)
        again: Checkpoint = {
            **made,
            "channel_values": {"messages": [HumanMessage("other", id="o")]},
        }
        saver.put(first, again, {"step": 9}, made["channel_versions"])
        assert len(list(saver.list(thread()))) == 3
        assert values_of(saver, second)["messages"] == [HumanMessage("other", id="o")]
        assert values_of(saver, third)["messages"] == [said(at) for at in range(3)]
        saver.prune(["t"])
        assert values_of(saver, thread())["messages"] == [said(at) for at in range(3)]
        assert len(blobs_of(saver)) <= 3  # fewer where a run has ended: the salt decides


def test_of_a_checkpoint_that_two_savers_put_the_younger_stays(tmp_path: Path) -> None:
    with HoldfastSaver(tmp_path / "c.db") as one, HoldfastSaver(tmp_path / "c.db") as two:
        steps = [
            checkpoint({"messages": [said(one) for one in range(at + 1)]}, version=at + 1)
            for at in range(4)
        ]
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


def test_deleting_a_thread_leaves_no_word_of_it(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    with HoldfastSaver(path) as saver:
        stored = put(saver, {"note": "unforgettable-note"}, thread("tell-tale-thread"))
        saver.put_writes(stored, [("note", "unforgettable-write")], "task")
        assert b"unforgettable-note" in bytes_of(path)
        saver.delete_thread("tell-tale-thread")
        assert tables(saver) == dict.fromkeys(("threads", "checkpoints", "writes", "blobs"), 0)
        left = bytes_of(path)
    assert b"unforgettable" not in left
    assert b"tell-tale" not in left


def test_pruning_keeps_only_what_the_latest_needs(tmp_path: Path) -> None:
    with HoldfastSaver(tmp_path / "c.db") as saver:
        config = grow(saver, TURNS)
        put(saver, {"messages": [said(0), said(TURNS - 1)]}, config, version=9999)
        saver.prune(["t", "no such thread"])
        assert values_of(saver, thread()) == {"messages": [said(0), said(TURNS - 1)]}
        assert tables(saver)["checkpoints"] == 1
        assert tables(saver)["blobs"] <= 2


def test_a_number_in_a_channel_keeps_no_blob_of_that_number(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    with HoldfastSaver(path) as saver:
        first = put(saver, {"note": "unforgettable " * 9, "n": 1})
        last = put(saver, {"n": 1}, first, version=2)
        saver.put_writes(last, [("n", 1), ("n", 2)], "task")
        saver.prune(["t"])
        assert blobs_of(saver) == []


def test_pruning_keeps_writes_whose_checkpoint_is_still_to_come(tmp_path: Path) -> None:
    with HoldfastSaver(tmp_path / "c.db") as saver:
        put(saver)
        latest = put(saver)
        coming = checkpoint()
        saver.put_writes(thread(checkpoint_id=coming["id"]), [("a", ["x" * 99])], "task")
        saver.prune(["t"])
        saver.put(latest, coming, {}, {})
        found = saver.get_tuple(thread())
        assert found is not None
        assert found.pending_writes == [("task", "a", ["x" * 99])]


def test_a_put_after_a_prune_by_another_saver_stores_what_the_prune_took(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    with HoldfastSaver(path) as saver, HoldfastSaver(path) as other:
        config = grow(saver, TURNS)
        put(other, {"messages": [said(1)]}, config, version=TURNS + 1)
        other.prune(["t"])
        everything = [said(at) for at in range(TURNS)]
        put(saver, {"messages": everything}, config, version=TURNS + 2)
        assert values_of(saver, thread()) == {"messages": everything}
        other.delete_thread("t")
        put(saver, {"messages": everything}, version=1)
        assert values_of(other, thread()) == {"messages": everything}


@pytest.mark.parametrize("way", ["prune", "delete"])
def test_a_read_after_another_savers_prune_or_delete_finds_what_is_there_now(
    way: str, tmp_path: Path
) -> None:
    """Numbers of blobs are given anew then; what was opened under them before is forgotten."""
    path = tmp_path / "c.db"
    with HoldfastSaver(path) as saver, HoldfastSaver(path) as other:
        config = grow(saver, TURNS)
        assert len(values_of(saver, thread())["messages"]) == TURNS
        if way == "prune":
            config = put(other, {"messages": [said(1)]}, config, version=TURNS + 1)
            other.prune(["t"])
        else:
            other.delete_thread("t")
        others = [said(at) for at in range(1000, 1000 + TURNS)]
        config = put(other, {"messages": others}, config, version=TURNS + 2)
        assert values_of(saver, thread()) == {"messages": others}
        assert next(saver.list(thread())).checkpoint["channel_values"] == {"messages": others}
        put(saver, {"messages": [*others, said(2)]}, config, version=TURNS + 3)
        assert values_of(other, thread()) == {"messages": [*others, said(2)]}


def test_what_a_saver_remembers_of_threads_is_bounded() -> None:
    recent, seen = RecentThreads(), []
    for number in range(2 * MOST_THREADS):
        state = ThreadState(number)
        state.note_plain(None, {number: b"x" * (MOST_BYTES // 64)})
        recent.keep(str(number), state)
        seen.append(sum(recent.get(str(one)) is not None for one in range(number + 1)))
    assert seen[:64] == list(range(1, 65))
    assert set(seen[64:]) == {64}
    huge = ThreadState(0)
    huge.note_plain(None, {0: b"x" * (MOST_BYTES + 1)})
    recent.keep("huge", huge)
    assert recent.get("huge") is None


def test_removed_messages_are_gone_after_a_prune(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    with HoldfastSaver(path) as saver:
        graph = chat(saver)
        graph.invoke({"messages": [HumanMessage("unforgettable", id="x")]}, thread())
        graph.update_state(thread(), {"messages": [RemoveMessage(id="x")]})
        saver.prune(["t"])
        left = bytes_of(path)
    assert b"unforgettable" not in left


def test_retention_keeps_the_last_and_a_quarter_more_at_most(tmp_path: Path) -> None:
    with HoldfastSaver(tmp_path / "c.db", retention=Retention(last=8)) as saver:
        for at in range(50):
            put(saver, {"n": at}, version=at)
            assert len(list(saver.list(thread()))) <= 10
        kept = [one.checkpoint["channel_values"]["n"] for one in saver.list(thread())]
        assert kept[:8] == list(range(49, 41, -1))
        saver.sweep()
        assert len(list(saver.list(thread()))) == 8


def age(saver: HoldfastSaver, days: int, where: str = "1") -> None:
    """Make checkpoints older."""
    with saver.database.write() as connection:
        connection.execute(
            f"UPDATE langgraph_checkpoints SET created_at = created_at - ? WHERE {where}",
            (days * 86_400_000_000,),
        )


def test_retention_by_age_clears_away_on_a_put_and_keeps_the_latest(tmp_path: Path) -> None:
    keep = Retention(age=timedelta(days=30))
    with HoldfastSaver(tmp_path / "c.db", retention=keep) as saver:
        for at in range(3):
            put(saver, {"n": at}, version=at)
        age(saver, 40)
        put(saver, {"n": 3}, version=3)
        assert len(list(saver.list(thread()))) == 1


def test_a_sweep_deletes_idle_threads_and_counts_what_it_deletes(tmp_path: Path) -> None:
    keep = Retention(age=timedelta(days=30))
    with HoldfastSaver(tmp_path / "c.db", retention=keep) as saver:
        put(saver, parent=thread("idle"))
        put(saver, parent=thread("idle"))
        age(saver, 40)
        put(saver, parent=thread("busy"))
        assert saver.sweep() == 2
        assert tables(saver)["threads"] == 1


@pytest.mark.parametrize("wrong", [{"last": 0}, {"age": timedelta(0)}])
def test_a_retention_that_keeps_nothing_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        Retention(**wrong)


def test_a_cipher_leaves_no_word_in_the_file_and_no_guessable_digest(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    messages = [HumanMessage(f"secret word {at}", id=str(at)) for at in range(40)]
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        with HoldfastSaver(tmp_path / folder / path.name, serde=encrypted()) as saver:
            state = {"messages": messages, "mood": "secret mood", "files": {"secret": "s" * 999}}
            stored = put(saver, state)
            saver.put_writes(stored, [("messages", messages), ("mood", "secret write")], "task")
            assert b"secret" not in bytes_of(tmp_path / folder / path.name)
            assert values_of(saver, thread()) == state
            with saver.database.write() as connection:
                # The same salt: only the key inside the cipher tells the two files apart.
                connection.execute("UPDATE langgraph_threads SET salt = zeroblob(16), epoch = 1")
            put(saver, state, thread(), version=2)
    found = [digests(tmp_path / folder / path.name) for folder in ("one", "two")]
    assert not found[0] & found[1]


def digests(path: Path) -> set[bytes]:
    with HoldfastSaver(path) as saver, saver.database.read() as connection:
        return {row[0] for row in connection.execute("SELECT digest FROM langgraph_blobs")}
