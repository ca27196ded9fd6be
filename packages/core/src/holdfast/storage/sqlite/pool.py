"""The open connections of a file: lent, taken back, and closed before the process forks.

SQLite keeps a table of the locks that its process holds, since the kernel's locks are a process's
and not a connection's. A forked child inherits the table and none of the locks: connections that
it opens beside inherited ones would hold no lock, and the next process to close it would remove
the log that they write to. So nothing is open while a process forks: operations that would begin
wait, those under way may end, idle connections are closed. Both sides open new ones when they need
them.

Where an operation is under way all the same (the thread that forks is inside it, or another one
takes too long), the parent goes on unharmed. The child may neither use that file nor close what is
open there, for the last one to close a file empties its log.
"""

from __future__ import annotations

import ctypes
import os
import threading
from threading import get_ident
from time import monotonic
from typing import Any, Final, TypeAlias
from weakref import WeakValueDictionary

from holdfast.errors import StorageClosedError, StorageError
from holdfast.storage.sqlite.opening import Opening, seal

# Seconds that a fork waits for operations under way.
PATIENCE: Final = 5.0

Inode: TypeAlias = tuple[int, int]
"""Number and device of what a path leads to."""
NOTHING: Final = (0, 0)


class _Mark:
    """Stands for a connection that is just being opened, or for several that are being closed."""


class Pool:
    """Connections of one database, for any number of threads.

    Args:
        opening: How they are opened.
    """

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._closed = False
        self._lost = False  # to this process, which was forked while they were in use
        # What is open by its name: the file, and while there are connections its log and shared
        # memory.
        self._names: tuple[tuple[str, Inode], ...] = ()
        self._begin([])
        _pools[id(self)] = self

    def _begin(self, idle: list[Any]) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._idle = idle
        self._lent: dict[object, int] = {}  # by which thread
        self._names = self._names[:1]

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def refuse(self) -> None:
        """Raise unless the connections can be used.

        Raises:
            StorageClosedError: `close` was called.
            StorageError: This process was forked while one of them was in use.
        """
        if self._closed:
            raise StorageClosedError(f"{self._opening.path} is closed; open a new Memory on it")
        if self._lost:
            raise _forked(self._opening)

    # -- lending --------------------------------------------------------------------------------

    def borrow(self) -> Any:
        """Lend a connection; open one if none is idle.

        Raises:
            StorageError: The file cannot be used here, or another one has its name by now.
            DriverError: It cannot be opened.
        """
        if self._opening.in_memory:
            return self._only()
        with self._lock:
            self._admit()
            connection = self._idle[-1] if self._idle else _Mark()
            self._lent[connection] = get_ident()
            if self._idle:
                self._idle.pop()  # last: an interrupt must not lose it
        return self._connect(connection) if isinstance(connection, _Mark) else connection

    def _only(self) -> Any:
        """Return the one connection of a memory database: it is the data, so it stays at hand."""
        with self._lock:
            self._admit()
            if not self._idle:
                self.refuse()  # another thread may have closed it just now
                self._idle.append(self._opening.connect())
            connection = self._idle[0]
            if connection.in_transaction:
                raise StorageError(
                    "a memory database has one connection; do not nest its transactions"
                )
            self._lent[connection] = get_ident()
            return connection

    def _admit(self) -> None:
        """Wait while the process forks, unless others wait for this thread."""
        while _forker and not _awaited(get_ident()):
            self._changed.wait()

    def _connect(self, mark: _Mark) -> Any:
        """Open a connection, which takes the place of its mark."""
        connection = None
        try:
            self.verify()
            self._refuse_lost()
            connection = self._opening.connect()
            self.recognise()
            with self._lock:
                self._lent[connection] = get_ident()
        except BaseException:
            if connection is not None:
                connection.close()
            raise
        finally:
            with self._lock:
                self._forget(mark)
        return connection

    def _refuse_lost(self) -> None:
        """Refuse a file that another database had open when this process was forked."""
        if _lost_files and _inode(str(self._opening.path)) in _lost_files:
            raise _forked(self._opening)

    def give_back(self, connection: Any) -> None:
        """Take a connection back."""
        with self._lock:
            if connection not in self._lent:
                return  # it was lent before a fork, and stays aside
            closed = self._closed
            if not closed:
                if not self._opening.in_memory:
                    self._idle.append(connection)
                self._forget(connection)
        if closed:
            connection.close()
            with self._lock:
                self._forget(connection)

    def discard(self, connection: Any) -> None:
        """Close a lent connection for good; giving it back does nothing then."""
        connection.close()
        with self._lock:
            self._forget(connection)

    def _forget(self, lent: object) -> None:
        """Note, under the lock, that something is no longer in use."""
        self._lent.pop(lent, None)
        if not self._lent and not self._idle:
            self._names = self._names[:1]  # the last to close removes the log; the next makes one
        if _forker:
            self._changed.notify_all()

    def close(self) -> None:
        """Close every connection, those that are lent when they come back."""
        with self._lock:
            self._admit()
            self._closed = True
        self.close_idle()

    def close_idle(self) -> None:
        """Close the idle connections."""
        mark = _Mark()
        with self._lock:
            idle, self._idle = self._idle, []
            self._lent[mark] = get_ident()
        try:
            for connection in idle:
                connection.close()
        finally:
            with self._lock:
                for gone in (mark, *idle):
                    self._forget(gone)

    # -- whether it is the same file ------------------------------------------------------------

    def recognise(self) -> None:
        """Note what the names of file, log and shared memory lead to, and compare what is known.

        Raises:
            StorageError: They lead elsewhere than those of the other connections.
        """
        if self._opening.in_memory:
            return
        path = str(self._opening.path)
        real = os.path.realpath(path)
        with self._lock:
            alone = not self._idle and len(self._lent) == 1
            if alone or len(self._names) < 3:
                file = self._names[:1] or ((path, _inode(path)),)
                others = ((name, _inode(name)) for name in (f"{real}-wal", f"{real}-shm"))
                self._names = (*file, *others)
        self.verify(whole=True)

    def verify(self, *, whole: bool = False) -> None:
        """Raise unless the file that is open still has its name.

        Args:
            whole: Its log and shared memory too: who does not find them does not see its writes.

        Raises:
            StorageError: It was moved, deleted or replaced.
        """
        for path, inode in self._names if whole else self._names[:1]:
            if _inode(path) != inode:
                raise StorageError(
                    f"{path} was moved, deleted or replaced while it was open: what is written "
                    "now would be lost, so nothing was; put it back, or close this memory and open "
                    "it anew"
                )

    # -- forks ----------------------------------------------------------------------------------

    def wait_for_others(self, until: float) -> None:
        """Wait until no other thread uses a connection, or time is over."""
        me = get_ident()
        with self._lock:
            self._changed.wait_for(
                lambda: all(thread == me for thread in self._lent.values()),
                max(until - monotonic(), 0.0),
            )

    def drain(self) -> None:
        """Close what is idle, so that the child inherits nothing."""
        if self._opening.in_memory:
            return
        self.close_idle()

    def wake(self) -> None:
        """Let those go on who waited for the end of the fork."""
        with self._lock:
            self._changed.notify_all()

    def renew(self) -> None:
        """Begin anew in a forked child; set aside what was in use."""
        lent, idle = self._lent, self._idle
        mine = {held for held, thread in lent.items() if thread == get_ident()}
        if self._opening.in_memory:  # each process has its own from now on
            self._lost = self._lost or len(mine) < len(lent)
            inherited, idle = (idle, []) if self._lost else ([], idle)
        else:
            inherited, idle = [*lent, *idle], []
            self._lost = self._lost or bool(inherited)
        for held in inherited:
            _keep(held)
            if held in mine and not isinstance(held, _Mark):
                seal(held)
        if inherited and not self._opening.in_memory:
            file = self._names[0][1] if self._names else _inode(str(self._opening.path))
            _lost_files.update({file} - {NOTHING})
        self._begin(idle)


