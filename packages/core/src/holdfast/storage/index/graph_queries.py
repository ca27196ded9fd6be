"""Questions to a graph view, answered in whole values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from holdfast.language.names import bare
from holdfast.storage.contract import codec, damage
from holdfast.storage.contract.graph import (
    Entity,
    GraphQuery,
    GraphSnapshot,
    Hop,
    Neighbour,
    Path,
    Relation,
)
from holdfast.storage.index import graph_walk
from holdfast.storage.index.edges import Edge, Node
from holdfast.storage.index.graph_walk import Walk
from holdfast.storage.index.graphs import GraphView
from holdfast.storage.index.loading import Loader
from holdfast.types import Record

MOST_SHOWN = 20
"""Relations shown of one hop, the newest first."""


class GraphAnswers:
    """One snapshot of a graph, while its view is locked; it answers in whole values.

    Args:
        loader, view: The snapshot, and the view that has followed it.
        query: Whose graph, and when.
        now: Record time.
    """

    def __init__(self, loader: Loader, view: GraphView, query: GraphQuery, now: int) -> None:
        self._loader = loader
        self._view = view
        self._now = now
        self._moment = query.valid_at
        self._walk = Walk(view, self._holds)

    def _holds(self, edge: Edge) -> bool:
        return edge.holds(self._now, self._moment)

    def entities(self, query: str | None, limit: int) -> list[Entity]:
        """Return the entities whose names share all words of a query, the best connected first."""
        view, wanted = self._view, set(bare(query).split()) if query else set()
        nodes = [node for node in view.classes() if wanted <= _words(view, node)]
        nodes = [node for node in nodes if any(map(self._holds, view.edges_at(node)))]
        nodes.sort(key=lambda node: (-view.degree(node), node))
        return [self._entity(node) for node in nodes[:limit]]

    def relations(self, name: str | None, label: str | None, limit: int) -> list[Relation]:
        """Return relations, the newest first: of one entity, under one label, or all."""
        edges = self._view.edges() if name is None else _edges_of(self._view, name)
        kept = [edge for edge in edges if label in (None, edge.label) and self._holds(edge)]
        kept.sort(key=lambda edge: (-edge.begins, edge.row_id))
        return self._relations(kept[:limit])

    def neighbours(self, name: str, depth: int, limit: int) -> list[Neighbour]:
        """Return the entities around one, the nearest first."""
        near = graph_walk.around(self._walk, self._view.named(name), depth, limit)
        found = [(node, distance, _newest(edges)) for node, distance, edges in near]
        told = iter(self._relations([edge for _, _, edges in found for edge in edges]))
        return [
            Neighbour(self._entity(node), distance, tuple(next(told) for _ in edges))
            for node, distance, edges in found
        ]

    def paths(self, a: str, b: str, most_hops: int, limit: int) -> list[Path]:
        """Return the ways between two entities, the shortest first."""
        starts, ends = self._view.named(a), self._view.named(b)
        ways = graph_walk.ways(self._walk, starts, ends, most_hops, limit)
        return [self._path(way) for way in ways]

    def snapshot(self, limit: int, *, ended: bool) -> GraphSnapshot:
        """Return the newest relations and the entities they join; `ended`: what is over, too."""
        edges = [
            edge
            for edge in self._view.edges()
            if (ended and (edge.expires is None or edge.expires > self._now)) or self._holds(edge)
        ]
        kept = _newest(edges, limit)
        places: dict[Node, int] = {}
        links = []
        for edge, relation in zip(kept, self._relations(kept), strict=True):
            ends = map(self._view.class_of, (edge.source, edge.target))
            source, target = (places.setdefault(node, len(places)) for node in ends)
            links.append((source, target, relation))
        return GraphSnapshot(tuple(map(self._entity, places)), tuple(links), len(edges))

    def statements(self, a: str, b: str) -> list[Relation]:
        """Return the live statements that two names are one, or are not, oldest first."""
        names = {bare(a), bare(b)}
        edges = [e for e in self._view.statements() if {e.source[1], e.target[1]} == names]
        return self._relations([edge for edge in edges if edge.ends is None])

    # -- values ---------------------------------------------------------------------------------

    def _entity(self, node: Node) -> Entity:
        known = self._view.memo.get(node)
        if known is None:
            known = self._view.memo[node] = _entity(self._view, node)
        return known

    def _relations(self, edges: Sequence[Edge]) -> list[Relation]:
        """Return edges as values, with the words and sources of their facts."""
        facts = self._loader.records({edge.row_id for edge in edges})
        with damage.Reading("a relation"):
            return [self._relation(edge, facts[edge.row_id]) for edge in edges]

    def _relation(self, edge: Edge, fact: Record) -> Relation:
        return Relation(
            self._entity(self._view.class_of(edge.source)).name,
            edge.label,
            self._entity(self._view.class_of(edge.target)).name,
            fact.id,
            fact.text,
            (fact.id,) if fact.kind == "turn" else fact.sources,
            codec.from_micros(edge.occurred),
            fact.updated_at,
            fact.valid_from,
            codec.maybe_moment(edge.ends),
            fact.importance,
        )

    def _path(self, way: Sequence[Node]) -> Path:
        hops = []
        for start, end in pairwise(way):
            edges = _newest(self._walk.edges(start, end))
            names = self._entity(start).name, self._entity(end).name
            hops.append(Hop(*names, tuple(self._relations(edges))))
        return Path(tuple(hops))


def _newest(edges: Sequence[Edge], most: int = MOST_SHOWN) -> list[Edge]:
    return sorted(edges, key=lambda edge: (-edge.begins, edge.row_id))[:most]


def _edges_of(view: GraphView, name: str) -> Iterable[Edge]:
    return dict.fromkeys(edge for node in view.named(name) for edge in view.edges_at(node))


def _words(view: GraphView, node: Node) -> set[str]:
    return {word for member in view.members(node) for word in member[1].split()}


def _entity(view: GraphView, node: Node) -> Entity:
    members = set(view.members(node))
    names: Counter[str] = Counter()
    types: Counter[str] = Counter()
    seen: list[int] = []
    for edge in (*view.edges_at(node), *view.naming(node)):
        seen.append(edge.occurred)
        for place, end in enumerate((edge.source, edge.target)):
            if end in members:
                names[edge.names[place]] += 1
                types[edge.types[place]] += bool(edge.types[place])
    # Of equally frequent spellings the longest: it says most.
    spelled = sorted(names, key=lambda name: (-names[name], -len(name), name))
    type = max(types, key=lambda known: (types[known], known), default="")
    return Entity(
        spelled[0] if spelled else node[1],
        type if types[type] else "",
        tuple(spelled[1:]),
        codec.from_micros(min(seen, default=0)),
        codec.from_micros(max(seen, default=0)),
        view.degree(node),
        node[0],
    )
