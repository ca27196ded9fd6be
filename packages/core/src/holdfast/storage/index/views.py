"""Views: everything one read may see, ready to search in memory; a cache over the file.

A view is built from the rows on first use, follows the log before it answers, and is dropped
when cold, so memory follows the working set and not the file. Its positions are append-only: a
row's text, vectors and terms never change (a new version is a new row), so a position is either
alive or gone. Only of a row that was stored before it was embedded do the vectors come later: until
then its positions hold zeros, and are no candidates by meaning.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from operator import itemgetter

import numpy as np

from holdfast.forking import Lock
from holdfast.storage.contract import codec, damage
from holdfast.storage.contract.arrays import Bools, Floats, Positions
from holdfast.storage.index.fields import FieldIndex
from holdfast.storage.index.keywords import Keywords
from holdfast.storage.index.loading import Loader, Reading, Row
from holdfast.storage.index.nearest import Question, ask
from holdfast.storage.index.passage_table import PassageTable
from holdfast.storage.index.vectors import MANY, Vectors

# Rebuild once so many positions are dead weight.
MOST_DEAD = 0.3
FEW_DEAD = 1_000

# What is read and indexed at a time: a few megabytes.
_CHUNK = 2_000
# A row id, a position, and their place in a dict.
_PLACE_BYTES = 120

_ID = itemgetter(0)
_PLACE = itemgetter(1, 0)
_PASSAGES, _VECTORS, _TERMS = itemgetter(-3), itemgetter(-2), itemgetter(-1)


class View:
    """One reading in memory. Not locked: hold `lock` around `follow` and everything after it.

    Args:
        reading: What it shows.
        dimension: Of its vectors; 0: not known yet (`fit`).
        many: See `Vectors`.

    Attributes:
        unembedded: Row ids of those that wait for their vectors.
    """

    def __init__(self, reading: Reading, dimension: int, many: int = MANY) -> None:
        self.reading = reading
        self.lock = Lock()
        self.held = 0  # bytes that the cache counts for it
        self._dimension = dimension
        self._many = many
        self.clear()

    def clear(self) -> None:
        """Begin anew: the next `follow` builds it from the rows."""
        self.rows = PassageTable()
        self.vectors = Vectors(self._dimension, self._many)
        self.keywords = Keywords()
        self.fields = FieldIndex(self.reading.table)
        self._places: dict[int, int] = {}  # row id -> position of its first passage
        self.wordless: set[int] = set()  # rows that hold no text, so have no position
        self.unembedded: set[int] = set()
        self._cursor: dict[int, int] = {}  # positions in the log, by namespace
        self._version = 0
        self._dead = 0
        self._bytes = 0  # fields left out: they grow by what is asked
        self.change = 0  # the version of the storage when this view last changed

    def fit(self, dimension: int) -> None:
        """Begin anew if vectors are of another dimension, as when the first ones come."""
        if dimension != self._dimension:
            self._dimension = dimension
            self.clear()

    @property
    def nbytes(self) -> int:
        """Bytes held: vectors, columns, postings, and roughly what finds a row."""
        return self._bytes + self.fields.nbytes

    def _weigh(self) -> int:
        places = _PLACE_BYTES * sum(map(len, (self._places, self.wordless, self.unembedded)))
        return self.vectors.nbytes + self.rows.nbytes + self.keywords.nbytes + places

    def positions(self, row_ids: Iterable[int]) -> Positions:
        """Return the positions of all passages of these rows; unknown rows are left out."""
        wanted = np.fromiter(row_ids, dtype=np.int64)
        return np.flatnonzero(np.isin(self.rows.table["id"], wanted))

    def embedded(self, allowed: Bools) -> Bools:
        """Return which of the allowed positions have vectors."""
        if self.unembedded:
            allowed = allowed.copy()
            allowed[self.positions(self.unembedded)] = False
        return allowed

    def ask(self, loader: Loader, query: Floats, allowed: Bools) -> Question:
        """Return a question: a unit vector, and which positions may answer, if they have one."""
        return ask(self.vectors, query, self.embedded(allowed), partial(self._vectors, loader))

    def _vectors(self, loader: Loader, positions: Positions) -> Floats:
        """Read vectors again, shape (positions, dimension)."""
        table, size = self.rows.table, 4 * self._dimension
        ids = table["id"][positions].tolist()
        found = loader.vectors(self.reading.table, tuple(dict.fromkeys(ids)))
        starts = (table["passage"][positions] * size).tolist()
        places = zip(ids, starts, strict=True)
        with damage.Reading("the vectors of a view"):
            none = bytes(size)  # of a row that waits for its vectors
            joined = b"".join(
                found[row_id][start : start + size] or none for row_id, start in places
            )
            return np.frombuffer(joined, dtype=np.float32).reshape(-1, self._dimension)

    # -- following the log ----------------------------------------------------------------------

    def follow(self, loader: Loader, version: int | None = None) -> None:
        """Bring the view to the loader's snapshot.

        Args:
            loader: A snapshot.
            version: Its version, where it is known.
        """
        if version is None:
            version = loader.version()
        if version == self._version and self._cursor:
            return
        written = self._written(loader)
        if written is None or not self._catch_up(loader, written):
            self.clear()
        with nullcontext() if self._cursor else loader.streaming():
            fresh = self._extend(loader)
        if written or written is None or fresh:
            self.change = version
            self._bytes = self._weigh()
        self._version = version

    def _extend(self, loader: Loader) -> bool:
        """Add the namespaces of the reach that are not here yet; return whether there are any."""
        fresh = loader.namespaces(self.reading.reach, self._cursor)
        if not self._read(loader, fresh):
            self.clear()
            fresh = loader.namespaces(self.reading.reach, {})
            self._read(loader, fresh, ordered=True)
        self._cursor.update(fresh)
        return bool(fresh)

    def _written(self, loader: Loader) -> Sequence[int] | None:
        if not self._cursor:
            return []
        if self._dead > FEW_DEAD and self._dead > MOST_DEAD * len(self.rows):
            return None
        touched = loader.touched(self._cursor, self._version)
        if touched is None:
            return None
        written, moved = touched
        self._cursor.update(moved)
        return written

    def _catch_up(self, loader: Loader, written: Sequence[int]) -> bool:
        """Apply what was written; False when only building anew keeps the order of turns."""
        if not written:
            return True
        found = {row[0]: row for row in loader.rows_of(self.reading, written)}
        for row_id in written:
            if row_id not in self._places:
                if row_id not in found:
                    self.wordless.discard(row_id)
            elif row_id in found:
                self.rows.refresh(self._passages(row_id), found[row_id])
                self._embed(found[row_id])
            else:
                self._remove(row_id)
        # In the order of a view built anew: a new version stands in the place of the old one.
        new = [row for row_id, row in found.items() if row_id not in self._places]
        new.sort(key=_PLACE)
        if not self.rows.extends(new):
            return False
        self._load(new)
        return True

    def _passages(self, row_id: int) -> range:
        """Return the positions of a row."""
        first = self._places[row_id]
        return range(first, first + int(self.rows.table["passages"][first]))

    def _embed(self, row: Row) -> None:
        """Take over the vectors of a row that waited for them, if they are there."""
        if row[0] in self.unembedded and _VECTORS(row):
            places = self._passages(row[0])
            vectors = np.frombuffer(_VECTORS(row), dtype=np.float32)
            self.vectors.replace(np.array(places), vectors.reshape(len(places), -1))
            self.unembedded.remove(row[0])

    def _remove(self, row_id: int) -> None:
        places = self._passages(row_id)
        del self._places[row_id]
        self.unembedded.discard(row_id)
        self._dead += len(places)
        for place in places:
            self.keywords.remove(place)
        link = self.rows.remove(places)
        if link is not None:
            self.keywords.relink(*link)

    def _read(self, loader: Loader, numbers: Iterable[int], *, ordered: bool = False) -> bool:
        """Append all rows of namespaces, some thousand at a time.

        Rows come as they lie, for to sort them is to hold them all. A turn's new version lies
        behind later turns: where one does, return False, to be asked again for rows in order.
        """
        rows = chain.from_iterable(
            loader.rows(self.reading, number, ordered=ordered) for number in numbers
        )
        while some := list(islice(rows, _CHUNK)):
            some.sort(key=_PLACE)
            # A first version has the greatest place yet.
            if not self.rows.extends([row for row in some if row[1] != row[0]]):
                return False
            self._load(some)
        self.keywords.settle()
        return True

    def _load(self, rows: Sequence[Row]) -> None:
        """Append rows that have passages: columns, vectors, postings."""
        self.wordless.update(row[0] for row in rows if not row[-3])
        rows = [row for row in rows if row[-3]]
        if not rows:
            return
        position = len(self.rows)
        bounds = codec.from_passages(b"".join(map(_PASSAGES, rows)))
        sizes = np.fromiter(map(len, map(_PASSAGES, rows)), np.int64, len(rows))
        counts = sizes // (bounds.itemsize * bounds.shape[1])
        previous = self.rows.append(rows, bounds, counts)
        firsts = position + np.cumsum(counts) - counts
        self._places.update(zip(map(_ID, rows), firsts.tolist(), strict=True))
        vectors = np.frombuffer(b"".join(self._blobs(rows, counts)), dtype=np.float32)
        self.vectors.extend(vectors.reshape(len(bounds), self._dimension))
        words = np.frombuffer(b"".join(map(_TERMS, rows)), dtype=np.uint64)
        self.keywords.extend(words, bounds[:, 2].astype(np.int64), previous)

    def _blobs(self, rows: Sequence[Row], counts: Positions) -> list[bytes]:
        """Return the vectors of rows; zeros for those that wait for theirs, which are noted."""
        blobs = [*map(_VECTORS, rows)]
        if all(blobs):
            return blobs
        self.unembedded.update(row[0] for row in rows if not _VECTORS(row))
        size = 4 * self._dimension
        return [
            blob or bytes(size * count) for blob, count in zip(blobs, counts.tolist(), strict=True)
        ]


@dataclass(slots=True)
class Views:
    """The cache: as many views as fit the budget, the least recently used ones dropped first.

    Attributes:
        budget: Bytes that cached views may hold together.
    """

    budget: int
    _views: OrderedDict[Reading, View] = field(default_factory=OrderedDict)
    _held: int = 0
    _lock: Lock = field(default_factory=Lock)

    def get(self, reading: Reading, dimension: int) -> View:
        """Return the view of a reading; a look into the past gets one of its own."""
        if reading.as_of is not None:
            return View(reading, dimension)
        with self._lock:
            view = self._views.get(reading)
            if view is None:
                view = self._views[reading] = View(reading, dimension)
            else:
                self._views.move_to_end(reading)
            return view

    def find(self, reading: Reading) -> View | None:
        """Return the view of a reading if it is at hand; it may be behind the file."""
        with self._lock:
            return self._views.get(reading)

    def settle(self, view: View) -> None:
        """Take note of how large a view has become, and drop others while all are too large.

        The one used last stays, or a view beyond the budget would be built for every search.
        """
        if view.held == view.nbytes:
            return
        with self._lock:
            if self._views.get(view.reading) is not view:
                return  # dropped, or a look into the past
            size = view.nbytes
            self._held += size - view.held
            view.held = size
            while self._held > self.budget and len(self._views) > 1:
                _, coldest = self._views.popitem(last=False)
                self._held -= coldest.held

    def clear(self) -> None:
        """Drop all views, as after a change of every vector."""
        with self._lock:
            self._views.clear()
            self._held = 0

    def renew(self) -> None:
        """Forget, in a forked child, what a thread was changing that is not there any more."""
        whole = [view for view in self._views.values() if not view.lock.abandoned]
        self._views = OrderedDict((view.reading, view) for view in whole)
        self._held = sum(view.held for view in whole)

    def readings(self) -> list[Reading]:
        """Return what is cached."""
        with self._lock:
            return list(self._views)
