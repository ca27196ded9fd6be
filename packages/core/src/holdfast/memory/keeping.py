"""Verbs of the whole file."""

from __future__ import annotations

import os

from holdfast import chatlog
from holdfast.chatlog import ChatLog
from holdfast.checks import check_path
from holdfast.documents import Items
from holdfast.maintenance import conductor as maintenance
from holdfast.maintenance import transfer as transferring
from holdfast.maintenance.conductor import Progress, Stats
from holdfast.memory import arguments
from holdfast.memory.handle import Handle
from holdfast.runtime import SYNC, run
from holdfast.storage.contract.reach import Reach
from holdfast.storage.sqlite.database import Database
from holdfast.types import Scope


class Keeping(Handle):
    """`items` and `database` for adapters; `stats`, `export`, `import_`, `reembed` and others."""

    @property
    def items(self) -> Items:
        """Documents by namespace and key, in the same file; adapters stand on it.

        Raises:
            ScopeError: This handle is bound to a scope.
        """
        self._need_whole_file("items")
        return Items(self._storage, self._embedder, self._async)  # type: ignore[arg-type]

    def chat_log(
        self,
        name: str = "messages",
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> ChatLog:
        """Return the log of a session's messages; see `ChatLog`.

        Args:
            name: Keeps several logs of a session apart.
            user_id, agent_id, run_id, app_id: Whose session it is, and which (`run_id`): exactly
                these ids.

        Raises:
            ScopeError: There is none, or it is not within the scope of this handle.
        """
        scope = self._scope(user_id, agent_id, run_id, app_id)
        return ChatLog(self._storage, self._async, scope, name)

    def chat_logs(
        self,
        name: str = "messages",
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> list[Scope]:
        """Return the sessions whose logs of a name hold messages.

        Args:
            name: See `chat_log`.
            user_id, agent_id, run_id, app_id: Of which scope; none given: all that this handle
                reaches.
        """
        ids = (user_id, agent_id, run_id, app_id)
        within = self._bound if all(value is None for value in ids) else self._scope(*ids)
        return chatlog.sessions(self._storage, name, within)

    async def achat_logs(
        self,
        name: str = "messages",
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> list[Scope]:
        """Async twin of `chat_logs`."""
        ids = (user_id, agent_id, run_id, app_id)
        within = self._bound if all(value is None for value in ids) else self._scope(*ids)
        return await self._async.read(chatlog.sessions, self._storage, name, within)

    @property
    def path(self) -> str:
        """The absolute path of the file, or ``":memory:"``."""
        return str(self._storage.path)

    @property
    def database(self) -> Database:
        """The file itself, for a package that keeps tables of its own in it.

        Raises:
            ScopeError: This handle is bound to a scope.
        """
        self._need_whole_file("database")
        database: Database = self._storage.database
        return database

    def stats(self, *, check: bool = False) -> Stats:
        """Count what this handle can reach: the whole file, or the scope it is bound to.

        Args:
            check: Also prove the file sound; `Stats.problems` says what is not.

        Raises:
            ScopeError: `check` was asked of a bound handle; it concerns the whole file.
        """
        return maintenance.stats(self._storage, self._checked(check), check=check)

    async def astats(self, *, check: bool = False) -> Stats:
        """Async twin of `stats`."""
        reach = self._checked(check)
        return await self._async.store(maintenance.stats, self._storage, reach, check=check)

    def _checked(self, check: bool) -> Reach | None:
        if check:
            self._need_whole_file("stats(check=True)")
        return self._reach()

    def export(self, path: str | os.PathLike[str], *, progress: Progress | None = None) -> int:
        """Write the records and items this handle can reach as JSON Lines; return how many lines.

        Of those it is lossless: versions, history, vectors, what waits for extraction. What
        adapters keep in tables of their own (LangGraph's checkpoints, chat logs) is not in it. A
        file encrypted with a key is exported in clear text; only its owner may read it (mode 0600).

        Raises:
            InvalidInputError: The path is the memory's own file, or no path of a file.
            StorageError: It cannot be written; what was there before is as it was.
            DamagedFileError: A record is not as it was written; it is named.
        """
        return transferring.export(
            self._storage, self._reach(), check_path(path), arguments.callback("progress", progress)
        )

    async def aexport(
        self, path: str | os.PathLike[str], *, progress: Progress | None = None
    ) -> int:
        """Async twin of `export`."""
        reach = self._reach()
        return await self._async.store(
            transferring.export,
            self._storage,
            reach,
            check_path(path),
            arguments.callback("progress", progress),
        )

    def import_(
        self,
        path: str | os.PathLike[str],
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        progress: Progress | None = None,
    ) -> int:
        """Read an export into this file; return how many records and items were new.

        Everything is checked before anything is written, and written in one transaction: others
        who write wait for it. What this file or the export has erased stays erased. A newer export
        of the same memories takes an older one's place.

        Args:
            path: An export.
            user_id, agent_id, run_id, app_id: Accept only what lies in this scope; none given: all
                that this handle reaches. Give them when the export comes from a user.
            progress: Called with (done, in all); the export is read twice.

        Raises:
            InvalidInputError: It is no export (the line is named, and what is allowed there), holds
                memories outside the scope, or this file has other memories in its scopes.
            EmbedderMismatchError: It was written with another embedder than this file.
        """
        within = self._import_scope(user_id, agent_id, run_id, app_id)
        return transferring.import_(
            self._storage, within, check_path(path), arguments.callback("progress", progress)
        )

    async def aimport_(
        self,
        path: str | os.PathLike[str],
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        progress: Progress | None = None,
    ) -> int:
        """Async twin of `import_`."""
        within = self._import_scope(user_id, agent_id, run_id, app_id)
        return await self._async.store(
            transferring.import_,
            self._storage,
            within,
            check_path(path),
            arguments.callback("progress", progress),
        )

    def _import_scope(self, *ids: str | None) -> Scope | None:
        return self._bound if all(value is None for value in ids) else self._scope(*ids)

    def vacuum(self) -> int:
        """Give what deletions have freed back to the file system; return how many bytes.

        The file is written anew, so the disk needs as much room again for a moment.

        Raises:
            ScopeError: This handle is bound to a scope.
            StorageError: Others hold the file, or the disk is full; nothing was changed.
        """
        self._need_whole_file("vacuum")
        return self._storage.maintenance.vacuum()

    async def avacuum(self) -> int:
        """Async twin of `vacuum`."""
        self._need_whole_file("vacuum")
        return await self._async.store(self._storage.maintenance.vacuum)

    def reembed(self, *, progress: Progress | None = None) -> int:
        """Compute every vector anew with this memory's embedder; return how many.

        It can be interrupted and called again; until it is done, the old embedder's searches
        go on working.

        Raises:
            ScopeError: This handle is bound to a scope.
            InvalidInputError: A framework's vector store lies in this file, and its vectors, which
                only the framework can make, would be of another embedder than all others.
            ProviderError: The embedder failed; what is done is kept.
        """
        self._need_whole_file("reembed")
        return run(
            maintenance.reembed(
                SYNC, self._storage, self._embedder, arguments.callback("progress", progress)
            )
        )

    async def areembed(self, *, progress: Progress | None = None) -> int:
        """Async twin of `reembed`."""
        self._need_whole_file("reembed")
        return await maintenance.reembed(
            self._async, self._storage, self._embedder, arguments.callback("progress", progress)
        )

    def purge(self) -> int:
        """Erase expired records, and finish all erasures to the last byte; return how many expired.

        Deleted rows are overwritten at once. What readers held, and the copies that SQLite left of
        a few rows when it moved them, go now: if anything was erased since, the file is written
        anew (see `vacuum`), unless others write to it.
        """
        self._need_whole_file("purge")
        return self._storage.maintenance.purge()

    async def apurge(self) -> int:
        """Async twin of `purge`."""
        self._need_whole_file("purge")
        return await self._async.store(self._storage.maintenance.purge)

    def rekey(self, key: str | bytes) -> None:
        """Encrypt the file under another key; every other process must have closed it."""
        self._need_whole_file("rekey")
        self._storage.maintenance.rekey(key)
