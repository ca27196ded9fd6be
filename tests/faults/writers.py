"""Facts across sessions, in two processes with a writer each, and many users between them.

Each process says where its users live and what they like, in any of their sessions, so that the
processes supersede each other's facts all the time; changes, erases and takes back some; and
searches by user, session and agent in between. At the end both prove the file sound, and answer
the same questions with the same ranking and scores (to five digits) as a process that opens the
file anew.

Watches the repair of views: a fact superseded from another session by another process.

    python -m faults.writers NAME SEED SECONDS FILE
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from faults.parts import Counts, Report, quiet
from faults.talker import opened, talker
from holdfast import InvalidInputError, Memory, RecordNotFoundError, ScopeError

WHOLE = 600.0  # seconds
_TESTS = Path(__file__).parents[1]
_USERS = [f"user{number}" for number in range(6)]
_SCOPES: list[dict[str, str]] = [
    {},
    {"run_id": "r1"},
    {"run_id": "r2"},
    {"run_id": "r3"},
    {"agent_id": "bot", "run_id": "r1"},
    {"app_id": "shop", "run_id": "r2"},
]
_PLACES = ["Paris", "Rome", "Oslo", "Bern", "Lyon", "Turin", "Ghent", "Porto"]
_LIKES = ["tea", "rain", "boats", "trains", "bread", "music", "rivers", "books"]
_QUESTIONS = ("where does the user live", "likes tea and rain", "Paris", "What about boats?")


class Writer:
    """One process's share of the writing."""

    def __init__(self, memory: Memory, name: str, seed: int) -> None:
        self.memory = memory
        self.name = name
        self.rng = random.Random(f"{name} {seed}")
        self.done = 0
        self.conflicts = 0

    def once(self) -> None:
        """Do one random thing for one user."""
        rng = self.rng
        ids = {"user_id": rng.choice(_USERS), **rng.choice(_SCOPES)}
        choice = rng.random()
        if choice < 0.35:
            self._tell(ids)
        elif choice < 0.42:
            triple = ("user", "lives_in", rng.choice(_PLACES))
            self.memory.add_relations([triple], **ids)
        elif choice < 0.55:
            self._change(ids)
        elif choice < 0.553:
            self.memory.delete_all(**ids)
        else:
            self._search(ids)
        self.done += 1

    def _tell(self, ids: dict[str, str]) -> None:
        verb, names = self.rng.choice([("live in", _PLACES), ("like", _LIKES)])
        self.memory.add(f"I {verb} {self.rng.choice(names)}", **ids)

    def _change(self, ids: dict[str, str]) -> None:
        """Change one of what is there; the other process may have been faster."""
        records = self.memory.list(limit=50, **ids).records
        if not records:
            return
        record = self.rng.choice(records)
        try:
            match self.rng.choice(["delete", "delete", "update", "undo"]):
                case "delete":
                    self.memory.delete(record.id, **ids)
                case "update":
                    self.memory.update(record.id, metadata={"n": self.done}, **ids)
                case _:
                    self.memory.undo(self.memory.history(record.id, **ids)[-1], **ids)
        except (RecordNotFoundError, InvalidInputError, ScopeError):  # or it is out of reach now
            self.conflicts += 1

    def _search(self, ids: dict[str, str]) -> None:
        found = self.memory.search(self.rng.choice(_QUESTIONS), limit=50, **ids)
        keys = [match.record.id for match in found]
        assert len(keys) == len(set(keys)), f"found twice: {keys}"
        for match in found:
            own = match.record.scope.ids()
            assert own.items() >= ids.items(), f"asked {ids}, told a record of {own}"


def answers(memory: Memory) -> dict[str, Any]:
    """Return ranking and scores of fixed questions, by user and by session."""
    told = {}
    for user in _USERS:
        for scope in _SCOPES:
            for question in _QUESTIONS:
                ids = {"user_id": user, **scope}
                found = memory.search(question, limit=100, **ids)
                told[f"{ids} {question}"] = [
                    (match.record.id, match.record.text, round(match.score, 5)) for match in found
                ]
    return told


def main(name: str, seed: str, seconds: str, path: str) -> None:
    """Write for some time, say so, wait for a line, then answer and check."""
    with opened(path, talker()) as memory:
        writer = Writer(memory, name, int(seed))
        until = time.monotonic() + float(seconds)
        while time.monotonic() < until:
            writer.once()
        print("written", flush=True)  # noqa: T201
        sys.stdin.readline()
        told = {
            "done": writer.done,
            "conflicts": writer.conflicts,
            "answers": answers(memory),
            "problems": memory.stats(check=True).problems,
        }
        print(json.dumps(told), flush=True)  # noqa: T201


# -- the part --------------------------------------------------------------------------------------


def run(seed: int, seconds: float) -> Counts:
    """Let two processes write for some seconds, and compare what they answer."""
    counts, folder = Counts(), Path(tempfile.mkdtemp(prefix="holdfast-writers-"))
    path = folder / "m.db"
    environment = {**os.environ, "PYTHONPATH": str(_TESTS)}
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "faults.writers", name, str(seed), str(seconds), str(path)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    try:
        for process in both:
            assert process.stdout is not None
            process.stdout.readline()  # both have stopped writing
        ends = [process.communicate("\n") for process in both]
        if any(process.returncode for process in both):
            for _, said in ends:
                if said:
                    counts.fail(f"seed {seed}: a process failed: {said[-600:]}")
            return counts
        _compare(path, [json.loads(said) for said, _ in ends], counts, f"seed {seed}")
    finally:
        for process in both:
            process.kill()
        shutil.rmtree(folder, ignore_errors=True)
    return counts


def _compare(path: Path, told: list[dict[str, Any]], counts: Counts, where: str) -> None:
    with opened(path) as memory:
        anew = json.loads(json.dumps(answers(memory)))
        problems = memory.stats(check=True).problems
    if problems:
        counts.fail(f"{where}: opened anew, check says {problems}")
    for number, process in enumerate(told, 1):
        counts["operations"] += process["done"]
        counts["met another's change"] += process["conflicts"]
        if process["problems"]:
            counts.fail(f"{where}: in process {number} check says {process['problems']}")
        for asked, found in process["answers"].items():
            counts["answers compared"] += 1
            if found != anew[asked]:
                counts.fail(
                    f"{where}: process {number}, {asked}:\n  {found!r:.400}\n  {anew[asked]!r:.400}"
                )


def whole(seed: int, scale: float = 1.0, report: Report = quiet) -> Counts:
    """Write for ten minutes, in rounds of one."""
    counts, left, number = Counts(), WHOLE * scale, 0
    while left > 0:
        counts.take(run(seed * 1_000 + number, min(60.0, left)))
        left -= 60.0
        number += 1
        report(f"writers: {WHOLE * scale - max(0.0, left):.0f} s, {counts['failures']} failures")
    return counts


if __name__ == "__main__":
    main(*sys.argv[1:])
