"""When records were last read: documents beside them, so that reading rewrites no record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone

from holdfast import Documents
from holdfast.documents import Document, Get, Put
from holdfast.forking import Lock

# Read times may be lost with the process; so many are gathered before one write.
MOST_WAITING = 256
_NAMESPACE = ("crewai", "last access")
_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)


class LastAccess:
    """Times of the latest read, by record id; gathered in memory, written now and then.

    Args:
        documents: Those of the tenant whose records they are.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._waiting: dict[str, int] = {}
        self._lock = Lock()

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
            puts = [Put(_NAMESPACE, key, micros) for key, micros in waiting.items()]
            self._documents.batch(puts, strict=True)

    def times(self, ids: Sequence[str]) -> dict[str, datetime]:
        """Return the times that are known, naive and in UTC as CrewAI has them."""
        found = self._documents.batch([Get(_NAMESPACE, key) for key in ids], strict=True)
        known: dict[str, int] = {one.key: one.value for one in found if isinstance(one, Document)}
        with self._lock:
            known |= {key: self._waiting[key] for key in ids if key in self._waiting}
        return {key: _EPOCH + micros * _MICROSECOND for key, micros in known.items()}
