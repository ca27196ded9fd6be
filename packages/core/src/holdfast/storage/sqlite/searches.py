"""Searches and listings of a view with whole rows, all in one snapshot."""

from __future__ import annotations

import numpy as np

from holdfast.storage.contract import codec, damage
from holdfast.storage.contract.documents import Document, FoundDocument
from holdfast.storage.contract.filters import Filter
from holdfast.storage.contract.search import Found, Probe
from holdfast.storage.index.searching import Boost, find
from holdfast.storage.index.views import View
from holdfast.storage.sqlite import document_rows, records
from holdfast.storage.sqlite.loading import SqliteLoader


def find_records(
    loader: SqliteLoader, view: View, probe: Probe, now: int, boost: Boost | None = None
) -> list[Found]:
    """Rank what a view of records may show; whole records, in the same snapshot."""
    hits = find(loader, view, probe, now, boost)
    known = records.fetch_with_passages(loader.connection, [hit.row_id for hit in hits])
    found = []
    with damage.Reading("what a search found"):
        for row_id, passage, score, parts in hits:
            record, passages = known[row_id]
            found.append(Found(record, score, codec.span(passages, passage), parts))
    return found


def find_documents(loader: SqliteLoader, view: View, probe: Probe, now: int) -> list[FoundDocument]:
    """Rank what a view of documents may show; whole documents, in the same snapshot."""
    hits = find(loader, view, probe, now)
    known = document_rows.fetch(loader.connection, [hit.row_id for hit in hits])
    with damage.Reading("what a search found"):
        return [
            FoundDocument(row_id, known[row_id], score, passage, parts)
            for row_id, passage, score, parts in hits
        ]


def latest(
    loader: SqliteLoader, view: View, tree: Filter | None, now: int, limit: int, offset: int
) -> list[tuple[int, Document]] | None:
    """Return a page of a view's documents, the latest put first; None: only SQL can tell."""
    table = view.rows.table
    allowed = view.rows.visible(now, None, None) & (table["passage"] == 0)
    if tree is not None:
        through = view.fields.through(loader, table["id"], tree)
        if through is None:
            return None
        allowed &= through
    ids, put_at = table["id"][allowed], table["occurred"][allowed]
    page = ids[np.lexsort((-ids, -put_at))[offset : offset + limit]].tolist()
    return document_rows.page(loader.connection, page)
