"""Connections as a file wants them: the one module that knows the driver.

It is ``sqlcipher3`` (a current SQLite with encryption); the standard library's where there is no
wheel. Every connection runs in WAL mode with deleted content overwritten.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from holdfast.errors import DamagedFileError, SchemaVersionError, StorageError
from holdfast.storage.contract import damage
from holdfast.storage.contract.storage import Durability
from holdfast.storage.sqlite import encryption

try:
    from sqlcipher3 import dbapi2 as driver

    CAN_ENCRYPT = True
except ImportError:  # no wheel for this platform
    import sqlite3 as driver

    CAN_ENCRYPT = False

DriverError = driver.Error

IN_MEMORY = ":memory:"
OLDEST: Final = (3, 38)  # the first that has ``->``, and JSON in every build
CUTS_AT_NUL: Final = driver.sqlite_version_info < (3, 45)
"""Whether its JSON functions return a text up to its first NUL only."""
NUL: Final = "a text with NUL"  # no path; SQLite names it in the error that it raises

APPLICATION_ID = 0x484F4C44  # "HOLD"
# The embedder, its dimension, jobs to be done; before any package's tables, so that whoever deletes
# finds it (see `remains`).
PROPERTIES = "CREATE TABLE IF NOT EXISTS properties (name TEXT PRIMARY KEY, value) WITHOUT ROWID"
MOMENT = 200  # milliseconds; upkeep gives way to readers
MAPPED_BYTES = 1 << 30
# Of a new file. A record with its vector takes more than 2 kB, so that a page of 4 kB (SQLite's own
# choice) holds one and a page of 8 kB three.
PAGE_BYTES = 8_192
# Pages after which the write-ahead log is moved into the file and begun anew. Where no write waits
# for the disk, 4 MB (SQLite's own choice) lets every larger one wait for it: deleting 2,000 of
# 10,000 documents took 80 ms instead of 15. Where every write does, a log that has stopped growing
# is synced in two thirds of the time: an add took 392 us on average instead of 440.
CHECKPOINT_PAGES: dict[Durability, int] = {"normal": 4_000, "full": 500}

_ADVICE = {
    "locked": "another writer held the file for over {seconds:g} s; nothing was written",
    "readonly": "the file or its folder is read-only; nothing was written",
    "full": "the disk is full; nothing was written, free some space and try again",
    "I/O error": "the disk is full or failed; nothing was written",
    "unable to open": "check that it is a file, and that its folder exists and may be written",
    "closed database": "it was closed while in use",
    "not authorized": "the process was forked inside this operation; fork between calls",
    NUL: f"a field of this filter holds one, and SQLite {driver.sqlite_version} would compare it "
    "only up to there; take the NUL out, or install sqlcipher3",
}


@dataclass(slots=True)
class Opening:
    """How a file is opened, and what its errors mean.

    Attributes:
        path: The file, or ``":memory:"``.
        key: Raw key in hex, see `keys`; None: it is not encrypted.
        durability: See `Database`.
        busy_seconds: How long to wait for another writer.
    """

    path: Path
    key: str | None = field(repr=False)
    durability: Durability
    busy_seconds: float

    @property
    def in_memory(self) -> bool:
        """Whether there is no file."""
        return str(self.path) == IN_MEMORY

    def connect(self) -> Any:
        """Open a connection.

        Raises:
            SchemaVersionError: The file belongs to another program.
            DriverError: It cannot be opened; see `explained`.
        """
        self._make_private()
        connection = self._unlocked(self.key)
        try:
            self._refuse_foreign(connection)
            self._configure(connection)
        except UnicodeDecodeError as error:  # the driver cannot say what SQLite says
            connection.close()
            raise damage.found(f"{self.path}: the names of its tables") from error
        except BaseException:
            connection.close()
            raise
        return connection

    def readable(self, key: str) -> bool:
        """Return whether the file can be read with a key."""
        connection = self._unlocked(key)
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except driver.Error:
            return False
        finally:
            connection.close()
        return True

    def _unlocked(self, key: str | None) -> Any:
        connection = driver.connect(
            str(self.path),
            timeout=self.busy_seconds,
            isolation_level=None,
            check_same_thread=False,
        )
        if key is not None:
            # It would print to stderr what `explained` says in words.
            connection.execute("PRAGMA cipher_log_level = NONE")
            connection.execute(f"PRAGMA key = \"x'{key}'\"")
            connection.execute(f"PRAGMA cipher_page_size = {PAGE_BYTES}")
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # of a file that is new
        return connection

    def head(self) -> bytes:
        """Return the first 16 bytes of the file; none, where it is shorter or cannot be read.

        SQLite reads them. When a process closes a file, the kernel drops all locks that it holds
        on it (POSIX), those of its other connections too; SQLite knows when it may close.
        """
        try:
            if self.path.stat().st_size < encryption.SALT_BYTES:
                return b""
            return self._salt() if CAN_ENCRYPT else self._first_bytes()
        except (OSError, ValueError, DriverError):
            return b""  # opening it says why

    def _first_bytes(self) -> bytes:
        with self.path.open("rb") as file:  # it is no database, so no connection has locks on it
            return file.read(encryption.SALT_BYTES)

    def _salt(self) -> bytes:
        connection = driver.connect(f"{self.path.as_uri()}?mode=ro", uri=True)
        try:
            connection.execute("PRAGMA cipher_log_level = NONE")
            connection.execute(f"PRAGMA key = \"x'{'0' * 64}'\"")
            return bytes.fromhex(connection.execute("PRAGMA cipher_salt").fetchone()[0])
        finally:
            connection.close()

    def _make_private(self) -> None:
        """Make a new file that only its owner can read; SQLite gives what lies beside it its mode.

        What keeps it from being made, SQLite meets as well, and says.
        """
        if not self.in_memory:
            with suppress(OSError, ValueError):
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))

    def _configure(self, connection: Any) -> None:
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA cache_size = -16000")
        # Filters and listings read many rows; from the system's own cache that takes a quarter of
        # the time (10,000 documents: 4 ms for 15). An encrypted file cannot be mapped.
        connection.execute(f"PRAGMA mmap_size = {MAPPED_BYTES if self.key is None else 0}")
        connection.execute(f"PRAGMA synchronous = {self.durability}")
        if not self.in_memory:
            self.use_wal(connection)
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES[self.durability]}")

    def _refuse_foreign(self, connection: Any) -> None:
        """Refuse another program's file before anything of it is changed."""
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        mark = connection.execute("PRAGMA application_id").fetchone()[0]
        if mark != APPLICATION_ID and (mark or tables):
            raise SchemaVersionError(
                f"{self.path} is a SQLite file of another program; give Holdfast a file of its own"
            )

    def use_wal(self, connection: Any) -> None:
        """Switch to WAL. SQLite does not wait for a rival doing the same, so ask again."""
        deadline = time.monotonic() + self.busy_seconds
        while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            try:
                if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
                    raise StorageError(
                        f"{self.path} cannot have a write-ahead log: its file system lets no two "
                        "processes share memory; keep it on a local disk"
                    )
            except driver.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.005)
        connection.execute("PRAGMA application_id").fetchone()  # the first read makes the log

    def leave_wal(self, connection: Any) -> None:
        """Switch to a rollback journal, which only the one connection of a file can do."""
        with self.impatient(connection, MOMENT):
            try:
                mode = connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0]
            except driver.OperationalError as error:
                raise StorageError(f"{self.path} is in use: {error}; close it elsewhere") from error
        if mode != "delete":
            raise StorageError(f"{self.path} is in use; close it elsewhere, then rekey it")

    def move_wal(self, connection: Any) -> None:
        """Checkpoint the write-ahead log as far as no reader needs it, without waiting."""
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def empty_wal(self, connection: Any, patience: int) -> bool:
        """Move the write-ahead log into the file and empty it; False while readers hold it."""
        with self.impatient(connection, patience):
            try:
                busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            except driver.OperationalError:
                return False
        return not busy

    @contextmanager
    def impatient(self, connection: Any, milliseconds: int) -> Iterator[None]:
        """Wait for others only so long."""
        connection.execute(f"PRAGMA busy_timeout = {milliseconds}")
        try:
            yield
        finally:
            connection.execute(f"PRAGMA busy_timeout = {int(self.busy_seconds * 1000)}")

    def explained(self, error: Exception) -> StorageError:
        """Return an error of the driver's as one of ours, which says what to do."""
        text = str(error)
        if "not a database" in text or "file is encrypted" in text:
            return encryption.unreadable(self.path, self.head(), self.key is not None)
        if text.startswith("Could not decode"):  # it quotes the text
            return damage.found("a text that is no UTF-8")
        if "malformed" in text:
            return DamagedFileError(f"{self.path}: {text}; the file is damaged: {damage.ADVICE}")
        advice = next((say for sign, say in _ADVICE.items() if sign in text), "")
        waited = advice.format(seconds=self.busy_seconds)
        return StorageError(f"{self.path}: {text}" + (f"; {waited}" if waited else ""))


