"""Operations on documents: each one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from holdfast.storage.contract import reach as reaches
from holdfast.storage.contract.arrays import Floats
from holdfast.storage.contract.documents import (
    Choice,
    Deletion,
    Document,
    DocumentDraft,
    FoundDocument,
    Order,
    Wanted,
)
from holdfast.storage.contract.reach import Reach
from holdfast.storage.contract.search import Probe
from holdfast.storage.index.loading import ALWAYS, Reading
from holdfast.storage.index.searching import count
from holdfast.storage.sqlite import document_rows
from holdfast.storage.sqlite.database import Connection
from holdfast.storage.sqlite.file import File
from holdfast.storage.sqlite.searches import find_documents, latest


class SqliteDocuments:
    """See `DocumentStorage`."""

    def __init__(self, file: File) -> None:
        self._file = file

    # -- writing --------------------------------------------------------------------------------

    def put(
        self,
        drafts: Sequence[DocumentDraft | Deletion],
        fingerprint: str,
        unique_in: Reach | None = None,
    ) -> list[bool | None]:
        """See `DocumentStorage`."""
        done: list[bool | None] = []
        claimed = False
        with self._file.database.write() as connection:
            now = self._file.now()
            if unique_in is not None:
                document_rows.drop(connection, _elsewhere(connection, unique_in, drafts), now)
            for draft in drafts:
                if isinstance(draft, Deletion):
                    done.append(document_rows.delete(connection, draft, now))
                    continue
                if draft.passages and not claimed:
                    self._file.claim_embedder(connection, fingerprint, draft.vectors.shape[1])
                    claimed = True
                document_rows.put(connection, draft, now)
                done.append(None)
        return done

    def delete(self, choice: Choice) -> int:
        """See `DocumentStorage`."""
        with self._file.database.write() as connection:
            rows = document_rows.chosen(connection, choice, self._file.now())
            document_rows.drop(connection, rows, self._file.now())
            return len(rows)

    def sweep(self) -> int:
        """See `DocumentStorage`; a thousand a transaction."""
        total = 0
        while True:
            with self._file.database.write(alone=True) as connection:
                gone = document_rows.drop_expired(connection, self._file.now())
            total += gone
            if not gone:
                self._file.database.finish_erasure()
                return total

    def _refresh(self, read: Sequence[tuple[int, Document]]) -> None:
        mortal = [row_id for row_id, document in read if document.lifetime is not None]
        if mortal:
            with self._file.database.write() as connection:
                document_rows.refresh(connection, mortal, self._file.now())

    # -- reading --------------------------------------------------------------------------------

    def get(self, wanted: Sequence[Wanted]) -> list[Document | None]:
        """See `DocumentStorage`."""
        with self._file.database.read() as connection:
            now = self._file.now()
            found = [
                document_rows.get(connection, one, ALWAYS if one.expired else now) for one in wanted
            ]
        asked = zip(found, wanted, strict=True)
        self._refresh([pair for pair, one in asked if pair is not None and one.refresh])
        return [None if pair is None else pair[1] for pair in found]

    def find(self, reach: Reach, keys: Sequence[str]) -> list[tuple[Document, Floats]]:
        """See `DocumentStorage`."""
        with self._file.database.read() as connection:
            known = document_rows.by_keys(connection, reach, keys)
            places = {key: row_id for row_id, _, key in known}
            rows = [places[key] for key in keys if key in places]
            found = document_rows.fetch(connection, rows)
            return [(found[row], document_rows.vectors(connection, row)) for row in rows]

    def page(
        self, choice: Choice, order: Order, limit: int, offset: int, *, refresh: bool = False
    ) -> list[Document]:
        """See `DocumentStorage`."""
        moment = self._moment(expired=choice.expired)
        found = None
        if order == Order() and choice.keys is None:
            found = self._page_of_view(choice, moment, limit, offset)
        if found is None:
            with self._file.database.read() as connection:
                rows = document_rows.chosen(connection, choice, moment, order, limit, offset)
                found = document_rows.page(connection, rows)
        self._refresh(found if refresh else [])
        return [document for _, document in found]

    def _page_of_view(
        self, choice: Choice, moment: int, limit: int, offset: int
    ) -> list[tuple[int, Document]] | None:
        """Return a page without reading every row; None: no view that could tell is at hand."""
        reading = Reading("documents", choice.reach)
        if self._file.views.find(reading) is None:
            return None
        with self._file.viewing(reading) as seen:
            if seen[1].wordless:
                return None
            return latest(*seen, choice.tree, moment, limit, offset)

    def search(
        self,
        reach: Reach,
        probe: Probe,
        *,
        refresh: bool = False,
        expired: bool = False,
        unscored: bool = False,
    ) -> list[FoundDocument]:
        """See `DocumentStorage`."""
        moment = self._moment(expired=expired)
        with self._file.viewing(Reading("documents", reach)) as seen:
            found = find_documents(*seen, probe, moment)
            if unscored and seen[1].wordless and len(found) < probe.limit:
                ranked = count(*seen, probe, moment)
                wanted = replace(probe, limit=probe.limit - len(found))
                found += _unscored(seen[0].connection, reach, wanted, moment, ranked)
        self._refresh([(hit.row_id, hit.document) for hit in found] if refresh else [])
        return found

    def namespaces(self, reach: Reach, *, expired: bool = False) -> list[tuple[str, ...]]:
        """See `DocumentStorage`."""
        with self._file.database.read() as connection:
            return document_rows.labels(connection, reach, self._moment(expired=expired))

    def counts(self, reach: Reach) -> dict[tuple[str, ...], int]:
        """See `DocumentStorage`."""
        with self._file.database.read() as connection:
            return document_rows.counts(connection, reach)

    def tally(self, reach: Reach, path: tuple[str, ...]) -> dict[Any, int]:
        """See `DocumentStorage`."""
        with self._file.database.read() as connection:
            return document_rows.tally(connection, reach, path)

    def _moment(self, *, expired: bool) -> int:
        return ALWAYS if expired else self._file.now()


def _elsewhere(
    connection: Connection, reach: Reach, drafts: Sequence[DocumentDraft | Deletion]
) -> list[int]:
    """Return the rows of the drafts' keys that lie in another namespace than the draft's."""
    homes = {
        draft.key: reaches.document_path(draft.namespace, draft.owner)
        for draft in drafts
        if isinstance(draft, DocumentDraft)
    }
    known = document_rows.by_keys(connection, reach, list(homes))
    return [row_id for row_id, path, key in known if homes[key] != path]


def _unscored(
    connection: Connection, reach: Reach, probe: Probe, moment: int, ranked: int
) -> list[FoundDocument]:
    """Return documents without texts, the latest put first, as if they followed the ranked ones."""
    start, choice = max(0, probe.offset - ranked), Choice(reach, probe.tree)
    rows = document_rows.chosen(
        connection, choice, moment, Order(), probe.limit, start, textless=True
    )
    found = document_rows.page(connection, rows)
    return [FoundDocument(row_id, document, None, 0, {}) for row_id, document in found]
