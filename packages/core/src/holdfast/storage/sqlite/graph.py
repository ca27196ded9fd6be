"""Questions to the graph of a file, each at one snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from holdfast.storage.contract.graph import (
    Entity,
    GraphQuery,
    GraphSnapshot,
    Neighbour,
    Path,
    Relation,
)
from holdfast.storage.contract.reach import Reach
from holdfast.storage.index.graph_queries import GraphAnswers
from holdfast.storage.index.loading import GraphReading
from holdfast.storage.sqlite.file import File


class SqliteGraph:
    """The graph of a file (`holdfast.storage.contract.graph.GraphStorage`)."""

    def __init__(self, file: File) -> None:
        self._file = file

    @contextmanager
    def _asking(self, query: GraphQuery) -> Iterator[GraphAnswers]:
        now = self._file.now()
        with self._file.graph(GraphReading(query.reach, query.as_of)) as (loader, view):
            yield GraphAnswers(loader, view, query, now)

    def entities(self, query: GraphQuery, words: str | None, limit: int) -> list[Entity]:
        """See `GraphStorage`."""
        with self._asking(query) as graph:
            return graph.entities(words, limit)

    def relations(
        self, query: GraphQuery, name: str | None, label: str | None, limit: int
    ) -> list[Relation]:
        """See `GraphStorage`."""
        with self._asking(query) as graph:
            return graph.relations(name, label, limit)

    def neighbours(self, query: GraphQuery, name: str, depth: int, limit: int) -> list[Neighbour]:
        """See `GraphStorage`."""
        with self._asking(query) as graph:
            return graph.neighbours(name, depth, limit)

    def paths(self, query: GraphQuery, a: str, b: str, most_hops: int, limit: int) -> list[Path]:
        """See `GraphStorage`."""
        with self._asking(query) as graph:
            return graph.paths(a, b, most_hops, limit)

    def snapshot(self, query: GraphQuery, limit: int, *, ended: bool) -> GraphSnapshot:
        """See `GraphStorage`."""
        with self._asking(query) as graph:
            return graph.snapshot(limit, ended=ended)

    def statements(self, reach: Reach, a: str, b: str) -> list[Relation]:
        """See `GraphStorage`."""
        with self._asking(GraphQuery(reach)) as graph:
            return graph.statements(a, b)
