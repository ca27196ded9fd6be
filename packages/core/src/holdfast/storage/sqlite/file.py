"""One open file: its database, its views, its clock, and whose vectors it holds.

Everything else in this folder is either SQL over an open transaction, or an operation on a
`File`: one transaction, one thread hop.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from holdfast.errors import EmbedderMismatchError, HoldfastError, StorageError
from holdfast.forking import Lock, renewed
from holdfast.storage.contract import codec, damage
from holdfast.storage.contract.reach import NAMESPACE_BITS
from holdfast.storage.contract.storage import VIEW_BUDGET
from holdfast.storage.index.graphs import Graphs, GraphView
from holdfast.storage.index.loading import GraphReading, Reading
from holdfast.storage.index.views import View, Views
from holdfast.storage.sqlite import document_rows, erasure
from holdfast.storage.sqlite.database import Connection, Database, Durability
from holdfast.storage.sqlite.filters import place
from holdfast.storage.sqlite.loading import SqliteLoader
from holdfast.storage.sqlite.schema import STEPS
from holdfast.storage.sqlite.wal_erasure import EVERY
from holdfast.types import utc_now

# Expired records, and documents, erased in one transaction; and how many of those at once, where
# the file is opened or closed.
SLICE = 200
SLICES = 25


class File:
    """What all operations on one file share.

    Args:
        path, key, durability: See `Database`.
        indexed: Metadata fields that get an index of their own, e.g. ``"topic"``.
        view_budget: Bytes that views may hold in memory.
        upkeep: Seconds between two looks for pending erasures; see `remains`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        key: str | bytes | None = None,
        durability: Durability = "normal",
        indexed: Sequence[str] = (),
        view_budget: int = VIEW_BUDGET,
        upkeep: float = EVERY,
    ) -> None:
        self.database = Database(path, key=key, durability=durability, upkeep=upkeep)
        self.views = Views(view_budget)
        self.graphs = Graphs()
        self._clock = Clock()
        self._embedder: tuple[str, int] | None = None
        try:
            self.database.migrate("core", STEPS)
            for name in indexed:
                self._index(name)
        except BaseException:  # no caller holds it yet
            self.database.close()
            raise
        renewed(self)
        self._purge()
        self.database.tended_by(self._purge_some)

    def renew(self) -> None:
        """Forget, in a forked child, views that another thread may have left half changed."""
        self.views.renew()
        self.graphs = Graphs()

    def close(self) -> None:
        """Close the file; views go with it."""
        if not self.database.closed:
            self._purge()
        self.views.clear()
        self.graphs.clear()
        self.database.close()

    def now(self) -> int:
        """Return record time: microseconds, never the same twice in this process."""
        return self._clock.tick()

    def _purge(self) -> None:
        """Erase what has expired, though not for ever; what fails is left to a later time."""
        with suppress(StorageError):
            for _ in range(SLICES):
                if not self._purge_some():
                    return

    def _purge_some(self) -> bool:
        """Erase a slice of what has expired; return whether that was not all."""
        with self.database.read() as connection:
            if not connection.execute(_EXPIRED, {"now": self.now()}).fetchone()[0]:
                return False
        with self.database.write() as connection:
            now = self.now()
            gone = erasure.purge_expired(connection, now, SLICE)
            swept = document_rows.drop_expired(connection, now, SLICE)
        return SLICE in (len(gone), swept)

    def _index(self, name: str) -> None:
        where = place("metadata", tuple(name.removeprefix("metadata.").split(".")))
        # In hex, for SQLite takes two names that differ in case alone for one.
        label = name.encode().hex()
        with self.database.write() as connection:
            connection.execute(
                f"CREATE INDEX IF NOT EXISTS records_within_{label}"
                f" ON records(id >> {NAMESPACE_BITS}, json_extract({', '.join(where)}))"
            )

    # -- whose vectors --------------------------------------------------------------------------

    def embedder(self) -> tuple[str, int] | None:
        """Return fingerprint and dimension of the vectors in the file; None in a new one."""
        if self._embedder is None:
            with self.database.read() as connection:
                self._embedder = _embedder(connection)
        return self._embedder

    def knows(self, fingerprint: str) -> bool:
        """Return whether this is the file's embedder as far as is known without a look."""
        return self._embedder is not None and self._embedder[0] == fingerprint

    def forget_embedder(self) -> None:
        """Look anew, for every vector may have changed."""
        self._embedder = None
        self.views.clear()

    def check_embedder(self, fingerprint: str) -> None:
        """Raise `EmbedderMismatchError` unless the file was written with this embedder."""
        known = self.embedder()
        if known is not None and known[0] != fingerprint:
            self.forget_embedder()  # another process may have embedded anew
            known = self.embedder()
        if known is not None and known[0] != fingerprint and self._holds_vectors():
            raise EmbedderMismatchError(known[0], fingerprint)

    def claim_embedder(self, connection: Connection, fingerprint: str, dimension: int) -> None:
        """Note the embedder of a new file, or of an emptied one; refuse another one's vectors.

        A dimension of 0 is of records that are to be embedded later: nothing is noted.

        Raises:
            EmbedderMismatchError: The file's vectors are of another embedder or dimension.
        """
        known = _embedder(connection)
        if known is not None and known[0] == fingerprint and dimension in (0, known[1]):
            return
        if known is not None and _has_vectors(connection):
            given = f"{fingerprint} of {dimension or 'unknown'} dimensions"
            raise EmbedderMismatchError(f"{known[0]} of {known[1]} dimensions", given)
        if dimension:
            connection.execute("REPLACE INTO properties VALUES ('embedder', ?)", (fingerprint,))
            connection.execute("REPLACE INTO properties VALUES ('dimension', ?)", (dimension,))
            self.forget_embedder()

    def _holds_vectors(self) -> bool:
        with self.database.read() as connection:
            return _has_vectors(connection)

    # -- views ----------------------------------------------------------------------------------

    @contextmanager
    def viewing(
        self, reading: Reading, *, writing: bool = False
    ) -> Iterator[tuple[SqliteLoader, View]]:
        """Lend a view at its own snapshot; while the file holds no vectors, one of words alone.

        The view is locked before the snapshot is taken, so it never has to look back. With
        `writing`, the snapshot is a write transaction, which sees the latest and keeps it.

        Raises:
            EmbedderMismatchError: Another process gave the file other vectors meanwhile.
        """
        known = self.embedder()
        view = self.views.get(reading, known[1] if known else 0)
        database = self.database
        database.settle()  # while this waits for the view, its reader may wait for the writer
        with view.lock:
            followed = False
            try:
                with database.write(alone=True) if writing else database.read() as connection:
                    with damage.Reading("the rows of a view"):
                        loader = SqliteLoader(connection)
                        dimension, newest = self._state(connection, known)
                        view.fit(dimension)
                        view.follow(loader, newest)
                    followed = not writing  # else what it followed may be taken back
                    yield loader, view
            except BaseException as error:
                # Interrupted half-way; or failed, and what the view holds may be why.
                if not followed or not isinstance(error, HoldfastError):
                    view.clear()
                raise
            finally:
                self.views.settle(view)  # it may have grown: by rows, or by what was asked of it

    def _state(self, connection: Connection, known: tuple[str, int] | None) -> tuple[int, int]:
        """Return the dimension of the vectors (0: there are none) and the last entry of the log.

        Raises:
            EmbedderMismatchError: The vectors are not of the embedder that was known.
        """
        *found, newest = connection.execute(_STATE).fetchone()
        if known is None:
            known = _embedder(connection)  # the first vectors may have come meanwhile
        elif tuple(found) != known:
            self.forget_embedder()
            raise EmbedderMismatchError(str(found[0]), known[0])
        return known[1] if known else 0, newest or 0

    @contextmanager
    def graph(self, reading: GraphReading) -> Iterator[tuple[SqliteLoader, GraphView]]:
        """Lend a graph view at its own snapshot; it needs no vectors."""
        view = self.graphs.get(reading)
        self.database.settle()  # see `viewing`
        with lending(view), self.database.read() as connection:
            with damage.Reading("the relations of a view"):
                loader = SqliteLoader(connection)
                view.follow(loader)
            yield loader, view


