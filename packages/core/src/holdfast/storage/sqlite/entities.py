"""Vectors of the names that relations state: each hangs on the row of a fact, and goes with it.

A cache: a name whose vector went is embedded again when a fact next states it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from holdfast.storage.contract import damage
from holdfast.storage.contract.arrays import Floats
from holdfast.storage.contract.memories import NameVector
from holdfast.storage.contract.reach import Reach
from holdfast.storage.sqlite.database import Connection
from holdfast.storage.sqlite.namespaces import within
from holdfast.storage.sqlite.schema import ROWS


@dataclass(frozen=True, slots=True)
class Kept:
    """The names that are kept, some of them with several facts.

    Attributes:
        names: Bare forms.
        settled: Those with which nothing is left to ask.
        vectors: Shape (names, dimension).
    """

    names: list[str]
    settled: frozenset[str]
    vectors: Floats


def link(connection: Connection, row_id: int, names: Iterable[NameVector]) -> None:
    """Keep names with the row of the fact that states them."""
    connection.executemany(
        "REPLACE INTO entities (record, name, settled, vector) VALUES (?, ?, ?, ?)",
        [(row_id, one.name, one.settled, one.vector.tobytes()) for one in names],
    )


def known(connection: Connection, reach: Reach, user: str, dimension: int) -> Kept:
    """Return the names of one user of a reach ("": of none) with vectors of this dimension."""
    where, values = within(reach)
    rows = connection.execute(
        "SELECT e.name, e.settled, e.vector FROM namespaces n JOIN entities e ON"
        f" {ROWS.replace('r.id', 'e.record')}"
        f" WHERE {where} AND coalesce(n.user_id, '') = ? AND length(e.vector) = ?",
        (*values, user, 4 * dimension),
    ).fetchall()
    names = [row[0] for row in rows]
    with damage.Reading("the vectors of names"):
        vectors = np.frombuffer(b"".join(row[2] for row in rows), dtype=np.float32)
    settled = frozenset(name for name, done, _ in rows if done)
    return Kept(names, settled, vectors.reshape(len(names), dimension))
