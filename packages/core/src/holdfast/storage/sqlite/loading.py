"""A transaction as the snapshot that feeds views (`holdfast.storage.index.loading.Loader`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any, Final

from holdfast.storage.contract.filters import Filter
from holdfast.storage.contract.reach import NAMESPACE_BITS, Reach
from holdfast.storage.index.loading import (
    ALWAYS,
    NEVER,
    FactRow,
    GraphReading,
    Path,
    Reading,
    Row,
    Table,
    Value,
)
from holdfast.storage.sqlite import listing, log, namespaces, records
from holdfast.storage.sqlite.database import Connection, unmapped
from holdfast.storage.sqlite.filters import COLUMNS, place
from holdfast.storage.sqlite.schema import EXPIRY, ROWS
from holdfast.types import Record

_SELECT: Final[dict[Table, str]] = {
    "records": (
        "SELECT r.id, r.place, r.kind, r.role, r.speaker, r.importance, r.traits, r.occurred_at,"
        f" coalesce(r.valid_from, iif(r.kind = 'turn', r.occurred_at, {ALWAYS})),"
        f" coalesce({{valid_to}}, {NEVER}), coalesce({EXPIRY}, {NEVER}),"
        " n.run_id IS NOT NULL, r.passages, r.vectors, r.terms"
        " FROM namespaces n JOIN records r"
    ),
    "documents": (
        "SELECT r.id, r.id, 'document', NULL, NULL, 0.5, 0, r.updated_at,"
        f" {ALWAYS}, {NEVER}, coalesce(r.expires_at, {NEVER}), 0,"
        " r.passages, r.vectors, r.terms"
        " FROM namespaces n JOIN documents r"
    ),
}
# When the caller gave a fact other words, which may be after it had ended: then all that it said
# is over. (Where the caller changed anything else, this version is retired.)
_REWORDED: Final = (
    "iif(r.closed_at IS NULL, NULL, (SELECT min(l.at) FROM log l WHERE l.key = r.key"
    " AND l.before = r.id AND l.operation = 'UPDATE' AND l.reason = 'caller'))"
)
_FACTS: Final = (
    "SELECT r.id, coalesce(n.user_id, ''), r.relations, r.occurred_at, r.valid_from, {valid_to},"
    f" {EXPIRY}, {{reworded}} FROM namespaces n JOIN records r ON {{where}}"
    " AND r.relations <> '[]'{known} ORDER BY r.id"
)
_DOCUMENT: Final[dict[Table, str]] = {"records": "r.metadata", "documents": "r.value"}
_OF_NAMESPACE: Final = f"{ROWS} WHERE n.no = ?"
_MOST: Final = 500  # ids in one statement
_MOST_VALUES: Final = 10_000  # SQLite binds 32,766 values at most


class SqliteLoader:
    """Reads of one transaction.

    Attributes:
        connection: The transaction.
    """

    __slots__ = ("connection",)

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def version(self) -> int:
        """See `Loader`."""
        return log.last(self.connection)

    def namespaces(self, reach: Reach, known: Mapping[int, int]) -> Mapping[int, int]:
        """See `Loader`."""
        return namespaces.heads(self.connection, reach, max(known, default=0))

    def touched(
        self, cursor: Mapping[int, int], since: int
    ) -> tuple[Sequence[int], Mapping[int, int]] | None:
        """See `Loader`."""
        return log.touched(self.connection, cursor, since)

    def streaming(self) -> AbstractContextManager[None]:
        """See `Loader`."""
        return unmapped(self.connection)

    # -- of searches ----------------------------------------------------------------------------

    def rows(self, reading: Reading, namespace: int, *, ordered: bool) -> Iterable[Row]:
        """See `Loader`."""
        order = " ORDER BY r.place, r.id" if ordered else ""
        return self._rows(reading, _OF_NAMESPACE, (namespace,), order)

    def rows_of(self, reading: Reading, row_ids: Sequence[int]) -> list[Row]:
        """See `Loader`."""
        rows: list[Row] = []
        for some in _parts(row_ids):
            rows += self._rows(reading, _of_ids(some), some)
        return rows

    def _rows(
        self, reading: Reading, where: str, values: Sequence[int], order: str = ""
    ) -> Iterable[Row]:
        select = _SELECT[reading.table]
        if reading.table == "documents":
            return self.connection.execute(f"{select} ON {where}{order}", values)
        known, ended = _at(reading.as_of)
        sql = f"{select.format(valid_to=ended)} ON {where}{known}{order}"
        return self.connection.execute(sql, values)

    def vectors(self, table: Table, row_ids: Sequence[int]) -> Mapping[int, bytes]:
        """See `Loader`."""
        sql = f"SELECT id, vectors FROM {table} WHERE id IN ({_marks(row_ids)})"
        return dict(self.connection.execute(sql, tuple(row_ids)).fetchall())

    def field(self, table: Table, path: Path, row_ids: Sequence[int]) -> Mapping[int, Value]:
        """See `Loader`."""
        name = path[0]
        if name == "metadata":
            columns = f"'json', {' -> '.join(place(_DOCUMENT[table], path[1:]))}"
        else:
            columns = f"'text', {COLUMNS.get(name, f'r.{name}')}"
        found: dict[int, Value] = {}
        for some in _parts(row_ids, _MOST_VALUES):
            sql = f"SELECT r.id, {columns} FROM {table} r WHERE r.id IN ({_marks(some)})"
            found.update((row[0], row[1:]) for row in self.connection.execute(sql, some))
        return found

    def selected(self, table: Table, reach: Reach, tree: Filter) -> list[int]:
        """See `Loader`."""
        return listing.selected(self.connection, table, reach, tree)

    # -- of graphs ------------------------------------------------------------------------------

    def facts(self, reading: GraphReading, namespace: int) -> list[FactRow]:
        """See `Loader`."""
        return self._facts(reading, _OF_NAMESPACE, (namespace,))

    def facts_of(self, reading: GraphReading, row_ids: Sequence[int]) -> list[FactRow]:
        """See `Loader`."""
        return [
            row for some in _parts(row_ids) for row in self._facts(reading, _of_ids(some), some)
        ]

    def _facts(self, reading: GraphReading, where: str, values: Sequence[int]) -> list[FactRow]:
        moment = reading.as_of
        known, ended = _at(moment)
        reworded = (
            _REWORDED
            if moment is None
            else f"CASE WHEN {_REWORDED} <= {moment:d} THEN {_REWORDED} END"
        )
        sql = _FACTS.format(valid_to=ended, reworded=reworded, where=where, known=known)
        return self.connection.execute(sql, values).fetchall()

    def sources(self, row_ids: Sequence[int]) -> Mapping[int, list[int]]:
        """See `Loader`."""
        found: dict[int, list[int]] = defaultdict(list)
        for some in _parts(row_ids):
            for row_id, source in self.connection.execute(
                "SELECT s.record, r.id FROM sources s JOIN records r ON r.key = s.source"
                f" WHERE s.record IN ({_marks(some)}) ORDER BY s.record, r.id",
                some,
            ):
                found[row_id].append(source)
        return found

    def records(self, row_ids: Iterable[int]) -> dict[int, Record]:
        """See `Loader`."""
        found: dict[int, Record] = {}
        for some in _parts(row_ids):
            found |= records.fetch(self.connection, some)
        return found


def _at(moment: int | None) -> tuple[str, str]:
    """Return SQL: which versions were known at a moment, and the end that a version had then."""
    if moment is None:
        return " AND r.retired_at IS NULL", "r.valid_to"
    known = (
        f" AND r.recorded_at <= {moment:d} AND (r.retired_at IS NULL OR r.retired_at > {moment:d})"
    )
    return known, f"CASE WHEN r.closed_at <= {moment:d} THEN r.valid_to END"


def _of_ids(row_ids: Sequence[int]) -> str:
    return f"n.no = r.id >> {NAMESPACE_BITS} WHERE r.id IN ({_marks(row_ids)})"


def _parts(row_ids: Iterable[int], most: int = _MOST) -> Iterator[tuple[Any, ...]]:
    """Yield ids in parts that one statement can take."""
    rest = iter(row_ids)
    while some := tuple(islice(rest, most)):
        yield some


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))
