"""Holdfast itself: `Memory` (hybrid), and the item layer searched by vector alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from holdfast import Memory
from holdfast.documents import Document, DocumentMatch, Put
from holdfast.storage.sqlite.database import Database, Durability
from material import Asked, Handed, Memo

from peers import LIMIT, Found

MANY = 1_000


class _Ours:
    def __init__(self, folder: Path, durability: Durability) -> None:
        self._embedder = Handed()
        self._memory = Memory(folder / "memory.db", embedder=self._embedder, durability=durability)

    @property
    def database(self) -> Database:
        """The file, to count what was written."""
        return self._memory._storage.database

    def settle(self) -> None:
        """Do nothing: there is nothing to be done."""

    def close(self) -> None:
        """Close the file."""
        self._memory.close()


class Hybrid(_Ours):
    """Turns of a user: what `Memory.add` and `Memory.search` do."""

    def __init__(self, folder: Path, durability: Durability) -> None:
        super().__init__(folder, durability)
        self._ids: dict[str, str] = {}  # of what was added alone: the caller keeps the id

    def bulk(self, memos: Sequence[Memo]) -> None:
        """Add each user's messages with one call."""
        for user, own in groupby(memos, key=lambda memo: memo.user):
            some = list(own)
            self._embedder.known = {memo.text: memo.vector for memo in some}
            messages = [
                {"role": "user", "content": memo.text, "metadata": memo.value} for memo in some
            ]
            self._memory.add(messages, user_id=user)

    def add(self, memo: Memo) -> None:
        """Add one message."""
        self._embedder.known = {memo.text: memo.vector}
        changes = self._memory.add(memo.text, user_id=memo.user, metadata=memo.value)
        self._ids[memo.key] = changes[0].id

    def search(self, asked: Asked, topic: str | None) -> list[Found]:
        """Search by meaning, words and all else."""
        self._embedder.known = {asked.text: asked.vector}
        filters = None if topic is None else {"metadata.topic": topic}
        matches = self._memory.search(asked.text, user_id=asked.user, limit=LIMIT, filters=filters)
        return [
            Found(f"m{match.record.metadata['number']}", match.record.text) for match in matches
        ]

    def get(self, memo: Memo) -> str:
        """Read by id."""
        return self._memory.get(self._ids[memo.key], user_id=memo.user).text

    def update(self, memo: Memo) -> None:
        """Give a record other words; the old ones stay in its history."""
        self._embedder.known = {memo.text: memo.vector}
        self._memory.update(self._ids[memo.key], text=memo.text, user_id=memo.user)

    def delete(self, memo: Memo) -> None:
        """Erase a record."""
        self._memory.delete(self._ids.pop(memo.key), user_id=memo.user)

    def delete_all(self, user: str) -> None:
        """Erase a user."""
        self._memory.delete_all(user_id=user)


class VectorOnly(_Ours):
    """Documents in a namespace a user, searched by cosine alone."""

    def bulk(self, memos: Sequence[Memo]) -> None:
        """Put a thousand items a transaction."""
        for start in range(0, len(memos), MANY):
            self._put(memos[start : start + MANY])

    def add(self, memo: Memo) -> None:
        """Put one item."""
        self._put([memo])

    update = add

    def _put(self, memos: Sequence[Memo]) -> None:
        self._embedder.known = {memo.text: memo.vector for memo in memos}
        puts = [
            Put((memo.user,), memo.key, {"text": memo.text, **memo.value}, [memo.text])
            for memo in memos
        ]
        self._memory.documents.batch(puts, strict=True)

    def search(self, asked: Asked, topic: str | None) -> list[Found]:
        """Search by vector."""
        self._embedder.known = {asked.text: asked.vector}
        filters = None if topic is None else {"topic": topic}
        found = self._memory.documents.search(
            (asked.user,), asked.text, filters=filters, limit=LIMIT, mode="vector", exact=True
        )
        return [_found(match) for match in found]

    def get(self, memo: Memo) -> str:
        """Read by key."""
        item = self._memory.documents.get((memo.user,), memo.key)
        assert isinstance(item, Document)
        return str(item.value["text"])

    def delete(self, memo: Memo) -> None:
        """Delete an item."""
        self._memory.documents.delete((memo.user,), memo.key)

    def delete_all(self, user: str) -> None:
        """Delete every item of a namespace."""
        items = self._memory.documents
        found = items.search((user,), limit=1_000_000, exact=True)
        puts = [Put((user,), match.document.key, None) for match in found]
        items.batch(puts, strict=True)


def _found(match: DocumentMatch) -> Found:
    return Found(match.document.key, match.document.value["text"])
