"""One system in a process of its own: does what `speed.py` tells it, and says how long it took.

Started by `speed.py`. Commands and answers are lines of JSON. The material is made here, from the
same seeds in every process; making it is never timed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from material import Asked, Memo, memos, questions
from peers import NOTHING, SYSTEMS, NotOffered, Peer, open_peer

T = TypeVar("T")

SESSION = 250
"""Memos that arrive of one user before the next user's."""
CHUNK = 10_000
"""Memos that a system is given at once when it loads many."""
ALONE = 1 << 40
"""Numbers of memos added alone begin here."""


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds by the clock, and of processor time (all threads)."""

    wall: float
    cpu: float


@dataclass
class Layout:
    """Which memos there are: so many in all, shared evenly by so many users."""

    size: int
    users: int

    @property
    def each(self) -> int:
        """Memos of one user."""
        return self.size // self.users

    def names(self, most: int) -> list[str]:
        """Return the first users' names."""
        return [f"u{number}" for number in range(min(most, self.users))]

    def sessions(self) -> Iterator[list[Memo]]:
        """Make all memos in the order in which they arrive: all users' first sessions first."""
        for start in range(0, self.each, SESSION):
            count = min(SESSION, self.each - start)
            for user in range(self.users):
                yield memos(f"u{user}", user * self.each + start, count)


