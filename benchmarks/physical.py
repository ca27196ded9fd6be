"""Physical limits: what an operation, or a part of one, would cost with nothing around it.

Two references say what SQLite alone needs for one of our adds, with the same driver, pragmas and
`synchronous` level: `SameBytes` writes one row of one table, as many bytes as the rows of our add
hold; `SameRows` writes those rows themselves, into the same tables with the same indexes.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import Stemmer
from holdfast.storage.sqlite.database import Database, Durability
from material import DIMENSION, Asked, Memo, memos

Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Written:
    """What the adds of a file wrote.

    Attributes:
        schema: The statements that make its tables and indexes.
        columns: Of each table, those that are written.
        groups: One entry an add: the rows it wrote, each behind the name of its table.
        payload: Bytes in all columns of one add's rows, on average; an integer counts eight.
    """

    schema: tuple[str, ...]
    columns: dict[str, list[str]]
    groups: list[list[tuple[str, Row]]]
    payload: int


def written(database: Database, adds: int) -> Written:
    """Read what so many equal adds wrote: the rows of every table that they share evenly."""
    groups: list[list[tuple[str, Row]]] = [[] for _ in range(adds)]
    columns: dict[str, list[str]] = {}
    with database.read() as connection:
        parts = connection.execute(
            "SELECT type, name, sql FROM sqlite_master"
            " WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%'"
        ).fetchall()
        for table in [name for kind, name, _ in parts if kind == "table"]:
            # Without what SQLite works out of the others.
            told = connection.execute(f'PRAGMA table_info("{table}")')
            columns[table] = [row[1] for row in told]
            listed = ", ".join(f'"{column}"' for column in columns[table])
            rows = connection.execute(f'SELECT {listed} FROM "{table}"').fetchall()
            for place, row in enumerate(rows if len(rows) % adds == 0 else ()):
                groups[place * adds // len(rows)].append((table, row))
    held = sum(_size(value) for group in groups for _, row in group for value in row)
    return Written(tuple(sql for _, _, sql in parts), columns, groups, held // adds)


def _size(value: Any) -> int:
    if isinstance(value, bytes):
        return len(value)
    return len(value.encode()) if isinstance(value, str) else 0 if value is None else 8


class Bare:
    """One connection as ours are configured, and transactions by hand."""

    def __init__(self, path: Path, durability: Durability, schema: Sequence[str]) -> None:
        self._stack = ExitStack()
        database = Database(path, durability=durability)
        self._stack.callback(database.close)
        self.connection = self._stack.enter_context(database.bare())
        made = self.connection.execute("SELECT sql FROM sqlite_master").fetchall()
        for statement in schema:
            if (statement,) not in made:  # a new file has one table from the beginning
                self.connection.execute(statement)

    def close(self) -> None:
        """Close the file."""
        self._stack.close()


_BARE = (
    "CREATE TABLE IF NOT EXISTS bare (id INTEGER PRIMARY KEY, text, value, vector BLOB, rest BLOB)"
)


class SameBytes(Bare):
    """One table, one row an add, as many bytes as one of our adds writes."""

    def __init__(self, path: Path, durability: Durability, payload: int) -> None:
        super().__init__(path, durability, (_BARE,))
        self._payload = payload

    def add(self, memos: Sequence[Memo]) -> None:
        """Write rows in one transaction."""
        rows = [self._row(memo) for memo in memos]
        self.connection.execute("BEGIN IMMEDIATE")
        for row in rows:
            self.connection.execute("INSERT INTO bare VALUES (NULL, ?, ?, ?, ?)", row)
        self.connection.execute("COMMIT")

    def _row(self, memo: Memo) -> tuple[str, str, bytes, bytes]:
        value, vector = json.dumps(memo.value), memo.vector.tobytes()
        rest = self._payload - len(memo.text) - len(value) - len(vector)
        return memo.text, value, vector, bytes(max(0, rest))


class SameRows(Bare):
    """The rows of our adds, into the same tables and indexes."""

    def __init__(self, path: Path, durability: Durability, source: Written) -> None:
        super().__init__(path, durability, source.schema)
        self._groups = iter(source.groups)
        self._columns = source.columns

    def add(self) -> None:
        """Write the rows of the next add in one transaction."""
        group = next(self._groups)
        self.connection.execute("BEGIN IMMEDIATE")
        for table, row in group:
            marks = ", ".join("?" * len(row))
            listed = ", ".join(f'"{column}"' for column in self._columns[table])
            self.connection.execute(f'INSERT INTO "{table}" ({listed}) VALUES ({marks})', row)
        self.connection.execute("COMMIT")


# -- limits of parts ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Limit:
    """What part of an operation would cost alone, in microseconds, and what was measured."""

    part: str
    cost: float
    what: str


def of_adding(
    database: Database, durability: Durability, made: Sequence[Memo], step: Callable[[int], object]
) -> list[Limit]:
    """Return the limits of an add, given a file that holds adds of half the memos and no more.

    The other half is added to it now, in turn with the bare references, so that all meet the same
    disk.
    """
    half = len(made) // 2
    source = written(database, half)
    whole = _wal(database, step, range(half, half + 10))
    folder, name = database.path.parent, database.path.stem
    same_bytes = SameBytes(folder / f"{name} bytes.db", durability, source.payload)
    same_rows = SameRows(folder / f"{name} rows.db", durability, source)
    for at in range(half // 2):
        same_bytes.add(made[at : at + 1])
        same_rows.add()
    ours, plain, alike = [], [], []
    for at in range(half // 2, half - 10):
        ours.append(_microseconds(partial(step, half + 10 + at)))
        plain.append(_microseconds(partial(same_bytes.add, made[at : at + 1])))
        alike.append(_microseconds(same_rows.add))
    same_bytes.close()
    same_rows.close()
    floor = statistics.median(plain)
    ratio = statistics.median(ours) / floor
    return [
        Limit("the whole, in turn with these", ratio * floor, f"{ratio:.2f} times the same bytes"),
        Limit("SQLite", floor, f"the same bytes ({source.payload:,}) in one row of one table"),
        Limit("SQLite", statistics.median(alike), "the same rows in the same tables and indexes"),
        Limit("bytes of the write-ahead log", whole, "bytes, not time"),
        Limit("JSON", best(lambda: json.dumps(made[0].value)), "one value written"),
        Limit("words", _stemmed(made[0].text), "its words split and stemmed"),
        Limit("unit vectors", best(lambda: made[0].vector.tobytes()), "one vector as bytes"),
    ]


def of_finding(folder: Path, asked: Sequence[Asked], records: int) -> list[Limit]:
    """Return the limits of a search: bare SQLite, FAISS, numpy and JSON on as many rows."""
    stored = memos("", 0, records)
    bare = SameBytes(folder / "found.db", "normal", 2_000)
    bare.add(stored)
    index = faiss.IndexFlatIP(DIMENSION)
    index.add(np.stack([memo.vector for memo in stored]))
    query, values = asked[0].vector[None], [json.dumps(memo.value) for memo in stored[:10]]
    scores = np.random.default_rng(2).random(records, dtype=np.float32)
    found = [
        Limit("SQLite", best(lambda: _fetched(bare, 10)), "ten rows by id in one transaction"),
        Limit("vectors", best(lambda: index.search(query, 10)), "FAISS, flat scan for the best 10"),
        Limit("keywords", best(lambda: _summed(scores)), "numpy, six additions of a float a row"),
        Limit("ranking", best(lambda: np.argpartition(scores, -10)), "numpy, best ten of the rows"),
        Limit("JSON", best(lambda: [json.loads(one) for one in values]), "ten values read"),
        Limit("words", _stemmed(asked[0].text), "the question's words split and stemmed"),
    ]
    bare.close()
    return found


def best(work: Callable[[], object], rounds: int = 200) -> float:
    """Return the median time of some work in microseconds."""
    return statistics.median(_microseconds(work) for _ in range(rounds))


def _microseconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return 1e6 * (time.perf_counter() - begun)


def _wal(database: Database, step: Callable[[int], object], numbers: range) -> float:
    """Return how many bytes one add appends to the write-ahead log."""
    database.truncate_wal()
    for at in numbers:
        step(at)
    return database.path.with_name(f"{database.path.name}-wal").stat().st_size / len(numbers)


def _stemmed(text: str) -> float:
    stemmer = Stemmer.Stemmer("english")
    return best(lambda: stemmer.stemWords(text.casefold().split()))


def _fetched(bare: Bare, count: int) -> object:
    marks = ", ".join("?" * count)
    bare.connection.execute("BEGIN")
    rows = bare.connection.execute(
        f"SELECT id, text, value FROM bare WHERE id IN ({marks})", tuple(range(1, count + 1))
    ).fetchall()
    bare.connection.execute("COMMIT")
    return rows


def _summed(scores: np.ndarray[Any, np.dtype[np.float32]]) -> object:
    total = np.zeros_like(scores)
    for _ in range(6):
        total += scores
    return total
