"""The graph of what facts say, as it crosses the line: questions and answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from holdfast.storage.contract.reach import Reach

SAME: Final = "same_as"
OTHER: Final = "different_from"
STATEMENTS: Final = (SAME, OTHER)
"""Relations that say which names are one; they are no edges of the graph."""


@dataclass(frozen=True, slots=True)
class GraphQuery:
    """Whose graph, when it held (event time), and what was known then (record time)."""

    reach: Reach
    valid_at: int | None = None
    as_of: int | None = None


@dataclass(frozen=True, slots=True)
class Entity:
    """A person, place or thing that facts name.

    Attributes:
        name: Its most frequent spelling.
        type: Its most frequent type; empty where none was told.
        aliases: All other spellings.
        first_seen, last_seen: When it was first and last spoken of.
        relations: How many relations it has, ended ones too.
        user_id: Whose it is; "" where the scope has no user.
    """

    name: str
    type: str
    aliases: tuple[str, ...]
    first_seen: datetime
    last_seen: datetime
    relations: int
    user_id: str = ""


@dataclass(frozen=True, slots=True)
class Relation:
    """One labelled relation between two entities, as a fact states it.

    Attributes:
        source, label, target: Entities by name.
        id, text: Of the fact; `Memory.get`, `history`, `undo` and `delete` take the id.
        sources: Ids of the turns the fact was derived from; of a turn that mentions, its own.
        occurred_at: When it was said.
        recorded_at: Since when the memory knows it.
        valid_from, valid_to: Event-time span in which it holds; None is open.
        confidence: 0 to 1.
    """

    source: str
    label: str
    target: str
    id: str
    text: str
    sources: tuple[str, ...]
    occurred_at: datetime
    recorded_at: datetime
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    confidence: float = 0.5


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An entity near another: how many hops away, and the relations of the last hop to it."""

    entity: Entity
    distance: int
    relations: tuple[Relation, ...]


@dataclass(frozen=True, slots=True)
class Hop:
    """One step of a path: from an entity to the next, by one or more relations either way."""

    start: str
    end: str
    relations: tuple[Relation, ...]


@dataclass(frozen=True, slots=True)
class Path:
    """A way from one entity to another."""

    hops: tuple[Hop, ...]

    def __len__(self) -> int:
        """Return the number of hops."""
        return len(self.hops)

    def __iter__(self) -> Iterator[Hop]:
        """Iterate over the hops."""
        return iter(self.hops)

    @property
    def names(self) -> tuple[str, ...]:
        """The entities on the way, both ends included."""
        return (self.hops[0].start, *(hop.end for hop in self.hops)) if self.hops else ()

    @property
    def sources(self) -> tuple[str, ...]:
        """Ids of all turns it rests on, in order of the hops."""
        found = (s for hop in self.hops for relation in hop.relations for s in relation.sources)
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class GraphSnapshot:
    """A graph at one moment, for an export.

    Attributes:
        entities: Those that a link touches.
        links: Positions of two entities, and the relation from the first to the second.
        total: How many relations there are; `links` may hold only the newest.
    """

    entities: tuple[Entity, ...]
    links: tuple[tuple[int, int, Relation], ...]
    total: int


class GraphStorage(Protocol):
    """Questions to the graph of what facts say, each at one snapshot."""

    def entities(self, query: GraphQuery, words: str | None, limit: int) -> list[Entity]:
        """Return the entities whose names hold all these words, the best connected first."""

    def relations(
        self, query: GraphQuery, name: str | None, label: str | None, limit: int
    ) -> list[Relation]:
        """Return relations, the newest first: of one entity, under one label, or all."""

    def neighbours(self, query: GraphQuery, name: str, depth: int, limit: int) -> list[Neighbour]:
        """Return the entities around one, the nearest first."""

    def paths(self, query: GraphQuery, a: str, b: str, most_hops: int, limit: int) -> list[Path]:
        """Return the ways between two entities, the shortest first."""

    def snapshot(self, query: GraphQuery, limit: int, *, ended: bool) -> GraphSnapshot:
        """Return the newest relations and the entities they join; `ended`: what is over, too."""

    def statements(self, reach: Reach, a: str, b: str) -> list[Relation]:
        """Return the live statements that two names are one, or are not, oldest first."""
