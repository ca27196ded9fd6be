"""`Graph`: what `Memory.graph` gives; every question and its `a` twin."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from holdfast.checks import check_path, check_time
from holdfast.errors import InvalidInputError, shown
from holdfast.graph import exporting, stating
from holdfast.graph.stating import Stating
from holdfast.ingestion.messages import check_question
from holdfast.providers.base import Embedder
from holdfast.runtime import SYNC, AsyncRuntime, run
from holdfast.storage.contract.codec import maybe_micros
from holdfast.storage.contract.graph import (
    Entity,
    GraphQuery,
    GraphSnapshot,
    Neighbour,
    Path,
    Relation,
)
from holdfast.storage.contract.reach import Reach
from holdfast.storage.contract.storage import Storage
from holdfast.types import Changes, Scope, within_reach

if TYPE_CHECKING:
    from networkx import MultiDiGraph

P = ParamSpec("P")
T = TypeVar("T")

MOST_HOPS = 6
MOST_RESULTS = 1_000_000


class Graph:
    """The entities of one scope and how they relate; always as the memory is now.

    Times: ``valid_at`` reads what was true then (event time), ``as_of`` what the memory knew then
    (record time). Without them: what holds now.
    """

    def __init__(
        self,
        storage: Storage,
        embedder: Embedder,
        waiting: AsyncRuntime,
        scope: Scope,
        bound: Scope | None = None,
    ) -> None:
        self._storage = storage
        self._stating = Stating(SYNC, storage, embedder)
        self._async = waiting
        self._scope = scope
        self._bound = bound  # what its memory reaches; None: everything
        self._reach = Reach.of_scope(scope)

    def __repr__(self) -> str:
        return f"Graph({self._scope.ids()})"

    @property
    def _async_stating(self) -> Stating:
        return replace(self._stating, runtime=self._async)

    def _shown(self, changes: Changes) -> Changes:
        return changes if self._bound is None else within_reach(changes, self._bound)

    def _asked(self, valid_at: datetime | None, as_of: datetime | None) -> GraphQuery:
        moment = None if valid_at is None else check_time("valid_at", valid_at)
        then = None if as_of is None else check_time("as_of", as_of)
        return GraphQuery(self._reach, maybe_micros(moment), maybe_micros(then))

    # -- entities -------------------------------------------------------------------------------

    def entities(
        self,
        query: str | None = None,
        *,
        limit: int = 100,
        valid_at: datetime | None = None,
        as_of: datetime | None = None,
    ) -> list[Entity]:
        """Return entities, the best connected first.

        Args:
            query: Only those whose names hold all these words.
            limit: How many at most.
            valid_at, as_of: See `Graph`.
        """
        asked = self._asked(valid_at, as_of)
        named = None if query is None else check_question(query)
        return self._storage.graph.entities(asked, named, _most("limit", limit, MOST_RESULTS))

    async def aentities(
        self,
        query: str | None = None,
        *,
        limit: int = 100,
        valid_at: datetime | None = None,
        as_of: datetime | None = None,
    ) -> list[Entity]:
        """Async twin of `entities`."""
        return await self._await(self.entities, query, limit=limit, valid_at=valid_at, as_of=as_of)

    # -- relations ------------------------------------------------------------------------------

    def relations(
        self,
        name: str | None = None,
        *,
        label: str | None = None,
        limit: int = 1_000,
        valid_at: datetime | None = None,
        as_of: datetime | None = None,
    ) -> list[Relation]:
        """Return relations, the newest first.

        Args:
            name: Only those of this entity, by any of its names.
            label: Only those under this label, e.g. ``"lives_in"``.
            limit: How many at most.
            valid_at, as_of: See `Graph`.
        """
        asked = self._asked(valid_at, as_of)
        most = _most("limit", limit, MOST_RESULTS)
        about, under = (said if said is None else check_question(said) for said in (name, label))
        return self._storage.graph.relations(asked, about, under, most)

    async def arelations(
        self,
        name: str | None = None,
        *,
        label: str | None = None,
        limit: int = 1_000,
        valid_at: datetime | None = None,
        as_of: datetime | None = None,
    ) -> list[Relation]:
        """Async twin of `relations`."""
        return await self._await(
            self.relations, name, label=label, limit=limit, valid_at=valid_at, as_of=as_of
        )

    # -- neighbours and paths -------------------------------------------------------------------

    def neighbours(
        self,
        name: str,
        depth: int = 1,
        *,
        limit: int = 100,
        valid_at: datetime | None = None,
        as_of: datetime | None = None,
    ) -> list[Neighbour]:
        """Return the entities up to `depth` hops around one, the nearest first; none if unknown.

        Args:
            name: Any of its names.
            depth: Hops, 1 to 6.
            limit: How many at most.
            valid_at, as_of: See `Graph`.
        """
        asked = self._asked(valid_at, as_of)
        hops, most = _most("depth", depth, MOST_HOPS), _most("limit", limit, MOST_RESULTS)
        return self._storage.graph.neighbours(asked, check_question(name), hops, most)

    async def aneighbours(
        self,
        name: str,
        depth: int = 1,
        *,
        limit: int = 100,
        valid_at: datetime | None = None,
        as_of: datetime | None = None,
    ) -> list[Neighbour]:
        """Async twin of `neighbours`."""
        return await self._await(
            self.neighbours, name, depth, limit=limit, valid_at=valid_at, as_of=as_of
        )

    def paths(
        self,
        a: str,
        b: str,
        *,
        max_hops: int = 4,
        limit: int = 10,
        valid_at: datetime | None = None,
        as_of: datetime | None = None,
    ) -> list[Path]:
        """Return the ways from one entity to another, whichever way relations point.

        Args:
            a, b: Any of their names.
            max_hops: Longest way, 1 to 6 hops.
            limit: How many at most, the shortest first.
            valid_at, as_of: See `Graph`.

        Returns:
            Ways that visit nothing twice; none if there is none, or a name is unknown.
        """
        asked = self._asked(valid_at, as_of)
        hops, most = _most("max_hops", max_hops, MOST_HOPS), _most("limit", limit, MOST_RESULTS)
        ends = check_question(a), check_question(b)
        return self._storage.graph.paths(asked, *ends, hops, most)

    async def apaths(
        self,
        a: str,
        b: str,
        *,
        max_hops: int = 4,
        limit: int = 10,
        valid_at: datetime | None = None,
        as_of: datetime | None = None,
    ) -> list[Path]:
        """Async twin of `paths`."""
        return await self._await(
            self.paths, a, b, max_hops=max_hops, limit=limit, valid_at=valid_at, as_of=as_of
        )

    # -- which names are one --------------------------------------------------------------------

    def merge(self, a: str, b: str) -> Changes:
        """State that two names are one entity; `Memory.history` and `undo` know the change.

        Raises:
            InvalidInputError: They are one name already.
        """
        return self._shown(run(stating.merge(self._stating, self._scope, a, b)))

    async def amerge(self, a: str, b: str) -> Changes:
        """Async twin of `merge`."""
        return self._shown(await stating.merge(self._async_stating, self._scope, a, b))

    def split(self, a: str, b: str) -> Changes:
        """State that two names are two entities, and end what said otherwise.

        Raises:
            InvalidInputError: They are one name and cannot be told apart.
        """
        return self._shown(run(stating.split(self._stating, self._scope, a, b)))

    async def asplit(self, a: str, b: str) -> Changes:
        """Async twin of `split`."""
        return self._shown(await stating.split(self._async_stating, self._scope, a, b))

    # -- exports --------------------------------------------------------------------------------

    def to_networkx(
        self, *, valid_at: datetime | None = None, as_of: datetime | None = None
    ) -> MultiDiGraph[str]:
        """Return a ``networkx.MultiDiGraph`` of what holds (extra ``graph``).

        Raises:
            InvalidInputError: networkx is not installed.
        """
        return exporting.to_networkx(self._whole(valid_at, as_of))

    def to_graphml(
        self,
        path: str | os.PathLike[str],
        *,
        valid_at: datetime | None = None,
        as_of: datetime | None = None,
    ) -> None:
        """Write what holds as GraphML (extra ``graph``).

        Raises:
            InvalidInputError: networkx is not installed.
        """
        exporting.to_graphml(self._whole(valid_at, as_of), pathlib.Path(check_path(path)))

    def to_html(
        self, path: str | os.PathLike[str], *, limit: int = 500, as_of: datetime | None = None
    ) -> None:
        """Write one page to look at in a browser: it needs no network and shows any date.

        Args:
            path: The file.
            limit: Relations drawn, the newest ones, ended ones among them.
            as_of: What the memory knew then.
        """
        asked, most = self._asked(None, as_of), _most("limit", limit, MOST_RESULTS)
        place = pathlib.Path(check_path(path))
        exporting.to_html(self._storage.graph.snapshot(asked, most, ended=True), place)

    async def ato_networkx(
        self, *, valid_at: datetime | None = None, as_of: datetime | None = None
    ) -> MultiDiGraph[str]:
        """Async twin of `to_networkx`."""
        return await self._await(self.to_networkx, valid_at=valid_at, as_of=as_of)

    async def ato_graphml(
        self,
        path: str | os.PathLike[str],
        *,
        valid_at: datetime | None = None,
        as_of: datetime | None = None,
    ) -> None:
        """Async twin of `to_graphml`."""
        await self._await(self.to_graphml, path, valid_at=valid_at, as_of=as_of)

    async def ato_html(
        self, path: str | os.PathLike[str], *, limit: int = 500, as_of: datetime | None = None
    ) -> None:
        """Async twin of `to_html`."""
        await self._await(self.to_html, path, limit=limit, as_of=as_of)

    def _whole(self, valid_at: datetime | None, as_of: datetime | None) -> GraphSnapshot:
        asked = self._asked(valid_at, as_of)
        return self._storage.graph.snapshot(asked, MOST_RESULTS, ended=False)

    async def _await(self, ask: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._async.read(ask, *args, **kwargs)


def _most(name: str, value: int, most: int) -> int:
    if type(value) is not int or not 1 <= value <= most:
        raise InvalidInputError(f"{name} must be 1 to {most}, not {shown(value)}")
    return value
