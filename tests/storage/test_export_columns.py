"""An export's lines hold the columns of the tables, no more and no fewer."""

from __future__ import annotations

from holdfast.maintenance.export_format import FIELDS
from holdfast.storage.sqlite import document_rows, layout


def test_lines_of_records_and_items_hold_exactly_their_columns() -> None:
    assert list(FIELDS["record"])[:-1] == layout.COLUMNS
    assert tuple(FIELDS["document"]) == document_rows.COLUMNS
