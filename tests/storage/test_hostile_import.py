"""An import is hostile input: whatever a line holds, it is refused by name, or harmless."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from holdfast import HoldfastError, InvalidInputError, Memory
from holdfast.testing import HashEmbedder
from support import story

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
