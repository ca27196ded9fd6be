"""References: SQLite that writes the bytes of our add, and FAISS that scans a user's vectors."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import faiss
import numpy as np
from holdfast.storage.sqlite.database import Durability
from material import DIMENSION, Asked, Memo, memos
from physical import SameBytes, written

from peers import LIMIT, Found, NotOffered
from peers.ours import VectorOnly

SAMPLE = 20


class BareSqlite:
    """One table; an add is one row of as many bytes as `Documents.put` writes."""

    def __init__(self, folder: Path, durability: Durability) -> None:
        known = folder / "payload.json"
        if not known.exists():
            known.write_text(json.dumps(_payload()))
        self._table = SameBytes(folder / "bare.db", durability, json.loads(known.read_text()))

    def bulk(self, memos: Sequence[Memo]) -> None:
        """Write all rows in one transaction."""
        self._table.add(memos)

    def settle(self) -> None:
        """Do nothing: there is nothing to be done."""

    def add(self, memo: Memo) -> None:
        """Write one row in one transaction."""
        self._table.add([memo])

    def search(self, asked: Asked, topic: str | None) -> list[Found]:
        """Not offered."""
        raise NotOffered("it only writes")

    def get(self, memo: Memo) -> str:
        """Not offered."""
        raise NotOffered("it only writes")

    def update(self, memo: Memo) -> None:
        """Not offered."""
        raise NotOffered("it only writes")

    delete = update

    def delete_all(self, user: str) -> None:
        """Not offered."""
        raise NotOffered("it only writes")

    def close(self) -> None:
        """Close the file."""
        self._table.close()


def _payload() -> int:
    """Return how many bytes one of our adds writes into its rows."""
    with tempfile.TemporaryDirectory() as folder:
        ours = VectorOnly(Path(folder), "normal")
        for memo in memos("u0", 0, SAMPLE):
            ours.add(memo)
        payload = written(ours.database, SAMPLE).payload
        ours.close()
    return payload


class FlatFaiss:
    """A flat index a user: the scan alone, no record fetched, no filter, nothing on disk."""

    def __init__(self, folder: Path) -> None:
        self._indexes: dict[str, faiss.IndexFlatIP] = defaultdict(
            lambda: faiss.IndexFlatIP(DIMENSION)
        )
        self._keys: dict[str, list[str]] = defaultdict(list)

    def bulk(self, memos: Sequence[Memo]) -> None:
        """Append vectors."""
        for memo in memos:
            self._keys[memo.user].append(memo.key)
        for user in {memo.user for memo in memos}:
            rows = [memo.vector for memo in memos if memo.user == user]
            self._indexes[user].add(np.stack(rows))

    def settle(self) -> None:
        """Do nothing: there is nothing to be done."""

    def add(self, memo: Memo) -> None:
        """Append a vector."""
        self.bulk([memo])

    def search(self, asked: Asked, topic: str | None) -> list[Found]:
        """Scan a user's vectors."""
        if topic is not None:
            raise NotOffered("it only scans")
        _, places = self._indexes[asked.user].search(asked.vector[None], LIMIT)
        return [Found(self._keys[asked.user][place], "vector") for place in places[0].tolist()]

    def get(self, memo: Memo) -> str:
        """Not offered."""
        raise NotOffered("it only scans")

    def update(self, memo: Memo) -> None:
        """Not offered."""
        raise NotOffered("it only scans")

    delete = update

    def delete_all(self, user: str) -> None:
        """Not offered."""
        raise NotOffered("it only scans")

    def close(self) -> None:
        """Keep the vectors: there is no file to read them from again."""
