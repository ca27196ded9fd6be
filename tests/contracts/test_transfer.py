"""`export`, `import_`, `reembed` and `close`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from holdfast import (
    EmbedderMismatchError,
    InvalidInputError,
    ProviderError,
    RecordNotFoundError,
    ScopeError,
    StorageClosedError,
)
from holdfast.tables import database_of
from holdfast.testing import HashEmbedder, ScriptedLLM
from support.faces import Face
from support.flows import decision, decisions, facts

Opened = Callable[..., Face]


def fill(face: Face) -> None:
    """Leave something in every table that an export covers."""
    later = datetime.now(timezone.utc) + timedelta(days=1)
    first, second, third = face.add(
        ["I live in Berlin", {"role": "assistant", "content": "Noted", "id": "m1"}, "secret"],
        user_id="ada",
        run_id="r1",
        metadata={"topic": "home ☃"},
        expires_at=later,
    )
    face.update(first.id, "I live in Paris", user_id="ada")
    face.undo(face.update(second.id, importance=0.9, user_id="ada"), user_id="ada")
    face.delete(third.id, user_id="ada")
    face.add("Ada likes tea", user_id="ada", kind="fact")
    face.add("Bob likes coffee", user_id="bob")
    face.documents.put(("docs", "x\x1fy"), "k", {"n": [1, None]}, texts=["a text", "another"])
    face.documents.put(("docs",), "gone", {"n": 1})
    face.documents.delete(("docs",), "gone")


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def without_numbering(path: Path) -> list[dict[str, Any]]:
    """The lines of an export without the log's numbers, which belong to one file."""
    return [{key: item for key, item in line.items() if key != "seq"} for line in lines(path)]


def test_an_export_of_an_import_equals_the_export(
    face: Face, opened: Opened, tmp_path: Path
) -> None:
    fill(face)
    count = face.export(tmp_path / "one.jsonl")
    other = opened("other.db")
    assert other.import_(tmp_path / "one.jsonl") == 8
    assert other.export(tmp_path / "two.jsonl") == count == len(lines(tmp_path / "one.jsonl"))
    assert without_numbering(tmp_path / "one.jsonl") == without_numbering(tmp_path / "two.jsonl")
    assert other.stats(check=True).problems == ()


def test_an_import_reads_searches_and_remembers_like_the_original(
    face: Face, opened: Opened, tmp_path: Path
) -> None:
    fill(face)
    face.export(tmp_path / "one.jsonl")
    other = opened("other.db")
    other.import_(tmp_path / "one.jsonl")
    assert other.list(user_id="ada") == face.list(user_id="ada")
    assert other.search("where do I live", user_id="ada") == face.search(
        "where do I live", user_id="ada"
    )
    for record in face.list(user_id="ada"):
        ours = face.history(record.id, user_id="ada")
        theirs = other.history(record.id, user_id="ada")
        assert [(c.event, c.before, c.after, c.at) for c in ours] == [
            (c.event, c.before, c.after, c.at) for c in theirs
        ]
    resent = {"role": "assistant", "content": "Noted", "id": "m1"}
    assert len(other.add(resent, user_id="ada", run_id="r1")) == 0
    assert other.documents.get(("docs", "x\x1fy"), "k").value == {"n": [1, None]}


def test_importing_twice_writes_nothing_twice(face: Face, opened: Opened, tmp_path: Path) -> None:
    fill(face)
    face.export(tmp_path / "one.jsonl")
    other = opened("other.db")
    other.import_(tmp_path / "one.jsonl")
    assert other.import_(tmp_path / "one.jsonl") == 0
    other.export(tmp_path / "two.jsonl")
    assert without_numbering(tmp_path / "one.jsonl") == without_numbering(tmp_path / "two.jsonl")


