"""An import is hostile input: whatever a line holds, it is refused by name, or harmless."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from holdfast import HoldfastError, InvalidInputError, Memory
from holdfast.testing import HashEmbedder
from support import full_story as story

Lines = list[dict[str, Any]]

DEEP = "[" * 100_000 + "]" * 100_000
ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    1,
    -1,
    1 << 31,
    1 << 40,
    1 << 63,
    1 << 70,
    10**400,
    1.5,
    float("inf"),
    "",
    "x",
    "wizard",
    "\x00",
    "\ud800",
    "[]",
    "{}",
    "null",
    '[1, {"a": 2}]',
    '{"a": NaN}',
    '{"subject": 1}',
    '[{"subject": "a", "relation": "b", "object": 7}]',
    DEEP,
    [],
    [1],
    [[1, 2, 3]],
    {},
    {"a": 1},
    "AAAA",
    "AACAPwAAgD8=",
    "////",
)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Lines:
    folder = tmp_path_factory.mktemp("story")
    with story.written(folder / "m.db") as memory:
        memory.export(folder / "e.jsonl")
    return [json.loads(line) for line in (folder / "e.jsonl").read_text("utf-8").splitlines()]


def write(path: Path, lines: Lines) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def altered(lines: Lines, number: int, change: Callable[[dict[str, Any]], None]) -> Lines:
    """Copy lines and change one of them."""
    copy = [dict(line) for line in lines]
    change(copy[number])
    return copy


def mutations(lines: Lines, seed: int, count: int) -> Iterator[tuple[str, Lines]]:
    """Yield exports with one wrong field each, and what is wrong with it."""
    chance = random.Random(seed)
    by_table: dict[str, list[int]] = {}
    for number, line in enumerate(lines):
        by_table.setdefault(line.get("table", "header"), []).append(number)
    for _ in range(count):
        number = chance.choice(by_table[chance.choice(sorted(by_table))])
        name = chance.choice([*lines[number], "unknown"])
        if name == "embedder":  # any is allowed in a new file; it is refused when it is asked
            continue
        kind = chance.randrange(8)
        if kind == 0 and name in lines[number]:
            change = f"no {name}"
            yield f"{number}: {change}", altered(lines, number, lambda line, n=name: line.pop(n))
            continue
        values = [line[name] for line in lines if name in line] if kind < 3 else ODD
        value = chance.choice(values or ODD)
        if kind == 3 and isinstance(lines[number].get(name), int):
            value = lines[number][name] + chance.choice((-1, 1, 1 << 32))
        if kind == 4 and isinstance(lines[number].get(name), str):
            value = lines[number][name][:-4]
        yield (
            f"{number}: {name}={value!r:.60}",
            altered(lines, number, lambda line, n=name, v=value: line.__setitem__(n, v)),
        )


def outcome(path: Path, lines: Lines) -> str:
    """Import into a new file and ask everything; say how it went."""
    memory = Memory(":memory:", embedder=HashEmbedder())
    try:
        memory.import_(write(path, lines))
    except InvalidInputError:
        assert memory.stats().namespaces == 0
        return "refused"
    assert memory.stats(check=True).problems == ()
    keys = {
        user: [line["key"] for line in lines if line.get("table") == "record"]
        for user in story.USERS
    }
    for name, ask in story.questions(keys).items():
        try:
            ask(memory)
        except HoldfastError:
            assert name.startswith("history")  # of another user's record
    for user in story.USERS:
        for record in memory.list(user_id=user).records:
            changes = memory.history(record.id, user_id=user)
            try:
                memory.undo(changes[-1], user_id=user)
            except HoldfastError:
                continue
        memory.add("More is said", user_id=user)
    assert memory.stats(check=True).problems == ()
    memory.close()
    return "harmless"


@pytest.mark.slow
def test_a_line_with_one_wrong_field_is_refused_or_harmless(
    exported: Lines, tmp_path: Path
) -> None:
    told: dict[str, int] = {}
    for what, lines in mutations(exported, 1, 400):
        try:
            how = outcome(tmp_path / "x.jsonl", lines)
        except Exception as error:
            raise AssertionError(what) from error
        told[how] = told.get(how, 0) + 1
    assert told["refused"] > 200


# -- one transaction, one scope -----------------------------------------------------------------


def opened(path: Path | str = ":memory:") -> Memory:
    return Memory(path, embedder=HashEmbedder())


def exports(folder: Path, *users: str) -> tuple[Memory, Path]:
    """Return a memory of some users, and an export of it."""
    memory = opened()
    for user in users:
        memory.add([f"{user} likes tea", f"{user} likes rice"], user_id=user)
    memory.export(folder / "e.jsonl")
    return memory, folder / "e.jsonl"


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5])
def test_an_import_that_stops_leaves_nothing(tmp_path: Path, step: int) -> None:
    source = opened()
    source.add([f"turn {n}" for n in range(600)], user_id="ada")
    source.export(tmp_path / "e.jsonl")
    memory, calls = opened(), iter(range(1, 100))

    def stop(done: int, total: int) -> None:
        assert total == 2 * (600 + 600 + 2)
        if next(calls) == step:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        memory.import_(tmp_path / "e.jsonl", progress=stop)
    assert memory.stats(check=True).problems == ()
    assert memory.stats().namespaces == 0


def test_a_bound_import_takes_its_own_scope_alone(tmp_path: Path) -> None:
    _, path = exports(tmp_path, "ada", "bob")
    memory = opened()
    for call in (
        lambda: memory.scoped(user_id="ada").import_(path),
        lambda: memory.import_(path, user_id="ada"),
    ):
        with pytest.raises(InvalidInputError, match="outside the scope"):
            call()
    source, path = exports(tmp_path, "ada")
    source.documents.put(("docs",), "k", {"n": 1})
    assert memory.import_(path, user_id="ada") == 2
    source.export(path)
    with pytest.raises(InvalidInputError, match="outside the scope"):
        memory.import_(path, user_id="ada")


def test_a_copy_for_another_scope_is_refused_in_the_same_file(tmp_path: Path) -> None:
    memory, path = exports(tmp_path, "ada")
    copied = path.read_text("utf-8").replace('"ada"', '"eve"').replace("user_id=ada", "user_id=eve")
    path.write_text(copied, "utf-8")
    with pytest.raises(InvalidInputError, match="another scope of this file"):
        memory.import_(path)
    assert opened().import_(path) == 2


def test_an_erasure_in_an_import_reaches_no_other_scope(tmp_path: Path) -> None:
    memory, path = exports(tmp_path, "ada")
    victim = memory.list(user_id="ada").records[0].id
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    lines[1] |= {"path": "s\x1fuser_id=eve\x1f", "user_id": "eve"}
    claim = {"table": "erasure", "key": victim, "namespace": 1, "at": 1, "message": None}
    with pytest.raises(InvalidInputError, match="another scope of this file"):
        memory.import_(write(path, [*lines[:2], claim]))
    assert memory.get(victim, user_id="ada").text == "ada likes tea"


def test_an_erasure_holds_in_whatever_order_exports_arrive(tmp_path: Path) -> None:
    source, older = exports(tmp_path, "ada", "bob")
    gone = source.list(user_id="ada").records[0].id
    source.delete(gone, user_id="ada")
    newer = tmp_path / "newer.jsonl"
    source.export(newer)
    for order in ((older, newer), (newer, older), (older, newer, older)):
        memory = opened()
        for path in order:
            memory.import_(path)
        assert [record.text for record in memory.list(user_id="ada")] == ["ada likes rice"]
        assert len(memory.list(user_id="bob")) == 2
        assert memory.stats(check=True).problems == ()


def test_a_newer_export_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    source, older = exports(tmp_path, "ada")
    first, second = source.list(user_id="ada").records
    memory = opened(tmp_path / "m.db")
    memory.import_(older)
    memory.search("tea", user_id="ada")
    source.update(first.id, "ada likes coffee", user_id="ada")
    source.delete(second.id, user_id="ada")
    source.add("ada likes plums", user_id="ada")
    source.export(tmp_path / "newer.jsonl")
    assert memory.import_(tmp_path / "newer.jsonl") == 2
    assert memory.import_(older) == 0
    assert memory.list(user_id="ada") == source.list(user_id="ada")
    assert memory.search("tea", user_id="ada") == source.search("tea", user_id="ada")
    assert memory.stats(check=True).problems == ()


def test_an_error_names_the_line_and_the_field_and_what_is_allowed(
    exported: Lines, tmp_path: Path
) -> None:
    number = next(n for n, line in enumerate(exported) if line.get("table") == "record")
    wrong = altered(exported, number, lambda line: line.__setitem__("kind", "wizard"))
    path = write(tmp_path / "x.jsonl", wrong)
    with pytest.raises(InvalidInputError, match=rf"^line {number + 1}: kind of a record .*'fact'"):
        opened().import_(path)


@pytest.mark.parametrize(
    "content", [b"\x1f\x8b\x08", b"", DEEP.encode(), b'{"format": "holdfast-export"}', b"\xff"]
)
def test_what_is_no_export_is_refused_in_our_words(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(InvalidInputError, match="line 1: "):
        opened().import_(tmp_path / "x")


@pytest.mark.parametrize("name", ["missing", ".", "x\x00y", "m" * 300])
def test_paths_that_cannot_be_read_or_written_are_said(tmp_path: Path, name: str) -> None:
    for call in (opened().import_, opened().export):
        if (call.__name__, name) == ("export", "missing"):
            continue
        with pytest.raises(HoldfastError):
            call(tmp_path / name)


def test_exports_to_one_path_do_not_mix(tmp_path: Path) -> None:
    memory = opened(tmp_path / "m.db")
    memory.add([f"ada {n}" for n in range(1200)], user_id="ada")
    memory.add("bob", user_id="bob")
    target = tmp_path / "e.jsonl"

    def meanwhile(done: int, total: int) -> None:
        memory.scoped(user_id="bob").export(target)

    memory.scoped(user_id="ada").export(target, progress=meanwhile)
    assert '"bob"' not in target.read_text("utf-8")


def test_drafts_of_killed_exports_go_after_a_day(tmp_path: Path) -> None:
    old, fresh = tmp_path / ".holdfast-a.part", tmp_path / ".holdfast-b.part"
    for draft in (old, fresh):
        draft.write_text("words")
    os.utime(old, (0, 0))
    exports(tmp_path, "ada")
    assert not old.exists()
    assert fresh.exists()


@pytest.mark.skipif(os.name == "nt", reason="no modes")
def test_files_and_exports_are_their_owners_alone(tmp_path: Path) -> None:
    memory = opened(tmp_path / "m.db")
    memory.add("one", user_id="ada")
    memory.export(tmp_path / "e.jsonl")
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("m.db", "m.db-wal", "m.db-shm", "e.jsonl"), 0o600)
