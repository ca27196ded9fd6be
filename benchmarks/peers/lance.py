"""LanceDB: one table, bitmap indexes on what is filtered by, a B-tree on the key, optimised.

Its documentation: a vector index is usually not needed below 100,000 rows or where some tens of
milliseconds are fine; without one a search is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lancedb
import pyarrow
from material import DIMENSION, Asked, Memo

from peers import LIMIT, Found

_SCHEMA = pyarrow.schema(
    [
        ("key", pyarrow.string()),
        ("user", pyarrow.string()),
        ("topic", pyarrow.string()),
        ("number", pyarrow.int64()),
        ("text", pyarrow.string()),
        ("vector", pyarrow.list_(pyarrow.float32(), DIMENSION)),
    ]
)
_INDEXES = {"key": "BTREE", "user": "BITMAP", "topic": "BITMAP"}


class Lance:
    """A folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._base = lancedb.connect(folder / "lance")
        self._table: Any = self._base.create_table("memos", schema=_SCHEMA, exist_ok=True)

    def bulk(self, memos: Sequence[Memo]) -> None:
        """Add all as one table of columns."""
        self._table.add(_columns(memos))

    def settle(self) -> None:
        """Index and compact, as recommended after large writes."""
        for column, kind in _INDEXES.items():
            self._table.create_scalar_index(column, index_type=kind)
        self._table.optimize()

    def add(self, memo: Memo) -> None:
        """Add one row."""
        self.bulk([memo])

    def search(self, asked: Asked, topic: str | None) -> list[Found]:
        """Search a user's rows, the filter first."""
        mine = f"user = '{asked.user}'" + ("" if topic is None else f" AND topic = '{topic}'")
        found = (
            self._table.search(asked.vector)
            .metric("cosine")
            .where(mine, prefilter=True)
            .select(["key", "text", "topic", "number", "_distance"])
            .limit(LIMIT)
            .to_list()
        )
        return [Found(row["key"], row["text"]) for row in found]

    def get(self, memo: Memo) -> str:
        """Read by key."""
        rows = self._table.search().where(f"key = '{memo.key}'").select(["text"]).to_list()
        return str(rows[0]["text"])

    def update(self, memo: Memo) -> None:
        """Merge a row in."""
        merge = self._table.merge_insert("key").when_matched_update_all()
        merge.execute(_columns([memo]))

    def delete(self, memo: Memo) -> None:
        """Delete a row."""
        self._table.delete(f"key = '{memo.key}'")

    def delete_all(self, user: str) -> None:
        """Delete a user's rows."""
        self._table.delete(f"user = '{user}'")

    def close(self) -> None:
        """Let go of the table."""
        del self._table, self._base


def _columns(memos: Sequence[Memo]) -> Any:
    rows = [
        {"key": memo.key, "user": memo.user, "text": memo.text, **memo.value, "vector": memo.vector}
        for memo in memos
    ]
    return pyarrow.Table.from_pylist(rows, schema=_SCHEMA)
