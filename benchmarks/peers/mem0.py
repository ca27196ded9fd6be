"""mem0's FAISS store, as mem0's `Memory` calls it: user and text in the payload, 60 asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from material import DIMENSION, Asked, Memo
from mem0.vector_stores.faiss import FAISS

from peers import LIMIT, Found, NotOffered

ASKED_FOR = max(4 * LIMIT, 60)  # mem0's own over-fetch; the store doubles it where it filters


class Mem0Faiss:
    """A folder of its own; every write rewrites index and documents."""

    def __init__(self, folder: Path) -> None:
        self._store = FAISS(
            "memos",
            path=str(folder / "faiss"),
            distance_strategy="cosine",
            embedding_model_dims=DIMENSION,
        )

    def bulk(self, memos: Sequence[Memo]) -> None:
        """Insert all with one call."""
        self._store.insert(
            [memo.vector for memo in memos],
            [_payload(memo) for memo in memos],
            [memo.key for memo in memos],
        )

    def settle(self) -> None:
        """Do nothing: nothing is recommended."""

    def add(self, memo: Memo) -> None:
        """Insert one."""
        self.bulk([memo])

    def search(self, asked: Asked, topic: str | None) -> list[Found]:
        """Search, and keep the best ten of what the filter leaves."""
        filters = {"user_id": asked.user} | ({} if topic is None else {"topic": topic})
        found = self._store.search("", [asked.vector], top_k=ASKED_FOR, filters=filters)
        return [Found(one.id, one.payload["data"]) for one in found[:LIMIT]]

    def get(self, memo: Memo) -> str:
        """Read by id."""
        return str(self._store.get(memo.key).payload["data"])

    def update(self, memo: Memo) -> None:
        """Replace vector and payload."""
        self._store.update(memo.key, memo.vector, _payload(memo))

    def delete(self, memo: Memo) -> None:
        """Delete one; the index is made anew."""
        self._store.delete(memo.key)

    def delete_all(self, user: str) -> None:
        """Not offered: mem0 deletes a user's memories one by one."""
        raise NotOffered("one delete a memory")

    def close(self) -> None:
        """Let go of it: everything is on disk."""
        del self._store


def _payload(memo: Memo) -> dict[str, Any]:
    return {"user_id": memo.user, "data": memo.text, **memo.value}
