"""Operations on items: each one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from holdfast.storage.contract.filters import Filter
from holdfast.storage.contract.reach import Reach
from holdfast.storage.contract.search import Probe
from holdfast.storage.index.loading import ALWAYS, Reading
from holdfast.storage.index.searching import count
from holdfast.storage.sqlite import document_rows
from holdfast.storage.sqlite.database import Connection
from holdfast.storage.sqlite.document_rows import Item, ItemDraft
from holdfast.storage.sqlite.file import File
from holdfast.storage.sqlite.filters import Condition
from holdfast.storage.sqlite.searches import FoundItem, find_items, latest


@dataclass(frozen=True, slots=True)
class Wanted:
    """An item to be read; `refresh` begins its lifetime anew, `expired` finds it all the same."""

    namespace: Sequence[str]
    key: str
    refresh: bool = False
    expired: bool = False


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
        done: list[bool | None] = []
        claimed = False
        with self._file.database.write() as connection:
            now = self._file.now()
            for draft in drafts:
                if isinstance(draft, tuple):
                    done.append(document_rows.delete(connection, *draft, now))
                    continue
                if draft.passages and not claimed:
                    self._file.claim_embedder(connection, fingerprint, draft.vectors.shape[1])
                    claimed = True
                document_rows.put(connection, draft, now)
                done.append(None)
        return done

    def get(self, wanted: Sequence[Wanted]) -> list[Item | None]:
        """Return items of one moment, None for those that are not there."""
        found = []
        with self._file.database.read() as connection:
            now = self._file.now()
            for one in wanted:
                moment = ALWAYS if one.expired else now
                found.append(document_rows.get(connection, one.namespace, one.key, moment))
        asked = zip(found, wanted, strict=True)
        self._refresh([pair for pair, one in asked if pair is not None and one.refresh])
        return [None if pair is None else pair[1] for pair in found]

    def page(
        self,
        reach: Reach,
        tree: Filter | None,
        limit: int,
        offset: int,
        *,
        refresh: bool = False,
        expired: bool = False,
    ) -> list[Item]:
        """Return items that a filter lets through, the latest put first."""
        moment = ALWAYS if expired else self._file.now()
        found = self._page_of_view(reach, tree, moment, limit, offset)
        if found is None:
            condition = Condition("r.value")
            where = "TRUE" if tree is None else condition.sql(tree)
            with self._file.database.read() as connection:
                found = document_rows.page(
                    connection, reach, moment, where, condition.values, limit, offset
                )
        self._refresh(found if refresh else [])
        return [item for _, item in found]

    def _page_of_view(
        self, reach: Reach, tree: Filter | None, moment: int, limit: int, offset: int
    ) -> list[tuple[int, Item]] | None:
        """Return a page without reading every row; None: no view that could tell is at hand."""
        reading = Reading("items", reach)
        if self._file.views.find(reading) is None:
            return None
        with self._file.viewing(reading) as seen:
            if seen[1].wordless:
                return None
            return latest(*seen, tree, moment, limit, offset)

    def search(
        self,
        reach: Reach,
        probe: Probe,
        *,
        refresh: bool = False,
        expired: bool = False,
        unscored: bool = False,
    ) -> list[FoundItem]:
        """Rank the reach's items for a probe.

        Args:
            reach, probe: What is searched, and for what.
            refresh: Begin the found items' lifetime anew.
            expired: Find also what has expired and is not swept yet.
            unscored: Let the items without texts follow the ranked ones.
        """
        moment = ALWAYS if expired else self._file.now()
        with self._file.viewing(Reading("items", reach)) as seen:
            found = find_items(*seen, probe, moment)
            if unscored and seen[1].wordless and len(found) < probe.limit:
                ranked = count(*seen, probe, moment)
                wanted = replace(probe, limit=probe.limit - len(found))
                found += _unscored(seen[0].connection, reach, wanted, moment, ranked)
        self._refresh([(hit.row_id, hit.item) for hit in found] if refresh else [])
        return found

    def namespaces(self, reach: Reach, *, expired: bool = False) -> list[tuple[str, ...]]:
        """Return the namespaces that hold an item."""
        with self._file.database.read() as connection:
            return document_rows.labels(connection, reach, ALWAYS if expired else self._file.now())

    def sweep(self) -> int:
        """Delete expired items, a thousand a transaction, and their bytes; return how many."""
        total = 0
        while True:
            with self._file.database.write() as connection:
                gone = document_rows.drop_expired(connection, self._file.now())
            total += gone
            if not gone:
                self._file.database.finish_erasure()
                return total

    def _refresh(self, read: Sequence[tuple[int, Item]]) -> None:
        mortal = [row_id for row_id, item in read if item.lifetime is not None]
        if mortal:
            with self._file.database.write() as connection:
                document_rows.refresh(connection, mortal, self._file.now())


def _unscored(
    connection: Connection, reach: Reach, probe: Probe, moment: int, ranked: int
) -> list[FoundItem]:
    """Return items without texts, the latest put first, as if they followed the ranked ones."""
    condition = Condition("r.value")
    where = "length(r.passages) = 0"
    if probe.tree is not None:
        where += f" AND {condition.sql(probe.tree)}"
    start = max(0, probe.offset - ranked)
    found = document_rows.page(
        connection, reach, moment, where, condition.values, probe.limit, start
    )
    return [FoundItem(row_id, item, None, 0, {}) for row_id, item in found]
