"""Which names of a graph may be one: near by vector, of one sort, and not told apart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from holdfast.language.names import sort
from holdfast.storage.contract.pipeline import NameMatch, NameMatches, NameQuery
from holdfast.storage.contract.reach import Reach
from holdfast.storage.index.graphs import GraphView
from holdfast.storage.index.loading import GraphReading
from holdfast.storage.sqlite import entities
from holdfast.storage.sqlite.database import Connection
from holdfast.storage.sqlite.entities import Kept
from holdfast.storage.sqlite.file import File

LOOKED_AT = 20
"""Names looked at for each wanted one, the nearest first."""

AT_ONCE = 256

_DIGITS = re.compile(r"\d+")


def alike(
    file: File, reach: Reach, user: str, wanted: Sequence[NameQuery], least: float
) -> NameMatches:
    """Return which names may be one; see `PipelineStorage.alike`."""
    with file.graph(GraphReading(reach)) as (loader, view):
        kept = entities.known(loader.connection, reach, user, len(wanted[0].vector))
        look = _Look(loader.connection, view, user, wanted, kept, file.now())
        found: dict[frozenset[str], NameMatch] = {}
        for place, near in look.near(least):
            if other := look.nearest(place, near):
                found.setdefault(frozenset((wanted[place].name, other.name)), other)
        return NameMatches(look.settled, tuple(found.values()))


class _Look:
    """One look at the names of a graph."""

    def __init__(
        self,
        connection: Connection,
        view: GraphView,
        user: str,
        wanted: Sequence[NameQuery],
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

    def nearest(self, place: int, near: Sequence[tuple[str, float]]) -> NameMatch | None:
        """Return the nearest name that may be the same as a wanted one."""
        for other, cosine in near:
            if self._may_be(self._wanted[place].name, other) and (told := self._told(other)):
                return NameMatch(place, other, *told, cosine)
        return None

    def _may_be(self, name: str, other: str) -> bool:
        """Return whether two names may be one: "room 101" is not "room 102", a person no place."""
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
