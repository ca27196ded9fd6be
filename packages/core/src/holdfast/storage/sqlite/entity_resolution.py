"""Which names of a graph may be one: near by vector, of one sort, and not told apart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from holdfast.language.names import sort
from holdfast.storage.contract.codec import Floats
from holdfast.storage.contract.reach import Reach
from holdfast.storage.index.graphs import GraphReading, GraphView
from holdfast.storage.sqlite import entities
from holdfast.storage.sqlite.database import Connection
from holdfast.storage.sqlite.entities import Kept
from holdfast.storage.sqlite.file import File

LOOKED_AT = 20
"""Names looked at for each wanted one, the nearest first."""

AT_ONCE = 256

_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A name that facts about to be written state.

    Attributes:
        name, spelling: Its bare form, and as it was written.
        type: As it was told; empty where unknown.
        text: The statement it stands in.
        vector: Of its spelling; a unit vector.
    """

    name: str
    spelling: str
    type: str
    text: str
    vector: Floats


@dataclass(frozen=True, slots=True)
class Alike:
    """A wanted name, by position, and the other name that it may be: as spelled, with a fact."""

    wanted: int
    name: str
    spelling: str
    type: str
    text: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Acquaintance:
    """What is known of wanted names.

    Attributes:
        settled: Those that are kept, with nothing left to ask.
        alike: For others, the nearest name of a stored fact or of another wanted one.
    """

    settled: frozenset[str] = frozenset()
    alike: tuple[Alike, ...] = ()


class Naming:
    """Looks names up; each method is one transaction."""

    def __init__(self, file: File) -> None:
        self._file = file

    def alike(
        self, reach: Reach, user: str, wanted: Sequence[Wanted], least: float
    ) -> Acquaintance:
        """Return which names may be one.

        Args:
            reach: Where names meet.
            user: Whose they are; those of another user are never looked at.
            wanted: What is about to be written; at least one.
            least: Cosine from which two may be one.
        """
        with self._file.graph(GraphReading(reach)) as (connection, view):
            kept = entities.known(connection, reach, user, len(wanted[0].vector))
            look = _Look(connection, view, user, wanted, kept, self._file.now())
            found: dict[frozenset[str], Alike] = {}
            for place, near in look.near(least):
                if other := look.nearest(place, near):
                    found.setdefault(frozenset((wanted[place].name, other.name)), other)
            return Acquaintance(look.settled, tuple(found.values()))


class _Look:
    """One look at the names of a graph."""

    def __init__(
        self,
        connection: Connection,
        view: GraphView,
        user: str,
        wanted: Sequence[Wanted],
        kept: Kept,
        now: int,
    ) -> None:
        self.settled = frozenset(one.name for one in wanted) & kept.settled
        self._connection = connection
        self._view = view
        self._user = user
        self._now = now
        self._wanted = wanted
        self._new = {one.name: one for one in wanted}
        fresh = np.stack([one.vector for one in wanted])
        self._names = [*kept.names, *(one.name for one in wanted)]
        self._vectors = np.concatenate([kept.vectors, fresh])

    def near(self, least: float) -> Iterator[tuple[int, list[tuple[str, float]]]]:
        """Yield for each wanted name, by position, those near it with their cosine."""
        asked = [n for n, one in enumerate(self._wanted) if one.name not in self.settled]
        for start in range(0, len(asked), AT_ONCE):
            some = asked[start : start + AT_ONCE]
            cosines = np.stack([self._wanted[place].vector for place in some]) @ self._vectors.T
            for place, row in zip(some, cosines, strict=True):
                found = np.flatnonzero(row >= least)
                best = found[np.argsort(-row[found], kind="stable")[: LOOKED_AT + 1]]
                yield place, [(self._names[at], float(row[at])) for at in best.tolist()]

    def nearest(self, place: int, near: Sequence[tuple[str, float]]) -> Alike | None:
        """Return the nearest name that may be the same as a wanted one."""
        for other, cosine in near:
            if self._may_be(self._wanted[place].name, other) and (told := self._told(other)):
                return Alike(place, other, *told, cosine)
        return None

    def _may_be(self, name: str, other: str) -> bool:
        """Say whether two names may be one: "room 101" is not "room 102", a person no place."""
        if name == other or set(_DIGITS.findall(name)) != set(_DIGITS.findall(other)):
            return False
        mine, theirs = self._sorts(name), self._sorts(other)
        if mine and theirs and not mine & theirs:
            return False
        return self._view.undecided(self._user, name, other)

    def _sorts(self, name: str) -> set[str]:
        stated = self._view.sorts(self._user, name)
        new = {sort(self._new[name].type)} if name in self._new else set()
        return {*stated, *new} - {""}

    def _told(self, name: str) -> tuple[str, str, str] | None:
        """Return how a name is spelled, its type and a statement it stands in; None: it is gone."""
        found = self._view.latest(self._user, name, self._now)
        if found is None:
            new = self._new.get(name)
            return None if new is None else (new.spelling, new.type, new.text)
        edge, end = found
        text = self._connection.execute(
            "SELECT text FROM records WHERE id = ?", (edge.row_id,)
        ).fetchone()[0]
        return edge.names[end], edge.types[end], text
