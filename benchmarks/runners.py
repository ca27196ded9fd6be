"""Worker processes, and rounds in which they take turns."""

from __future__ import annotations

import json
import os
import random
import selectors
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from peers import NOTHING, SYSTEMS

# Systems may not phone home, nor fetch anything.
QUIET = {
    "ANONYMIZED_TELEMETRY": "False",
    "MEM0_TELEMETRY": "False",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "PYTHONWARNINGS": "ignore",
}


ENOUGH = 12_000
"""Milliseconds in one phase after which a system has been seen enough."""


class LeftOut(Exception):
    """A system does not take part, or not in this."""


class Runner:
    """One system in a process of its own, with memos of one layout.

    Args:
        system: Its name.
        size, users: How many memos, of how many users.
        active: How many users are asked about and written to.
        home: A folder that this makes one of its own in.
        patience: Seconds after which it is given up.

    Attributes:
        times: Milliseconds of each phase, a list a round.
        used: Milliseconds of processor time, by phase.
        answers: What its searches found, by phase.
        facts: Disk, memory, seconds of loading.
        reasons: What it was left out of, by phase, and why.
    """

    def __init__(
        self, system: str, size: int, users: int, *, active: int, home: Path, patience: float
    ) -> None:
        self.system, self.size, self.users = system, size, users
        self.times: dict[str, list[list[float]]] = defaultdict(list)
        self.used: dict[str, list[float]] = defaultdict(list)
        self.answers: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.facts: dict[str, Any] = {"load s": 0.0}
        self.reasons: dict[str, str] = {}
        self._patience = patience
        name = f"{system} {size} {users}"
        self._log, self._mem0 = home / f"{name}.log", home / "mem0"
        self._opening = {"folder": str(home / name), "active": active}
        (home / name).mkdir()
        self._start()
        self.facts["empty"] = self._try("all", "measure")

    def _start(self) -> None:
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("worker.py"))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **QUIET, "MEM0_DIR": str(self._mem0)},
            )
        layout = {"system": self.system, "size": self.size, "users": self.users}
        self._try("all", "open", **layout, **self._opening)

    @property
    def out(self) -> bool:
        """Whether it was left out of everything."""
        return "all" in self.reasons

    def tell(self, command: str, /, **told: Any) -> Any:
        """Send a command and wait for the answer.

        Raises:
            LeftOut: The system cannot do it, or took too long.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"command": command, **told}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise LeftOut(self._last_words()) from None
        with selectors.DefaultSelector() as ready:
            ready.register(self._process.stdout, selectors.EVENT_READ)
            if not ready.select(self._patience):
                self.stop()
                self.reasons["all"] = reason = f"`{command}` took over {self._patience:g} s"
                raise LeftOut(reason)
        line = self._process.stdout.readline()
        if not line:
            self.reasons["all"] = reason = self._last_words()
            raise LeftOut(reason)
        answer = json.loads(line)
        if "left out" in answer:
            raise LeftOut(answer["left out"])
        return answer

    def _last_words(self) -> str:
        said = self._log.read_text().strip().splitlines()
        return f"it ended: {said[-1] if said else 'without a word'}"

    def _try(self, phase: str, command: str, /, **told: Any) -> Any:
        """Send a command, unless this phase was left out before; note why if it is now."""
        if self.out or phase in self.reasons:
            return None
        try:
            return self.tell(command, **told)
        except LeftOut as reason:
            self.reasons[phase] = str(reason)
            return None

    # -- what it is told ------------------------------------------------------------------------

    def load(self, count: int) -> None:
        """Load the next memos; one that takes too long is left out of everything."""
        answer = self._try("all", "load", count=count, patience=self._patience)
        if answer and answer["loaded"]:
            self.facts["load s"] += answer["seconds"]
            self.times["load, a memo"].append([1_000 * answer["seconds"] / answer["loaded"]])

    def settle(self) -> None:
        """Let it index and compact; that is part of loading."""
        answer = self._try("all", "settle")
        if answer:
            self.facts["load s"] += answer["seconds"]

    def restart(self) -> None:
        """Close it and open it in a new process, whose memory holds nothing of the loading."""
        if not self.out and SYSTEMS[self.system].durability != NOTHING:
            self._try("all", "close")
            self.stop()
            self._start()

    def round(self, phase: str, **told: Any) -> None:
        """Do one round of a phase; one that has used up its time sits the rest out."""
        if sum(map(sum, self.times.get(phase, []))) > ENOUGH:
            return
        command = phase if phase in ("reopen", "warm") else "do"
        if command == "do":
            told["phase"] = phase
        answer = self._try(phase, command, **told)
        if answer:
            self.times[phase].append([1_000 * seconds for seconds in answer["times"]])
            self.used[phase] += [1_000 * seconds for seconds in answer["cpu"]]
            self.answers[phase] += answer.get("keys", [])

    def weigh(self, name: str) -> None:
        """Note disk and memory under a name."""
        self.facts[name] = self._try("weigh", "measure")

    def stop(self) -> None:
        """End the process."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def take_turns(runners: Sequence[Runner], rounds: int, step: Callable[[Runner], None]) -> None:
    """Let every runner do a step in every round, in changing order."""
    order, dice = [one for one in runners if not one.out], random.Random(len(runners))
    for _ in range(rounds):
        dice.shuffle(order)
        for runner in order:
            step(runner)
