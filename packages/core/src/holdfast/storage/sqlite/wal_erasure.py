"""What an erasure leaves behind, and when it goes: copies in the write-ahead log and in free room.

A deletion overwrites the bytes that it frees in the file (``secure_delete``). Older copies of its
pages stay in the write-ahead log until that is emptied, which has to wait for readers. So the
file itself notes that an erasure is pending, and these finish it:

* the deletion, which waits some milliseconds for readers (`BREATH`), and `purge`;
* opening and closing the file, without waiting;
* of each process's writes the first one after every `EVERY` seconds, behind its commit and without
  waiting. Until then a write looks at the clock, and then it asks the file once. (Documents note an
  erasure with each value that is replaced: so the log is emptied at this rate, not at theirs.)

At the same times, what has expired is erased (`Caretaker.chore`), a slice at a time.

SQLite does not overwrite a row that it moves: when it divides a full page among several, copies of
a few rows (of 1,000 erased ones, some four) stay in the free room of the old page, until that page
is written anew. Only VACUUM does that for certain. So the file notes that too, and `purge` writes
it anew, as closing does while it is small.

None of it has a thread of its own: without a write, an opening or a closing the bytes stay, and
`stats` shows that they are pending.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from time import monotonic
from typing import Any, Final, Protocol

from holdfast.errors import StorageError

EVERY: Final = 30.0
# Milliseconds that a caller waits for readers, whose erasure goes on without it; writers wait for
# it meanwhile.
BREATH: Final = 25
# The property that remembers bytes to be erased from the write-ahead log.
PENDING: Final = "erasure_pending"
# The property that remembers that free room of the file may hold copies of erased rows.
COPIES: Final = "erasure_copies"
# Bytes of a file that is written anew when it is closed after an erasure: some milliseconds.
SMALL: Final = 4 << 20


class Erasing(Protocol):
    """What this asks of a `database.Database`, which stands on it."""

    after_write: Callable[[], None]

    def read(self) -> AbstractContextManager[Any]:
        """Open a snapshot."""

    def write(self) -> AbstractContextManager[Any]:
        """Open a write."""

    def truncate_wal(self, patience: int) -> bool:
        """Empty the write-ahead log; False while readers hold it."""

    def vacuum(self) -> int:
        """Write the file anew."""

    def size(self) -> int:
        """Return the bytes of the file and its log."""


def expect(connection: Any, now: int) -> None:
    """Note that deleted bytes wait in the write-ahead log until it is emptied.

    Args:
        connection: The open write that deletes.
        now: Tells this note from an earlier one, which may be finished meanwhile: microseconds.
    """
    connection.executemany("REPLACE INTO properties VALUES (?, ?)", [(PENDING, now), (COPIES, now)])


def finish(database: Erasing, patience: int = BREATH) -> bool:
    """Empty the write-ahead log of erased bytes if any wait; False while readers hold it.

    Args:
        database: The file.
        patience: How long to wait for readers and for other writers, in milliseconds.
    """
    noted = _noted(database, PENDING)
    if noted is None:
        return True
    if not database.truncate_wal(patience):
        return False
    _forget(database, PENDING, noted)
    return True


def rewrite(database: Erasing, most: int | None = None) -> None:
    """Write the file anew if rows of it were erased since; what fails is still noted.

    Args:
        database: The file.
        most: Leave a file of more bytes as it is; None: whatever its size.
    """
    with suppress(StorageError):
        if most is not None and database.size() > most:
            return
        noted = _noted(database, COPIES)
        if noted is not None:
            database.vacuum()
            _forget(database, COPIES, noted)


def _noted(database: Erasing, name: str) -> int | None:
    with database.read() as connection:
        row = connection.execute("SELECT value FROM properties WHERE name = ?", (name,)).fetchone()
    return None if row is None else int(row[0])


def _forget(database: Erasing, name: str, noted: int) -> None:
    """Take a note away, unless another erasure has renewed it meanwhile."""
    with database.write() as connection:
        connection.execute("DELETE FROM properties WHERE name = ? AND value = ?", (name, noted))


class Caretaker:
    """Finishes pending erasures of a file by the way.

    Args:
        database: The file; every write of it comes by from now on.
        every: Seconds between two looks.

    Attributes:
        chore: What else there is to do behind a write, when it is time to look; it says if there
            is more of it, and then the next write comes back to it.
    """

    def __init__(self, database: Erasing, every: float = EVERY) -> None:
        self._database, self._every = database, every
        self.chore: Callable[[], bool] = lambda: False
        self.look()
        database.after_write = self._pass

    def look(self, patience: int = 0) -> bool:
        """Truncate the log unless a reader blocks it; return whether nothing is left.

        Nothing depends on it: what fails (a full disk, a closed file) is still pending, as `stats`
        shows, and the write before it has committed.
        """
        self._due = monotonic() + self._every  # before it writes itself
        try:
            return finish(self._database, patience)
        except StorageError:
            return False

    def _pass(self) -> None:
        if monotonic() < self._due:
            return
        self._due = monotonic() + self._every  # before the chore writes
        more = False
        with suppress(StorageError):
            more = self.chore()
        self.look()
        if more:
            self._due = monotonic()
