"""Operations that wait for a thread, and what becomes of them."""

from __future__ import annotations

import asyncio
import contextvars
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

# Seconds after which an operation is taken to wait for something, and another thread goes on.
PATIENCE: Final = 0.02
# Seconds' worth of writes that share a transaction: the first one waits for them all.
SHARED: Final = 0.005

Kind: TypeAlias = Literal["store", "read", "write"]
"""How an operation stands to others that wait: a write may overtake reads, to share a transaction
with other writes; any other keeps its place."""

Together: TypeAlias = Callable[[], AbstractContextManager[None]]
"""Encloses writes that share a transaction; raises at its end when that could not be committed."""


@dataclass(slots=True, eq=False)
class Operation:
    """Work, who waits for it, and how it ended."""

    future: asyncio.Future[Any]
    context: contextvars.Context
    work: Callable[[], Any]
    kind: Kind
    result: Any = None
    error: BaseException | None = None

    def run(self) -> None:
        """Do it, unless nobody waits any more."""
        if self.future.cancelled():
            return
        try:
            self.result = self.context.run(self.work)
        except BaseException as error:  # noqa: BLE001 - it is for the one who waits
            self.error = error

    def tell(self) -> None:
        """Hand over what came of it, unless nobody waits any more."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)
            self.error = None  # its traceback holds this operation


Task: TypeAlias = list[Operation]
"""One operation, or several writes to be done together."""


class Batch:
    """What one thread does; another takes over what is left when it is held up.

    Args:
        tasks: What is to be done, in order.
        together: See `Together`.
        shared: Seconds' worth of writes that share a transaction: the first one waits for them all.
    """

    def __init__(self, tasks: Iterable[Task], together: Together, shared: float = SHARED) -> None:
        self._waiting = deque(tasks)
        self._together = together
        self._shared = shared
        self._done: deque[Operation] = deque()
        self._latest = math.inf  # when an operation was last begun

    @property
    def held_up(self) -> bool:
        """Whether an operation takes so long that it must be waiting for something."""
        return time.monotonic() - self._latest > PATIENCE

    def take(self) -> Iterator[Task]:
        """Take away, one by one, what has not been begun."""
        while True:
            try:
                yield self._waiting.popleft()
            except IndexError:  # nothing is left, or another thread took it
                return

    def work(self) -> None:
        """Do everything, in the thread that calls."""
        for task in self.take():
            if len(task) == 1:
                self._run(task[0])
                self._done.append(task[0])
            else:
                self._share(task)

    def _run(self, operation: Operation) -> None:
        self._latest = time.monotonic()
        operation.run()

    def _share(self, writes: Task) -> None:
        """Do writes in one transaction: nobody is told before it is committed."""
        begun, count = time.monotonic(), 0
        try:
            with self._together():
                for operation in writes:
                    self._run(operation)
                    count += 1
                    if time.monotonic() - begun > self._shared:
                        break
        except Exception as error:  # noqa: BLE001 - it is for all who wait
            count = count or len(writes)  # none: there was no beginning
            for operation in writes[:count]:
                operation.error = operation.error or error
        self._done.extend(writes[:count])
        if count < len(writes):
            self._waiting.appendleft(writes[count:])

    def tell(self) -> None:
        """Tell those whose operations are done, on their loop."""
        while self._done:
            self._done.popleft().tell()


def arranged(operations: Iterable[Operation]) -> list[Task]:
    """Return what is to be done one by one and what together; see `Kind` for the order."""
    tasks: list[Task] = []
    writes: Task = []
    reads: list[Task] = []
    for operation in operations:
        if operation.kind == "write":
            writes.append(operation)
        elif operation.kind == "read":
            reads.append([operation])
        else:
            tasks += [writes, *reads, [operation]] if writes else [*reads, [operation]]
            writes, reads = [], []
    return [*tasks, *([writes] if writes else []), *reads]
