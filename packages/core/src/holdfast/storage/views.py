"""Views: everything one read may see, ready to search in memory; a cache over the file.

A view is built from the rows on first use, follows the log before it answers, and is dropped
when cold, so memory follows the working set and not the file. Its positions are append-only: a
row's text, vectors and terms never change (a new version is a new row), so a position is either
alive or gone.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from holdfast.storage import codec, log, namespaces
from holdfast.storage.codec import Hashes, Passage
from holdfast.storage.columns import Row, Rows
from holdfast.storage.database import Connection
from holdfast.storage.fields import Fields
from holdfast.storage.keywords import Keywords
from holdfast.storage.namespaces import Region
from holdfast.storage.schema import NAMESPACE_BITS, ROWS
from holdfast.storage.vectors import Positions, Vectors

Table = Literal["records", "items"]
Bools = NDArray[np.bool_]

# Rebuild once so many positions are dead weight.
MOST_DEAD = 0.3
FEW_DEAD = 1_000

_SELECT: dict[Table, str] = {
    "records": (
        "SELECT r.id, r.place, r.kind, r.role, r.speaker, r.importance, r.traits, r.occurred_at,"
        " r.valid_from, {valid_to}, r.expires_at, n.run_id IS NOT NULL,"
        " r.passages, r.vectors, r.terms"
        " FROM namespaces n JOIN records r"
    ),
    "items": (
        "SELECT r.id, r.id, 'item', NULL, NULL, 0.5, 0, r.updated_at,"
        " NULL, NULL, r.expires_at, 0, r.passages, r.vectors, r.terms"
        " FROM namespaces n JOIN items r"
    ),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What a view shows: a table, the namespaces of a region, and as of when (None: live)."""

    table: Table
    region: Region
    as_of: int | None = None


