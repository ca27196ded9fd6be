"""What a graph adds to a search: the rows that its relations lift, and by how much.

Two halves, each from 0 to 1. *Entity*: of whatever the question names, the relations to its
neighbours; one that joins two names counts in full, any other a quarter, less the more relations
the neighbour has. *Triplet*: the facts that state a relation and are nearest to the question; a
fact's words are the words of its relations, and its vector is in the view. Either half lifts the
facts and the turns they rest on. `benchmarks/graph_recall.py` measures what it gains.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

import numpy as np

from holdfast.language.names import named
from holdfast.storage.contract.arrays import Floats, Positions
from holdfast.storage.contract.graph import STATEMENTS
from holdfast.storage.contract.search import KIND_CODES
from holdfast.storage.index.edges import Edge
from holdfast.storage.index.graphs import GraphView
from holdfast.storage.index.loading import Loader
from holdfast.storage.index.nearest import Question
from holdfast.storage.index.views import View

SHARES = (0.5, 0.5)
"""Of the entity half and of the triplet half."""

NEAREST: Final = 20
"""So many facts are lifted by the triplet half, the last of them by nothing."""

UNASKED: Final = 0.25
"""What a relation counts to a neighbour that the question does not name."""

# Of a hub; beyond, what a relation says of the question is next to nothing.
MOST_NEIGHBOURS: Final = 300
MOST_RELATIONS: Final = 20

Lifted: TypeAlias = Mapping[int, float]  # by row id


@dataclass(frozen=True, slots=True)
class Asked:
    """A question.

    Attributes:
        query: Its words.
        vector: Its unit vector.
        valid_at: The event time it is about, in microseconds.
        now: Record time.
    """

    query: str
    vector: Floats
    valid_at: int | None
    now: int

    def holds(self, edge: Edge) -> bool:
        """Say whether a relation may lift anything."""
        return edge.label not in STATEMENTS and edge.holds(self.now, self.valid_at)


def lifts(loader: Loader, view: View, network: GraphView, asked: Asked) -> Floats:
    """Return by how much relations lift each position of a view, 0 to 1.

    A filter says what may be found, not which relations may lift it; those that are over may not.

    Args:
        loader: The snapshot that both views have followed.
        view, network: Of the same reach and moment, both locked.
        asked: The question.
    """
    joined = _entity(network, asked)
    near = _triplet(loader, view, network, asked)
    sources = loader.sources([*dict.fromkeys([*joined, *near])])
    halves = (_full(_summed(joined, sources)), _best(near, sources))
    lifted = np.zeros(len(view.rows), dtype=np.float32)
    ids = view.rows.table["id"]
    for share, half in zip(SHARES, halves, strict=True):
        places = view.positions(half)
        lifted[places] += [share * half[row_id] for row_id in ids[places].tolist()]
    return lifted


def _entity(network: GraphView, asked: Asked) -> Lifted:
    """Return how much the relations of each row say of what a question names."""
    found = named(asked.query, network.named)
    nodes = dict.fromkeys(node for name in found for node in network.named(name))
    lifted: dict[int, float] = defaultdict(float)
    for node in nodes:
        near = ((n, [*filter(asked.holds, edges)]) for n, edges in network.near(node).items())
        for other, edges in islice((one for one in near if one[1]), MOST_NEIGHBOURS):
            joins = 1.0 if other in nodes else UNASKED
            share = joins / math.log2(2 + network.degree(other))
            for edge in edges[-MOST_RELATIONS:]:
                lifted[edge.row_id] += share
    return lifted


def _triplet(loader: Loader, view: View, network: GraphView, asked: Asked) -> Lifted:
    """Return the nearest facts that state a relation: from 1, the nearest, to 0."""
    table = view.rows.table
    stating = view.rows.visible(asked.now, view.reading.as_of, asked.valid_at)
    stating &= table["kind"] == KIND_CODES["fact"]
    stating &= np.isin(table["id"], np.fromiter(network.rows(), dtype=np.int64))
    places, cosines = _nearest(Question(loader, view, asked.vector, view.embedded(stating)))
    best: dict[int, float] = {}
    for row_id, cosine in zip(table["id"][places].tolist(), cosines.tolist(), strict=True):
        if any(map(asked.holds, network.stated(row_id))):
            best.setdefault(row_id, cosine)
    high, low = max(best.values(), default=0.0), min(best.values(), default=0.0)
    return {row_id: (cosine - low) / (high - low or 1.0) for row_id, cosine in best.items()}


def _nearest(question: Question) -> tuple[Positions, Floats]:
    """Return the nearest positions, the nearest first, and their cosines."""
    places = np.flatnonzero(question.allowed)
    if question.view.vectors.coded and len(places):
        places, cosines = question.nearest(NEAREST)
    else:
        cosines = question.cosines(places)
    order = np.lexsort((places, -cosines))[:NEAREST]
    return places[order], cosines[order]


def _summed(lifted: Lifted, sources: Mapping[int, Iterable[int]]) -> Lifted:
    """Return what rows and what they rest on are lifted by: a turn by all its facts together."""
    total = defaultdict(float, lifted)
    for row_id, value in lifted.items():
        for source in sources.get(row_id, ()):
            total[source] += value
    return total


def _best(lifted: Lifted, sources: Mapping[int, Iterable[int]]) -> Lifted:
    """Return what rows and what they rest on are lifted by: a turn by the best of its facts."""
    best = dict(lifted)
    for row_id, value in lifted.items():
        for source in sources.get(row_id, ()):
            best[source] = max(best.get(source, 0.0), value)
    return best


def _full(lifted: Lifted) -> Lifted:
    """Return lifts as shares of the largest."""
    most = max(lifted.values(), default=1.0)
    return {row_id: value / most for row_id, value in lifted.items()}