def test_an_interrupted_import_is_taken_up_again(
    face: Face, opened: Opened, tmp_path: Path
) -> None:
    face.add([f"turn {n}" for n in range(600)], user_id="ada")
    face.export(tmp_path / "one.jsonl")
    other = opened("other.db")

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        other.import_(tmp_path / "one.jsonl", progress=stop)
    other.import_(tmp_path / "one.jsonl")
    other.export(tmp_path / "two.jsonl")
    assert without_numbering(tmp_path / "one.jsonl") == without_numbering(tmp_path / "two.jsonl")


@pytest.mark.parametrize("whole", [False, True], ids=["one", "scope"])
def test_what_was_erased_does_not_come_back_by_an_import(
    face: Face, opened: Opened, tmp_path: Path, whole: bool
) -> None:
    fill(face)
    face.add("the safe opens with 4711", user_id="eve")
    face.export(tmp_path / "one.jsonl")
    other = opened("other.db")
    other.import_(tmp_path / "one.jsonl")
    (safe,) = other.list(user_id="eve")
    if whole:
        other.delete_all(user_id="eve")
    else:
        other.delete(safe.id, user_id="eve")

    assert other.import_(tmp_path / "one.jsonl") == 0
    assert other.search("safe", user_id="eve") == []
    with pytest.raises(RecordNotFoundError):
        other.get(safe.id, user_id="eve")
    assert other.stats(check=True).problems == ()


def test_why_an_erased_fact_was_written_does_not_come_back_by_an_import(
    opened: Opened, tmp_path: Path
) -> None:
    because = {**decision("ADD"), "reason": "not the same as the Wibblewave"}
    answers = [facts("User has a boat"), facts("User has a boat, too"), decisions(because)]
    face = opened(llm=ScriptedLLM(answers))
    face.add("My boat is the Wibblewave", user_id="ada", run_id="r1")
    *_, added = face.add("I have a boat, too", user_id="ada", run_id="r2")
    assert "Wibblewave" in face.history(added.id, user_id="ada")[0].reason
    other = opened("other.db")
    face.export(tmp_path / "one.jsonl")
    other.import_(tmp_path / "one.jsonl")
    other.delete(added.id, user_id="ada")
    face.add("It rains", user_id="ada", run_id="r2", infer=False)  # so the export is the newer one
    face.export(tmp_path / "one.jsonl")

    assert other.import_(tmp_path / "one.jsonl") == 1
    changes = other.history(added.id, user_id="ada")
    assert [(change.event, change.reason) for change in changes] == [
        ("ADD", ""),
        ("DELETE", "erased"),
    ]
    other.export(tmp_path / "two.jsonl")
    told = [line for line in lines(tmp_path / "two.jsonl") if line.get("key") == added.id]
    assert {line["table"] for line in told} == {"log", "erasure"}
    assert "Wibblewave" not in json.dumps(told)


def test_an_import_does_not_mix_with_other_memories(
    face: Face, opened: Opened, tmp_path: Path
) -> None:
    face.add(["one", "two"], user_id="ada")
    face.export(tmp_path / "one.jsonl")
    for name, said in (("more.db", ["a", "b", "c"]), ("same.db", ["a", "b"])):
        other = opened(name)
        other.add(said, user_id="ada")
        with pytest.raises(InvalidInputError, match=r"^this file already holds other memories"):
            other.import_(tmp_path / "one.jsonl")
        assert [record.text for record in other.list(user_id="ada")] == said
        assert other.stats(check=True).problems == ()


def test_an_import_of_another_embedders_vectors_is_refused(
    face: Face, opened: Opened, tmp_path: Path
) -> None:
    face.add("one", user_id="ada")
    face.export(tmp_path / "one.jsonl")
    other = opened("other.db", embedder=HashEmbedder(64, name="other"))
    other.add("two", user_id="bob")
    with pytest.raises(EmbedderMismatchError):
        other.import_(tmp_path / "one.jsonl")
    assert len(other.list(user_id="ada")) == 0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json\n",
        b"[]\n",
        b'{"format": "other", "version": 1}\n',
        b'{"format": "holdfast-export", "version": 99, "embedder": null, "dimension": null}\n',
        b"\xff\xfe\x00\n",
    ],
)
def test_a_file_that_is_no_export_is_refused(face: Face, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError):
        face.import_(path)


