"""A SQLite file for many threads and processes: transactions, migrations, keys, forks."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, TypeVar

from holdfast.errors import SchemaVersionError, StorageError, WrongKeyError, shown
from holdfast.runtime.jobs import JobQueue
from holdfast.storage.contract import damage
from holdfast.storage.contract.storage import Durability
from holdfast.storage.sqlite import encryption, wal_erasure
from holdfast.storage.sqlite.opening import (
    CAN_ENCRYPT,
    IN_MEMORY,
    MOMENT,
    DriverError,
    Opening,
    check_version,
    claim,
    migrated,
    unmapped,
)
from holdfast.storage.sqlite.pool import Pool
from holdfast.storage.sqlite.wal_checkpoints import Moving
from holdfast.storage.sqlite.writer import Writer

__all__ = ["Connection", "Cursor", "Database", "Durability", "unmapped"]

T = TypeVar("T")

BUSY_SECONDS: Final = 30.0


class Cursor(Protocol):
    """What a statement returns."""

    rowcount: int
    lastrowid: int | None

    def fetchone(self) -> Any:
        """Return the next row, or None."""

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """An open SQLite connection inside a transaction; never begin or commit on it yourself."""

    def execute(self, sql: str, parameters: Any = ..., /) -> Cursor:
        """Run one statement."""

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Cursor:
        """Run one statement for many rows."""


class Database:
    """One SQLite file (or ``":memory:"``), safe for many threads and many processes.

    `read` gives a snapshot, `write` the one write transaction: both are context managers that end
    it. A write commits when its block ends and rolls back when it raises.

    Args:
        path: The file, created when missing (its folder must exist), or ``":memory:"``.
        key: Encrypts the whole file: a passphrase, or 32 raw bytes.
        durability: ``"normal"``: a commit survives the death of the process; ``"full"``: also
            of the machine.
        busy_seconds: How long to wait for another writer before giving up.
        upkeep: Seconds between two looks for pending erasures; see `remains`.

    Raises:
        WrongKeyError: The file is encrypted and the key is missing or wrong.
        SchemaVersionError: The file belongs to another program.
        StorageError: The file cannot be opened, or SQLite is too old.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        key: str | bytes | None = None,
        durability: Durability = "normal",
        busy_seconds: float = BUSY_SECONDS,
        upkeep: float = wal_erasure.EVERY,
    ) -> None:
        if durability not in ("normal", "full"):
            raise StorageError(f"durability must be 'normal' or 'full', not {shown(durability)}")
        check_version()
        if key is not None and not CAN_ENCRYPT:
            raise StorageError("encryption needs the sqlcipher3 package; install it or drop key=")
        self.in_memory = str(path) == IN_MEMORY
        # Absolute: a later connection must find the same file, wherever the process works by then,
        # and SQLite reads a relative path that begins with "file:" as a URI.
        self.path = Path(path) if self.in_memory else Path(path).absolute()
        self._opening = Opening(self.path, None, durability, busy_seconds)
        self._pool = Pool(self._opening)
        self._translated = _Translated(self)
        shares = durability == "full" and not self.in_memory
        self._writer = Writer(self._pool, self._explained, self._committed, shares=shares)
        self._moving = Moving(self._move_wal)
        self.after_write: Callable[[], None] = lambda: None  # called behind every commit
        if key is not None and not self.in_memory:
            self._opening.key = encryption.raw_key(key, self._opening.head())
        try:
            self._claim(key)
        except BaseException:  # nobody else could close it
            self._pool.close()
            raise
        self._caretaker = wal_erasure.Caretaker(self, upkeep)

    def _claim(self, key: str | bytes | None) -> None:
        try:
            with self.bare() as connection:
                claim(connection)
        except WrongKeyError:
            # A rival that made the file since then has salted it.
            if key is None or self._opening.key == (
                again := encryption.raw_key(key, self._opening.head())
            ):
                raise
            self._opening.key = again
            self._claim(key)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._pool.closed

    def refuse(self) -> None:
        """Raise `StorageClosedError` after `close`; see `Pool.refuse`."""
        self._pool.refuse()

    def verify(self) -> None:
        """Raise `StorageError` unless the open file and its log still have their names."""
        self._pool.verify(whole=True)

    @property
    def durability(self) -> Durability:
        """What a commit survives."""
        return self._opening.durability

    # -- transactions ---------------------------------------------------------------------------

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a snapshot: every statement inside sees the same moment."""
        self._writer.settle()
        # In memory the one connection is shared, so a read keeps writers away.
        with self._writer.lock if self.in_memory else nullcontext(), self._translated:
            self._pool.verify()
            connection = self._pool.borrow()
            try:
                connection.execute("BEGIN")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            finally:
                self._pool.give_back(connection)

    @contextmanager
    def write(self, *, alone: bool = False) -> Iterator[Connection]:
        """Open the one write transaction; commit at the end, undo on any error.

        A call in the queue `writes` shares its transaction with others, so that its commit comes
        behind the block, unless it is `alone`.

        Raises:
            StorageError: This thread is inside a write already.
        """
        writer = self._writer
        shared = writer.draining and not alone
        with self._translated, writer.shared() if shared else writer.single() as connection:
            yield connection
        if not writer.draining:
            self._committed()

    @property
    def writes(self) -> JobQueue:
        """The queue of calls that write: for event loops, see `holdfast.adapters.Runner`."""
        return self._writer.queue

    def run(self, work: Callable[[], T]) -> T:
        """Make a call that writes; with full durability it shares its commit with waiting ones."""
        return self._writer.run(work)

    def settle(self) -> None:
        """Commit, within a call of the queue `writes`, what was written so far; see `Writer`."""
        self._writer.settle()

    def _committed(self) -> None:
        self._moving.look()
        self.after_write()

    @contextmanager
    def erasing(self) -> Iterator[Connection]:
        """Open a write that deletes what nobody may read again: its bytes leave the log, too.

        The write itself notes that they are to go. They go behind it or, where readers hold them,
        later; `Stats.erasure_pending` tells until then.
        """
        with self.write() as connection:
            yield connection
            self.expect_erasure(connection)
        self.finish_erasure()

    @contextmanager
    def bare(self) -> Iterator[Connection]:
        """Lend a connection outside any transaction, for pragmas and checkpoints; no one writes."""
        self._writer.settle()
        with self._writer.lock, self._translated:
            self._pool.verify(whole=True)
            connection = self._pool.borrow()
            try:
                yield connection
            finally:
                self._pool.give_back(connection)

    def close(self) -> None:
        """Close every connection. Closing twice is fine; using it afterwards is an error."""
        if not self.closed:
            self._caretaker.look()
            wal_erasure.rewrite(self, wal_erasure.SMALL)
        self._pool.close()

    # -- upkeep ---------------------------------------------------------------------------------

    def migrate(self, name: str, steps: Sequence[str]) -> None:
        """Bring a package's own tables up to date: each step is one script, run once, in order.

        Raises:
            SchemaVersionError: The file is at a later step than this library knows.
        """
        with self.read() as connection:
            if migrated(connection, name) == len(steps):
                return
        with self.write() as connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS migrations"
                " (name TEXT PRIMARY KEY, step INTEGER NOT NULL) WITHOUT ROWID"
            )
            done = migrated(connection, name)
            if done > len(steps):
                raise SchemaVersionError(
                    f"{self.path} was written by another version ({name} step {done}, this one "
                    f"knows {len(steps)}): a newer one, or one before the first release; open it "
                    "with that version, or begin a new file"
                )
            for script in steps[done:]:
                for statement in script.split(";\n"):
                    connection.execute(statement)
            connection.execute("REPLACE INTO migrations VALUES (?, ?)", (name, len(steps)))

    def rekey(self, key: str | bytes) -> None:
        """Encrypt the file under another key; every other process must have closed it.

        Raises:
            StorageError: The file is not encrypted, lives in memory, or is in use.
        """
        if self._opening.key is None:
            raise StorageError(
                "only an encrypted file can be rekeyed: export, then import with a key"
            )
        raw = encryption.derive(key, bytes.fromhex(self._opening.key[64:]))
        with self.bare() as connection:
            self._pool.close_idle()
            try:
                self._opening.leave_wal(connection)
                connection.execute(f"PRAGMA rekey = \"x'{raw}'\"")
            finally:
                # Where the disk fails, SQLCipher rolls the pages back, but this connection would
                # go on writing with the new key: one page more, and no key reads the file.
                self._pool.discard(connection)
            # Of a commit that fails, SQLCipher says nothing.
            if not self._opening.readable(raw):
                raise StorageError(
                    f"{self.path} keeps its old key: the disk is full or failed; try again"
                )
            self._opening.key = raw
        # Opened once, it is in WAL mode again, which syncs: else a loss of power could bring back
        # the journal, and with it the old key. The key is changed, whatever happens here.
        with suppress(StorageError), self.bare():
            pass

    def tended_by(self, chore: Callable[[], bool]) -> None:
        """Let the writes that look for pending erasures do this too; see `remains.Caretaker`."""
        self._caretaker.chore = chore

    def expect_erasure(self, connection: Connection) -> None:
        """Note in an open write that what it deletes has to leave the write-ahead log.

        One of the next writes sees to that, or `finish_erasure` at once; see `erasing`.
        """
        wal_erasure.expect(connection, time.time_ns() // 1000)

    def finish_erasure(self) -> bool:
        """Empty the write-ahead log of deleted bytes; False while readers hold them.

        It waits some milliseconds for readers. What is left is still noted, and goes later.
        """
        return self._caretaker.look(wal_erasure.BREATH)

    def truncate_wal(self, patience: int = wal_erasure.BREATH) -> bool:
        """Move the write-ahead log into the file and empty it; False while readers hold it."""
        if self.in_memory:
            return True
        with self.bare() as connection:
            return self._opening.empty_wal(connection, patience)

    def _move_wal(self) -> None:
        """Move what readers allow of the log into the file. The write before it has committed."""
        if self.in_memory:
            return
        with suppress(DriverError, StorageError):
            connection = self._pool.borrow()
            try:
                self._opening.move_wal(connection)
            finally:
                self._pool.give_back(connection)

    def vacuum(self) -> int:
        """Write the file anew without the room that nothing needs; return how many bytes went.

        What it holds is in memory once, and in the write-ahead log, for as long as it takes.

        Raises:
            StorageError: Others hold the file, or the disk is full; nothing is lost.
        """
        before = self.size()
        with self.bare() as connection:
            with self._opening.impatient(connection, MOMENT):
                connection.execute("VACUUM")
            if not self.in_memory and not self._opening.empty_wal(connection, MOMENT):
                raise StorageError(
                    f"{self.path} is in use, so it cannot shrink yet; nothing is lost: close it "
                    "elsewhere, then vacuum again"
                )
        return before - self.size()

    def size(self) -> int:
        """Return the bytes of the file and its write-ahead log."""
        files = (self.path, self.path.with_name(self.path.name + "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def _explained(self, error: BaseException) -> BaseException:
        """Return an error of the driver's as one of ours, any other as it is."""
        if isinstance(error, DriverError | UnicodeDecodeError):
            return self.explained(error)
        return error

    def explained(self, error: Exception) -> StorageError:
        """Return an error of the driver's as one of ours, which says what to do."""
        if isinstance(error, UnicodeDecodeError):  # the driver cannot repeat what SQLite says
            return damage.found(f"{self.path}: a text that is no UTF-8")
        return self._opening.explained(error)


class _Translated:
    """Refuses a closed file, and maps the driver's errors to ours; made once, entered often."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.refuse()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, DriverError | UnicodeDecodeError):
            raise self._database.explained(error) from error
