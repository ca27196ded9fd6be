"""The passage table of a view: what ranking and visibility need of each row, as numpy arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.storage.contract.search import KIND_CODES, ROLE_CODES
from holdfast.storage.index.arrays import GrowableArray, more_than
from holdfast.storage.index.loading import NEVER, Row

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Links = NDArray[np.int32]
Bounds = NDArray[np.int32]

DAY = 86_400_000_000


ROW = np.dtype(
    [
        ("id", "i8"),
        ("place", "i8"),
        ("passage", "i4"),
        ("passages", "i4"),
        ("occurred", "i8"),
        ("valid_from", "i8"),
        ("valid_to", "i8"),
        ("expires", "i8"),
        ("importance", "f4"),
        ("words", "i4"),
        ("characters", "i4"),
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

# A row alone: one passage, nothing before or after it.
_BLANK = np.zeros((), dtype=ROW)
_BLANK["passages"], _BLANK["previous"], _BLANK["next"], _BLANK["alive"] = 1, -1, -1, True

# The fields that rows bring along, in the order in which `views` selects them; kind, role and
# speaker have numbers of their own.
_COPIED = (
    "id",
    "place",
    "kind",
    "role",
    "speaker",
    "importance",
    "traits",
    "occurred",
    "valid_from",
    "valid_to",
    "expires",
)


class PassageTable:
    """A growing table of `ROW`, one entry a passage; and what its numbers stand for.

    The passages of a row lie together. A session is a run, else a day of a namespace. Its
    passages are linked in their order, over the turns; a turn that was said anew has ended, and
    its new words alone stand in the line.

    Attributes:
        speakers: Number of each speaker of a live row; a name goes with its last one.
        kinds: Those that there are.
        single: Whether every row has one passage.
    """

    def __init__(self) -> None:
        self._table = np.zeros(64, dtype=ROW)
        self._count = 0
        self._alive = GrowableArray(np.bool_)  # that field of the table, in one piece
        self.speakers: dict[str, int] = {}
        self._heard: dict[int, tuple[str, int]] = {}  # by number: the name, and its live rows
        self._next_speaker = 0
        self.kinds: set[str] = set()
        self.single = True
        self._sessions: dict[tuple[int, int], int] = {}
        self._last: dict[int, int] = {}  # session -> position of its last passage
        self._mortal = False  # some row ends or expires

    def __len__(self) -> int:
        """Return the number of positions, dead ones included."""
        return self._count

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return int(self._table.nbytes) + self._alive.nbytes

    @property
    def table(self) -> NDArray[Any]:
        """The rows, one structured entry a position."""
        return self._table[: self._count]

    def taken(self, positions: Ints) -> NDArray[Any]:
        """Return the rows of some positions, ascending; all of them without a copy."""
        return self.table if len(positions) == self._count else self.table.take(positions)

    def visible(
        self, now: int, as_of: int | None, valid_at: int | None, *, ended: bool = False
    ) -> Bools:
        """Return which rows are alive, not expired, and hold at a moment of event time.

        What has expired by now is out of sight of `as_of` too. Without `valid_at` a row must not
        have ended; with it, it must also have begun (a turn begins when it is said). With
        `ended`, neither matters.
        """
        table = self.table
        seen: Bools = self._alive.values.copy()
        if self._mortal:
            seen &= table["expires"] > now
        if ended:
            return seen
        moment = next(time for time in (valid_at, as_of, now) if time is not None)
        if self._mortal:
            seen &= table["valid_to"] > moment
        if valid_at is not None:
            seen &= table["valid_from"] <= valid_at
        return seen

    # -- writing --------------------------------------------------------------------------------

    def append(self, rows: Sequence[Row], bounds: Bounds, counts: Ints) -> Links:
        """Append rows as `views` selects them; at least one.

        Args:
            rows: In the order of their sessions.
            bounds: Start, end and words of every passage of all of them, shape (passages, 3).
            counts: How many passages each row has; none has none.

        Returns:
            For each new position the passage before it in its session, or -1.
        """
        start = self._count
        self._grow(len(bounds))
        fresh = self._table[start : self._count]
        fresh[:] = _BLANK
        self._fill(fresh, rows, counts)
        fresh["words"] = bounds[:, 2]
        fresh["characters"] = bounds[:, 1] - bounds[:, 0]
        self._alive.fill(True, len(bounds))
        said = (fresh["kind"] == KIND_CODES["turn"]) & (fresh["valid_to"] == NEVER)
        turns = start + np.flatnonzero(said)
        if len(turns):
            self._link(turns)
        previous: Links = fresh["previous"].copy()
        return previous

    def _fill(self, fresh: NDArray[Any], rows: Sequence[Row], counts: Ints) -> None:
        """Copy what the file says of each row to all its passages."""
        columns = list(zip(*rows, strict=True))
        self.kinds.update(columns[2])
        for name, count in Counter(columns[4]).items():
            if name is not None:
                self._hear(name, count)
        read: dict[str, Iterable[Any]] = dict(zip(_COPIED, columns, strict=False))
        read["kind"] = (KIND_CODES[kind] for kind in columns[2])
        read["role"] = (ROLE_CODES.get(role, -1) for role in columns[3])
        read["speaker"] = (self.speakers.get(name, -1) for name in columns[4])
        read["session"] = map(self._session, rows)
        single = len(fresh) == len(rows)
        for name, values in read.items():
            column = np.fromiter(values, ROW[name], len(rows))
            fresh[name] = column if single else np.repeat(column, counts)
        if not single:
            self.single = False
            fresh["passages"] = np.repeat(counts, counts)
            fresh["passage"] = np.arange(len(fresh)) - np.repeat(np.cumsum(counts) - counts, counts)
        self._mortal = self._mortal or min(map(min, columns[9], columns[10])) < NEVER

    def extends(self, rows: Sequence[Row]) -> bool:
        """Return whether these rows all come behind the turns of their sessions."""
        for row in rows:
            last = self._last.get(self._session(row)) if row[2] == "turn" else None
            if last is not None and self._table["place"][last] >= row[1]:
                return False
        return True

    def refresh(self, positions: range, row: Row) -> None:
        """Take over what may change of a row: when it ends."""
        self._mortal = self._mortal or min(row[9], row[10]) < NEVER
        for position in positions:
            self._table["valid_to"][position] = row[9]
            self._table["expires"][position] = row[10]

    def remove(self, positions: range) -> tuple[int, int] | None:
        """Mark a row dead and close the gap it leaves in its session.

        Returns:
            The passage behind the gap and the one now before it (or -1), if there is one behind.
        """
        self._table["alive"][positions.start : positions.stop] = False
        self._alive.values[positions.start : positions.stop] = False
        self._unhear(int(self._table["speaker"][positions.start]))
        if self._table["kind"][positions.start] != KIND_CODES["turn"]:
            return None
        before = int(self._table["previous"][positions.start])
        after = int(self._table["next"][positions.stop - 1])
        if before >= 0:
            self._table["next"][before] = after
        if after < 0:
            session = int(self._table["session"][positions.start])
            if self._last.get(session) == positions.stop - 1:
                self._end_session(session, before)
            return None
        self._table["previous"][after] = before
        return after, before

    def _end_session(self, session: int, last: int) -> None:
        if last >= 0:
            self._last[session] = last
        else:
            self._last.pop(session, None)

    def _grow(self, more: int) -> None:
        self._count += more
        if self._count > len(self._table):
            grown = np.zeros(max(more_than(self._count), 2 * len(self._table)), dtype=ROW)
            grown[: len(self._table)] = self._table
            self._table = grown

    def _link(self, turns: Ints) -> None:
        """Chain new positions to their sessions, in their order."""
        before = []
        for turn, session in zip(
            turns.tolist(), self._table["session"][turns].tolist(), strict=True
        ):
            before.append(self._last.get(session, -1))
            self._last[session] = turn
        previous = np.array(before)
        self._table["previous"][turns] = previous
        known = previous >= 0
        self._table["next"][previous[known]] = turns[known]

    def _hear(self, name: str, count: int) -> None:
        """Note that so many rows more are of a speaker; a number is never given twice."""
        if name not in self.speakers:
            self.speakers[name] = self._next_speaker
            self._next_speaker += 1
        number = self.speakers[name]
        known = self._heard[number][1] if number in self._heard else 0
        self._heard[number] = name, known + count

    def _unhear(self, number: int) -> None:
        """Note that a row of a speaker is gone; after the last one, so is the name."""
        if number in self._heard:
            name, count = self._heard[number]
            self._heard[number] = name, count - 1
            if count == 1:
                del self._heard[number], self.speakers[name]

    def _session(self, row: Row) -> int:
        namespace = row[0] >> 32
        key = (namespace, 0 if row[11] else row[7] // DAY)
        return self._sessions.setdefault(key, len(self._sessions))

    def turns(self, now: int) -> tuple[int, int]:
        """Return how many turns can be seen now, and their characters."""
        table = self.table
        said = self.visible(now, None, None) & (table["kind"] == KIND_CODES["turn"])
        count = np.count_nonzero(table["passage"][said] == 0)
        return int(count), int(table["characters"][said].sum())

    def next_change(self, now: int) -> int | None:
        """Return when a live row next begins to hold, ends or expires; None: none ever will."""
        table = self.table[self._alive.values]
        names = ("valid_from", "valid_to", "expires") if self._mortal else ("valid_from",)
        coming = [int(times.min()) for name in names if (times := _after(table[name], now)).size]
        return min(coming, default=None)

    def links(self) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        """Yield each live passage that follows another, and that other; for checks."""
        table = self.table
        for entry in table[table["alive"] & (table["previous"] >= 0)]:
            before = table[entry["previous"]]
            yield (
                (int(entry["id"]), int(entry["passage"])),
                (int(before["id"]), int(before["passage"])),
            )


def _after(times: Ints, now: int) -> Ints:
    return times[(times > now) & (times < NEVER)]
