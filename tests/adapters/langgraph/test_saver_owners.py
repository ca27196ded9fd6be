"""Whose threads are: what `delete_all`, `export`, `import_` and `stats` do with them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from holdfast import InvalidInputError, Memory
from holdfast.testing import HashEmbedder
from holdfast_langgraph import HoldfastChatMessageHistory, HoldfastSaver, HoldfastStore
from langchain_core.messages import HumanMessage
from support.checkpoints import bytes_of, chat, encrypted, notebook, put, tables, thread, values_of

WORD = "QUINOAXYZ"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "m.db"


@pytest.fixture
def memory(path: Path) -> Iterator[Memory]:
    with Memory(path, embedder=HashEmbedder()) as memory:
        yield memory


@pytest.fixture
def saver(memory: Memory) -> HoldfastSaver:
    return HoldfastSaver.from_memory(memory, capture=True)


def talk(saver: HoldfastSaver, name: str, text: str = WORD, **ids: Any) -> None:
    """Have one turn of a graph in a thread; the graph answers with the words."""
    said = HumanMessage(f"I like {text} most", id=f"{name} {text}")
    chat(saver, answer=f"So you like {text}").invoke({"messages": [said]}, thread(name, **ids))


def threads(saver: HoldfastSaver) -> set[str]:
    return {one.config["configurable"]["thread_id"] for one in saver.list(None)}


# -- erasing ----------------------------------------------------------------------------------


def test_no_byte_of_a_user_is_left_of_threads_and_memory(
    saver: HoldfastSaver, memory: Memory, path: Path
) -> None:
    talk(saver, "1", user_id="ada")
    talk(saver, "2", user_id="ada")
    talk(saver, "3", "barley", user_id="bob")
    notebook(saver).invoke({"items": [WORD]}, thread("4", user_id="ada"))
    assert WORD.encode() in bytes_of(path)
    memory.delete_all(user_id="ada")
    memory.purge()
    assert WORD.encode() not in bytes_of(path)
    assert threads(saver) == {"3"}
    assert memory.stats(check=True).problems == ()


def test_with_a_reader_open_the_erasure_is_pending_until_purge(
    saver: HoldfastSaver, memory: Memory, path: Path
) -> None:
    talk(saver, "1", user_id="ada")
    with memory._storage.database.read() as connection:
        connection.execute("SELECT count(*) FROM records").fetchone()
        memory.delete_all(user_id="ada")
        assert saver.get_tuple(thread("1")) is None
        assert memory.stats().erasure_pending is True
    memory.purge()
    assert memory.stats().erasure_pending is False
    assert WORD.encode() not in bytes_of(path)


def test_a_store_of_a_user_goes_with_her_threads(
    saver: HoldfastSaver, memory: Memory, path: Path
) -> None:
    """With readers closed and opened; a store of the whole file is no user's."""
    hers = HoldfastStore.from_memory(memory.scoped(user_id="ada"))
    everyones = HoldfastStore.from_memory(memory)
    hers.put(("notes",), "tea", {"text": f"she likes {WORD}"})
    everyones.put(("notes",), "tea", {"text": "leaves and water"})
    talk(saver, "1", user_id="ada")
    with saver.database.read() as connection:
        connection.execute("SELECT count(*) FROM documents").fetchone()
        memory.delete_all(user_id="ada")
        assert memory.stats().erasure_pending is True
    assert hers.search(("notes",), query=WORD) == []
    assert [one.value for one in everyones.search(("notes",))] == [{"text": "leaves and water"}]
    memory.purge()
    assert WORD.encode() not in bytes_of(path)


def test_agent_app_and_run_reach_threads_as_they_reach_memories(
    saver: HoldfastSaver, memory: Memory
) -> None:
    for name in ("1", "2", "3", "4"):
        talk(saver, name, user_id="ada", agent_id=f"agent {name}", app_id=f"app {name}")
    memory.delete_all(agent_id="agent 1")
    memory.delete_all(app_id="app 2")
    memory.delete_all(user_id="ada", run_id="3")
    memory.delete_all(user_id="bob", run_id="4")
    memory.delete_all(user_id="ada", filters={"no": "filter reaches threads"})
    assert threads(saver) == {"4"}