def _inode(path: str) -> Inode:
    try:
        found = os.stat(path)
    except OSError:
        return NOTHING
    return found.st_ino, found.st_dev


def _forked(opening: Opening) -> StorageError:
    return StorageError(
        f"the process was forked while an operation on {opening.path} was open; open it after the "
        "fork, or fork between calls"
    )


def _keep(inherited: object) -> None:
    """Keep an object for ever: also when the interpreter ends, which closes what it lets go."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited))


# -- the process forks --------------------------------------------------------------------------

_pools: WeakValueDictionary[int, Pool] = WeakValueDictionary()
_lost_files: set[Inode] = set()  # SQLite takes itself for a holder of locks on these
_turn = threading.Lock()  # one thread forks at a time
_forker = 0  # which; 0: none


def _all() -> list[Pool]:
    return [pool for found in _pools.valuerefs() if (pool := found()) is not None]


def _awaited(thread: int) -> bool:
    """Return whether a fork waits for a thread, or is its own."""
    return thread == _forker or any(thread in list(pool._lent.values()) for pool in _all())


def _before() -> None:
    global _forker
    _turn.acquire()
    _forker = get_ident()
    until = monotonic() + PATIENCE
    for pool in _all():
        pool.wait_for_others(until)
    for pool in _all():
        pool.drain()


def _in_parent() -> None:
    global _forker
    _forker = 0
    for pool in _all():
        pool.wake()
    _turn.release()


def _in_child() -> None:
    global _forker, _turn
    _forker, _turn = 0, threading.Lock()
    for pool in _all():
        pool.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
