"""When records were last read: kept aside, so that reading writes nothing to the memories."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone

from holdfast import Database
from holdfast.forking import Lock

STEPS = (
    "CREATE TABLE crewai_touches (record TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID",
)
# Read times may be lost with the process; so many are gathered before one write.
MOST_WAITING = 256
_MANY = 500
_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)


class Touches:
    """Times of the latest read, by record id; gathered in memory, written now and then."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[str, int] = {}
        self._lock = Lock()
        database.migrate("crewai-touches", STEPS)

    def touch(self, ids: Iterable[str]) -> None:
        """Note that these records were read just now."""
        self._note(dict.fromkeys(ids, datetime.now(timezone.utc).replace(tzinfo=None)))

    def set(self, record: str, moment: datetime) -> None:
        """Note when a record was read: naive, UTC."""
        self._note({record: moment})

    def _note(self, times: dict[str, datetime]) -> None:
        micros = {key: (moment - _EPOCH) // _MICROSECOND for key, moment in times.items()}
        with self._lock:
            self._waiting.update(micros)
            full = len(self._waiting) >= MOST_WAITING
        if full:
            self.flush()

    def flush(self) -> None:
        """Write what is gathered."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        if waiting:
            with self._database.write() as connection:
                connection.executemany("REPLACE INTO crewai_touches VALUES (?, ?)", waiting.items())

    def times(self, ids: Sequence[str]) -> dict[str, datetime]:
        """Return the times that are known, naive and in UTC as CrewAI has them."""
        found: dict[str, int] = {}
        with self._database.read() as connection:
            for start in range(0, len(ids), _MANY):
                some = tuple(ids[start : start + _MANY])
                marks = ",".join("?" * len(some))
                found.update(
                    connection.execute(
                        f"SELECT record, at FROM crewai_touches WHERE record IN ({marks})", some
                    ).fetchall()
                )
        with self._lock:
            found |= {key: self._waiting[key] for key in ids if key in self._waiting}
        return {key: _EPOCH + micros * _MICROSECOND for key, micros in found.items()}
