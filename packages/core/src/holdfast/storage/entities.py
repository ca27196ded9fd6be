"""Vectors of the names that relations state: each hangs on the row of a fact, and goes with it.

A cache: a name whose vector went is embedded again when a fact next states it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from holdfast.storage.codec import Floats
from holdfast.storage.database import Connection
from holdfast.storage.namespaces import Region
from holdfast.storage.schema import ROWS


@dataclass(frozen=True, slots=True)
class Named:
    """A name as it is kept.

    Attributes:
        name: Its bare form (`holdfast.language.names.bare`).
        vector: Of its spelling; a unit vector, float32.
        settled: It is known whether another name is the same: nobody need be asked again.
    """

    name: str
    vector: Floats
    settled: bool


def link(connection: Connection, row_id: int, names: Iterable[Named]) -> None:
    """Keep names with the row of the fact that states them."""
    connection.executemany(
        "REPLACE INTO entities (record, name, settled, vector) VALUES (?, ?, ?, ?)",
        [(row_id, one.name, one.settled, one.vector.tobytes()) for one in names],
    )


def forget(connection: Connection, row_id: int) -> None:
    """Drop what hangs on a row."""
    connection.execute("DELETE FROM entities WHERE record = ?", (row_id,))


def known(connection: Connection, region: Region, user: str) -> dict[str, Named]:
    """Return the names of one user of a region; "" where none is named."""
    rows = connection.execute(
        "SELECT e.name, e.settled, e.vector FROM namespaces n JOIN entities e ON"
        f" {ROWS.replace('r.id', 'e.record')}"
        f" WHERE {region.condition} AND coalesce(n.user_id, '') = ?",
        (*region.parameters, user),
    )
    found: dict[str, Named] = {}
    for name, settled, vector in rows:
        settled = bool(settled) or (name in found and found[name].settled)
        found[name] = Named(name, np.frombuffer(vector, dtype=np.float32), settled)
    return found
