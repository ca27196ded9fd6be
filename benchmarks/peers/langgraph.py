"""LangGraph's own stores: `InMemoryStore` and `SqliteStore`, a namespace a user."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from langgraph.store.base import BaseStore, PutOp
from langgraph.store.memory import InMemoryStore
from material import DIMENSION, Asked, Memo

from peers import LIMIT, Found
from peers.sqlite_driver import connect

MANY = 500


class _Store:
    def __init__(self) -> None:
        self._known: dict[str, list[float]] = {}
        self._store = self._open()

    def _open(self) -> BaseStore:
        raise NotImplementedError

    def _index(self) -> Any:
        # SqliteStore reads its fields from a key of its own.
        fields = {"fields": ["text"], "text_fields": ["text"]}
        return {"dims": DIMENSION, "embed": self._embed, **fields}

    def _embed(self, texts: Sequence[str]) -> list[list[float]]:
        return [self._known[text] for text in texts]

    def bulk(self, memos: Sequence[Memo]) -> None:
        """Put five hundred items a batch."""
        for start in range(0, len(memos), MANY):
            some = memos[start : start + MANY]
            self._known = {memo.text: memo.vector.tolist() for memo in some}
            self._store.batch([PutOp((memo.user,), memo.key, _value(memo)) for memo in some])

    def settle(self) -> None:
        """Do nothing: nothing is recommended."""

    def add(self, memo: Memo) -> None:
        """Put one item."""
        self._known = {memo.text: memo.vector.tolist()}
        self._store.put((memo.user,), memo.key, _value(memo))

    update = add

    def search(self, asked: Asked, topic: str | None) -> list[Found]:
        """Search a namespace."""
        self._known = {asked.text: asked.vector.tolist()}
        found = self._store.search(
            (asked.user,),
            query=asked.text,
            filter=None if topic is None else {"topic": topic},
            limit=LIMIT,
        )
        return [Found(item.key, item.value["text"]) for item in found]

    def get(self, memo: Memo) -> str:
        """Read by key."""
        item = self._store.get((memo.user,), memo.key)
        return "" if item is None else str(item.value["text"])

    def delete(self, memo: Memo) -> None:
        """Delete an item."""
        self._store.delete((memo.user,), memo.key)

    def delete_all(self, user: str) -> None:
        """List a namespace and delete its items in one batch."""
        found = self._store.search((user,), limit=1_000_000)
        self._store.batch([PutOp((user,), item.key, None) for item in found])


class InMemory(_Store):
    """Keeps nothing when it is closed, and so stays open."""

    def __init__(self, folder: Path) -> None:
        super().__init__()

    def _open(self) -> BaseStore:
        return InMemoryStore(index=self._index())

    def close(self) -> None:
        """Keep the items: there is no file to read them from again."""


class Sqlite(_Store):
    """As `SqliteStore.from_conn_string` opens it."""

    def __init__(self, folder: Path) -> None:
        self._file = connect(folder / "store.db")
        super().__init__()

    def _open(self) -> BaseStore:
        from langgraph.store.sqlite import SqliteStore

        store = SqliteStore(self._file, index=self._index())
        store.setup()
        return store

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _value(memo: Memo) -> dict[str, Any]:
    return {"text": memo.text, **memo.value}
