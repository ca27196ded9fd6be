"""The columns of a view: what ranking and visibility need of each row, as numpy arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.types import KINDS, ROLES

Bools = NDArray[np.bool_]
Links = NDArray[np.int32]

NEVER = np.iinfo(np.int64).max
ALWAYS = np.iinfo(np.int64).min
DAY = 86_400_000_000

KIND_CODES = {kind: code for code, kind in enumerate(KINDS)} | {"item": len(KINDS)}
ROLE_CODES: dict[str | None, int] = {role: code for code, role in enumerate(ROLES)} | {None: -1}

ROW = np.dtype(
    [
        ("id", "i8"),
        ("place", "i8"),
        ("occurred", "i8"),
        ("valid_from", "i8"),
        ("valid_to", "i8"),
        ("expires", "i8"),
        ("importance", "f4"),
        ("words", "i4"),
        ("traits", "i4"),
        ("speaker", "i4"),
        ("session", "i4"),
        ("previous", "i4"),
        ("next", "i4"),
        ("kind", "i1"),
        ("role", "i1"),
        ("alive", "?"),
    ]
)


class Rows:
    """A growing table of `ROW`, with the speakers and sessions that its numbers stand for.

    A session is a run, else a day of a namespace. Its turns are linked in their order.
    """

    def __init__(self) -> None:
        self._table = np.zeros(64, dtype=ROW)
        self._count = 0
        self.speakers: dict[str, int] = {}
        self._sessions: dict[tuple[int, int], int] = {}
        self._last: dict[int, int] = {}  # session -> position of its last turn

    def __len__(self) -> int:
        """Return the number of positions, dead ones included."""
        return self._count

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return int(self._table.nbytes)

    @property
    def table(self) -> NDArray[Any]:
        """The rows, one structured entry a position."""
        return self._table[: self._count]

    def visible(self, now: int, valid_at: int | None) -> Bools:
        """Say which rows are alive, not expired, and hold at a moment of event time.

        Without `valid_at` a row must not have ended; with it, it must also have begun (a turn
        begins when it is said).
        """
        table = self.table
        seen: Bools = table["alive"] & (table["expires"] > now)
        moment = now if valid_at is None else valid_at
        seen &= table["valid_to"] > moment
        if valid_at is not None:
            seen &= table["valid_from"] <= valid_at
        return seen

    # -- writing --------------------------------------------------------------------------------

    def append(self, rows: Sequence[tuple[Any, ...]], words: Sequence[int]) -> Links:
        """Append rows as `views` selects them; return each one's previous turn, or -1."""
        start = self._count
        self._grow(len(rows))
        for offset, (row, count) in enumerate(zip(rows, words, strict=True)):
            self._table[start + offset] = self._entry(start + offset, row, count)
        return self.table["previous"][start:].copy()

    def extends(self, rows: Sequence[tuple[Any, ...]]) -> bool:
        """Say whether these rows all come behind the turns of their sessions."""
        for row in rows:
            last = self._last.get(self._session(row)) if row[2] == "turn" else None
            if last is not None and self._table["place"][last] >= row[1]:
                return False
        return True

    def refresh(self, position: int, row: tuple[Any, ...]) -> None:
        """Take over what may change of a row: when it ends."""
        entry = self._table[position]
        entry["valid_to"] = NEVER if row[9] is None else row[9]
        entry["expires"] = NEVER if row[10] is None else row[10]

    def remove(self, position: int) -> list[tuple[int, int]]:
        """Mark a row dead and close the gap it leaves; return (follower, its new previous)."""
        entry = self._table[position]
        entry["alive"] = False
        before, after = int(entry["previous"]), int(entry["next"])
        if before >= 0:
            self._table["next"][before] = after
        if after >= 0:
            self._table["previous"][after] = before
            return [(after, before)]
        if entry["kind"] == KIND_CODES["turn"]:
            self._end_session(int(entry["session"]), before)
        return []

    def _end_session(self, session: int, last: int) -> None:
        if last >= 0:
            self._last[session] = last
        else:
            self._last.pop(session, None)

    def _grow(self, more: int) -> None:
        self._count += more
        if self._count > len(self._table):
            grown = np.zeros(max(self._count, 2 * len(self._table)), dtype=ROW)
            grown[: len(self._table)] = self._table
            self._table = grown

    def _entry(self, position: int, row: tuple[Any, ...], words: int) -> tuple[Any, ...]:
        row_id, place, kind, role, speaker, importance, traits = row[:7]
        occurred, valid_from, valid_to, expires = row[7:11]
        begins = occurred if valid_from is None and kind == "turn" else valid_from
        session = self._session(row)
        return (
            row_id,
            place,
            occurred,
            ALWAYS if begins is None else begins,
            NEVER if valid_to is None else valid_to,
            NEVER if expires is None else expires,
            importance,
            words,
            traits,
            -1 if speaker is None else self.speakers.setdefault(speaker, len(self.speakers)),
            session,
            self._link(position, session) if kind == "turn" else -1,
            -1,
            KIND_CODES[kind],
            ROLE_CODES.get(role, -1),
            True,
        )

    def _link(self, position: int, session: int) -> int:
        previous = self._last.get(session, -1)
        if previous >= 0:
            self._table["next"][previous] = position
        self._last[session] = position
        return previous

    def _session(self, row: tuple[Any, ...]) -> int:
        namespace = row[0] >> 32
        key = (namespace, 0 if row[11] else row[7] // DAY)
        return self._sessions.setdefault(key, len(self._sessions))

    def lengths(self) -> NDArray[np.float32]:
        """Return each row's length from 0 (empty) to 1 (some fifty words), logarithmic."""
        scaled = np.log1p(self.table["words"].astype(np.float32)) / math.log1p(54)
        return np.minimum(scaled, 1.0)

    def links(self) -> Iterator[tuple[int, int]]:
        """Yield (row id, row id of its previous turn) of the live turns; for checks."""
        table = self.table
        for entry in table[table["alive"] & (table["previous"] >= 0)]:
            yield int(entry["id"]), int(table["id"][entry["previous"]])
