"""The one writer of a file: a lock, and a queue whose writes share a transaction.

A write runs in the thread that makes it, under the lock. Writes of event loops, and with
``durability="full"`` those of threads that find the lock taken, go through a queue, which one
thread drains: each write in a savepoint, one commit for many, and results are handed over behind
it. That pays because a commit waits for the disk many times as long as a write takes, and without
that wait it is still a fifth of a small write. (Group commit: DeWitt and others, 1984,
"Implementation techniques for main memory database systems".)
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import get_ident
from time import monotonic
from typing import Any, Final, TypeVar

from holdfast.errors import StorageError
from holdfast.forking import renewed
from holdfast.runtime.jobs import MOST, Job, JobQueue
from holdfast.storage.sqlite.pool import Pool

T = TypeVar("T")

# Seconds after which queued writes are committed: the first waits for all that share its commit;
# and where that waits for the disk.
LONGEST: Final = 0.005
LONGEST_FULL: Final = 0.05


class Writer:
    """Lets one thread of the process write at a time.

    Args:
        pool: Lends connections.
        explained: Maps an error of the driver's to one of this library's; see `Database`.
        committed: Called after the commits of queued writes, when the lock is free.
        shares: A commit waits for the disk, so `run` hands writes that would wait to the queue.

    Attributes:
        lock: Held during a write; whatever else must keep writers away takes it too.
        queue: Calls that write; the transactions that they open share a commit.
    """

    def __init__(
        self,
        pool: Pool,
        explained: Callable[[BaseException], BaseException],
        committed: Callable[[], None],
        *,
        shares: bool,
    ) -> None:
        self._pool, self._explained, self._committed = pool, explained, committed
        self._shares = shares
        self._longest = LONGEST_FULL if shares else LONGEST
        self.queue = JobQueue(1, self._drain, MOST)
        self.renew()
        renewed(self)

    def renew(self) -> None:
        """Begin with a free lock, as a forked child does."""
        self.lock = threading.RLock()
        self._owner = 0  # the thread that has a transaction open
        self._inside = 0  # the thread that is inside a write
        self._drainer = 0  # the thread that drains the queue
        self._job: Job  # the call that it makes
        self._shared: Any = None  # the connection whose transaction is left open for its next calls
        self._members: list[Job] = []  # the calls that have written in that
        self._since = 0.0

    @property
    def draining(self) -> bool:
        """Whether this thread drains the queue."""
        return self._drainer == get_ident()

    def run(self, work: Callable[[], T]) -> T:
        """Make a call that writes, in this thread or, where its commit can be shared, in the queue.

        Interrupted while it waits, it is left out or made whole.
        """
        busy = self._owner or self.queue.busy
        if not (self._shares and busy) or get_ident() in (self._owner, self._drainer):
            return work()
        result: T = self.queue.wait(work)
        return result

    # -- one write ------------------------------------------------------------------------------

    @contextmanager
    def single(self) -> Iterator[Any]:
        """Lend a connection inside a transaction of its own, committed when the block ends.

        Raises:
            StorageError: This thread is inside another write.
        """
        self.settle()
        with self.lock:
            self._refuse_nested()
            connection = self._pool.borrow()
            try:
                self._inside = self._owner = get_ident()
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                self._pool.verify(whole=True)  # elsewhere, what is written would not be found
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            finally:
                self._inside = self._owner = 0
                self._pool.give_back(connection)

    @contextmanager
    def shared(self) -> Iterator[Any]:
        """Lend the transaction that queued calls share; an error undoes this write alone."""
        self._refuse_nested()
        connection = self._shared or self._begin()
        self._members.append(self._job)
        connection.execute("SAVEPOINT member")
        self._inside = get_ident()
        try:
            yield connection
            connection.execute("RELEASE member")
        except BaseException as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK TO member")
                connection.execute("RELEASE member")
                self._inside = 0
            else:  # SQLite took everything back, as on a full disk
                self._end(error)
            raise
        self._inside = 0

    def _refuse_nested(self) -> None:
        if self._inside == get_ident():
            raise StorageError("do not nest transactions: this thread is inside a write already")

    # -- the queue ------------------------------------------------------------------------------

    def _drain(self, jobs: list[Job]) -> None:
        """Make calls, their writes in one transaction where nothing ends it earlier."""
        self._drainer = get_ident()
        try:
            for self._job in jobs:
                self._job.run()
                self.queue.join(jobs)
                if self._shared is not None and monotonic() - self._since > self._longest:
                    self._end()
            self._end()
        finally:
            self._drainer = 0
        self._committed()

    def settle(self) -> None:
        """Commit what queued calls have written, if this thread makes them.

        Before anything that must see it, takes a lock that others hold while they wait for this
        one, or is no part of the transaction.
        """
        if self._shared is not None and self.draining and not self._inside:
            self._end()

    def _begin(self) -> Any:
        self.lock.acquire()
        connection = None
        try:
            connection = self._pool.borrow()
            connection.execute("BEGIN IMMEDIATE")
        except BaseException:
            if connection is not None:
                self._pool.give_back(connection)
            self.lock.release()
            raise
        self._shared, self._owner, self._since = connection, get_ident(), monotonic()
        return connection

    def _end(self, error: BaseException | None = None) -> None:
        """Commit the shared transaction; an error that ended it goes to all who wrote in it."""
        connection, members = self._shared, self._members
        if connection is None:
            return
        try:
            if error is None:
                self._pool.verify(whole=True)
                connection.execute("COMMIT")
        except Exception as failed:  # noqa: BLE001 - those whose writes are gone get it
            error = failed
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        finally:
            self._shared, self._members = None, []
            self._inside = self._owner = 0
            self._pool.give_back(connection)
            self.lock.release()
        if error is not None:
            for job in members:
                job.error = job.error or self._explained(error)
