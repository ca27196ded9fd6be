"""The file behind a saver: opened when first needed, closed by the saver that opened it."""

from __future__ import annotations

import os
from typing import TypeAlias, cast

from holdfast.forking import Lock
from holdfast.tables import Database, Durability, prepare
from langgraph.checkpoint.serde.base import SerializerProtocol

from holdfast_langgraph.checkpoint.serializer import encrypts
from holdfast_langgraph.checkpoint.tables import TABLES

KEY_BYTES = 32

Where: TypeAlias = "str | os.PathLike[str] | Database"


class File:
    """A database opened at its first use; shared by a saver and its shallow copies.

    Args:
        where: A path, ``":memory:"``, or a database that its owner closes.
        key: Encrypts a file given by its path.
        durability: Of a file given by its path.
    """

    def __init__(self, where: Where, key: str | bytes | None, durability: Durability) -> None:
        self._where = where
        self._key = key
        self._durability = durability
        self._lock = Lock()
        self._database: Database | None = None

    def __repr__(self) -> str:
        where = self._where
        return repr(str(where.path if isinstance(where, Database) else where))

    def open(self) -> Database:
        """Return the database, its tables up to date.

        Raises:
            StorageError: It cannot be opened; `WrongKeyError`, `SchemaVersionError`.
        """
        if self._database is None:
            with self._lock:
                if self._database is None:
                    self._database = self._opened()
        return self._database

    def _opened(self) -> Database:
        database = self._where
        if not isinstance(database, Database):
            database = Database(database, key=self._key, durability=self._durability)
        prepare(database, TABLES)
        return database

    def close(self) -> None:
        """Close a database that was given by its path."""
        if self._database is not None and self._database is not self._where:
            self._database.close()


def digest_key(database: Database, serde: SerializerProtocol) -> bytes:
    """Return the file's digest key for a serializer's cipher, made at its first use.

    It lies in the file encrypted by that cipher, so digests of short or guessable messages tell
    nothing to a reader of the file. A serializer that does not encrypt needs none.
    """
    if not encrypts(serde):
        return b""
    type_, data = serde.dumps_typed(os.urandom(KEY_BYTES))
    select = "SELECT data FROM langgraph_keys WHERE type = ?"
    with database.read() as connection:
        row = connection.execute(select, (type_,)).fetchone()
    if row is None:
        with database.write() as connection:
            connection.execute("INSERT OR IGNORE INTO langgraph_keys VALUES (?, ?)", (type_, data))
            row = connection.execute(select, (type_,)).fetchone()
    return cast(bytes, serde.loads_typed((type_, row[0])))
