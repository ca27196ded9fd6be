"""Any text in any place: only our own errors, and never more than some seconds of the processor.

Patterns times slots, each at 500,000 characters (as long as a text may be), and the answers of
models at ten megabytes. A call that does not come back cannot be interrupted where it holds the
interpreter's lock, so patterns run in processes of their own: the kernel ends one that exceeds
its seconds, and the next one goes on behind that call.

Watches the repairs of quadratic text handling and of raw errors at the door.

    python -m faults.texts PATTERN SIZE FIRST [PARTS OF NAMES] [BEGINNING OF OTHERS]
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from faults.answering import answer_slots, wrapped_slots
from faults.parts import Counts, Report, quiet
from faults.patterns import FEW, patterns
from faults.slots import Room, Slot, found_slots, opening_slots
from holdfast import HoldfastError

LONG = 500_000
VERY_LONG = 10_000_000
BOUND = 5.0
_ROOM_FOR = 25  # calls
_TESTS = Path(__file__).parents[1]


def slots() -> list[Slot]:
    """Return every place for a text."""
    return [*found_slots(), *opening_slots(), *answer_slots(), *wrapped_slots()]


# -- calls in this process -------------------------------------------------------------------------


class Calls:
    """Makes calls on rooms of its own, one room for some calls, and times them."""

    def __init__(self, text: str, say: Callable[..., None]) -> None:
        self._text = text
        self._say = say
        self._room: Room | None = None
        self._used = 0

    def make(self, number: int, slot: Slot) -> None:
        """Call a slot; then, if it may have stored the text, read."""
        room = self._fresh()
        if self._one(number, slot.name, lambda: slot.call(room, self._text)) and slot.writes:
            self._one(number, f"{slot.name}, then search", lambda: _read(room))

    def _one(self, number: int, name: str, call: Callable[[], Any]) -> bool:
        self._say(number=number, begins=name)
        begun, raised, ours = time.process_time(), "", True
        try:
            call()
        except HoldfastError as error:
            raised = type(error).__name__
        except Exception as error:  # noqa: BLE001 - that it is not ours is the finding
            raised, ours = f"{type(error).__name__}: {error!s:.120}", False
        took = time.process_time() - begun
        self._used += _ROOM_FOR if took > 0.3 else 1
        self._say(number=number, ended=name, took=round(took, 3), raised=raised, ours=ours)
        return not raised

    def _fresh(self) -> Room:
        if self._room is None or self._used >= _ROOM_FOR:
            self.close()
            self._room, self._used = Room(Path(tempfile.mkdtemp(prefix="holdfast-texts-"))), 0
        return self._room

    def close(self) -> None:
        if self._room is not None:
            self._room.close()
            shutil.rmtree(self._room.folder, ignore_errors=True)
            self._room = None


def _read(room: Room) -> None:
    room.memory.search("tea in Rome", user_id="ada")
    room.memory.context("tea in Rome", max_tokens=300, user_id="ada")
    room.memory.list(user_id="ada")
    room.memory.graph(user_id="ada").entities()


def here(names: Sequence[str], size: int, bound: float, counts: Counts) -> None:
    """Ask with some patterns in this process."""

    for name in names:

        def say(name: str = name, **what: Any) -> None:
            _count(counts, f"{name} x {size}", what, bound)

        calls = Calls(patterns()[name](size), say)
        try:
            for number, slot in enumerate(slots()):
                calls.make(number, slot)
        finally:
            calls.close()


def _count(counts: Counts, pattern: str, what: dict[str, Any], bound: float) -> None:
    if "ended" not in what:
        return
    counts["calls"] += 1
    counts["refused"] += bool(what["raised"])
    counts["slowest in ms"] = max(counts["slowest in ms"], int(1_000 * what["took"]))
    if not what["ours"]:
        counts.fail(f"{what['ended']} of {pattern} raised {what['raised']}")
    if what["took"] > bound:
        counts.fail(f"{what['ended']} of {pattern} took {what['took']} s")


# -- calls in a process of their own ---------------------------------------------------------------


def main(pattern: str, size: str, first: str, part: str = "", without: str = "-") -> None:
    """Make the calls from a slot on; say before and after each, as a line of JSON."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def say(**what: Any) -> None:
        if "begins" in what:
            _allow(BOUND)
        print(json.dumps(what), flush=True)  # noqa: T201

    calls = Calls(patterns()[pattern](int(size)), say)
    try:
        for number, slot in enumerate(slots()):
            if number >= int(first) and _wanted(slot, part) and not slot.name.startswith(without):
                calls.make(number, slot)
    finally:
        calls.close()


def _wanted(slot: Slot, part: str) -> bool:
    return any(one in slot.name for one in part.split("|"))


def _allow(seconds: float) -> None:
    """Let the kernel end this process if it takes more of the processor from here."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = int(used.ru_utime + used.ru_stime + seconds) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (most, resource.RLIM_INFINITY))


def there(name: str, size: int, counts: Counts, part: str = "", without: str = "-") -> None:
    """Ask with one pattern in processes that end at the first call over the bound."""
    first, folder = 0, Path(tempfile.mkdtemp(prefix="holdfast-texts-"))
    environment = {**os.environ, "PYTHONPATH": str(_TESTS), "TMPDIR": str(folder)}
    try:
        while first >= 0:
            given = [name, str(size), str(first), part, without]
            command = [sys.executable, "-m", "faults.texts", *given]
            ran = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=False, timeout=3_600
            )
            first = _heard(name, size, ran, counts)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _heard(name: str, size: int, ran: subprocess.CompletedProcess[str], counts: Counts) -> int:
    """Count what a process said; return where the next one is to begin, or -1."""
    last: dict[str, Any] = {}
    for what in _lines(ran.stdout):
        last = what
        _count(counts, f"{name} x {size}", what, BOUND)
    if ran.returncode == 0:
        return -1
    if "begins" not in last:
        counts.fail(f"{name} x {size}: the process failed: {ran.stderr[-600:]}")
        return -1
    counts["calls"] += 1
    counts["ended by the kernel"] += 1
    counts.fail(f"{last['begins']} of {name} x {size} ended by signal {-ran.returncode}")
    return int(last["number"]) + 1


def _lines(said: str) -> Iterator[dict[str, Any]]:
    for line in said.splitlines():
        if line.startswith("{"):
            yield json.loads(line)


# -- the part --------------------------------------------------------------------------------------


def whole(seed: int, scale: float = 1.0, report: Report = quiet) -> Counts:
    """Ask every slot with a hundred patterns at full length, and models' answers at ten megabytes.

    Every other pattern takes half an hour of the processor; the next seed takes the others.
    """
    counts = Counts()
    names = list(patterns())
    share = max(1, round(1 / scale))
    for number, name in enumerate(names):
        if (number + seed) % (2 * share) == 0:
            # A bound handle's verbs are those of the whole one: one of the two for each pattern.
            there(name, LONG, counts, without=("Memory.", "bound Memory.")[number % 2])
            report(f"texts: {number + 1} of {len(names)} patterns, {counts['failures']} failures")
    for number, name in enumerate(FEW):
        if (number + seed) % share == 0:
            there(name, VERY_LONG, counts, "answer")
    return counts


if __name__ == "__main__":
    main(*sys.argv[1:])
