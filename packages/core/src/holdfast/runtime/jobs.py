"""Storage calls that wait for a thread, and how their results come back.

A queue runs its jobs in order, in few threads. Python lets one thread run at a time, and to change
threads costs as much as a small call, so results go back to an event loop several at a time: one
wake-up of the loop for all that were done meanwhile.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, TypeAlias

from holdfast.forking import renewed

# Jobs, and seconds, after which results go back even if more jobs wait. A job of as many seconds
# waits for something or reads much.
MOST: Final = 32
LONGEST: Final = 0.02


@dataclass(slots=True, eq=False)
class Job:
    """A call, its caller's context, and the future that gets its result.

    Attributes:
        future: Of asyncio for an event loop, of concurrent.futures for a thread.
        unwanted: The caller was cancelled: the call is left out unless it has begun.
    """

    work: Callable[[], Any]
    context: contextvars.Context
    future: Any
    unwanted: bool = False
    result: Any = None
    error: BaseException | None = None

    def run(self) -> None:
        """Make the call, unless its caller was cancelled."""
        if self.unwanted or self.future.cancelled():
            return
        try:
            self.result = self.context.run(self.work)
        except BaseException as error:  # noqa: BLE001 - the caller gets it
            self.error = error

    def finish(self) -> None:
        """Set the result of the future; of an event loop's, in the thread of the loop."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)
            self.error = None  # its traceback holds this job


Run: TypeAlias = Callable[[list[Job]], None]
"""Runs some jobs, one after the other; more may join them."""


def run_each(jobs: Sequence[Job]) -> None:
    """Run jobs that have nothing to do with one another."""
    for job in jobs:
        job.run()


class JobQueue:
    """Runs jobs in the order in which they come.

    Threads that compute take each other's time at every SQL statement, so one thread works at a
    time: another goes on beside it when a job takes longer than `LONGEST`.

    Args:
        threads: How many there are at most; they start when jobs come.
        run: See `Run`.
        at_once: How many jobs `run` gets at most.
    """

    def __init__(self, threads: int, run: Run = run_each, at_once: int = 1) -> None:
        self._threads, self._run, self._at_once = threads, run, at_once
        self._closed = False
        self.renew()
        renewed(self)

    def renew(self) -> None:
        """Begin with no job and no thread, as a forked child does."""
        self._lock = threading.Condition(threading.Lock())
        self._waiting: deque[Job] = deque()
        self._done: list[Job] = []
        self._working = 0  # threads
        self._running = 0  # of them, those inside a job
        self._begun = 0.0  # when the latest job began
        self._pool: ThreadPoolExecutor | None = None

    def call(self, work: Callable[[], Any]) -> Job:
        """Add a call of the running event loop."""
        return self._put(work, asyncio.get_running_loop().create_future())

    def wait(self, work: Callable[[], Any]) -> Any:
        """Add a call of this thread, and wait for its result; left out if interrupted before."""
        job = self._put(work, Future())
        try:
            return job.future.result()
        finally:
            job.unwanted = True

    def _put(self, work: Callable[[], Any], future: Any) -> Job:
        job = Job(work, contextvars.copy_context(), future)
        with self._lock:
            self._waiting.append(job)
            if self._working < self._threads:
                self._working += 1
                self._start()
        return job

    def _start(self) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="holdfast")
        self._pool.submit(self._work)
        if self._closed:  # the thread ends when nothing waits any more
            self._end()

    def _work(self) -> None:
        """Run jobs until none waits, in a thread of the pool."""
        jobs: list[Job] = []
        since = monotonic()
        while True:
            with self._lock:
                self._done += jobs
                self._running -= bool(jobs)
                while self._waiting and self._running and monotonic() - self._begun < LONGEST:
                    self._lock.wait(LONGEST)
                late = len(self._done) >= MOST or monotonic() - since > LONGEST
                done: list[Job] = []
                if late or not self._waiting or self._at_once > 1:
                    done, self._done, since = self._done, [], monotonic()
                jobs = self._take([])
                if jobs:
                    self._running, self._begun = self._running + 1, monotonic()
                else:
                    self._working -= 1
            _tell(done)
            if not jobs:
                return
            self._run(jobs)

    @property
    def busy(self) -> bool:
        """Whether a thread runs jobs."""
        return self._working > 0

    def join(self, jobs: list[Job]) -> None:
        """Add jobs that have come since, as far as `run` gets so many."""
        with self._lock:
            self._take(jobs)

    def _take(self, jobs: list[Job]) -> list[Job]:
        while self._waiting and len(jobs) < self._at_once:
            jobs.append(self._waiting.popleft())
        return jobs

    def close(self) -> None:
        """Let the threads go once nothing waits; what comes later is run all the same."""
        with self._lock:
            self._closed = True
            self._end()

    def _end(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False)


def _tell(jobs: Sequence[Job]) -> None:
    """Hand results over: to threads at once, to each event loop in one wake-up."""
    loops: dict[asyncio.AbstractEventLoop, list[Job]] = {}
    for job in jobs:
        if isinstance(job.future, Future):
            job.finish()
        else:
            loops.setdefault(job.future.get_loop(), []).append(job)
    for loop, its in loops.items():
        try:
            loop.call_soon_threadsafe(_finish, its)
        except RuntimeError:
            if not loop.is_closed():
                raise


def _finish(jobs: Sequence[Job]) -> None:
    for job in jobs:
        job.finish()
