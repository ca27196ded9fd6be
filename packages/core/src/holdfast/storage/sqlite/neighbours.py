"""The stored facts that may bear on new ones: near in meaning or words, or of the same slot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from holdfast.storage.contract import codec, damage
from holdfast.storage.contract.arrays import Floats
from holdfast.storage.contract.pipeline import NearFact, NeighbourQuery, Neighbours
from holdfast.storage.contract.reach import NAMESPACE_BITS, Reach
from holdfast.storage.index.searching import find
from holdfast.storage.index.views import View
from holdfast.storage.sqlite import records
from holdfast.storage.sqlite.database import Connection
from holdfast.storage.sqlite.loading import SqliteLoader
from holdfast.storage.sqlite.namespaces import within


def nearby(
    loader: SqliteLoader, view: View, reach: Reach, approaches: Sequence[NeighbourQuery], now: int
) -> Neighbours:
    """Return what is near each new fact, ended facts included."""
    found = []
    for approach in approaches:
        probe = approach.probe
        hits = find(loader, view, probe, now) if probe else ()
        others = _same_place(loader.connection, reach, approach)
        rows = list(dict.fromkeys([*(hit.row_id for hit in hits), *others]))
        found.append(_known(loader.connection, rows, probe.vector if probe else None))
    return tuple(found)


def _same_place(connection: Connection, reach: Reach, approach: NeighbourQuery) -> list[int]:
    """Return live facts that fill a slot of the fact, or say the same in the same words.

    Namespace by namespace: every user of a file may fill a slot of this name.
    """
    marks = ",".join("?" * len(approach.slots))
    where, values = within(reach)
    bounds = f">= n.no << {NAMESPACE_BITS}", f"< (n.no + 1) << {NAMESPACE_BITS}"
    named = (
        "SELECT r.id AS found FROM namespaces n CROSS JOIN records r"
        f" ON r.digest = ? AND r.id {bounds[0]} AND r.id {bounds[1]} WHERE {where}"
    )
    placed = (
        "SELECT s.record FROM namespaces n CROSS JOIN slots s ON s.slot IN"
        f" ({marks}) AND s.record {bounds[0]} AND s.record {bounds[1]} WHERE {where}"
    )
    bound = [approach.digest, *values]
    if approach.slots:
        named = f"{named} UNION {placed}"
        bound += [*approach.slots, *values]
    rows = connection.execute(
        f"SELECT id FROM records WHERE id IN ({named}) AND kind = 'fact' AND retired_at IS NULL"
        " ORDER BY id",
        bound,
    )
    return [row[0] for row in rows]


def _known(
    connection: Connection, row_ids: Sequence[int], vector: Floats | None
) -> tuple[NearFact, ...]:
    found = records.fetch(connection, row_ids)
    known = []
    for row_id in row_ids:
        relations, blob = connection.execute(
            "SELECT relations, vectors FROM records WHERE id = ?", (row_id,)
        ).fetchone()
        with damage.Reading("a fact"):
            listed = tuple(codec.from_json(relations))
            similarity = _cosine(blob, vector) if blob and vector is not None else 0.0
            known.append(NearFact(row_id, found[row_id], listed, similarity))
    return tuple(known)


def _cosine(blob: bytes, vector: Floats) -> float:
    stored = np.frombuffer(blob, dtype=np.float32).reshape(-1, len(vector))
    return float((stored @ vector).max())
