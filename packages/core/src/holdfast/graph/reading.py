"""Questions to a graph: each one storage operation at one snapshot, answered in whole values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

from holdfast.graph import walking
from holdfast.graph.values import Entity, Hop, Neighbour, Path, Relation
from holdfast.graph.walking import Walk
from holdfast.language.names import bare
from holdfast.storage.contract import codec, damage
from holdfast.storage.contract.reach import Reach
from holdfast.storage.index.edges import Edge, Node
from holdfast.storage.index.graphs import GraphReading, GraphView
from holdfast.storage.sqlite import records
from holdfast.storage.sqlite.database import Connection
from holdfast.storage.sqlite.file import File
from holdfast.types import Record

MOST_SHOWN = 20
"""Relations shown of one hop, the newest first."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose graph, when it held (event time), and what was known then (record time)."""

    reach: Reach
    valid_at: int | None = None
    as_of: int | None = None


@dataclass(frozen=True, slots=True)
class Whole:
    """A graph at one snapshot, for an export.

    Attributes:
        entities: Those that a link touches.
        links: Positions of two entities, and the relation from the first to the second.
        total: How many relations there are; `links` may hold only the newest.
    """

    entities: tuple[Entity, ...]
    links: tuple[tuple[int, int, Relation], ...]
    total: int


@dataclass(frozen=True, slots=True)
class Seen:
    """One snapshot of a graph, while it is locked."""

    connection: Connection
    view: GraphView
    walk: Walk

    def entity(self, node: Node) -> Entity:
        """Return a class as a value."""
        known = self.view.memo.get(node)
        if known is None:
            known = self.view.memo[node] = _entity(self.view, node)
        return known

    def relations(self, edges: Sequence[Edge]) -> list[Relation]:
        """Return edges as values, with the words and sources of their facts."""
        facts = _facts(self.connection, {edge.row_id for edge in edges})
        with damage.Reading("a relation"):
            return [self._relation(edge, facts[edge.row_id]) for edge in edges]

    def _relation(self, edge: Edge, fact: Record) -> Relation:
        return Relation(
            self.entity(self.view.class_of(edge.source)).name,
            edge.label,
            self.entity(self.view.class_of(edge.target)).name,
            fact.id,
            fact.text,
            (fact.id,) if fact.kind == "turn" else fact.sources,
            codec.from_micros(edge.occurred),
            fact.updated_at,
            fact.valid_from,
            codec.maybe_moment(edge.ends),
            fact.importance,
        )


@contextmanager
def seeing(file: File, asked: Asked) -> Iterator[Seen]:
    """Lend a snapshot of a graph."""
    now = file.now()
    moment = asked.valid_at

    def holds(edge: Edge) -> bool:
        return edge.holds(now, moment)

    with file.graph(GraphReading(asked.reach, asked.as_of)) as (connection, view):
        yield Seen(connection, view, Walk(view, holds))


def entities(file: File, asked: Asked, query: str | None, limit: int) -> list[Entity]:
    """Return the entities whose names share all words of a query, the best connected first."""
    wanted = set(bare(query).split()) if query else set()
    with seeing(file, asked) as seen:
        nodes = [node for node in seen.view.classes() if wanted <= _words(seen.view, node)]
        nodes = [node for node in nodes if any(map(seen.walk.holds, seen.view.edges_at(node)))]
        nodes.sort(key=lambda node: (-seen.view.degree(node), node))
        return [seen.entity(node) for node in nodes[:limit]]


def relations(
    file: File, asked: Asked, name: str | None, label: str | None, limit: int
) -> list[Relation]:
    """Return relations, the newest first: of one entity, under one label, or all."""
    with seeing(file, asked) as seen:
        edges = seen.view.edges() if name is None else _edges_of(seen.view, name)
        kept = [e for e in edges if label in (None, e.label) and seen.walk.holds(e)]
        kept.sort(key=lambda edge: (-edge.begins, edge.row_id))
        return seen.relations(kept[:limit])


def neighbours(file: File, asked: Asked, name: str, depth: int, limit: int) -> list[Neighbour]:
    """Return the entities around one, the nearest first."""
    with seeing(file, asked) as seen:
        near = walking.around(seen.walk, seen.view.named(name), depth, limit)
        found = [(node, distance, _newest(edges)) for node, distance, edges in near]
        told = iter(seen.relations([edge for _, _, edges in found for edge in edges]))
        return [
            Neighbour(seen.entity(node), distance, tuple(next(told) for _ in edges))
            for node, distance, edges in found
        ]


def paths(file: File, asked: Asked, a: str, b: str, most_hops: int, limit: int) -> list[Path]:
    """Return the ways between two entities, the shortest first."""
    with seeing(file, asked) as seen:
        starts, ends = seen.view.named(a), seen.view.named(b)
        ways = walking.ways(seen.walk, starts, ends, most_hops, limit)
        return [_path(seen, way) for way in ways]


def whole(file: File, asked: Asked, limit: int, *, ended: bool) -> Whole:
    """Return the newest relations and the entities they join; with `ended`, what is over too."""
    now = file.now()
    with seeing(file, asked) as seen:
        edges = [
            edge
            for edge in seen.view.edges()
            if (ended and (edge.expires is None or edge.expires > now)) or seen.walk.holds(edge)
        ]
        kept = _newest(edges, limit)
        places: dict[Node, int] = {}
        links = []
        for edge, relation in zip(kept, seen.relations(kept), strict=True):
            ends = map(seen.view.class_of, (edge.source, edge.target))
            source, target = (places.setdefault(node, len(places)) for node in ends)
            links.append((source, target, relation))
        return Whole(tuple(map(seen.entity, places)), tuple(links), len(edges))


def statements(file: File, reach: Reach, a: str, b: str) -> list[Relation]:
    """Return the live statements that two names are one, or are not, oldest first."""
    names = {bare(a), bare(b)}
    with seeing(file, Asked(reach)) as seen:
        edges = [e for e in seen.view.statements() if {e.source[1], e.target[1]} == names]
        return seen.relations([edge for edge in edges if edge.ends is None])


def _path(seen: Seen, way: Sequence[Node]) -> Path:
    hops = []
    for start, end in pairwise(way):
        edges = _newest(seen.walk.edges(start, end))
        names = seen.entity(start).name, seen.entity(end).name
        hops.append(Hop(*names, tuple(seen.relations(edges))))
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


def _facts(connection: Connection, row_ids: Iterable[int]) -> dict[int, Record]:
    found: dict[int, Record] = {}
    listed = list(row_ids)
    for start in range(0, len(listed), 500):
        found |= records.fetch(connection, listed[start : start + 500])
    return found
