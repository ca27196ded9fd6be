"""Verbs of single records: read, changed, erased, and how they came to be."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from holdfast.ingestion import conductor as ingestion
from holdfast.memory import arguments
from holdfast.memory.handle import Handle
from holdfast.runtime import Runtime, run
from holdfast.storage.contract.reach import Reach
from holdfast.types import Change, Changes, Ids, Kind, Metadata, Page, Record, Scope, Unpack


class RecordVerbs(Handle):
    """`get`, `list`, `count`, `scopes`, `update`, `delete`, `history`, `undo`, and their kin."""

    def get(self, id: str, **ids: Unpack[Ids]) -> Record:
        """Return one record as it is now.

        Raises:
            RecordNotFoundError: The scope has no such record.
        """
        return self._storage.get(self._reach(ids), id)

    async def aget(self, id: str, **ids: Unpack[Ids]) -> Record:
        """Async twin of `get`."""
        reach = self._reach(ids)
        return await self._async.read(self._storage.get, reach, id)

    def get_many(self, ids: Sequence[str], **scope: Unpack[Ids]) -> builtins.list[Record]:
        """Return several records as they are now, in the order of their ids.

        ``list(filters={"id": {"in": ids}})`` returns those of them that are there instead.

        Raises:
            RecordNotFoundError: The scope lacks some of them; `RecordNotFoundError.record_ids`
                are those.
        """
        return self._storage.get_many(self._reach(scope), arguments.ids(ids))

    async def aget_many(self, ids: Sequence[str], **scope: Unpack[Ids]) -> builtins.list[Record]:
        """Async twin of `get_many`."""
        reach, wanted = self._reach(scope), arguments.ids(ids)
        return await self._async.read(self._storage.get_many, reach, wanted)

    def list(
        self,
        *,
        filters: Mapping[str, Any] | None = None,
        kinds: Sequence[Kind] | None = None,
        order: str = "created_at",
        limit: int = 100,
        cursor: str | None = None,
        **ids: Unpack[Ids],
    ) -> Page:
        """Return a page of the records that hold now.

        Args:
            user_id, agent_id, run_id, app_id: Every id given must match; others are open.
            filters: See docs/filters.md.
            kinds: Only these.
            order: ``created_at``, ``updated_at``, ``occurred_at`` or ``importance``, with ``-``
                before it for the newest or greatest first.
            limit: Records a page.
            cursor: `Page.cursor` of the page before.
        """
        reach = self._reach(ids)
        options = _listing(filters, kinds, order, limit, cursor)
        return self._storage.page(reach, **options)

    async def alist(
        self,
        *,
        filters: Mapping[str, Any] | None = None,
        kinds: Sequence[Kind] | None = None,
        order: str = "created_at",
        limit: int = 100,
        cursor: str | None = None,
        **ids: Unpack[Ids],
    ) -> Page:
        """Async twin of `list`."""
        reach = self._reach(ids)
        options = _listing(filters, kinds, order, limit, cursor)
        return await self._async.read(self._storage.page, reach, **options)

    def count(
        self,
        *,
        filters: Mapping[str, Any] | None = None,
        kinds: Sequence[Kind] | None = None,
        **ids: Unpack[Ids],
    ) -> int:
        """Return how many records hold now: as many as all pages of `list` have.

        Args:
            filters: See docs/filters.md.
            kinds: Only these.
            user_id, agent_id, run_id, app_id: Every id given must match; others are open.
        """
        chosen = arguments.filters(filters), arguments.kinds(kinds)
        return self._storage.count(self._reach(ids), *chosen)

    async def acount(
        self,
        *,
        filters: Mapping[str, Any] | None = None,
        kinds: Sequence[Kind] | None = None,
        **ids: Unpack[Ids],
    ) -> int:
        """Async twin of `count`."""
        chosen = arguments.filters(filters), arguments.kinds(kinds)
        return await self._async.read(self._storage.count, self._reach(ids), *chosen)

    def scopes(self, **ids: Unpack[Ids]) -> builtins.list[Scope]:
        """Return the scopes, exactly as written, that a read of these ids sees."""
        return self._storage.scopes(self._reach(ids))

    async def ascopes(self, **ids: Unpack[Ids]) -> builtins.list[Scope]:
        """Async twin of `scopes`."""
        reach = self._reach(ids)
        return await self._async.read(self._storage.scopes, reach)

    # -- update, delete -------------------------------------------------------------------------

    def update(
        self,
        id: str,
        text: str | None = None,
        *,
        metadata: Metadata | None = None,
        importance: float | None = None,
        expires_at: datetime | None = None,
        **ids: Unpack[Ids],
    ) -> Change:
        """Add a new version of a record; the old one stays in its history and can be restored.

        Args:
            id: Which record.
            text: New words.
            metadata: Replaces the old metadata.
            importance: 0 to 1.
            expires_at: From this time on no read returns it.
            user_id, agent_id, run_id, app_id: The scope it must lie in.

        Raises:
            RecordNotFoundError: The scope has no such record.
            ScopeError: Its newest version was said in another session, which these ids do not
                reach.
            InvalidInputError: Nothing to change was given, or it cannot be stored.
        """
        reach = self._reach(ids)
        edit = ingestion.edit(self._redacted(text), metadata, importance, expires_at)
        return run(self._update(self._sync, reach, id, edit))

    async def aupdate(
        self,
        id: str,
        text: str | None = None,
        *,
        metadata: Metadata | None = None,
        importance: float | None = None,
        expires_at: datetime | None = None,
        **ids: Unpack[Ids],
    ) -> Change:
        """Async twin of `update`."""
        reach = self._reach(ids)
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

    def delete(self, id: str | Sequence[str], **ids: Unpack[Ids]) -> Changes:
        """Erase a record, all its versions, and what was derived from it alone; or several.

        No search, history or file finds its words again; `history` still says that and when it
        was erased. It cannot be undone.

        Args:
            id: An id, or a list of them: all are erased in one transaction.
            user_id, agent_id, run_id, app_id: The scope they must lie in.

        Returns:
            One change for each id, in their order; what went with them is not listed.

        Raises:
            RecordNotFoundError: The scope lacks some of them, `RecordNotFoundError.record_ids`;
                nothing was erased.
        """
        return self._storage.erase(self._reach(ids), arguments.ids(id))

    async def adelete(self, id: str | Sequence[str], **ids: Unpack[Ids]) -> Changes:
        """Async twin of `delete`."""
        reach, doomed = self._reach(ids), arguments.ids(id)
        return await self._async.write(self._storage.erase, reach, doomed)

    def delete_all(self, *, filters: Mapping[str, Any] | None = None, **ids: Unpack[Ids]) -> int:
        """Erase a scope: its records, and the documents it owns; return how many records.

        LangGraph threads go as well that someone of the scope wrote to, by the ids in their
        ``configurable`` (a thread's id is its run). With `filters`, only the records go that they
        let through.

        Raises:
            StorageError: A package with tables in this file is not installed; nothing is erased.
        """
        reach = self._reach(ids)
        return self._storage.erase_reach(reach, arguments.filters(filters))

    async def adelete_all(
        self, *, filters: Mapping[str, Any] | None = None, **ids: Unpack[Ids]
    ) -> int:
        """Async twin of `delete_all`."""
        reach = self._reach(ids)
        tree = arguments.filters(filters)
        return await self._async.write(self._storage.erase_reach, reach, tree)

    # -- history --------------------------------------------------------------------------------

    def history(self, id: str, **ids: Unpack[Ids]) -> builtins.list[Change]:
        """Return everything that happened to a record, oldest first.

        Raises:
            RecordNotFoundError: The scope never had such a record.
        """
        return self._storage.history(self._reach(ids), id)

    async def ahistory(self, id: str, **ids: Unpack[Ids]) -> builtins.list[Change]:
        """Async twin of `history`."""
        reach = self._reach(ids)
        return await self._async.read(self._storage.history, reach, id)

    def undo(self, change: Change, **ids: Unpack[Ids]) -> Change:
        """Take back the newest change of a record; the undoing is a change of its own.

        Raises:
            RecordNotFoundError: The scope has no such record.
            ScopeError: It, or a later change, touched another session, which these ids do not
                reach.
            InvalidInputError: It is not the newest change, or it erased.
        """
        return self._storage.undo(self._reach(ids), change)

    async def aundo(self, change: Change, **ids: Unpack[Ids]) -> Change:
        """Async twin of `undo`."""
        reach = self._reach(ids)
        return await self._async.write(self._storage.undo, reach, change)


def _listing(
    filters: Mapping[str, Any] | None,
    kinds: Sequence[Kind] | None,
    order: str,
    limit: int,
    cursor: str | None,
) -> dict[str, Any]:
    return {
        "tree": arguments.filters(filters),
        "kinds": arguments.kinds(kinds),
        "order": order,
        "limit": arguments.limit(limit),
        "cursor": cursor,
    }
