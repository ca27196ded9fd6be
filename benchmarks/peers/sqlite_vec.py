"""sqlite-vec: one vec0 table, the user as partition key, texts and values in auxiliary columns.

Set up after its documentation on vec0 (partition keys, metadata and auxiliary columns).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import sqlite_vec
from material import DIMENSION, Asked, Memo

from peers import LIMIT, Found
from peers.sqlite_driver import connect

_TABLE = f"""
CREATE VIRTUAL TABLE IF NOT EXISTS memos USING vec0(
    key text primary key,
    user text partition key,
    vector float[{DIMENSION}] distance_metric=cosine,
    topic text,
    +text text,
    +value text
)
"""
_FIND = "SELECT key, text, value FROM memos WHERE vector MATCH ? AND k = ? AND user = ?"


class SqliteVec:
    """A file of its own in WAL mode."""

    def __init__(self, folder: Path) -> None:
        self._file = connect(folder / "vec.db")
        self._file.enable_load_extension(True)
        sqlite_vec.load(self._file)
        self._file.enable_load_extension(False)
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = NORMAL")
        self._file.execute(_TABLE)

    def bulk(self, memos: Sequence[Memo]) -> None:
        """Insert all in one transaction."""
        rows = [_row(memo) for memo in memos]
        self._file.execute("BEGIN")
        self._file.executemany(
            "INSERT INTO memos (key, user, vector, topic, text, value) VALUES (?, ?, ?, ?, ?, ?)",
            rows,
        )
        self._file.execute("COMMIT")

    def settle(self) -> None:
        """Do nothing: nothing is recommended."""

    def add(self, memo: Memo) -> None:
        """Insert one row."""
        self.bulk([memo])

    def search(self, asked: Asked, topic: str | None) -> list[Found]:
        """Search one partition."""
        query, values = _FIND, [asked.vector.tobytes(), LIMIT, asked.user]
        if topic is not None:
            query, values = f"{query} AND topic = ?", [*values, topic]
        found = self._file.execute(f"{query} ORDER BY distance", values)
        return [Found(key, text) for key, text, _ in found]

    def get(self, memo: Memo) -> str:
        """Read by key."""
        row = self._file.execute("SELECT text, value FROM memos WHERE key = ?", (memo.key,))
        return str(row.fetchone()[0])

    def update(self, memo: Memo) -> None:
        """Give a row another vector and text."""
        self._file.execute(
            "UPDATE memos SET vector = ?, text = ? WHERE key = ?",
            (memo.vector.tobytes(), memo.text, memo.key),
        )

    def delete(self, memo: Memo) -> None:
        """Delete a row."""
        self._file.execute("DELETE FROM memos WHERE key = ?", (memo.key,))

    def delete_all(self, user: str) -> None:
        """Delete a partition's rows."""
        self._file.execute("DELETE FROM memos WHERE user = ?", (user,))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _row(memo: Memo) -> tuple[object, ...]:
    value = json.dumps(memo.value)
    return memo.key, memo.user, memo.vector.tobytes(), memo.value["topic"], memo.text, value