class Worker:
    """A system, its layout, and what it has been told so far."""

    def __init__(self, system: str, folder: str, size: int, users: int, active: int) -> None:
        self._system, self._folder = system, Path(folder)
        self._layout = Layout(size, users)
        self._arriving = self._layout.sessions()
        self._active = self._layout.names(active)
        self._asked: Iterator[Asked] = self._questions()
        self._added: list[Memo] = []
        self._loading = 0.0
        self._peer: Peer = open_peer(system, self._folder)

    # -- commands -------------------------------------------------------------------------------

    def load(self, count: int, patience: float) -> dict[str, Any]:
        """Load the next memos; return how many, and how long it took."""
        loaded, seconds = 0, 0.0
        while loaded < count:
            some = list(islice(self._arriving, max(1, min(CHUNK, count - loaded) // SESSION)))
            if not some:
                break
            batch = [memo for session in some for memo in session]
            took = _timed(partial(self._peer.bulk, batch))[0].wall
            loaded += len(batch)
            seconds += took
            self._loading += took
            if self._loading > patience:
                raise NotOffered(f"loading {self._layout.size:,} takes longer than {patience:g} s")
        return {"loaded": loaded, "seconds": seconds}

    def settle(self) -> dict[str, Any]:
        """Let the system index and compact."""
        return {"seconds": _timed(self._peer.settle)[0].wall}

    def reopen(self) -> dict[str, Any]:
        """Close, open, search once."""
        if SYSTEMS[self._system].durability == NOTHING:
            raise NotOffered("it keeps nothing")
        self._peer.close()
        asked = next(self._asked)

        def again() -> None:
            self._peer = open_peer(self._system, self._folder)
            self._peer.search(asked, None)

        return _times([_timed(again)[0]])

    def warm(self) -> dict[str, Any]:
        """Search once in every active user's memos: the first search of each."""
        asked = questions(self._active, len(self._active), seed=2)
        times = [_timed(partial(self._peer.search, one, None))[0] for one in asked]
        return _times(times)

    def do(self, phase: str, count: int, budget: float) -> dict[str, Any]:
        """Do one operation so many times, or until the budget of seconds is used up."""
        step, times, keys = getattr(self, f"_{phase}"), [], []
        begun = time.perf_counter()
        for _ in range(count):
            took, found = step()
            times.append(took)
            if found is not None:
                keys.append(found)
            if time.perf_counter() - begun > budget:
                break
        return {**_times(times), "keys": keys}

    def measure(self) -> dict[str, Any]:
        """Return bytes on disk, and of memory: in all, and without pages of mapped files."""
        status = Path("/proc/self/status").read_text() if sys.platform == "linux" else ""
        held = {
            line.split(":")[0]: 1024 * int(line.split()[1])
            for line in status.splitlines()
            if line.startswith(("VmRSS", "RssAnon"))
        }
        files = (path for path in self._folder.rglob("*") if path.is_file())
        disk = sum(path.stat().st_size for path in files)
        return {"disk": disk, "rss": held.get("VmRSS"), "anonymous": held.get("RssAnon")}

    def close(self) -> dict[str, Any]:
        """Close the system."""
        self._peer.close()
        return {}

    # -- phases: each returns what it took, and for a search what is needed to judge it -----------

    def _questions(self) -> Iterator[Asked]:
        seed = 3
        while True:
            yield from questions(self._active, 1_000, seed)
            seed += 1

    def _search(self) -> tuple[Took, Any]:
        return self._ask(next(self._asked), None)

    def _filtered(self) -> tuple[Took, Any]:
        asked = next(self._asked)
        return self._ask(asked, asked.topic)

    def _ask(self, asked: Asked, topic: str | None) -> tuple[Took, Any]:
        took, found = _timed(partial(self._peer.search, asked, topic))
        if any(not one.text for one in found):
            raise AssertionError(f"{self._system} returned a memo without its words")
        judged = {"user": asked.user, "topic": topic, "vector": asked.vector.tolist()}
        return took, {**judged, "found": [one.key for one in found]}

    def _add(self) -> tuple[Took, Any]:
        memo = self._fresh()
        took, _ = _timed(partial(self._peer.add, memo))
        self._added.append(memo)
        return took, None

    def _fresh(self) -> Memo:
        number = ALONE + len(self._added)
        return memos(self._active[number % len(self._active)], number, 1)[0]

    def _add_search(self) -> tuple[Took, Any]:
        memo = self._fresh()
        self._peer.add(memo)
        self._added.append(memo)
        asked = Asked(memo.user, next(self._asked).text, memo.vector, "")
        took, found = _timed(partial(self._peer.search, asked, None))
        return took, {"fresh": memo.key in [one.key for one in found]}

    def _get(self) -> tuple[Took, Any]:
        memo = self._one()
        took, text = _timed(partial(self._peer.get, memo))
        if text != memo.text:
            raise AssertionError(f"{self._system} returned other words than were added")
        return took, None

    def _one(self) -> Memo:
        """Return what was added alone, in turn."""
        memo = self._added.pop(0)
        self._added.append(memo)
        return memo

    def _update(self) -> tuple[Took, Any]:
        old = self._added.pop(0)
        new = memos(old.user, old.number, 1, seed=9)[0]
        took, _ = _timed(partial(self._peer.update, new))
        self._added.append(new)
        return took, None

    def _delete(self) -> tuple[Took, Any]:
        memo = self._added.pop(0)
        return _timed(partial(self._peer.delete, memo))

    def _delete_all(self) -> tuple[Took, Any]:
        user = self._active.pop()
        return _timed(partial(self._peer.delete_all, user))


def _timed(work: Callable[[], T]) -> tuple[Took, T]:
    used, begun = time.process_time(), time.perf_counter()
    made = work()
    return Took(time.perf_counter() - begun, time.process_time() - used), made


def _times(took: list[Took]) -> dict[str, Any]:
    return {"times": [one.wall for one in took], "cpu": [one.cpu for one in took]}


def main() -> None:
    """Answer commands until the input ends."""
    # Libraries print: only answers may reach the output.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    worker: Worker | None = None
    for line in sys.stdin:
        told = json.loads(line)
        command = told.pop("command")
        try:
            if command == "open":
                worker, answer = Worker(**told), {}
            else:
                answer = getattr(worker, command)(**told)
        except (ImportError, RuntimeError, NotOffered) as reason:
            answer = {"left out": f"{reason}" or type(reason).__name__}
        print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    main()