def test_a_thread_that_two_users_wrote_to_goes_with_either(
    saver: HoldfastSaver, memory: Memory, path: Path
) -> None:
    talk(saver, "both", user_id="ada")
    talk(saver, "both", "barley", user_id="bob")
    memory.delete_all(user_id="bob")
    assert threads(saver) == set()
    assert b"barley" not in bytes_of(path)


def test_writes_alone_make_a_thread_a_users(saver: HoldfastSaver, memory: Memory) -> None:
    config = put(saver)
    saver.put_writes(thread(**{**config["configurable"], "user_id": "ada"}), [("a", WORD)], "task")
    memory.delete_all(user_id="ada")
    assert set(tables(saver).values()) == {0}


def test_a_copy_belongs_to_whom_its_source_belongs(saver: HoldfastSaver, memory: Memory) -> None:
    talk(saver, "1", user_id="ada")
    saver.copy_thread("1", "copy")
    memory.delete_all(user_id="ada")
    assert threads(saver) == set()


def test_an_erased_thread_begins_anew_and_is_its_users_again(
    saver: HoldfastSaver, memory: Memory
) -> None:
    talk(saver, "1", user_id="ada")
    memory.delete_all(user_id="ada")
    talk(saver, "1", "barley", user_id="ada")
    assert len(values_of(saver, thread("1"))["messages"]) == 2
    memory.delete_all(user_id="ada")
    assert threads(saver) == set()


def test_clearing_a_message_history_leaves_the_thread_of_its_session(
    saver: HoldfastSaver, memory: Memory
) -> None:
    talk(saver, "1", user_id="ada")
    history = HoldfastChatMessageHistory(memory, session_id="1", user_id="ada")
    history.add_user_message("I drink green tea")
    history.clear()
    assert memory.list(user_id="ada").records == ()
    assert threads(saver) == {"1"}


def test_a_check_names_threads_of_no_user(saver: HoldfastSaver, memory: Memory) -> None:
    talk(saver, "hers", user_id="ada")
    talk(saver, "an agent's", agent_id="helper")
    talk(saver, "none")
    talk(saver, "no id", user_id="bell\x07")
    stats = memory.stats(check=True)
    assert stats.problems == ()
    assert [one.removeprefix("holdfast-langgraph: ") for one in stats.unowned] == [
        '''thread "an agent's"''',
        "thread 'no id'",
        "thread 'none'",
    ]


def test_a_check_finds_what_a_thread_lacks(saver: HoldfastSaver, memory: Memory) -> None:
    talk(saver, "1", user_id="ada", text="barley " * 40)
    with memory._storage.database.write() as connection:
        connection.execute("UPDATE langgraph_checkpoints SET manifest = x'c1' WHERE id = 1")
        connection.execute("DELETE FROM langgraph_blobs")
        connection.execute("INSERT INTO langgraph_owners VALUES (77, 'ada', '', '')")
    problems = "\n".join(memory.stats(check=True).problems)
    assert "a checkpoint of a thread cannot be read" in problems
    assert "names a blob that no row before it holds" in problems
    assert "1 rows of langgraph_owners are of no thread" in problems


# -- export and import ------------------------------------------------------------------------


def everything(saver: HoldfastSaver, name: str) -> list[Any]:
    return list(saver.list({"configurable": {"thread_id": name}}))


def other_memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "other.db", embedder=HashEmbedder())


def test_threads_travel_whole_and_go_on(
    saver: HoldfastSaver, memory: Memory, tmp_path: Path
) -> None:
    for at in range(20):
        talk(saver, "1", f"barley number {at} " * 5, user_id="ada")
    notebook(saver).invoke({"items": ["note"]}, thread("notes"))
    saver.prune(["notes"])
    saver.put_writes(everything(saver, "1")[0].config, [("more", "x" * 9000)], "task", "path")
    memory.export(tmp_path / "all.jsonl")
    with other_memory(tmp_path) as memory_there:
        there = HoldfastSaver.from_memory(memory_there)
        memory_there.import_(tmp_path / "all.jsonl")
        for name in ("1", "notes"):
            assert everything(there, name) == everything(saver, name)
        notes = [notebook(one).get_state(thread("notes")).values for one in (saver, there)]
        assert notes[0] == notes[1]
        assert len(notes[0]["items"]) == 2
        talk(there, "1", user_id="ada")
        assert len(values_of(there, thread("1"))["messages"]) == 42
        assert memory_there.stats(check=True).problems == ()
        memory_there.delete_all(user_id="ada")
        assert threads(there) == {"notes"}