class View:
    """One reading in memory. Not locked: hold `lock` around `follow` and everything after it."""

    def __init__(self, reading: Reading, dimension: int) -> None:
        self.reading = reading
        self.lock = threading.Lock()
        self._dimension = dimension
        self._clear()

    def _clear(self) -> None:
        self.rows = Rows()
        self.vectors = Vectors(self._dimension)
        self.keywords = Keywords()
        self.fields = Fields()
        self._places: dict[int, range] = {}  # row id -> positions of its passages
        self.wordless: set[int] = set()  # rows that hold no text, so have no position
        self._namespaces: list[int] = []
        self._seq = 0
        self._dead = 0
        self.change = 0  # the newest entry of the log when this view last changed

    @property
    def nbytes(self) -> int:
        """Bytes held, roughly: vectors, columns, postings."""
        return sum(part.nbytes for part in (self.vectors, self.rows, self.keywords, self.fields))

    def positions(self, row_ids: Iterable[int]) -> Positions:
        """Return the positions of all passages of these rows; unknown rows are left out."""
        wanted = np.fromiter(row_ids, dtype=np.int64)
        return np.flatnonzero(np.isin(self.rows.table["id"], wanted))

    # -- following the log ----------------------------------------------------------------------

    def follow(self, connection: Connection) -> None:
        """Bring the view to the connection's snapshot."""
        newest = log.last(connection)
        if newest == self._seq and self._namespaces:
            return
        written = self._written(connection)
        known = len(self._namespaces)
        if written is None or not self._catch_up(connection, written):
            self._clear()
            known = 0
        after = self._namespaces[-1] if known else 0
        fresh = namespaces.numbers(connection, self.reading.region, after)
        self._load(self._select(connection, fresh))
        self._namespaces += fresh
        if written or written is None or fresh:
            self.change = newest
        self._seq = newest

    def _written(self, connection: Connection) -> list[int] | None:
        if not self._namespaces:
            return []
        if self._dead > FEW_DEAD and self._dead > MOST_DEAD * len(self.rows):
            return None
        return log.touched(connection, self._namespaces, self._seq)

    def _catch_up(self, connection: Connection, written: Sequence[int]) -> bool:
        """Apply what was written; False when only building anew keeps the order of turns."""
        if not written:
            return True
        found = {row[0]: row for row in self._select_ids(connection, written)}
        for row_id in written:
            places = self._places.get(row_id)
            if places is not None and row_id in found:
                self.rows.refresh(places, found[row_id])
            elif places is not None:
                self._remove(row_id, places)
            elif row_id not in found:
                self.wordless.discard(row_id)
        # In the order of a view built anew: a new version stands in the place of the old one.
        new = [row for row_id, row in found.items() if row_id not in self._places]
        new.sort(key=lambda row: (row[1], row[0]))
        if not self.rows.extends(new):
            return False
        self._load(new)
        return True

    def _remove(self, row_id: int, places: range) -> None:
        del self._places[row_id]
        self._dead += len(places)
        for place in places:
            self.keywords.remove(place)
        link = self.rows.remove(places)
        if link is not None:
            self.keywords.relink(*link)

    def _select(self, connection: Connection, numbers: Sequence[int]) -> list[Row]:
        rows: list[Row] = []
        for number in numbers:
            rows += self._query(connection, f"{ROWS} WHERE n.no = ?", (number,))
        return rows

    def _select_ids(self, connection: Connection, ids: Sequence[int]) -> list[Row]:
        rows: list[Row] = []
        for start in range(0, len(ids), 500):
            some = tuple(ids[start : start + 500])
            marks = ",".join("?" * len(some))
            where = f"n.no = r.id >> {NAMESPACE_BITS} WHERE r.id IN ({marks})"
            rows += self._query(connection, where, some)
        return rows

    def _query(self, connection: Connection, where: str, values: tuple[int, ...]) -> list[Row]:
        select, moment = _SELECT[self.reading.table], self.reading.as_of
        order = " ORDER BY r.place, r.id" if self.reading.table == "records" else ""
        if self.reading.table == "items":
            sql = f"{select} ON {where}{order}"
        elif moment is None:
            live = " AND r.retired_at IS NULL"
            sql = f"{select.format(valid_to='r.valid_to')} ON {where}{live}{order}"
        else:
            knew = (
                f" AND r.recorded_at <= {moment:d}"
                f" AND (r.retired_at IS NULL OR r.retired_at > {moment:d})"
            )
            ended = f"CASE WHEN r.closed_at <= {moment:d} THEN r.valid_to END"
            sql = f"{select.format(valid_to=ended)} ON {where}{knew}{order}"
        return connection.execute(sql, values).fetchall()

    def _load(self, rows: Sequence[Row]) -> None:
        """Append rows that have passages: columns, vectors, postings."""
        self.wordless.update(row[0] for row in rows if not row[-3])
        rows = [row for row in rows if row[-3]]
        if not rows:
            return
        position = len(self.rows)
        passages = [codec.from_passages(row[-3]).tolist() for row in rows]
        previous = self.rows.append(rows, passages)
        for row, own in zip(rows, passages, strict=True):
            self._places[row[0]] = range(position, position + len(own))
            position += len(own)
        joined = np.frombuffer(b"".join(row[-2] for row in rows), dtype=np.float32)
        self.vectors.extend(joined.reshape(-1, self._dimension))
        self.keywords.extend(_terms(rows, passages), previous)


def _terms(rows: Sequence[Row], passages: Sequence[Sequence[Passage]]) -> list[Hashes]:
    """Return the term hashes of every passage."""
    terms: list[Hashes] = []
    for row, own in zip(rows, passages, strict=True):
        hashes, start = np.frombuffer(row[-1], dtype=np.uint64), 0
        for _, _, count in own:
            terms.append(hashes[start : start + count])
            start += count
    return terms


@dataclass(slots=True)
class Views:
    """The cache: as many views as fit the budget, the least recently used ones dropped first.

    Attributes:
        budget: Bytes that cached views may hold together.
    """

    budget: int
    _views: OrderedDict[Reading, View] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, reading: Reading, dimension: int) -> View:
        """Return the view of a reading; a look into the past gets one of its own."""
        if reading.as_of is not None:
            return View(reading, dimension)
        with self._lock:
            view = self._views.pop(reading, None)
            if view is None:
                view = View(reading, dimension)
                self._trim()
            self._views[reading] = view
            return view

    def _trim(self) -> None:
        held = sum(view.nbytes for view in self._views.values())
        while held > self.budget and self._views:
            _, coldest = self._views.popitem(last=False)
            held -= coldest.nbytes

    def clear(self) -> None:
        """Drop all views, as after a change of every vector."""
        with self._lock:
            self._views.clear()

    def readings(self) -> list[Reading]:
        """Return what is cached."""
        with self._lock:
            return list(self._views)
