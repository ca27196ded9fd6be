"""What an erasure leaves in the write-ahead log, and who empties it.

A deletion overwrites the bytes that it frees in the file (``secure_delete``). Older copies of its
pages stay in the write-ahead log until that is emptied, which has to wait for readers. So the
file itself notes that an erasure is pending, and whoever comes by finishes it:

* the deletion, which waits some milliseconds for readers (`database.BREATH`), and `purge`;
* whoever opens the file, and whoever closes it, without waiting;
* of each process's writes the first one after every `EVERY` seconds, behind its commit and without
  waiting. Until then a write looks at the clock, and then it asks the file once. (Items note an
  erasure with each value that is replaced: so the log is emptied at this rate, not at theirs.)

None of it has a thread of its own. Where nobody writes, opens or closes, the bytes stay until
somebody does; `stats` shows it.
"""

from __future__ import annotations

from contextlib import suppress
from time import monotonic
from typing import Final

from holdfast.errors import StorageError
from holdfast.storage import log
from holdfast.storage.database import BREATH, Database

EVERY: Final = 30.0


def finish(database: Database, patience: int = BREATH) -> bool:
    """Empty the write-ahead log of erased bytes if any wait; False while readers hold it.

    Args:
        database: The file.
        patience: How long to wait for readers and for other writers, in milliseconds.
    """
    with database.read() as connection:
        asked = connection.execute(
            "SELECT value FROM properties WHERE name = ?", (log.ERASURE_PENDING,)
        ).fetchone()
    if asked is None:
        return True
    if not database.truncate_wal(patience):
        return False
    with database.write() as connection:
        connection.execute(
            "DELETE FROM properties WHERE name = ? AND value = ?", (log.ERASURE_PENDING, asked[0])
        )
    return True


def attempt(database: Database) -> None:
    """Finish behind a deletion that is committed: it is done whatever happens now.

    What fails here (a full disk, a closed file) must not be told as a failure of the deletion:
    the bytes wait, as the file has noted, and `stats` shows it.
    """
    with suppress(StorageError):
        finish(database)


class Caretaker:
    """Finishes pending erasures of a file by the way.

    Args:
        database: The file; every write of it comes by from now on.
        every: Seconds between two looks.
    """

    def __init__(self, database: Database, every: float = EVERY) -> None:
        self._database, self._every = database, every
        self.look()
        database.after_write = self._pass

    def look(self) -> None:
        """Finish what is pending if nobody is in the way.

        Nothing depends on it: what fails is still pending, and the write before it has committed.
        """
        self._due = monotonic() + self._every  # before it writes itself
        with suppress(StorageError):
            finish(self._database, patience=0)

    def _pass(self) -> None:
        if monotonic() >= self._due:
            self.look()
