"""Chroma: one collection for all with the user in the metadata, or a collection a user.

Its cookbook names both ways to keep users apart; the first is what frameworks do.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import chromadb
from chromadb.config import Settings
from material import Asked, Memo

from peers import LIMIT, Found


class _Chroma:
    def __init__(self, folder: Path) -> None:
        self._client: Any = chromadb.PersistentClient(
            str(folder / "chroma"), settings=Settings(anonymized_telemetry=False)
        )
        self._most = self._client.get_max_batch_size()
        self._collections: dict[str, Any] = {}

    def _collection(self, user: str) -> Any:
        name = self._name(user)
        if name not in self._collections:
            self._collections[name] = self._client.get_or_create_collection(
                name, configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
            )
        return self._collections[name]

    def _name(self, user: str) -> str:
        raise NotImplementedError

    def _where(self, user: str, topic: str | None) -> dict[str, Any] | None:
        raise NotImplementedError

    def bulk(self, memos: Sequence[Memo]) -> None:
        """Add in batches of the greatest size allowed."""
        for _, own in groupby(memos, key=lambda memo: self._name(memo.user)):
            some = list(own)
            for start in range(0, len(some), self._most):
                self._add(some[start : start + self._most])

    def _add(self, memos: Sequence[Memo]) -> None:
        self._collection(memos[0].user).add(**_columns(memos))

    def settle(self) -> None:
        """Do nothing: nothing is recommended."""

    def add(self, memo: Memo) -> None:
        """Add one document."""
        self._add([memo])

    def search(self, asked: Asked, topic: str | None) -> list[Found]:
        """Query a user's documents."""
        found = self._collection(asked.user).query(
            query_embeddings=[asked.vector],
            n_results=LIMIT,
            where=self._where(asked.user, topic),
            include=["documents", "metadatas"],
        )
        return [Found(*pair) for pair in zip(found["ids"][0], found["documents"][0], strict=True)]

    def get(self, memo: Memo) -> str:
        """Read by id."""
        return str(self._collection(memo.user).get(ids=[memo.key])["documents"][0])

    def update(self, memo: Memo) -> None:
        """Give a document other words and another vector."""
        self._collection(memo.user).update(**_columns([memo]))

    def delete(self, memo: Memo) -> None:
        """Delete a document."""
        self._collection(memo.user).delete(ids=[memo.key])

    def close(self) -> None:
        """Close the client and what it shares with others of this process."""
        self._client.close()


class OneCollection(_Chroma):
    """All users in one collection."""

    def _name(self, user: str) -> str:
        return "memos"

    def _where(self, user: str, topic: str | None) -> dict[str, Any]:
        mine = {"user": user}
        return mine if topic is None else {"$and": [mine, {"topic": topic}]}

    def delete_all(self, user: str) -> None:
        """Delete a user's documents."""
        self._collection(user).delete(where={"user": user})


class CollectionPerUser(_Chroma):
    """A collection a user."""

    def _name(self, user: str) -> str:
        return f"memos-{user}"

    def _where(self, user: str, topic: str | None) -> dict[str, Any] | None:
        return None if topic is None else {"topic": topic}

    def delete_all(self, user: str) -> None:
        """Delete a user's collection."""
        self._client.delete_collection(self._name(user))
        del self._collections[self._name(user)]


def _columns(memos: Sequence[Memo]) -> dict[str, Any]:
    return {
        "ids": [memo.key for memo in memos],
        "embeddings": [memo.vector for memo in memos],
        "documents": [memo.text for memo in memos],
        "metadatas": [{"user": memo.user, **memo.value} for memo in memos],
    }