@pytest.mark.parametrize("damage", ["{", '{"table": "nothing"}', '{"table": "record"}', "{}", "5"])
def test_a_damaged_line_is_an_error(
    face: Face, opened: Opened, tmp_path: Path, damage: str
) -> None:
    face.add("one", user_id="ada")
    face.export(tmp_path / "one.jsonl")
    with (tmp_path / "one.jsonl").open("a", encoding="utf-8") as file:
        file.write(damage + "\n")
    other = opened("other.db")
    with pytest.raises(InvalidInputError):
        other.import_(tmp_path / "one.jsonl")
    assert other.stats(check=True).problems == ()


def test_a_record_without_its_text_is_not_skipped_in_silence(
    face: Face, opened: Opened, tmp_path: Path
) -> None:
    face.add("one", user_id="ada")
    face.export(tmp_path / "one.jsonl")
    damaged = [
        {key: item for key, item in line.items() if key != "text"}
        for line in lines(tmp_path / "one.jsonl")
    ]
    (tmp_path / "two.jsonl").write_text("\n".join(map(json.dumps, damaged)), encoding="utf-8")
    with pytest.raises(InvalidInputError, match="text"):
        opened("other.db").import_(tmp_path / "two.jsonl")


def test_a_bound_handle_exports_its_scope_alone(face: Face, tmp_path: Path) -> None:
    fill(face)
    face.memory.scoped(user_id="bob").export(tmp_path / "bob.jsonl")
    text = (tmp_path / "bob.jsonl").read_text(encoding="utf-8")
    assert "Bob likes coffee" in text
    assert "Berlin" not in text
    assert '"ada"' not in text


def test_a_bound_handle_neither_reembeds_nor_purges_nor_vacuums(face: Face) -> None:
    handle = face.memory.scoped(user_id="ada")
    for call in (handle.reembed, handle.purge, handle.vacuum):
        with pytest.raises(ScopeError, match="bound to a scope"):
            call()
    with pytest.raises(ScopeError, match="bound to a scope"):
        database_of(handle)


