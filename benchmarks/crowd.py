"""A thousand `aadd` and `asearch` at once on one event loop, beside the same calls one by one."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from holdfast import Memory
from material import Asked, Handed, Memo, memos, questions

USERS = 50
HELD = 100  # memos of each user beforehand
BEAT = 0.001  # seconds
AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Crowd:
    """What a crowd of calls cost.

    Attributes:
        calls: Adds and searches, half of each.
        errors: Calls that failed.
        blocked_ms: The longest time in which the event loop did nothing for others, while the calls
            came in twenty a turn of the loop, as requests do.
        burst_ms: The same where all are started in one turn.
        uncollected_ms: As `blocked_ms`, with Python's garbage collector off: it stops every thread
            while it looks through all that is alive, as the results of all these calls are.
        idle_ms: The same while nothing is called: what the machine itself adds.
        together, one_by_one: Calls a second, async (twenty a turn) and sync in turn.
    """

    calls: int
    errors: int
    blocked_ms: float
    burst_ms: float
    uncollected_ms: float
    idle_ms: float
    together: float
    one_by_one: float


def crowd(folder: Path, each: int, rounds: int = 3) -> list[dict[str, Any]]:
    """Measure `each` adds and `each` searches at once, on a new file every round."""
    return [asdict(_round(folder / f"round {number}", each)) for number in range(rounds)]


def _round(folder: Path, each: int) -> Crowd:
    folder.mkdir()
    users = [f"u{number}" for number in range(USERS)]
    more = [memos(users[at % USERS], at, 1)[0] for at in range(2 * each)]
    asked = questions(users, 2 * each)
    with _filled(folder / "sync.db", users, more, asked) as memory:
        seconds = _in_turn(memory, more[:each], asked[:each])
    with _filled(folder / "async.db", users, more, asked) as memory:
        spread = _at_once(memory, more[each:], asked[each:], AT_ONCE)
        errors, blocked, together = asyncio.run(spread)
    with _filled(folder / "burst.db", users, more, asked) as memory:
        failed, burst, _ = asyncio.run(_at_once(memory, more[each:], asked[each:], 2 * each))
    with _filled(folder / "uncollected.db", users, more, asked) as memory, _uncollected():
        again, uncollected, _ = asyncio.run(_at_once(memory, more[each:], asked[each:], AT_ONCE))
    calls, idle = 2 * each, asyncio.run(_idle(together))
    return Crowd(
        calls,
        errors + failed + again,
        1_000 * blocked,
        1_000 * burst,
        1_000 * uncollected,
        1_000 * idle,
        calls / together,
        calls / seconds,
    )


@contextmanager
def _uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _filled(path: Path, users: list[str], more: list[Memo], asked: list[Asked]) -> Memory:
    stored = [memos(user, 1_000_000 + HELD * at, HELD) for at, user in enumerate(users)]
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


async def _at_once(
    memory: Memory, more: list[Memo], asked: list[Asked], a_turn: int
) -> tuple[int, float, float]:
    """Return errors, the longest pause of a heartbeat, and the seconds for all."""
    calls: list[Coroutine[Any, Any, Any]] = []
    for memo, question in zip(more, asked, strict=True):
        calls.append(memory.aadd(memo.text, user_id=memo.user, metadata=memo.value))
        calls.append(memory.asearch(question.text, user_id=question.user))
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
    heart.cancel()
    return sum(isinstance(one, BaseException) for one in results), max(pauses), seconds


async def _idle(seconds: float) -> float:
    """Return the longest pause of a heartbeat that has the loop to itself."""
    pauses: list[float] = []
    heart = asyncio.create_task(_beat(pauses))
    await asyncio.sleep(seconds)
    heart.cancel()
    return max(pauses)


async def _beat(pauses: list[float]) -> None:
    """Note by how much each beat comes late."""
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(BEAT)
        pauses.append(time.perf_counter() - begun - BEAT)
