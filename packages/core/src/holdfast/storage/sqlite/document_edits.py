"""Documents within an open transaction; see `storage.contract.edits`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from holdfast.storage.contract.codec import to_json
from holdfast.storage.contract.edits import Key, Labels
from holdfast.storage.contract.reach import Reach, item_path
from holdfast.storage.sqlite import document_rows
from holdfast.storage.sqlite.database import Connection
from holdfast.storage.sqlite.document_rows import ItemDraft
from holdfast.storage.sqlite.schema import ROWS
from holdfast.types import Scope

_NO_VECTORS = np.zeros((0, 0), dtype=np.float32)
_NO_TERMS = np.zeros(0, dtype=np.uint64)


class SqliteRows:
    """See `Rows`."""

    def __init__(self, connection: Connection, owner: Scope, now: int) -> None:
        self._connection = connection
        self._owner = owner
        self.now = now

    def keys(
        self,
        namespaces: Sequence[Labels],
        *,
        before: str | None = None,
        newest: bool = False,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Key]:
        """See `Rows`."""
        paths = {self._path(labels): labels for labels in namespaces}
        found = self._connection.execute(
            f"SELECT r.key, r.id, n.path FROM namespaces n JOIN items r ON {ROWS}"
            f" WHERE n.path IN ({_marks(paths)}) AND (? IS NULL OR r.key < ?)"
            f" ORDER BY r.key {'DESC' if newest else 'ASC'} LIMIT ? OFFSET ?",
            (*paths, before, before, -1 if limit is None else limit, offset),
        ).fetchall()
        keys = [Key(key, row_id, paths[path]) for key, row_id, path in found]
        return keys[::-1] if newest else keys

    def last(self, labels: Labels) -> str | None:
        """See `Rows`."""
        row = self._connection.execute(
            f"SELECT r.key FROM namespaces n JOIN items r ON {ROWS} WHERE n.path = ?"
            " ORDER BY r.id DESC LIMIT 1",
            (self._path(labels),),
        ).fetchone()
        return None if row is None else str(row[0])

    def count(self, namespaces: Sequence[Labels], ending: str = "") -> int:
        """See `Rows`."""
        paths = [self._path(labels) for labels in namespaces]
        row = self._connection.execute(
            f"SELECT count(*) FROM namespaces n JOIN items r ON {ROWS}"
            f" WHERE n.path IN ({_marks(paths)}) AND (? = '' OR substr(r.key, -length(?)) = ?)",
            (*paths, ending, ending, ending),
        ).fetchone()
        return int(row[0])

    def values(self, row_ids: Sequence[int]) -> list[Any]:
        """See `Rows`."""
        found = document_rows.fetch(self._connection, row_ids)
        return [found[row_id].value for row_id in row_ids]

    def put(self, labels: Labels, key: str, value: str) -> None:
        """See `Rows`."""
        where = (*labels, to_json(self._owner.ids()))
        draft = ItemDraft(where, key, value, None, (), _NO_VECTORS, _NO_TERMS, ())
        document_rows.put(self._connection, draft, self.now)

    def drop(self, row_ids: Sequence[int]) -> None:
        """See `Rows`."""
        document_rows.drop(self._connection, row_ids, self.now)

    def _path(self, labels: Labels) -> str:
        return item_path((*labels, to_json(self._owner.ids())))


def _marks(values: Any) -> str:
    return ",".join("?" * len(values))


def owners(connection: Connection, labels: Labels, within: Scope | None) -> list[Scope]:
    """Return the owners of documents of these labels, of those that a scope covers."""
    found = document_rows.labels(connection, Reach.of_prefix(labels), 0)
    scopes = [Scope(**json.loads(one[-1])) for one in found if one[:-1] == labels]
    return [scope for scope in scopes if within is None or within.covers(scope)]
