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
from typing import Any

from material import Asked, Memo, memos, questions
from peers import NOTHING, SYSTEMS, NotOffered, Peer, open_peer

SESSION = 250
"""Memos that arrive of one user before the next user's."""
CHUNK = 10_000
"""Memos that a system is given at once when it loads many."""
ALONE = 1 << 40
"""Numbers of memos added alone begin here."""


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
            took = _timed(partial(self._peer.bulk, batch))
            loaded += len(batch)
            seconds += took
            self._loading += took
            if self._loading > patience:
                raise NotOffered(f"loading {self._layout.size:,} takes longer than {patience:g} s")
        return {"loaded": loaded, "seconds": seconds}

    def settle(self) -> dict[str, Any]:
        """Let the system index and compact."""
        return {"seconds": _timed(self._peer.settle)}

    def reopen(self) -> dict[str, Any]:
        """Close, open, search once."""
        if SYSTEMS[self._system].durability == NOTHING:
            raise NotOffered("it keeps nothing")
        self._peer.close()
        asked = next(self._asked)
        begun = time.perf_counter()
        self._peer = open_peer(self._system, self._folder)
        self._peer.search(asked, None)
        return _times([time.perf_counter() - begun])

    def warm(self) -> dict[str, Any]:
        """Search once in every active user's memos: the first search of each."""
        asked = questions(self._active, len(self._active), seed=2)
        times = [_timed(partial(self._peer.search, one, None)) for one in asked]
        return _times(times)

    def do(self, phase: str, count: int, budget: float) -> dict[str, Any]:
        """Do one operation so many times, or until the budget of seconds is used up."""
        step, times, keys = getattr(self, f"_{phase}"), [], []
        begun = time.perf_counter()
        for _ in range(count):
            seconds, found = step()
            times.append(seconds)
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

    # -- phases: each returns seconds, and for a search what is needed to judge it ----------------

    def _questions(self) -> Iterator[Asked]:
        seed = 3
        while True:
            yield from questions(self._active, 1_000, seed)
            seed += 1

    def _search(self) -> tuple[float, Any]:
        return self._ask(next(self._asked), None)

    def _filtered(self) -> tuple[float, Any]:
        asked = next(self._asked)
        return self._ask(asked, asked.topic)

    def _ask(self, asked: Asked, topic: str | None) -> tuple[float, Any]:
        begun = time.perf_counter()
        found = self._peer.search(asked, topic)
        seconds = time.perf_counter() - begun
        if any(not one.text for one in found):
            raise AssertionError(f"{self._system} returned a memo without its words")
        judged = {"user": asked.user, "topic": topic, "vector": asked.vector.tolist()}
        return seconds, {**judged, "found": [one.key for one in found]}

    def _add(self) -> tuple[float, Any]:
        memo = self._fresh()
        seconds = _timed(partial(self._peer.add, memo))
        self._added.append(memo)
        return seconds, None

    def _fresh(self) -> Memo:
        number = ALONE + len(self._added)
        return memos(self._active[number % len(self._active)], number, 1)[0]

    def _add_search(self) -> tuple[float, Any]:
        memo = self._fresh()
        self._peer.add(memo)
        self._added.append(memo)
        asked = Asked(memo.user, next(self._asked).text, memo.vector, "")
        begun = time.perf_counter()
        found = self._peer.search(asked, None)
        seconds = time.perf_counter() - begun
        return seconds, {"fresh": memo.key in [one.key for one in found]}

    def _get(self) -> tuple[float, Any]:
        memo = self._one()
        begun = time.perf_counter()
        text = self._peer.get(memo)
        seconds = time.perf_counter() - begun
        if text != memo.text:
            raise AssertionError(f"{self._system} returned other words than were added")
        return seconds, None

    def _one(self) -> Memo:
        """Return what was added alone, in turn."""
        memo = self._added.pop(0)
        self._added.append(memo)
        return memo

    def _update(self) -> tuple[float, Any]:
        old = self._added.pop(0)
        new = memos(old.user, old.number, 1, seed=9)[0]
        seconds = _timed(partial(self._peer.update, new))
        self._added.append(new)
        return seconds, None

    def _delete(self) -> tuple[float, Any]:
        memo = self._added.pop(0)
        return _timed(partial(self._peer.delete, memo)), None

    def _delete_all(self) -> tuple[float, Any]:
        user = self._active.pop()
        return _timed(partial(self._peer.delete_all, user)), None


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _times(seconds: list[float]) -> dict[str, Any]:
    return {"times": seconds}


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
