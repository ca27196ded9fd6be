"""Operations on items: each one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from holdfast.filters import Filter
from holdfast.storage import erasure, items
from holdfast.storage.conditions import Condition
from holdfast.storage.database import Connection
from holdfast.storage.file import File
from holdfast.storage.items import Item, ItemDraft
from holdfast.storage.namespaces import Region
from holdfast.storage.searching import FoundItem, Probe, find_items
from holdfast.storage.views import Reading

Doomed: TypeAlias = tuple[tuple[str, ...], str]
"""Namespace and key of an item to be deleted."""


class Documents:
    """The item layer of a file."""

    def __init__(self, file: File) -> None:
        self._file = file

    def put(self, drafts: Sequence[ItemDraft | Doomed], fingerprint: str) -> list[bool | None]:
        """Write drafts, delete what is only named, in order; say of each deletion if it was there.

        Raises:
            EmbedderMismatchError: The vectors are of another embedder than the file's.
        """
        with self._file.database.write() as connection:
            now = self._file.now()
            return [self._put(connection, draft, fingerprint, now) for draft in drafts]

    def _put(
        self, connection: Connection, draft: ItemDraft | Doomed, fingerprint: str, now: int
    ) -> bool | None:
        if isinstance(draft, tuple):
            return items.delete(connection, *draft, now)
        if draft.passages:
            self._file.claim_embedder(connection, fingerprint, draft.vectors.shape[1])
        items.put(connection, draft, now)
        return None

    def get(self, labels: Sequence[str], key: str, refresh: bool) -> Item | None:
        """Return an item, or None; begin its lifetime anew if asked."""
        with self._file.database.read() as connection:
            found = items.get(connection, labels, key, self._file.now())
        if found is None:
            return None
        self._refresh([found] if refresh else [])
        return found[1]

    def page(
        self, region: Region, tree: Filter | None, limit: int, offset: int, refresh: bool
    ) -> list[Item]:
        """Return items that a filter lets through, the latest put first."""
        condition = Condition("r.value")
        where = "TRUE" if tree is None else condition.sql(tree)
        with self._file.database.read() as connection:
            found = items.page(
                connection, region, self._file.now(), where, condition.values, limit, offset
            )
        self._refresh(found if refresh else [])
        return [item for _, item in found]

    def search(self, region: Region, probe: Probe, refresh: bool) -> list[FoundItem]:
        """Rank the region's items for a probe."""
        with self._file.viewing(Reading("items", region)) as seen:
            found = [] if seen is None else find_items(*seen, probe, self._file.now())
        self._refresh([(hit.row_id, hit.item) for hit in found] if refresh else [])
        return found

    def namespaces(self, region: Region) -> list[tuple[str, ...]]:
        """Return the namespaces that hold an item."""
        with self._file.database.read() as connection:
            return items.labels(connection, region, self._file.now())

    def sweep(self) -> int:
        """Delete expired items, a thousand a transaction, and their bytes; return how many."""
        total = 0
        while True:
            with self._file.database.write() as connection:
                gone = items.drop_expired(connection, self._file.now())
            total += gone
            if not gone:
                erasure.finish(self._file.database)
                return total

    def _refresh(self, read: Sequence[tuple[int, Item]]) -> None:
        mortal = [row_id for row_id, item in read if item.lifetime is not None]
        if mortal:
            with self._file.database.write() as connection:
                items.refresh(connection, mortal, self._file.now())
