"""Walking a graph view: what is near a class, and the ways between two. No storage is touched.

Breadth first over the view's own adjacency, which follows the log and filters by time edge by
edge; a library's graph would have to be copied for either.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter
from typing import TypeAlias

from holdfast.storage.graphs import Edge, GraphView, Node

Holds: TypeAlias = Callable[[Edge], bool]

MOST_STEPS = 200_000
"""Edges looked at for one answer; ways beyond are not found, and the nearest are found first."""


@dataclass(slots=True)
class Walk:
    """A view as one question may see it.

    Attributes:
        view: Locked by the caller.
        holds: Which edges count.
    """

    view: GraphView
    holds: Holds
    _near: dict[Node, dict[Node, list[Edge]]] = field(default_factory=dict)
    _steps: int = 0

    def near(self, node: Node) -> dict[Node, list[Edge]]:
        """Return the classes one hop away, each with the edges between; none is its own."""
        found = self._near.get(node)
        if found is None:
            found = self._near[node] = {}
            if self._steps < MOST_STEPS:
                # Oldest first, whatever the order in which the view came to know them.
                for edge in sorted(self.view.edges_at(node), key=attrgetter("row_id")):
                    self._steps += 1
                    if self.holds(edge):
                        self._lead(node, edge, found)
        return found

    def _lead(self, node: Node, edge: Edge, found: dict[Node, list[Edge]]) -> None:
        source, target = self.view.class_of(edge.source), self.view.class_of(edge.target)
        other = target if source == node else source
        if other != node:  # a loop leads nowhere
            found.setdefault(other, []).append(edge)


def around(
    walk: Walk, starts: Collection[Node], depth: int, limit: int
) -> list[tuple[Node, int, list[Edge]]]:
    """Return the nearest classes: node, distance, edges of the last hop; nearest first."""
    seen, found = set(starts), []
    ring = list(starts)
    for distance in range(1, depth + 1):
        outer: dict[Node, list[Edge]] = {}
        for node in ring:
            for other, edges in walk.near(node).items():
                if other not in seen:
                    outer.setdefault(other, []).extend(edges)
        found += [(node, distance, edges) for node, edges in outer.items()]
        if len(found) >= limit or not outer:
            break
        seen |= outer.keys()
        ring = list(outer)
    return found[:limit]


def ways(
    walk: Walk, starts: Collection[Node], ends: Collection[Node], most_hops: int, limit: int
) -> list[list[Node]]:
    """Return the shortest ways that visit nothing twice, shortest first."""
    found: list[list[Node]] = []
    for start in starts:
        search = _Search(walk, start, frozenset(ends) - {start})
        for hops in range(1, most_hops + 1):
            found += islice(search.ways(hops), limit)
    return sorted(found, key=len)[:limit]


class _Search:
    """Ways from one node, of a given length, past the nodes from which the end is near enough.

    Half of the hops are known from the end backwards; so a way of four looks two hops around
    either side, never four around one.
    """

    def __init__(self, walk: Walk, start: Node, ends: frozenset[Node]) -> None:
        self._walk = walk
        self._start = start
        self._away = dict.fromkeys(ends, 0)
        self._ring = list(ends)
        self._radius = 0
        self._reached: dict[tuple[Node, int], bool] = {}

    def ways(self, hops: int) -> Iterator[list[Node]]:
        """Yield the ways of exactly so many hops."""
        while self._radius < hops // 2:
            self._widen()
        self._reached.clear()
        yield from self._extend([self._start], hops)

    def _extend(self, way: list[Node], left: int) -> Iterator[list[Node]]:
        if left == 0:
            yield list(way)
            return
        for node in self._walk.near(way[-1]):
            # An end ends a way: it is no station on it.
            through = left > 1 and self._away.get(node) == 0
            if node in way or through or not self._reaches(node, left - 1):
                continue
            way.append(node)
            yield from self._extend(way, left - 1)
            way.pop()

    def _reaches(self, node: Node, left: int) -> bool:
        """Say whether an end is at most so many hops away."""
        known = self._away.get(node)
        if known is not None or left <= self._radius:
            return known is not None and known <= left
        answer = self._reached.get((node, left))
        if answer is None:
            others = (other for other in self._walk.near(node) if other != self._start)
            answer = any(self._reaches(other, left - 1) for other in others)
            self._reached[node, left] = answer
        return answer

    def _widen(self) -> None:
        outer = []
        for node in self._ring:
            for other in self._walk.near(node):
                if other not in self._away and other != self._start:
                    self._away[other] = self._radius + 1
                    outer.append(other)
        self._ring = outer
        self._radius += 1
