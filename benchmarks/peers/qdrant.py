"""Qdrant's local mode: one collection, the user in the payload, as its page on multitenancy says.

Payload indexes exist on its server only; the local mode ignores them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from material import DIMENSION, Asked, Memo
from qdrant_client import QdrantClient, models

from peers import LIMIT, Found

MANY = 1_000
NAME = "memos"


class QdrantLocal:
    """A folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._client: Any = QdrantClient(path=str(folder / "qdrant"))
        if not self._client.collection_exists(NAME):
            made = models.VectorParams(size=DIMENSION, distance=models.Distance.COSINE)
            self._client.create_collection(NAME, vectors_config=made)

    def bulk(self, memos: Sequence[Memo]) -> None:
        """Upsert a thousand points a call."""
        for start in range(0, len(memos), MANY):
            points = [_point(memo) for memo in memos[start : start + MANY]]
            self._client.upsert(NAME, points)

    def settle(self) -> None:
        """Do nothing: nothing is recommended."""

    def add(self, memo: Memo) -> None:
        """Upsert one point."""
        self._client.upsert(NAME, [_point(memo)])

    update = add

    def search(self, asked: Asked, topic: str | None) -> list[Found]:
        """Search a user's points."""
        found = self._client.query_points(
            NAME, query=asked.vector, query_filter=_filter(asked.user, topic), limit=LIMIT
        )
        return [Found(f"m{one.id}", one.payload["text"]) for one in found.points]

    def get(self, memo: Memo) -> str:
        """Read by id."""
        return str(self._client.retrieve(NAME, [memo.number])[0].payload["text"])

    def delete(self, memo: Memo) -> None:
        """Delete a point."""
        self._client.delete(NAME, points_selector=[memo.number])

    def delete_all(self, user: str) -> None:
        """Delete a user's points."""
        self._client.delete(NAME, points_selector=_filter(user, None))

    def close(self) -> None:
        """Close the folder."""
        self._client.close()


def _point(memo: Memo) -> Any:
    payload = {"user": memo.user, "text": memo.text, **memo.value}
    return models.PointStruct(id=memo.number, vector=memo.vector.tolist(), payload=payload)


def _filter(user: str, topic: str | None) -> Any:
    wanted = {"user": user} | ({} if topic is None else {"topic": topic})
    return models.Filter(
        must=[
            models.FieldCondition(key=key, match=models.MatchValue(value=value))
            for key, value in wanted.items()
        ]
    )
