"""Random lives of facts, merges, summaries and reasons that quote at will; then parts are erased.

Whatever the model wrote where: no word that only erased turns said is left, and nothing that a
turn still states is lost without that turn being queued to be read again.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from holdfast import Memory, Record
from holdfast.testing import ScriptedLLM
from support.flows import decision, decisions, fact, facts, new_messages, opened

pytestmark = pytest.mark.slow

WORD = re.compile(r"wom[a-z]+\d+")
RUNS = ("monday", "tuesday", "friday")
COLUMNS = {
    "records": "text, speaker, metadata, relations",
    "log": "reason",
    "slots": "slot",
    "entities": "name",
}


class Quoting:
    """A model that puts any word it is shown anywhere."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def __call__(self, messages: list[dict[str, str]], tool: Any) -> dict[str, Any]:
        asked = messages[1]["content"]
        shown = WORD.findall(asked) or ["nothing"]
        if tool.name == "record_facts":
            return facts(*(self._fact(number, text, shown) for number, text in new_messages(asked)))
        if tool.name == "decide":
            return decisions(
                *(self._decision(one, shown) for one in re.findall(r"(?m)^F\d+", asked))
            )
        if tool.name == "record_procedure":
            return {"title": "T", "goal": self._some(shown), "steps": ["did"], "outcome": ""}
        return {"summary": f"They spoke of {self._some(shown)}"}

    def _some(self, shown: list[str]) -> str:
        return " and ".join(self._rng.choices(shown, k=self._rng.randrange(1, 3)))

    def _fact(self, number: int, text: str, shown: list[str]) -> dict[str, Any]:
        said = WORD.findall(text)
        quoted = self._some(shown) if self._rng.random() < 0.3 else self._some(said or ["much"])
        relation = {
            "subject": "user",
            "relation": self._rng.choice(["lives_in", "likes"]),
            "object": self._some(shown if self._rng.random() < 0.2 else said or ["much"]),
            "single_valued": True,
            "subject_type": "person",
            "object_type": "thing",
        }
        related = [relation] if self._rng.random() < 0.4 else []
        return fact(f"The user told of {quoted}", number, relations=related)

    def _decision(self, of: str, shown: list[str]) -> dict[str, Any]:
        event = self._rng.choice(["ADD", "ADD", "NONE", "UPDATE", "UPDATE", "DELETE"])
        merged = f"The user told of {self._some(shown)}" if self._rng.random() < 0.7 else ""
        made = decision(event, *([] if event == "ADD" else [1]), of=of, text=merged)
        return {**made, "reason": f"because of {self._some(shown)}"}


class Life:
    """A memory, and what its turns say."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.folder = folder
        self.said: dict[str, set[str]] = {}
        self.erased: set[str] = set()
        self._numbers = itertools.count()
        llm = ScriptedLLM(itertools.repeat(Quoting(self.rng)))
        self.memory: Memory = opened(folder, llm, graph=True)

    def talk(self) -> None:
        ids = {"user_id": "ada", "run_id": self.rng.choice(RUNS)}
        texts = [self._text() for _ in range(self.rng.randrange(1, 4))]
        for change in self.memory.add(texts, **ids):
            if change.after is not None and change.after.kind == "turn":
                self.said[change.id] = set(WORD.findall(change.after.text))
        if self.rng.random() < 0.15:
            self.memory.add_procedure("it", **ids)

    def _text(self) -> str:
        known = [word for words in self.said.values() for word in words]
        words = [f"wom{self.rng.choice(['bat', 'ing', 'es'])}{next(self._numbers)}"]
        if known and self.rng.random() < 0.3:
            words.append(self.rng.choice(sorted(known)))
        return f"I told of {' and of '.join(words)}"

    def erase(self) -> None:
        before = {record.id: record for record in self._live()}
        if self.rng.random() < 0.4:
            self.memory.delete_all(user_id="ada", run_id=self.rng.choice(RUNS))
        elif self.said:
            self.memory.delete(self.rng.choice(sorted(self.said)), user_id="ada")
        left = {record.id for record in self._all("turn")}
        gone = {key: words for key, words in self.said.items() if key not in left}
        self.said = {key: words for key, words in self.said.items() if key in left}
        self.erased |= set().union(*gone.values())
        self._check_nothing_is_lost(before)

    def _check_nothing_is_lost(self, before: Mapping[str, Record]) -> None:
        after = {(record.id, record.text) for record in self._live()}
        with self.memory._storage.database.read() as connection:
            queued = {
                row[0]
                for row in connection.execute(
                    "SELECT r.key FROM queue q JOIN records r ON r.id = q.record"
                )
            }
        for record in before.values():
            if (record.id, record.text) not in after:
                assert queued >= set(record.sources) & set(self.said), record

    def _all(self, kind: Any) -> list[Record]:
        return list(self.memory.list(user_id="ada", kinds=[kind], limit=1000))

    def _live(self) -> list[Record]:
        return self._all("fact")

    def check(self) -> None:
        """No word that only erased turns said is anywhere."""
        only = self.erased - set().union(*self.said.values())
        self.erased = only
        self.memory.purge()
        with self.memory._storage.database.read() as connection:
            for table, columns in COLUMNS.items():
                for row in connection.execute(f"SELECT {columns} FROM {table}"):
                    assert not set(WORD.findall(repr(row))) & only, (table, row)
        self.memory.export(self.folder / "x.jsonl")
        for path in self.folder.iterdir():
            told = {word.decode() for word in re.findall(rb"wom[a-z]+\d+", path.read_bytes())}
            assert not told & only, path.name
        (self.folder / "x.jsonl").unlink()
        assert self.memory.stats(check=True).problems == ()


@pytest.mark.parametrize("seed", range(8))
def test_no_word_of_erased_turns_is_left_and_nothing_else_is_lost(
    tmp_path: Path, seed: int
) -> None:
    life = Life(tmp_path, seed)
    with life.memory:
        for _ in range(24):
            life.talk()
            if life.rng.random() < 0.35:
                life.erase()
                life.check()
            if life.rng.random() < 0.4:
                life.memory.flush()
        life.check()
