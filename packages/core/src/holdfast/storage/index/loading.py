"""What feeds views: one snapshot of a backend, read through a small protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, TypeAlias

from holdfast.storage.contract.filters import Filter
from holdfast.storage.contract.reach import Reach
from holdfast.types import Record

Table: TypeAlias = Literal["records", "documents"]
Path: TypeAlias = tuple[str, ...]

Row: TypeAlias = tuple[Any, ...]
"""Of a search: row id, place, kind, role, speaker, importance, traits, when it occurred, begins,
ends and expires (microseconds), whether it belongs to a session, passages, vectors, terms."""

FactRow: TypeAlias = tuple[Any, ...]
"""Of a graph: row id, user, relations (JSON), when it occurred, begins, ends and expires, and when
the caller gave the fact other words."""

Value: TypeAlias = tuple[object, object]
"""The kind of a field's value (``json``, ``text``, None: the row is gone), and the value."""

ALWAYS: Final = -(2**63)
NEVER: Final = 2**63 - 1
"""Bounds of time for a row that has none, in microseconds."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a view shows: a table, the namespaces of a reach, and as of when (None: live)."""

    table: Table
    reach: Reach
    as_of: int | None = None


@dataclass(frozen=True, slots=True)
class GraphReading:
    """What a graph view shows: the namespaces of a reach, and as of when (None: live)."""

    reach: Reach
    as_of: int | None = None


class Loader(Protocol):
    """One snapshot of a backend: everything it returns is of the same moment."""

    def version(self) -> int:
        """Return a number that every commit changes; 0: nothing was written."""

    def namespaces(self, reach: Reach, known: Mapping[int, int]) -> Mapping[int, int]:
        """Return the namespaces of a reach that are not known yet, each with its position.

        Positions count the entries of a namespace in the order in which they are committed.
        """

    def touched(
        self, cursor: Mapping[int, int], since: int
    ) -> tuple[Sequence[int], Mapping[int, int]] | None:
        """Return the rows of namespaces that were written behind a cursor.

        Args:
            cursor: A position by namespace.
            since: The version when the cursor stood there.

        Returns:
            Row ids, oldest first, and the positions that changed; None if so many that reading
            everything anew costs less.
        """

    def streaming(self) -> AbstractContextManager[None]:
        """Return a context for reading many rows once, without keeping them cached."""

    def rows(self, reading: Reading, namespace: int, *, ordered: bool) -> Iterable[Row]:
        """Yield the rows of a namespace that a reading shows; `ordered`: by their places."""

    def rows_of(self, reading: Reading, row_ids: Sequence[int]) -> list[Row]:
        """Return those of the rows that a reading shows."""

    def vectors(self, table: Table, row_ids: Sequence[int]) -> Mapping[int, bytes]:
        """Return the vectors of rows: float32, one after another, as many as passages."""

    def field(self, table: Table, path: Path, row_ids: Sequence[int]) -> Mapping[int, Value]:
        """Return the value of a field by row id; missing rows are left out."""

    def selected(self, table: Table, reach: Reach, tree: Filter) -> list[int]:
        """Return the row ids of a reach that a filter lets through."""

    def facts(self, reading: GraphReading, namespace: int) -> list[FactRow]:
        """Return the rows of a namespace that state relations, in order of their ids."""

    def facts_of(self, reading: GraphReading, row_ids: Sequence[int]) -> list[FactRow]:
        """Return those of the rows that state relations."""

    def sources(self, row_ids: Sequence[int]) -> Mapping[int, list[int]]:
        """Return the rows on which rows rest, in all their versions."""

    def records(self, row_ids: Iterable[int]) -> dict[int, Record]:
        """Return whole records by row id; missing ones are left out."""
