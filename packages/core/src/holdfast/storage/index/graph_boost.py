"""What a graph adds to a search: the rows that its relations boost, and by how much.

Two halves, each from 0 to 1. *Entity*: of whatever the question names, the relations to its
neighbours; one that joins two names counts in full, any other a quarter, less the more relations
the neighbour has. *Triplet*: the facts that state a relation and are nearest to the question; a
fact's words are the words of its relations, and its vector is in the view. Either half boosts the
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
"""So many facts are boosted by the triplet half, the last of them by nothing."""

UNASKED: Final = 0.25
"""What a relation counts to a neighbour that the question does not name."""

# Of a hub; beyond, what a relation says of the question is next to nothing.
MOST_NEIGHBOURS: Final = 300
MOST_RELATIONS: Final = 20

Boosts: TypeAlias = Mapping[int, float]  # by row id


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
        """Say whether a relation may boost anything."""
        return edge.label not in STATEMENTS and edge.holds(self.now, self.valid_at)


def boosts(loader: Loader, view: View, network: GraphView, asked: Asked) -> Floats:
    """Return by how much relations boost each position of a view, 0 to 1.

    A filter says what may be found, not which relations may boost it; those that are over may not.

    Args:
        loader: The snapshot that both views have followed.
        view, network: Of the same reach and moment, both locked.
        asked: The question.
    """
    joined = _entity(network, asked)
    near = _triplet(loader, view, network, asked)
    sources = loader.sources([*dict.fromkeys([*joined, *near])])
    halves = (_full(_summed(joined, sources)), _best(near, sources))
    boosts = np.zeros(len(view.rows), dtype=np.float32)
    ids = view.rows.table["id"]
    for share, half in zip(SHARES, halves, strict=True):
        places = view.positions(half)
        boosts[places] += [share * half[row_id] for row_id in ids[places].tolist()]
    return boosts


def _entity(network: GraphView, asked: Asked) -> Boosts:
    """Return how much the relations of each row say of what a question names."""
    found = named(asked.query, network.named)
    nodes = dict.fromkeys(node for name in found for node in network.named(name))
    boosts: dict[int, float] = defaultdict(float)
    for node in nodes:
        near = ((n, [*filter(asked.holds, edges)]) for n, edges in network.near(node).items())
        for other, edges in islice((one for one in near if one[1]), MOST_NEIGHBOURS):
            joins = 1.0 if other in nodes else UNASKED
            share = joins / math.log2(2 + network.degree(other))
            for edge in edges[-MOST_RELATIONS:]:
                boosts[edge.row_id] += share
    return boosts


def _triplet(loader: Loader, view: View, network: GraphView, asked: Asked) -> Boosts:
    """Return the nearest facts that state a relation: from 1, the nearest, to 0."""
    table = view.rows.table
    stating = view.rows.visible(asked.now, view.reading.as_of, asked.valid_at)
    stating &= table["kind"] == KIND_CODES["fact"]
    stating &= np.isin(table["id"], np.fromiter(network.rows(), dtype=np.int64))
    places, cosines = _nearest(view.ask(loader, asked.vector, stating))
    best: dict[int, float] = {}
    for row_id, cosine in zip(table["id"][places].tolist(), cosines.tolist(), strict=True):
        if any(map(asked.holds, network.stated(row_id))):
            best.setdefault(row_id, cosine)
    high, low = max(best.values(), default=0.0), min(best.values(), default=0.0)
    return {row_id: (cosine - low) / (high - low or 1.0) for row_id, cosine in best.items()}


def _nearest(question: Question) -> tuple[Positions, Floats]:
    """Return the nearest positions, the nearest first, and their cosines."""
    places, cosines = question.nearest(NEAREST)
    order = np.lexsort((places, -cosines))[:NEAREST]
    return places[order], cosines[order]


def _summed(boosts: Boosts, sources: Mapping[int, Iterable[int]]) -> Boosts:
    """Return what rows and what they rest on are boosted by: a turn by all its facts together."""
    total = defaultdict(float, boosts)
    for row_id, value in boosts.items():
        for source in sources.get(row_id, ()):
            total[source] += value
    return total


def _best(boosts: Boosts, sources: Mapping[int, Iterable[int]]) -> Boosts:
    """Return what rows and what they rest on are boosted by: a turn by the best of its facts."""
    best = dict(boosts)
    for row_id, value in boosts.items():
        for source in sources.get(row_id, ()):
            best[source] = max(best.get(source, 0.0), value)
    return best


def _full(boosts: Boosts) -> Boosts:
    """Return boosts as shares of the largest."""
    most = max(boosts.values(), default=1.0)
    return {row_id: value / most for row_id, value in boosts.items()}
