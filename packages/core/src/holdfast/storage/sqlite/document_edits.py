"""Documents within an open transaction; see `storage.contract.edits`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from holdfast.storage.contract.documents import DocumentDraft
from holdfast.storage.contract.edits import Key, Labels
from holdfast.storage.contract.reach import Reach, document_labels, document_path
from holdfast.storage.sqlite import document_rows
from holdfast.storage.sqlite.database import Connection
from holdfast.storage.sqlite.namespaces import within
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
            f"SELECT r.key, r.id, n.path FROM namespaces n JOIN documents r ON {ROWS}"
            f" WHERE n.path IN ({_marks(paths)}) AND (? IS NULL OR r.key < ?)"
            f" ORDER BY r.key {'DESC' if newest else 'ASC'} LIMIT ? OFFSET ?",
            (*paths, before, before, -1 if limit is None else limit, offset),
        ).fetchall()
        keys = [Key(key, row_id, paths[path]) for key, row_id, path in found]
        return keys[::-1] if newest else keys

    def last(self, labels: Labels) -> str | None:
        """See `Rows`."""
        row = self._connection.execute(
            f"SELECT r.key FROM namespaces n JOIN documents r ON {ROWS} WHERE n.path = ?"
            " ORDER BY r.id DESC LIMIT 1",
            (self._path(labels),),
        ).fetchone()
        return None if row is None else str(row[0])

    def count(self, namespaces: Sequence[Labels], ending: str = "") -> int:
        """See `Rows`."""
        paths = [self._path(labels) for labels in namespaces]
        row = self._connection.execute(
            f"SELECT count(*) FROM namespaces n JOIN documents r ON {ROWS}"
            f" WHERE n.path IN ({_marks(paths)}) AND (? = '' OR substr(r.key, -length(?)) = ?)",
            (*paths, ending, ending, ending),
        ).fetchone()
        return int(row[0])

    def values(self, row_ids: Sequence[int]) -> list[Any]:
        """See `Rows`."""
        return document_rows.values(self._connection, row_ids)

    def put(self, labels: Labels, key: str, value: str) -> None:
        """See `Rows`."""
        draft = DocumentDraft(
            labels, key, value, None, (), _NO_VECTORS, _NO_TERMS, (), owner=self._owner
        )
        document_rows.put(self._connection, draft, self.now)

    def drop(self, row_ids: Sequence[int]) -> None:
        """See `Rows`."""
        document_rows.drop(self._connection, row_ids, self.now)

    def _path(self, labels: Labels) -> str:
        return document_path(labels, self._owner)


def _marks(values: Any) -> str:
    return ",".join("?" * len(values))


def owners(connection: Connection, labels: Labels, covering: Scope | None) -> list[Scope]:
    """Return the owners of documents of these labels, of those that a scope covers."""
    where, values = within(None if covering is None else Reach.of_scope(covering))
    found = connection.execute(
        "SELECT n.path, n.user_id, n.agent_id, n.run_id, n.app_id FROM namespaces n"
        f" WHERE {where} AND EXISTS (SELECT 1 FROM documents r WHERE {ROWS})",
        values,
    )
    return [Scope(*ids) for path, *ids in found if any(ids) and document_labels(path) == labels]


def counts_of_runs(connection: Connection) -> dict[Labels, int]:
    """Count by their labels the documents that a run owns alone, without user, agent or app."""
    found = connection.execute(
        f"SELECT n.path, count(*) FROM namespaces n JOIN documents r ON {ROWS}"
        " WHERE n.run_id IS NOT NULL AND n.user_id IS NULL AND n.agent_id IS NULL"
        " AND n.app_id IS NULL GROUP BY n.no"
    )
    counted: Counter[Labels] = Counter()
    for path, number in found:
        counted[document_labels(path) or ()] += number
    return dict(counted)
