"""A thousand `aadd` and a thousand `asearch` at once on one event loop, and what else would do it.

Every way runs in a process of its own that imports nothing but Holdfast: Python's garbage collector
stops every thread while it looks through all that is alive, and so would measure what else a
process happens to hold. For that reason servers call `gc.freeze()` once they have started, as
Python's documentation advises before a fork; both are measured.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import time
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from holdfast import Memory
from material import Asked, Handed, Memo, memos, questions

USERS = 50
HELD = 100
BEAT = 0.001  # seconds
AT_ONCE = 20  # calls that come in one turn of the loop, as requests do

SYNC = "sync, one by one"
FROZEN = "async, after `gc.freeze()`"
ASYNC = "async"
UNCOLLECTED = "async, collector off"
BURST = "async, all in one turn of the loop"
TO_THREAD = "sync, each in `asyncio.to_thread`"
PLAIN = "as many plain objects from a thread"
COLLECTED = "nothing but one `gc.collect()`"
IDLE = "nothing: the machine itself"
WAYS = (SYNC, FROZEN, ASYNC, UNCOLLECTED, BURST, TO_THREAD, PLAIN, COLLECTED, IDLE)
UNFROZEN = (ASYNC, UNCOLLECTED, PLAIN, COLLECTED)


@dataclass(frozen=True, slots=True)
class Crowd:
    """What a crowd of calls cost.

    Attributes:
        way: How they were called.
        calls: Adds and searches, half of each.
        errors: Calls that failed.
        seconds: For all.
        blocked_ms: The longest time in which the event loop did nothing for others.
        collector_ms: The longest time that Python's garbage collector took at once.
    """

    way: str
    calls: int
    errors: int
    seconds: float
    blocked_ms: float
    collector_ms: float


def crowd(
    folder: Path, each: int, rounds: int = 3, *, ways: Sequence[str] = WAYS, held: int = HELD
) -> list[dict[str, Any]]:
    """Measure `each` adds and `each` searches every way, on a new file and process each.

    Args:
        folder: Where the files go.
        each, rounds, ways: How much is measured.
        held: Memos of each user beforehand.
    """
    return [
        _apart(folder / f"{number} {place}.db", way, each, held)
        for number in range(rounds)
        for place, way in enumerate(ways)
    ]


def _apart(path: Path, way: str, each: int, held: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, __file__, str(path), way, str(each), str(held)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(path: Path, way: str, each: int, held: int) -> Crowd:
    """Measure one way in this process."""
    users = [f"u{number}" for number in range(USERS)]
    more = [memos(users[at % USERS], at, 1)[0] for at in range(each)]
    asked = questions(users, each)
    longest: list[float] = [0.0]
    with _filled(path, users, more, asked, held) as memory, _collecting(way), _timed(longest):
        if way == SYNC:
            errors, blocked, seconds = 0, 0.0, _in_turn(memory, more, asked)
        else:
            calls = list(_calls(way, memory, more, asked))
            spread = len(calls) if way == BURST else AT_ONCE
            errors, blocked, seconds = asyncio.run(_at_once(calls, max(1, spread)))
    count = 0 if way in (IDLE, COLLECTED) else 2 * each
    return Crowd(way, count, errors, seconds, 1_000 * blocked, 1_000 * max(longest))


@contextmanager
def _collecting(way: str) -> Iterator[None]:
    gc.collect()
    if way == UNCOLLECTED:
        gc.disable()
    elif way not in UNFROZEN:
        gc.freeze()
    yield


@contextmanager
def _timed(longest: list[float]) -> Iterator[None]:
    """Note how long the garbage collector takes each time."""
    begun = 0.0

    def note(phase: str, _: dict[str, int]) -> None:
        nonlocal begun
        if phase == "start":
            begun = time.perf_counter()
        else:
            longest.append(time.perf_counter() - begun)

    gc.callbacks.append(note)
    yield
    gc.callbacks.remove(note)


def _filled(
    path: Path, users: list[str], more: list[Memo], asked: list[Asked], held: int
) -> Memory:
    stored = [memos(user, 1_000_000 + held * at, held) for at, user in enumerate(users)]
    known = {memo.text: memo.vector for own in (more, *stored) for memo in own}
    known |= {one.text: one.vector for one in asked}
    memory = Memory(path, embedder=Handed(known))
    for user, own in zip(users, stored, strict=True):
        memory.add([memo.text for memo in own], user_id=user)
    return memory


def _in_turn(memory: Memory, more: list[Memo], asked: list[Asked]) -> float:
    begun = time.perf_counter()
    for memo, question in zip(more, asked, strict=True):
        memory.add(memo.text, user_id=memo.user, metadata=memo.value)
        memory.search(question.text, user_id=question.user)
    return time.perf_counter() - begun


def _calls(
    way: str, memory: Memory, more: list[Memo], asked: list[Asked]
) -> Iterator[Coroutine[Any, Any, Any]]:
    if way in (IDLE, COLLECTED):
        yield _nothing(collect=way == COLLECTED)
        return
    pool = ThreadPoolExecutor(1)
    for memo, question in zip(more, asked, strict=True):
        if way == PLAIN:
            yield _plain(pool, _ADDED)
            yield _plain(pool, _FOUND)
        elif way == TO_THREAD:
            yield asyncio.to_thread(memory.add, memo.text, user_id=memo.user, metadata=memo.value)
            yield asyncio.to_thread(memory.search, question.text, user_id=question.user)
        else:
            yield memory.aadd(memo.text, user_id=memo.user, metadata=memo.value)
            yield memory.asearch(question.text, user_id=question.user)


async def _nothing(*, collect: bool) -> None:
    await asyncio.sleep(0.5)
    if collect:
        gc.collect()
    await asyncio.sleep(0.5)


# Objects that Python's collector looks through in the answers of `aadd` and `asearch`.
_ADDED, _FOUND = 4, 21


async def _plain(pool: ThreadPoolExecutor, objects: int) -> list[Any]:
    """Have a thread make as many objects as a call returns."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(pool, lambda: [[object()] for _ in range(objects)])


async def _at_once(
    calls: Sequence[Coroutine[Any, Any, Any]], a_turn: int
) -> tuple[int, float, float]:
    """Return errors, the longest pause of a heartbeat, and the seconds for all."""
    pauses: list[float] = []
    heart = asyncio.create_task(_beat(pauses))
    await asyncio.sleep(10 * BEAT)
    begun = time.perf_counter()
    started: list[asyncio.Task[Any]] = []
    for place in range(0, len(calls), a_turn):
        started += [asyncio.create_task(call) for call in calls[place : place + a_turn]]
        await asyncio.sleep(0)
    results = await asyncio.gather(*started, return_exceptions=True)
    seconds = time.perf_counter() - begun
    await asyncio.sleep(10 * BEAT)
    heart.cancel()
    return sum(isinstance(one, BaseException) for one in results), max(pauses), seconds


async def _beat(pauses: list[float]) -> None:
    """Note by how much each beat comes late."""
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(BEAT)
        pauses.append(time.perf_counter() - begun - BEAT)


if __name__ == "__main__":
    path, way, each, held = sys.argv[1:]
    print(json.dumps(asdict(measure(Path(path), way, int(each), int(held)))))
