"""Transactions: one at a time may write, and writes that wait for each other share a commit.

With ``durability="full"`` a commit waits for the disk, many times as long as the write it ends. So
a write that sees others waiting leaves its transaction open for the next, and returns when the
last of them has committed. (Group commit: DeWitt and others, 1984, "Implementation techniques for
main memory database systems".) One thread that has several writes to make encloses them
(`together`): that pays with ``durability="normal"`` too, where a commit is a fifth of a small
write.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from holdfast.storage.sqlite.pool import Pool

# So many writes share a commit at most: the first one waits for them all.
MOST_TOGETHER = 64


class Pen:
    """Who holds it writes; the other threads of the process wait.

    Args:
        pool: Where connections come from and go to.
        shares: Writes may share a commit. Where none waits for the disk it gains nothing: threads
            wake each other for longer than they save.
    """

    def __init__(self, pool: Pool, *, shares: bool) -> None:
        self._pool, self._shares = pool, shares
        self._lock = threading.RLock()
        self._count = threading.Lock()
        self._waiting = 0
        self._open: _Group | None = None  # left for those who wait
        self._gathering = False  # its holder has more to write
        self._lost: Exception | None = None  # why what it wrote was taken back

    @property
    def gathering(self) -> bool:
        """Whether a thread's writes wait for the end of `together`."""
        return self._gathering

    def __enter__(self) -> None:
        """Keep writers away."""
        self._lock.acquire()
        if self._open is not None:
            try:
                self._settle()
            except BaseException:
                self._lock.release()
                raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()

    @contextmanager
    def writing(self) -> Iterator[Any]:
        """Lend a connection inside a write transaction; return when it is committed."""
        self._take()
        group = None
        try:
            if self._open is None:
                self._begin()
            group, self._open = self._open, None
            assert group is not None
            try:
                with group:
                    yield group.connection
            finally:
                self._pass_on(group)
            if self._gathering:
                return
        except KeyboardInterrupt:
            self._rescue(group)
            raise
        finally:
            self._lock.release()
        group.wait()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Let this thread's next writes share a transaction; return when it is committed.

        Raises:
            Exception: The driver's, when it could not be. Then none of the writes that went well
                is there.
        """
        self._take()
        try:
            self._gathering = True
            try:
                yield
            finally:
                self._gathering = False
                lost, self._lost = self._lost, None
                group, self._open = self._open, None
                if group is not None:
                    self._pass_on(group)
            if lost is not None:
                raise lost
        finally:
            self._lock.release()
        if group is not None:
            group.wait()

    def _begin(self) -> None:
        """Leave a new transaction open for the one who asks."""
        if self._lost is not None:
            raise self._lost
        connection = self._pool.borrow()
        try:
            connection.execute("BEGIN IMMEDIATE")
            self._open = _Group(connection, self._pool.verify)
        except BaseException:
            if connection.in_transaction:  # interrupted as soon as it was open
                connection.execute("ROLLBACK")
            self._pool.give_back(connection)
            raise

    def _rescue(self, group: _Group | None) -> None:
        """End what an interrupt left open on its way out: nobody else would."""
        self._settle()
        if group is not None:
            self._end(group)

    def _take(self) -> None:
        if self._lock.acquire(blocking=False):
            return
        with self._count:
            self._waiting += 1
        try:
            self._lock.acquire()
        except BaseException:  # interrupted: what was left open for us must not stay so
            with self:
                raise
        finally:
            with self._count:
                self._waiting -= 1

    def _pass_on(self, group: _Group) -> None:
        """Leave a transaction to the next who waits, or end it."""
        if self._gathering and group.joinable:
            self._open = group
        elif self._shares and self._waiting and group.joinable and group.members < MOST_TOGETHER:
            group.shared = group.shared or threading.Event()
            self._open = group
        else:
            self._end(group)

    def _settle(self) -> None:
        group, self._open = self._open, None
        if group is not None:
            self._end(group)

    def _end(self, group: _Group) -> None:
        try:
            group.end()
        finally:
            if self._gathering:
                self._lost = self._lost or group.error
            if not group.returned and not group.connection.in_transaction:
                group.returned = True
                self._pool.give_back(group.connection)


class _Group:
    """One open transaction and the writes in it; each is whole or undone, whatever others do.

    Enter it for one write; when that raises, only it is undone.

    Attributes:
        members: Writes that will be committed.
        shared: Set when the transaction has ended; None while one thread has it for itself.
        returned: Its connection is no longer its own.
    """

    def __init__(self, connection: Any, verify: Callable[..., None]) -> None:
        self.connection = connection
        self._verify = verify
        self.members = 0
        self.returned = False
        self._whole = True  # no write is half done
        self.shared: threading.Event | None = None
        self.error: Exception | None = None

    @property
    def joinable(self) -> bool:
        """Whether another write may join."""
        return self.members > 0 and self._whole and bool(self.connection.in_transaction)

    def __enter__(self) -> None:
        if self.members:
            self.connection.execute("SAVEPOINT member")
        self._whole = False

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None and self.members:
                self.connection.execute("RELEASE member")
        except BaseException as failed:
            self._undo(failed)
            raise
        if error is None:
            self._whole = True
            self.members += 1
        else:
            self._undo(error)

    def _undo(self, error: BaseException) -> None:
        if not self.connection.in_transaction:
            # SQLite took everything back, as it does on a full disk.
            self.error = error if isinstance(error, Exception) else None
        elif self.members:
            self.connection.execute("ROLLBACK TO member")
            self.connection.execute("RELEASE member")
        else:
            self.connection.execute("ROLLBACK")
        self._whole = True

    def end(self) -> None:
        """Commit what the members wrote, and let them return."""
        if self.returned:
            return
        try:
            if not self._whole:  # interrupted before it could be undone
                self._undo(KeyboardInterrupt())
            if self.connection.in_transaction:
                self._verify(whole=True)  # who could find what is written elsewhere?
                self.connection.execute("COMMIT")
        except Exception as error:
            self.error = error
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise
        finally:
            if self.shared is not None:
                self.shared.set()

    def wait(self) -> None:
        """Return when the transaction has ended.

        Raises:
            Exception: The driver's, when it could not be committed.
        """
        if self.shared is not None:
            self.shared.wait()
        if self.error is not None:
            raise self.error