def check_version(found: tuple[int, ...] = driver.sqlite_version_info) -> None:
    """Refuse a SQLite that does not understand our SQL.

    Raises:
        StorageError: It is older than `OLDEST`.
    """
    if found < OLDEST:
        raise StorageError(
            f"Holdfast needs SQLite {_dotted(OLDEST)} or newer, and this is {_dotted(found)}; "
            "install the sqlcipher3 package, which brings its own, or a Python with a newer one"
        )


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def claim(connection: Any) -> None:
    """Mark a new file as ours, with a place for what it knows about itself; both or neither."""
    if connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID:
        return
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(PROPERTIES)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def migrated(connection: Any, name: str) -> int:
    """Return how many of its steps a package's tables have behind them."""
    known = connection.execute(
        "SELECT count(*) FROM sqlite_master WHERE name = 'migrations'"
    ).fetchone()[0]
    if not known:
        return 0
    row = connection.execute("SELECT step FROM migrations WHERE name = ?", (name,)).fetchone()
    with damage.Reading("the number of its tables' step"):
        return int(row[0]) if row else 0


def seal(connection: Any) -> None:
    """Refuse every statement from now on, and let none touch the file: not even a ROLLBACK."""
    connection.set_authorizer(lambda *_: driver.SQLITE_DENY)


@contextmanager
def unmapped(connection: Any) -> Iterator[None]:
    """Read much that is wanted once: mapped pages would stay resident, a GB of them at most."""
    mapped = connection.execute("PRAGMA mmap_size").fetchone() or (0,)  # none in memory
    if not mapped[0]:
        yield
        return
    connection.execute("PRAGMA mmap_size = 0").fetchone()
    try:
        yield
    finally:
        connection.execute(f"PRAGMA mmap_size = {mapped[0]}").fetchone()