def test_a_users_export_holds_the_threads_that_are_hers_alone(
    saver: HoldfastSaver, memory: Memory, tmp_path: Path
) -> None:
    talk(saver, "hers", user_id="ada")
    talk(saver, "both", user_id="ada")
    talk(saver, "both", "barley", user_id="bob")
    talk(saver, "none")
    memory.scoped(user_id="ada").export(tmp_path / "hers.jsonl")
    with other_memory(tmp_path) as memory_there:
        memory_there.import_(tmp_path / "hers.jsonl")
        assert threads(HoldfastSaver.from_memory(memory_there)) == {"hers"}


def test_an_older_export_changes_nothing_and_a_newer_one_takes_its_place(
    saver: HoldfastSaver, memory: Memory, tmp_path: Path
) -> None:
    talk(saver, "1", user_id="ada")
    memory.export(tmp_path / "old.jsonl")
    talk(saver, "1", "barley", user_id="ada")
    memory.export(tmp_path / "new.jsonl")
    with other_memory(tmp_path) as memory_there:
        there = HoldfastSaver.from_memory(memory_there)
        for name in ("old", "new", "old", "new"):
            memory_there.import_(tmp_path / f"{name}.jsonl")
            wanted = 2 if name == "old" and not len(everything(there, "1")) > 3 else 4
            assert len(values_of(there, thread("1"))["messages"]) == wanted
        assert everything(there, "1") == everything(saver, "1")


def test_another_thread_under_the_same_id_is_not_overwritten(
    saver: HoldfastSaver, memory: Memory, tmp_path: Path
) -> None:
    talk(saver, "1", user_id="ada")
    memory.export(tmp_path / "all.jsonl")
    with other_memory(tmp_path) as memory_there:
        there = HoldfastSaver.from_memory(memory_there)
        talk(there, "1", "barley", user_id="bob")
        before = everything(there, "1")
        with pytest.raises(InvalidInputError, match="another thread '1'"):
            memory_there.import_(tmp_path / "all.jsonl")
        assert everything(there, "1") == before
        assert memory_there.list(user_id="ada").records == ()


def test_behind_a_cipher_threads_travel_encrypted(
    saver: HoldfastSaver, memory: Memory, tmp_path: Path
) -> None:
    sealed = HoldfastSaver.from_memory(memory, serde=encrypted())
    said = {"messages": [HumanMessage(f"{WORD} {at} " * 9, id=str(at)) for at in range(9)]}
    config = put(sealed, said)
    memory.export(tmp_path / "all.jsonl")
    assert WORD not in (tmp_path / "all.jsonl").read_text()
    with other_memory(tmp_path) as memory_there:
        memory_there.import_(tmp_path / "all.jsonl")
        there = HoldfastSaver.from_memory(memory_there, serde=encrypted())
        assert values_of(there, config) == said
        put(there, {"messages": [*said["messages"], HumanMessage("more", id="m")]}, config, 2)
        assert len(values_of(there, thread())["messages"]) == 10


def lines_of(saver: HoldfastSaver, memory: Memory, tmp_path: Path) -> list[dict[str, Any]]:
    """Export a thread with every kind of row."""
    config = put(saver, {"messages": [HumanMessage("barley " * 40, id="1")], "n": 7})
    saver.put_writes(config, [("a", [HumanMessage("barley " * 40, id="1")] * 9)], "task")
    memory.export(tmp_path / "good.jsonl")
    return [json.loads(line) for line in (tmp_path / "good.jsonl").read_text().splitlines()]


