"""Walking a graph view: what is near a class, and the ways between two. No storage is touched.

Breadth first over the view's own adjacency, which follows the log and filters by time edge by
edge; a library's graph would have to be copied for either.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, product
from typing import TypeAlias

from holdfast.storage.index.edges import Edge, Node
from holdfast.storage.index.graphs import GraphView

Holds: TypeAlias = Callable[[Edge], bool]


@dataclass(slots=True)
class Walk:
    """A view as one question may see it.

    Attributes:
        view: Locked by the caller.
        holds: Which edges count.
    """

    view: GraphView
    holds: Holds

    def edges(self, node: Node, other: Node) -> list[Edge]:
        """Return the edges between two classes."""
        return [edge for edge in self.view.near(node).get(other, ()) if self.holds(edge)]

    def leads(self, node: Node, other: Node) -> bool:
        """Return whether an edge leads from one class to another."""
        return any(map(self.holds, self.view.near(node)[other]))


def around(
    walk: Walk, starts: Collection[Node], depth: int, limit: int
) -> list[tuple[Node, int, list[Edge]]]:
    """Return the nearest classes: node, distance, edges of the last hop; nearest first.

    Where `limit` cuts a ring short, not every edge that leads into it is among them.
    """
    seen, ring = set(starts), list(starts)
    found: list[tuple[Node, int, list[Edge]]] = []
    for distance in range(1, depth + 1):
        outer: dict[Node, list[Edge]] = {}
        for node, other in _outward(walk, ring, seen):
            if other in outer or len(found) + len(outer) < limit:
                outer.setdefault(other, []).extend(walk.edges(node, other))
            else:
                break
        found += [(node, distance, edges) for node, edges in outer.items()]
        if len(found) >= limit:
            break
        seen |= outer.keys()
        ring = list(outer)
    return found


def _outward(
    walk: Walk, ring: Iterable[Node], seen: Collection[Node]
) -> Iterator[tuple[Node, Node]]:
    for node in ring:
        for other in walk.view.near(node):
            if other not in seen and walk.leads(node, other):
                yield node, other


def ways(
    walk: Walk, starts: Collection[Node], ends: Collection[Node], most_hops: int, limit: int
) -> list[list[Node]]:
    """Return the shortest ways that visit nothing twice, shortest first."""
    found: list[list[Node]] = []
    for start, end in product(starts, ends):
        if start != end:
            found += _between(walk, start, end, most_hops, limit)
    return sorted(found, key=len)[:limit]


def _between(walk: Walk, start: Node, end: Node, most_hops: int, limit: int) -> list[list[Node]]:
    """Search from the end that has fewer neighbours: a hub is then looked at once."""
    turned = len(walk.view.near(start)) > len(walk.view.near(end))
    search = _Search(walk, end, start) if turned else _Search(walk, start, end)
    found: list[list[Node]] = []
    for hops in range(1, most_hops + 1):
        found += islice(search.ways(hops), limit - len(found))
        if len(found) >= limit:
            break
    return [way[::-1] for way in found] if turned else found


class _Search:
    """Ways between two nodes, of a given length, through what is near enough to the end.

    Half of the hops are known from the end backwards; so a way of four looks two hops around
    either side, never four around one.
    """

    def __init__(self, walk: Walk, start: Node, end: Node) -> None:
        self._walk = walk
        self._start = start
        self._within: list[set[Node]] = [{end}]  # by hops: what reaches the end without the start
        self._ring = [end]
        self._reached: dict[tuple[Node, int], bool] = {}

    def ways(self, hops: int) -> Iterator[list[Node]]:
        """Yield the ways of exactly so many hops."""
        while len(self._within) <= hops // 2:
            self._widen()
        self._reached.clear()
        yield from self._extend([self._start], hops)

    def _extend(self, way: list[Node], left: int) -> Iterator[list[Node]]:
        if left == 0:
            yield list(way)
            return
        for node in self._next(way, left - 1):
            if node not in way and self._walk.leads(way[-1], node):
                way.append(node)
                yield from self._extend(way, left - 1)
                way.pop()

    def _next(self, way: list[Node], left: int) -> Iterable[Node]:
        """Return the neighbours from which the end is at most `left` hops away, in one order."""
        near = self._walk.view.near(way[-1])
        if left < len(self._within):
            return sorted((near.keys() & self._within[left]) - (self._within[0] if left else set()))
        return (node for node in near if node not in self._within[0] and self._reaches(node, left))

    def _reaches(self, node: Node, left: int) -> bool:
        """Return whether the end is at most so many hops away, by any edges."""
        answer = self._reached.get((node, left))
        if answer is None:
            near = self._walk.view.near(node)
            if left <= len(self._within):
                answer = not near.keys().isdisjoint(self._within[left - 1])
            else:
                answer = any(self._reaches(other, left - 1) for other in near)
            self._reached[node, left] = answer
        return answer

    def _widen(self) -> None:
        known, outer = set(self._within[-1]), []
        for node in self._ring:
            for other in self._walk.view.near(node):
                if other not in known and other != self._start and self._walk.leads(node, other):
                    known.add(other)
                    outer.append(other)
        self._ring = outer
        self._within.append(known)
