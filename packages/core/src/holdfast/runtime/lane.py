"""The storage operations of one event loop: in threads, a batch at a time.

Python lets one thread run at a time, and to change threads costs as much as a small operation. A
loop that hands out results while a thread computes takes turns with it at every SQL statement. So
the two alternate: a thread does a batch while the loop sleeps, then the loop hands out what came of
it, lets those who waited go on, and gives out the next batch.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeAlias

from holdfast.runtime.operations import Batch, Kind, Operation, Together, arranged

# Storage is one file with one pen; more threads would only queue.
MOST_THREADS: Final = 4
# Seconds between two looks whether a thread is held up.
LOOK: Final = 0.01
# Operations that a thread does before the loop hands out what came of them.
BATCH: Final = 32
# Tasks that go on in one turn of the loop, of many that begin at once.
ARRIVALS: Final = 16

Submit: TypeAlias = Callable[[Callable[[], None]], object]
"""Has work done in a thread, soon."""


class Lane:
    """What one event loop wants done, in the order in which it comes.

    One thread works at a time, for threads that compute take each other's time and the loop's.
    What takes long waits for the disk or another process, or reads much: then another thread goes
    on beside it.

    Args:
        submit: See `Submit`.
        together: See `Together`.
    """

    def __init__(self, submit: Submit, together: Together) -> None:
        self._submit = submit
        self._together = together
        self._waiting: deque[Operation] = deque()
        self._working: list[Batch] = []
        self._soon = False
        self._watched = False
        self._arriving: deque[asyncio.Future[None]] = deque()
        self._arrived = 0  # tasks let in during this turn of the loop

    async def arrive(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let few tasks go on in one turn of the loop, the others in the next ones."""
        if not self._arriving and self._arrived < ARRIVALS:
            if not self._arrived:
                loop.call_soon(self._admit, loop)
            self._arrived += 1
            return
        admitted = loop.create_future()
        self._arriving.append(admitted)
        await admitted

    def _admit(self, loop: asyncio.AbstractEventLoop) -> None:
        self._arrived = min(ARRIVALS, len(self._arriving))
        for _ in range(self._arrived):
            admitted = self._arriving.popleft()
            if not admitted.done():
                admitted.set_result(None)
        if self._arrived:
            loop.call_soon(self._admit, loop)

    def run(
        self, loop: asyncio.AbstractEventLoop, kind: Kind, work: Callable[[], Any]
    ) -> asyncio.Future[Any]:
        """Have work done in a thread, in the caller's context."""
        operation = Operation(loop.create_future(), contextvars.copy_context(), work, kind)
        self._waiting.append(operation)
        self._begin_soon(loop)
        return operation.future

    def _begin_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin when everything that goes on in this turn of the loop has said what it wants."""
        if not self._soon:
            self._soon = True
            loop.call_soon(self._begin, loop)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """See that somebody works, and look again until nothing is left."""
        self._soon = False
        if len(self._working) < MOST_THREADS and all(batch.held_up for batch in self._working):
            self._start(loop)
        if self._working and not self._watched:
            self._watched = True
            loop.call_later(LOOK, self._watch, loop)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give a thread what another one is held up with, or the next batch."""
        tasks = [task for batch in self._working for task in batch.take()]
        if not tasks:
            count = min(BATCH, len(self._waiting))
            tasks = arranged(self._waiting.popleft() for _ in range(count))
        if tasks:
            batch = Batch(tasks, self._together)
            self._working.append(batch)
            self._submit(partial(self._work, loop, batch))

    def _work(self, loop: asyncio.AbstractEventLoop, batch: Batch) -> None:
        """Do a batch, in a thread."""
        batch.work()
        try:
            loop.call_soon_threadsafe(self._end, loop, batch)
        except RuntimeError:
            if not loop.is_closed():
                raise

    def _end(self, loop: asyncio.AbstractEventLoop, batch: Batch) -> None:
        self._working.remove(batch)
        batch.tell()
        self._begin_soon(loop)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        self._watched = False
        for batch in self._working:
            batch.tell()
        self._begin(loop)
