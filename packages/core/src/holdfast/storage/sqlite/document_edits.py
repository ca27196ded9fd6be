"""Several reads and writes of documents in one transaction, decided while it is open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from holdfast.storage.contract import reach as reaches
from holdfast.storage.contract.reach import Reach
from holdfast.storage.sqlite import document_rows
from holdfast.storage.sqlite.database import Connection
from holdfast.storage.sqlite.document_rows import Item, ItemDraft
from holdfast.storage.sqlite.file import File
from holdfast.storage.sqlite.namespaces import within
from holdfast.storage.sqlite.schema import ROWS

T = TypeVar("T")


class Key(NamedTuple):
    """A document without its value: key, row id, and the last label of its namespace."""

    key: str
    row_id: int
    label: str


class Rows:
    """The documents that an open transaction sees, none of which may have texts or a lifetime.

    Attributes:
        now: Record time of the transaction, in microseconds.
    """

    def __init__(self, connection: Connection, now: int) -> None:
        self._connection = connection
        self.now = now

    def keys(
        self,
        reach: Reach,
        *,
        before: str | None = None,
        newest: bool = False,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Key]:
        """Return the keys of a reach in order, without reading values.

        Args:
            reach: Where they lie.
            before: Only smaller keys.
            newest: Count `limit` and `offset` from the largest key; the order stays.
            limit, offset: Which part of them.
        """
        where, values = within(reach)
        found = self._connection.execute(
            f"SELECT r.key, r.id, n.path FROM namespaces n JOIN items r ON {ROWS} WHERE {where}"
            f" AND (? IS NULL OR r.key < ?) ORDER BY r.key {'DESC' if newest else 'ASC'}"
            " LIMIT ? OFFSET ?",
            (*values, before, before, -1 if limit is None else limit, offset),
        ).fetchall()
        keys = [Key(key, row_id, reaches.item_labels(path)[-1]) for key, row_id, path in found]
        return keys[::-1] if newest else keys

    def last(self, labels: Sequence[str]) -> str | None:
        """Return the key that was put last in a namespace, without a look at the others."""
        row = self._connection.execute(
            f"SELECT r.key FROM namespaces n JOIN items r ON {ROWS} WHERE n.path = ?"
            " ORDER BY r.id DESC LIMIT 1",
            (reaches.item_path(labels),),
        ).fetchone()
        return None if row is None else str(row[0])

    def count(self, reach: Reach, ending: str = "") -> int:
        """Count the documents of a reach whose key ends so."""
        where, values = within(reach)
        row = self._connection.execute(
            f"SELECT count(*) FROM namespaces n JOIN items r ON {ROWS} WHERE {where}"
            " AND (? = '' OR substr(r.key, -length(?)) = ?)",
            (*values, ending, ending, ending),
        ).fetchone()
        return int(row[0])

    def get(self, row_ids: Sequence[int]) -> list[Item]:
        """Return documents by row id, in this order."""
        found = document_rows.fetch(self._connection, row_ids)
        return [found[row_id] for row_id in row_ids]

    def put(self, labels: Sequence[str], key: str, value: str) -> None:
        """Write a document; `value` is JSON."""
        draft = ItemDraft(tuple(labels), key, value, None, (), _NO_VECTORS, _NO_TERMS, ())
        document_rows.put(self._connection, draft, self.now)

    def drop(self, row_ids: Sequence[int]) -> None:
        """Delete documents by row id."""
        document_rows.drop(self._connection, row_ids, self.now)


_NO_VECTORS = np.zeros((0, 0), dtype=np.float32)
_NO_TERMS = np.zeros(0, dtype=np.uint64)


def read(file: File, work: Callable[[Rows], T]) -> T:
    """Run `work` in one snapshot."""
    with file.database.read() as connection:
        return work(Rows(connection, file.now()))


def edit(file: File, work: Callable[[Rows], T], *, erases: bool = False) -> T:
    """Run `work` in one write transaction.

    Args:
        file: The file.
        work: Reads and writes; undone as a whole if it raises.
        erases: Also remove the deleted bytes from the write-ahead log, unless readers hold it.
    """
    with file.database.write() as connection:
        result = work(Rows(connection, file.now()))
    if erases:
        file.database.finish_erasure()
    return result
