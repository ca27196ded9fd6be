"""Verbs of single records: read, changed, erased, and how they came to be."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from holdfast.ingestion import conductor as ingestion
from holdfast.memory import arguments
from holdfast.memory.handle import Handle
from holdfast.runtime import SYNC, Runtime, run
from holdfast.storage.contract.filters import parse
from holdfast.storage.contract.reach import Reach
from holdfast.types import Change, Kind, Metadata, Page, Record, Scope


class Records(Handle):
    """`get`, `list`, `scopes`, `update`, `delete`, `delete_all`, `history`, `undo`."""

    def get(
        self,
        id: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> Record:
        """Return one record as it is now.

        Raises:
            RecordNotFoundError: The scope has no such record.
        """
        return self._storage.get(self._region(user_id, agent_id, run_id, app_id), id)

    async def aget(
        self,
        id: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> Record:
        """Async twin of `get`."""
        reach = self._region(user_id, agent_id, run_id, app_id)
        return await self._async.store(self._storage.get, reach, id)

    def list(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        filters: Mapping[str, Any] | None = None,
        kinds: Sequence[Kind] | None = None,
        order: str = "created_at",
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page:
        """Return a page of the records that hold now.

        Args:
            user_id, agent_id, run_id, app_id: Every id given must match; others are open.
            filters: See `holdfast.storage.contract.filters`.
            kinds: Only these.
            order: ``created_at``, ``updated_at``, ``occurred_at`` or ``importance``, with ``-``
                before it for the newest or greatest first.
            limit: Records a page.
            cursor: `Page.cursor` of the page before.
        """
        reach = self._region(user_id, agent_id, run_id, app_id)
        options = _listing(filters, kinds, order, limit, cursor)
        return self._storage.page(reach, **options)

    async def alist(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        filters: Mapping[str, Any] | None = None,
        kinds: Sequence[Kind] | None = None,
        order: str = "created_at",
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page:
        """Async twin of `list`."""
        reach = self._region(user_id, agent_id, run_id, app_id)
        options = _listing(filters, kinds, order, limit, cursor)
        return await self._async.store(self._storage.page, reach, **options)

    def scopes(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> builtins.list[Scope]:
        """Return the scopes, exactly as written, that a read of these ids sees."""
        return self._storage.scopes(self._region(user_id, agent_id, run_id, app_id))

    async def ascopes(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> builtins.list[Scope]:
        """Async twin of `scopes`."""
        reach = self._region(user_id, agent_id, run_id, app_id)
        return await self._async.store(self._storage.scopes, reach)

    # -- update, delete -------------------------------------------------------------------------

    def update(
        self,
        id: str,
        text: str | None = None,
        *,
        metadata: Metadata | None = None,
        importance: float | None = None,
        expires_at: datetime | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> Change:
        """Add a new version of a record; the old one stays in its history and can be restored.

        Args:
            id: Which record.
            text: New words.
            metadata: Replaces the old metadata.
            importance: 0 to 1.
            expires_at: From then on nobody finds it.
            user_id, agent_id, run_id, app_id: The scope it must lie in.

        Raises:
            RecordNotFoundError: The scope has no such record.
            ScopeError: Its newest version was said in another session, which these ids do not
                reach.
            InvalidInputError: Nothing to change was given, or it cannot be stored.
        """
        reach = self._region(user_id, agent_id, run_id, app_id)
        edit = ingestion.edit(self._redacted(text), metadata, importance, expires_at)
        return run(self._update(SYNC, reach, id, edit))

    async def aupdate(
        self,
        id: str,
        text: str | None = None,
        *,
        metadata: Metadata | None = None,
        importance: float | None = None,
        expires_at: datetime | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> Change:
        """Async twin of `update`."""
        reach = self._region(user_id, agent_id, run_id, app_id)
        edit = ingestion.edit(self._redacted(text), metadata, importance, expires_at)
        return await self._update(self._async, reach, id, edit)

    async def _update(
        self, runtime: Runtime, reach: Reach, id: str, edit: ingestion.Edit
    ) -> Change:
        return await ingestion.update(
            runtime,
            self._storage,
            self._embedder,
            reach,
            id,
            edit,
            mentions=self._reads_mentions,
        )

    def delete(
        self,
        id: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> Change:
        """Erase a record, all its versions, and what was derived from it alone.

        No search, history or file finds its words again; `history` still says that and when it
        was erased. It cannot be undone.

        Raises:
            RecordNotFoundError: The scope has no such record.
        """
        return self._storage.erase(self._region(user_id, agent_id, run_id, app_id), id)

    async def adelete(
        self,
        id: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> Change:
        """Async twin of `delete`."""
        reach = self._region(user_id, agent_id, run_id, app_id)
        return await self._async.store(self._storage.erase, reach, id)

    def delete_all(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> int:
        """Erase every record of a scope, or those a filter lets through; return how many."""
        reach = self._region(user_id, agent_id, run_id, app_id)
        return self._storage.erase_reach(reach, None if filters is None else parse(filters))

    async def adelete_all(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> int:
        """Async twin of `delete_all`."""
        reach = self._region(user_id, agent_id, run_id, app_id)
        tree = None if filters is None else parse(filters)
        return await self._async.store(self._storage.erase_reach, reach, tree)

    # -- history --------------------------------------------------------------------------------

    def history(
        self,
        id: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> builtins.list[Change]:
        """Return everything that happened to a record, oldest first.

        Raises:
            RecordNotFoundError: The scope never had such a record.
        """
        return self._storage.history(self._region(user_id, agent_id, run_id, app_id), id)

    async def ahistory(
        self,
        id: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> builtins.list[Change]:
        """Async twin of `history`."""
        reach = self._region(user_id, agent_id, run_id, app_id)
        return await self._async.store(self._storage.history, reach, id)

    def undo(
        self,
        change: Change,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> Change:
        """Take back the newest change of a record; the undoing is a change of its own.

        Raises:
            RecordNotFoundError: The scope has no such record.
            ScopeError: It, or a later change, touched another session, which these ids do not
                reach.
            InvalidInputError: It is not the newest change, or it erased.
        """
        return self._storage.undo(self._region(user_id, agent_id, run_id, app_id), change)

    async def aundo(
        self,
        change: Change,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> Change:
        """Async twin of `undo`."""
        reach = self._region(user_id, agent_id, run_id, app_id)
        return await self._async.store(self._storage.undo, reach, change)


def _listing(
    filters: Mapping[str, Any] | None,
    kinds: Sequence[Kind] | None,
    order: str,
    limit: int,
    cursor: str | None,
) -> dict[str, Any]:
    return {
        "tree": None if filters is None else parse(filters),
        "kinds": arguments.kinds(kinds),
        "order": order,
        "limit": arguments.limit(limit),
        "cursor": cursor,
    }