def test_export_tells_its_progress_and_leaves_no_draft(face: Face, tmp_path: Path) -> None:
    face.add(["one", "two"], user_id="ada")
    told: list[tuple[int, int]] = []
    face.export(tmp_path / "one.jsonl", progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (2, 2)
    assert list(tmp_path.glob("*.part")) == []


def test_an_export_that_fails_leaves_neither_draft_nor_damage(face: Face, tmp_path: Path) -> None:
    face.add("one", user_id="ada")
    face.export(tmp_path / "one.jsonl")
    before = (tmp_path / "one.jsonl").read_bytes()

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        face.export(tmp_path / "one.jsonl", progress=stop)
    assert (tmp_path / "one.jsonl").read_bytes() == before
    assert list(tmp_path.glob("*.part")) == []


def test_an_export_never_takes_the_place_of_the_file_itself(face: Face) -> None:
    if face.kind == "in_memory":
        return  # it has no file
    face.add("one", user_id="ada")
    with pytest.raises(InvalidInputError, match="itself"):
        face.export(face.path)
    assert len(face.list(user_id="ada")) == 1


# -- reembed ------------------------------------------------------------------------------------


class Exchangeable(HashEmbedder):
    """An embedder that another one can take the place of, as when a file is opened anew."""

    def __init__(self) -> None:
        super().__init__()
        self.model = HashEmbedder()

    def exchange(self, fail_at: int | None = None) -> None:
        self.model = HashEmbedder(48, name="other", fail_at=fail_at)

    @property
    def fingerprint(self) -> str:
        return self.model.fingerprint

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return self.model.embed(texts)


def test_another_embedder_is_refused_until_reembed_is_done(opened: Opened) -> None:
    embedder = Exchangeable()
    face = opened(embedder=embedder)
    fill(face)
    before = face.list(user_id="ada")
    embedder.exchange()
    for call in (
        lambda: face.add("more", user_id="ada"),
        lambda: face.search("tea", user_id="ada"),
        lambda: face.update(before.records[0].id, "x", user_id="ada"),
        lambda: face.documents.put(("docs",), "k", {}, texts=["x"]),
        lambda: face.documents.search((), "x"),
    ):
        with pytest.raises(EmbedderMismatchError, match=r"'hash/64.*'other/48.*reembed"):
            call()
    done: list[tuple[int, int]] = []
    assert face.reembed(progress=lambda *step: done.append(step)) == 8
    assert done[-1] == (8, 8)
    assert face.list(user_id="ada") == before
    found = face.search("Ada likes tea", user_id="ada")
    assert found[0].record.text == "Ada likes tea"
    assert face.stats(check=True).embedder == "other/48"
    assert face.stats(check=True).problems == ()


def test_an_update_does_not_ask_an_embedder_that_is_not_the_files(opened: Opened) -> None:
    embedder = Exchangeable()
    face = opened(embedder=embedder)
    (added,) = face.add("tea", user_id="ada")
    embedder.exchange(fail_at=1)
    with pytest.raises(EmbedderMismatchError):
        face.update(added.id, "coffee", user_id="ada")


def test_an_interrupted_reembed_is_taken_up_where_it_stopped(opened: Opened) -> None:
    embedder = Exchangeable()
    face = opened(embedder=embedder)
    face.add([f"turn {n}" for n in range(100)], user_id="ada")
    embedder.exchange(fail_at=80)
    with pytest.raises(ProviderError):
        face.reembed()
    with pytest.raises(EmbedderMismatchError):
        face.search("turn", user_id="ada")
    assert face.reembed() == 36
    assert len(face.search("turn 3", user_id="ada", limit=100)) == 100
    assert face.stats(check=True).problems == ()


def test_the_old_embedder_goes_on_while_reembed_is_not_done(opened: Opened) -> None:
    embedder = Exchangeable()
    face = opened(embedder=embedder)
    face.add([f"turn {n}" for n in range(100)], user_id="ada")
    embedder.exchange(fail_at=80)
    with pytest.raises(ProviderError):
        face.reembed()
    embedder.model = HashEmbedder()
    assert len(face.search("turn 3", user_id="ada", limit=100)) == 100
    face.add("one more", user_id="ada")
    embedder.exchange()
    assert face.reembed() == 37
    assert face.stats(check=True).problems == ()


def test_reembed_of_an_empty_file_lets_go_of_the_old_embedder(opened: Opened) -> None:
    embedder = Exchangeable()
    face = opened(embedder=embedder)
    face.add("one", user_id="ada")
    face.delete_all(user_id="ada")
    embedder.exchange()
    assert face.reembed() == 0
    face.add("two", user_id="ada")
    assert face.stats(check=True).embedder == "other/48"


# -- close --------------------------------------------------------------------------------------


def test_a_closed_memory_says_so(face: Face, tmp_path: Path) -> None:
    (added,) = face.add("one", user_id="ada")
    face.close()
    face.close()
    for call in (
        lambda: face.add("two", user_id="ada"),
        lambda: face.search("one", user_id="ada"),
        lambda: face.get(added.id, user_id="ada"),
        lambda: face.stats(),
        lambda: face.delete_all(user_id="ada"),
        lambda: face.export(tmp_path / "x.jsonl"),
    ):
        with pytest.raises(StorageClosedError, match="is closed"):
            call()


def test_what_was_added_is_there_after_reopening(face: Face, opened: Opened) -> None:
    if face.kind == "in_memory":
        return  # it ends with its connection
    face.add("I live in Berlin", user_id="ada")
    face.close()
    again = opened()
    assert again.search("Berlin", user_id="ada")[0].record.text == "I live in Berlin"


def test_closing_a_bound_handle_leaves_the_file_open(face: Face) -> None:
    with face.memory.scoped(user_id="ada") as handle:
        handle.add("one")
    assert len(face.list(user_id="ada")) == 1
