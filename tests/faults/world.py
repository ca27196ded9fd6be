"""One file and the handles on it, as a story uses them; and what the file holds, in one word."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any, Final

from holdfast import Memory, Scope
from holdfast.storage.sqlite.database import Durability
from holdfast.testing import HashEmbedder, ScriptedLLM
from support.flows import decision, decisions, fact, facts, lives_in, new_messages

NAME: Final = "m.db"
EXPORTED: Final = "export.jsonl"
KEYS: Final = tuple(bytes([number]) * 32 for number in range(1, 9))
DIMENSION: Final = 16
# What opening a file may change, and what it says about steps of tables that may be empty.
_UNTOLD: Final = ("migrations", "sqlite_sequence")
_HOME = re.compile(r"I live in (\w+)")

Step = Callable[[], object]


class World:
    """A file, opened when a story first needs it, and again after `close`.

    Args:
        folder: Where the file is, alone.
        durability, key: As of `Memory`.
        note: Called with the memory behind every commit.
    """

    def __init__(
        self,
        folder: Path,
        *,
        durability: Durability = "normal",
        key: bytes | None = None,
        note: Callable[[Memory], None] | None = None,
    ) -> None:
        self.folder, self.path = folder, folder / NAME
        self.durability, self.key = durability, key
        self.embedder = "hash"
        self.rekeying: Callable[[bytes], None] = lambda _: None  # told before a key changes
        self.watch_folder: Callable[[Step], None] = lambda step: void(step())
        self._note = note
        self._memory: Memory | None = None

    @property
    def memory(self) -> Memory:
        """The file, opened now if it was not."""
        if self._memory is None:
            memory = Memory(
                self.path,
                embedder=HashEmbedder(DIMENSION, name=self.embedder),
                llm=ScriptedLLM(repeat(answer)),
                key=self.key,
                durability=self.durability,
                graph=True,
            )
            if self._note is not None:
                _follow(memory, self._note)
            self._memory = memory
        return self._memory

    @property
    def opened(self) -> Memory | None:
        """The file if it is open."""
        return self._memory

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        memory, self._memory = self._memory, None
        if memory is not None:
            memory.close()

    def rekey(self, key: bytes) -> None:
        """Give the file another key."""
        self.rekeying(key)
        self.memory.rekey(key)
        self.key = key


def void(_: object) -> None:
    """Drop a result."""


def _follow(memory: Memory, note: Callable[[Memory], None]) -> None:
    before = memory._storage.database.after_write

    def after() -> None:
        note(memory)
        before()

    memory._storage.database.after_write = after


@dataclass(frozen=True)
class Story:
    """A run of operations, and how its file is read afterwards.

    Attributes:
        name: What it is about.
        steps: Makes the operations; each is one that can be called again after it failed.
        look: Reads all it can through its own face: what was told, without ids and times.
        go_on: Writes once more in any state, and finds it.
        keyed: None: also with encryption; else only with it or never.
    """

    name: str
    steps: Callable[[World], Sequence[Step]]
    look: Callable[[World], object]
    go_on: Callable[[World], object]
    keyed: bool | None = None


def state(memory: Memory) -> str:
    """Return a digest of every row of every table."""
    digest = hashlib.blake2b(digest_size=12)
    with memory._storage.database.read() as connection:
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        ).fetchall()
        for (table,) in tables:
            rows = [] if table in _UNTOLD else _rows(connection, table)
            if rows:
                digest.update(repr((table, rows)).encode())
    return digest.hexdigest()


EMPTY: Final = hashlib.blake2b(digest_size=12).hexdigest()


def _rows(connection: Any, table: str) -> list[str]:
    # Other properties are jobs, which opening a file may finish.
    where = "WHERE name IN ('embedder', 'dimension')" if table == "properties" else ""
    return sorted(map(repr, connection.execute(f"SELECT * FROM {table} {where}").fetchall()))


def told(memory: Memory) -> list[str]:
    """Return what all scopes hold and how it came about, without ids and times."""
    return sorted(line for scope in scopes(memory) for line in _of_scope(memory, scope))


def scopes(memory: Memory) -> list[Scope]:
    """Return all scopes of stories: each is of user ada's."""
    return memory.scopes(user_id="ada")


def _of_scope(memory: Memory, scope: Scope) -> list[str]:
    lines = []
    for record in memory.list(**scope.ids(), limit=10_000):
        past = [change.event for change in memory.history(record.id, **scope.ids())]
        said = (record.kind, record.text, dict(record.metadata), record.importance, past)
        lines.append(repr((str(scope.ids()), *said)))
    return lines


def find(memory: Memory, text: str) -> str | None:
    """Return the id of ada's record with these words."""
    for record in memory.list(user_id="ada", limit=10_000):
        if record.text == text:
            return record.id
    return None


def add_and_find(world: World) -> None:
    """Write once more, and find it."""
    world.memory.add("juniper berries", user_id="ada", run_id="afterwards", infer=False)
    found = world.memory.search("juniper", user_id="ada", run_id="afterwards")
    assert found[0].record.text == "juniper berries", "what was written last is not found"


def answer(messages: Any, tool: Any) -> Any:
    """Answer as a model that reads "I live in X" as a fact, and adds every fact."""
    asked = messages[1]["content"]
    if tool is None:
        return "short"
    if tool.name == "record_facts":
        said = new_messages(asked)
        homes = [(number, _HOME.search(words)) for number, words in said]
        return facts(
            *(
                fact(f"Ada lives in {home[1]}", number, relations=[lives_in(home[1])])
                for number, home in homes
                if home
            )
        )
    if tool.name == "decide":
        return decisions(*(decision("ADD", of=name) for name in re.findall(r"(?m)^F\d+", asked)))
    if tool.name == "record_summary":
        return {"summary": "Much was said."}
    return {"title": "T", "goal": "G", "steps": ["did a, got r"], "outcome": "O"}