B64 = "AAAA"
HARM: dict[str, tuple[str, dict[str, Any]]] = {
    "no field of a row": ("thread", {"more": 1}),
    "another kind": ("thread", {"kind": "row"}),
    "a number that is a text": ("thread", {"no": "1"}),
    "a negative number": ("blob", {"number": -1}),
    "a truth for a number": ("checkpoint", {"hidden": True}),
    "hidden beyond 1": ("checkpoint", {"hidden": 2}),
    "a short salt": ("thread", {"salt": {"base64": B64}}),
    "no base64": ("blob", {"data": {"base64": "*"}}),
    "a text for bytes": ("blob", {"data": "x"}),
    "an owner that is no scope": ("thread", {"owners": [["", "", ""]]}),
    "an owner of four ids": ("thread", {"owners": [["a", "b", "c", "d"]]}),
    "an owner with control characters": ("thread", {"owners": [["bell\x07", "", ""]]}),
    "half a character": ("checkpoint", {"ns": "\ud800"}),
    "a blob of no thread": ("blob", {"thread": 99}),
    "a blob that cannot be unpacked": ("blob", {"type": "zstd:msgpack", "data": {"base64": B64}}),
    "a manifest that is none": ("checkpoint", {"manifest": {"base64": B64}}),
    "a manifest that names a missing blob": ("checkpoint", {"manifest": {"base64": "gaFhzQPn"}}),
    "a write that is none": ("write", {"value": {"base64": B64}}),
    "metadata that is none": ("checkpoint", {"metadata": "[]"}),
    "a newest checkpoint that is missing": ("thread", {"newest": "z"}),
}


@pytest.mark.parametrize("harm", list(HARM))
def test_a_row_that_no_export_writes_is_refused_and_nothing_written(
    saver: HoldfastSaver, memory: Memory, tmp_path: Path, harm: str
) -> None:
    kind, change = HARM[harm]
    lines = lines_of(saver, memory, tmp_path)
    next(line for line in lines if line.get("kind") == kind and "table" in line).update(change)
    (tmp_path / "bad.jsonl").write_text("\n".join(map(json.dumps, lines)))
    with other_memory(tmp_path) as memory_there:
        with pytest.raises(InvalidInputError):
            memory_there.import_(tmp_path / "bad.jsonl")
        assert threads(HoldfastSaver.from_memory(memory_there)) == set()


@pytest.mark.parametrize("kind", ["thread", "blob", "checkpoint"])
def test_a_row_that_comes_twice_is_refused(
    saver: HoldfastSaver, memory: Memory, tmp_path: Path, kind: str
) -> None:
    lines = lines_of(saver, memory, tmp_path)
    lines.append(next(line for line in lines if line.get("kind") == kind and "table" in line))
    (tmp_path / "bad.jsonl").write_text("\n".join(map(json.dumps, lines)))
    with (
        other_memory(tmp_path) as memory_there,
        pytest.raises(InvalidInputError, match="comes twice"),
    ):
        memory_there.import_(tmp_path / "bad.jsonl")


def test_an_import_into_a_scope_takes_no_threads(
    saver: HoldfastSaver, memory: Memory, tmp_path: Path
) -> None:
    talk(saver, "1", user_id="ada")
    memory.scoped(user_id="ada").export(tmp_path / "hers.jsonl")
    with (
        other_memory(tmp_path) as memory_there,
        pytest.raises(InvalidInputError, match="objects of Python"),
    ):
        memory_there.import_(tmp_path / "hers.jsonl", user_id="ada")


# -- a process that has not imported the package -----------------------------------------------

ALONE = """
import sys
from holdfast import Memory
from holdfast.testing import HashEmbedder
with Memory(sys.argv[1], embedder=HashEmbedder()) as memory:
    memory.export(sys.argv[2])
    memory.delete_all(user_id="ada")
    assert "holdfast_langgraph" in sys.modules
"""


def test_a_process_that_knows_only_the_core_exports_and_erases_threads(
    path: Path, tmp_path: Path
) -> None:
    with HoldfastSaver(path) as saver:
        talk(saver, "1", user_id="ada")
        talk(saver, "2", "barley", user_id="bob")
    exported = tmp_path / "all.jsonl"
    subprocess.run([sys.executable, "-c", ALONE, str(path), str(exported)], check=True)
    assert WORD.encode() not in bytes_of(path)
    with HoldfastSaver(path) as saver:
        assert threads(saver) == {"2"}
    with other_memory(tmp_path) as memory_there:
        memory_there.import_(exported)
        assert threads(HoldfastSaver.from_memory(memory_there)) == {"1", "2"}
