"""Documents within an open transaction; see `storage.contract.edits`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from holdfast.storage.contract import reach as reaches
from holdfast.storage.contract.edits import Key
from holdfast.storage.contract.reach import Reach
from holdfast.storage.sqlite import document_rows
from holdfast.storage.sqlite.database import Connection
from holdfast.storage.sqlite.document_rows import ItemDraft
from holdfast.storage.sqlite.namespaces import within
from holdfast.storage.sqlite.schema import ROWS

_NO_VECTORS = np.zeros((0, 0), dtype=np.float32)
_NO_TERMS = np.zeros(0, dtype=np.uint64)


class SqliteRows:
    """See `Rows`."""

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
        """See `Rows`."""
        where, values = within(reach)
        found = self._connection.execute(
            f"SELECT r.key, r.id, n.path FROM namespaces n JOIN items r ON {ROWS} WHERE {where}"
            f" AND (? IS NULL OR r.key < ?) ORDER BY r.key {'DESC' if newest else 'ASC'}"
            " LIMIT ? OFFSET ?",
            (*values, before, before, -1 if limit is None else limit, offset),
        ).fetchall()
        keys = [Key(key, row_id, reaches.item_labels(path)[-1]) for key, row_id, path in found]
        return keys[::-1] if newest else keys

    def last(self, reach: Reach) -> str | None:
        """See `Rows`."""
        where, values = within(reach)
        row = self._connection.execute(
            f"SELECT r.key FROM namespaces n JOIN items r ON {ROWS} WHERE {where}"
            " ORDER BY r.id DESC LIMIT 1",
            values,
        ).fetchone()
        return None if row is None else str(row[0])

    def count(self, reach: Reach, ending: str = "") -> int:
        """See `Rows`."""
        where, values = within(reach)
        row = self._connection.execute(
            f"SELECT count(*) FROM namespaces n JOIN items r ON {ROWS} WHERE {where}"
            " AND (? = '' OR substr(r.key, -length(?)) = ?)",
            (*values, ending, ending, ending),
        ).fetchone()
        return int(row[0])

    def namespaces(self, reach: Reach) -> list[tuple[str, ...]]:
        """See `Rows`."""
        return document_rows.labels(self._connection, reach, self.now)

    def values(self, row_ids: Sequence[int]) -> list[Any]:
        """See `Rows`."""
        found = document_rows.fetch(self._connection, row_ids)
        return [found[row_id].value for row_id in row_ids]

    def put(self, labels: Sequence[str], key: str, value: str) -> None:
        """See `Rows`."""
        draft = ItemDraft(tuple(labels), key, value, None, (), _NO_VECTORS, _NO_TERMS, ())
        document_rows.put(self._connection, draft, self.now)

    def drop(self, row_ids: Sequence[int]) -> None:
        """See `Rows`."""
        document_rows.drop(self._connection, row_ids, self.now)