@contextmanager
def lending(view: GraphView) -> Iterator[None]:
    """Lock a graph view; clear it when what is done with it fails, for it may be why.

    An error of ours, such as that of a wrong filter, is no such failure.
    """
    with view.lock:
        try:
            yield
        except HoldfastError:
            raise
        except BaseException:
            view.clear()
            raise


class Clock:
    """Microseconds of real time that never stand still or run back within a process."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = Lock()

    def tick(self) -> int:
        """Return the time, later than any time returned before."""
        with self._lock:
            self._last = max(self._last + 1, codec.to_micros(utc_now()))
            return self._last


_EXPIRED = (
    "SELECT EXISTS (SELECT 1 FROM records r WHERE expires_at <= :now"
    " AND version = (SELECT max(version) FROM records v WHERE v.key = r.key))"
    " OR EXISTS (SELECT 1 FROM documents WHERE expires_at <= :now)"
)
_EMBEDDER = (
    "SELECT (SELECT value FROM properties WHERE name = 'embedder'),"
    " (SELECT value FROM properties WHERE name = 'dimension')"
)
_STATE = f"{_EMBEDDER}, (SELECT max(seq) FROM log)"


def _embedder(connection: Connection) -> tuple[str, int] | None:
    fingerprint, dimension = connection.execute(_EMBEDDER).fetchone()
    if fingerprint is None:
        return None
    if not (isinstance(fingerprint, str) and type(dimension) is int and 0 < dimension < 1 << 20):
        raise damage.found("the name of its embedder, or its dimension")
    return fingerprint, dimension


def _has_vectors(connection: Connection) -> bool:
    row = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM records WHERE length(vectors) > 0)"
        " OR EXISTS (SELECT 1 FROM documents WHERE length(vectors) > 0)"
    ).fetchone()
    return bool(row[0])
