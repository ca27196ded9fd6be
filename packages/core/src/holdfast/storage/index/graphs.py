"""Graph views: the relations that live facts state, as a network in memory; a cache over the file.

A relation is nothing but what a fact says, so nothing is stored twice: validity, sources,
history, undo and erasure are the fact's. A view is built from the rows on first use and follows
the log, as the views of searches do (`holdfast.storage.index.views`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from holdfast.forking import Lock
from holdfast.language.names import bare
from holdfast.storage.contract.graph import OTHER, SAME, STATEMENTS
from holdfast.storage.index.edges import Edge, Node, edges_of
from holdfast.storage.index.loading import FactRow, GraphReading, Loader

MOST_EDGES = 1_000_000
"""Relations that cached views may hold together."""


class GraphView:
    """One reading in memory. Not locked: hold `lock` around `follow` and everything after it.

    Attributes:
        reading: What it shows.
    """

    def __init__(self, reading: GraphReading) -> None:
        self.reading = reading
        self.lock = Lock()
        self.clear()

    def clear(self) -> None:
        """Begin anew: the next `follow` builds it from the rows."""
        self.memo: dict[Node, Any] = {}  # what readers work out of a class, until a write
        self._statements: dict[Edge, None] = {}
        self._near: dict[Node, dict[Node, list[Edge]]] = {}  # by class, as far as asked for
        self._edges: dict[int, list[Edge]] = {}  # row id -> what it states
        self._touching: dict[Node, dict[Edge, None]] = {}
        self._sorts: dict[tuple[str, str], set[str]] = {}
        self._users: set[str] = set()
        self._roots: dict[Node, Node] = {}
        self._members: dict[Node, list[Node]] = {}
        self._stale = True
        self._cursor: dict[int, int] = {}  # positions in the log, by namespace
        self._version = 0

    def __len__(self) -> int:
        """Return how many rows state something."""
        return len(self._edges)

    # -- following the log ----------------------------------------------------------------------

    def follow(self, loader: Loader) -> None:
        """Bring the view to the loader's snapshot."""
        version = loader.version()
        if version == self._version and self._cursor:
            return
        try:
            self._follow(loader, version)
        except BaseException:  # interrupted half-way
            self.clear()
            raise

    def _follow(self, loader: Loader, version: int) -> None:
        touched = loader.touched(self._cursor, self._version)
        if touched is None:
            self.clear()
        written, moved = touched or ((), {})
        fresh = loader.namespaces(self.reading.reach, self._cursor)
        for number in fresh:
            self._load(loader.facts(self.reading, number))
        self._reload(loader, written)
        self._cursor.update(moved)
        self._cursor.update(fresh)
        self._version = version

    def _reload(self, loader: Loader, row_ids: Sequence[int]) -> None:
        for row_id in row_ids:
            self._remove(row_id)
        self._load(loader.facts_of(self.reading, row_ids))

    def _load(self, rows: Iterable[FactRow]) -> None:
        for row in rows:
            edges = list(edges_of(row))
            self._edges[row[0]] = edges
            for edge in edges:
                self._insert(edge)

    def _insert(self, edge: Edge) -> None:
        for node in (edge.source, edge.target):
            if node not in self._touching:
                self._touching[node] = {}
                sorts = self._sorts.setdefault(node[:2], set())
                self._stale |= bool(sorts)
                sorts.add(node[2])
                self._users.add(node[0])
            self._touching[node][edge] = None
            self._touched(node)
        if edge.label in STATEMENTS:
            self._statements[edge] = None
            self._stale = True

    def _remove(self, row_id: int) -> None:
        for edge in self._edges.pop(row_id, ()):
            self._stale |= edge.label in STATEMENTS
            self._statements.pop(edge, None)
            for node in (edge.source, edge.target):
                at = self._touching.get(node, {})
                at.pop(edge, None)
                self._touched(node)
                if not at:
                    self._forget(node)

    def _touched(self, node: Node) -> None:
        self._near.pop(self._root(node), None)
        self.memo.pop(self._root(node), None)

    def _forget(self, node: Node) -> None:
        """Nothing names it any more: its name must not stay in memory either."""
        if self._touching.pop(node, None) is not None:
            sorts = self._sorts[node[:2]]
            self._stale |= len(sorts) > 1
            sorts.discard(node[2])
            if not sorts:
                del self._sorts[node[:2]]

    # -- which names are one --------------------------------------------------------------------

    def class_of(self, node: Node) -> Node:
        """Return the one node that stands for a name and all that is the same."""
        self._settle()
        return self._roots.get(node, node)

    def members(self, root: Node) -> Sequence[Node]:
        """Return the nodes of a class."""
        self._settle()
        return self._members.get(root, (root,))

    def _settle(self) -> None:
        """Unite names: those without a sort with the sorted one, then as statements say."""
        if not self._stale:
            return
        self._stale = False
        self._roots, self._members, self._near = {}, {}, {}
        self.memo.clear()
        for (user, name), sorts in self._sorts.items():
            if "" in sorts and len(sorts) > 1:
                kind = "person" if "person" in sorts else "place"
                self._unite((user, name, kind), (user, name, ""))
        stated = [edge for edge in self.statements() if edge.ends is None]
        apart = [(edge.source, edge.target) for edge in stated if edge.label == OTHER]
        for edge in stated:
            if edge.label == SAME and not self._forbidden(edge.source, edge.target, apart):
                self._unite(edge.source, edge.target)

    def _forbidden(self, a: Node, b: Node, apart: Sequence[tuple[Node, Node]]) -> bool:
        """Return whether it would unite a person with a place, or two that are told apart."""
        one, other = self._group(a), self._group(b)
        sorts = {node[2] for node in (*one, *other)} - {""}
        if len(sorts) > 1:
            return True
        both = {self._root(node) for node in (a, b)}
        return any({self._root(x), self._root(y)} == both and x != y for x, y in apart)

    def _root(self, node: Node) -> Node:
        return self._roots.get(node, node)

    def _group(self, node: Node) -> Sequence[Node]:
        return self._members.get(self._root(node), (node,))

    def _unite(self, into: Node, node: Node) -> None:
        root, other = self._root(into), self._root(node)
        if root == other:
            return
        moved = self._members.pop(other, [other])
        self._members.setdefault(root, [root]).extend(moved)
        self._roots.update(dict.fromkeys(moved, root))

    # -- reading --------------------------------------------------------------------------------

    def named(self, name: str) -> list[Node]:
        """Return the classes that a name may stand for."""
        key = bare(name)
        found = [(u, key, kind) for u in self._users for kind in self._sorts.get((u, key), ())]
        return list(dict.fromkeys(map(self.class_of, sorted(found))))

    def sorts(self, user: str, name: str) -> Collection[str]:
        """Return what sorts of things a bare name stands for; none: nobody states it."""
        return self._sorts.get((user, name), ())

    def latest(self, user: str, name: str, now: int) -> tuple[Edge, int] | None:
        """Return the newest edge at a bare name, and at which end of it the name stands.

        Expired ones are out of sight; what is over is not.
        """
        nodes = [(user, name, kind) for kind in self.sorts(user, name)]
        edges = [edge for node in nodes for edge in self._touching.get(node, ())]
        seen = [edge for edge in edges if edge.expires is None or edge.expires > now]
        if not seen:
            return None
        edge = max(seen, key=attrgetter("row_id"))
        return edge, 0 if edge.source[:2] == (user, name) else 1

    def undecided(self, user: str, name: str, other: str) -> bool:
        """Return whether nothing tells yet that two bare names are one, or that they are two."""
        one, two = (
            {self.class_of((user, said, kind)) for kind in self.sorts(user, said)}
            for said in (name, other)
        )
        apart = (edge for edge in self._statements if edge.label == OTHER and edge.ends is None)
        ends = ({self.class_of(edge.source), self.class_of(edge.target)} for edge in apart)
        return not one & two and not any(pair & one and pair & two for pair in ends)

    def classes(self) -> list[Node]:
        """Return every class."""
        return list(dict.fromkeys(self.class_of(n) for n in self._touching))

    def edges_at(self, root: Node) -> Iterator[Edge]:
        """Return the edges at a class, once for each of its nodes they touch."""
        for node in self.members(root):
            for edge in self._touching.get(node, ()):
                if edge.label not in STATEMENTS:
                    yield edge

    def near(self, root: Node) -> dict[Node, list[Edge]]:
        """Return the classes next to a class, each with the edges between, the oldest first."""
        self._settle()
        found = self._near.get(root)
        if found is None:
            found = self._near[root] = {}
            # Not in the order in which this view came to know them: another process's differs.
            for edge in sorted(self.edges_at(root), key=attrgetter("row_id")):
                source, target = self._root(edge.source), self._root(edge.target)
                other = target if source == root else source
                if other != root:  # a loop leads nowhere
                    found.setdefault(other, []).append(edge)
        return found

    def asked(self) -> Collection[Node]:
        """Return the classes whose neighbours are kept; for checks."""
        self._settle()
        return tuple(self._near)

    def naming(self, root: Node) -> Iterator[Edge]:
        """Return the statements by which a class has its names."""
        if root in self._members:
            for edge in self._statements:
                if edge.label == SAME and self.class_of(edge.source) == root:
                    yield edge

    def degree(self, root: Node) -> int:
        """Return how many edges a class has, ended ones too."""
        return sum(1 for _ in self.edges_at(root))

    def statements(self) -> list[Edge]:
        """Return the edges that say which names are one, or are not, oldest first."""
        return sorted(self._statements, key=lambda edge: edge.row_id)

    def rows(self) -> Collection[int]:
        """Return the ids of the rows that state something."""
        return self._edges.keys()

    def stated(self, row_id: int) -> Sequence[Edge]:
        """Return what a row states."""
        return self._edges.get(row_id, ())

    def edges(self) -> Iterator[Edge]:
        """Return every edge, oldest row first."""
        for row_id in sorted(self._edges):
            yield from (edge for edge in self._edges[row_id] if edge.label not in STATEMENTS)


@dataclass(slots=True)
class Graphs:
    """The cache: the least recently used views go first."""

    budget: int = MOST_EDGES
    _views: OrderedDict[GraphReading, GraphView] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def get(self, reading: GraphReading) -> GraphView:
        """Return the view of a reading; a look into the past gets one of its own."""
        if reading.as_of is not None:
            return GraphView(reading)
        with self._lock:
            view = self._views.pop(reading, None)
            if view is None:
                view = GraphView(reading)
                self._trim()
            self._views[reading] = view
            return view

    def _trim(self) -> None:
        held = sum(map(len, self._views.values()))
        while held > self.budget and self._views:
            _, coldest = self._views.popitem(last=False)
            held -= len(coldest)

    def clear(self) -> None:
        """Drop all views."""
        with self._lock:
            self._views.clear()

    def readings(self) -> list[GraphReading]:
        """Return what is cached."""
        with self._lock:
            return list(self._views)
