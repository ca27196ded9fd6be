"""Verbs of the whole file."""

from __future__ import annotations

import os

from holdfast.checks import check_path
from holdfast.documents import Documents
from holdfast.maintenance import conductor as maintenance
from holdfast.maintenance import transfer as transferring
from holdfast.maintenance.conductor import Progress, Stats
from holdfast.memory import arguments
from holdfast.memory.handle import Handle
from holdfast.runtime import run
from holdfast.storage.contract.reach import Reach
from holdfast.types import Ids, Scope, Unpack, given_ids


class FileVerbs(Handle):
    """`documents`, `stats`, `export`, `import_`, `reembed` and others."""

    @property
    def documents(self) -> Documents:
        """Documents by namespace and key, in the same file.

        Those of a handle that is bound to a scope belong to the scope; see `Documents`.
        """
        return Documents(self._storage, self._embedder, self._async, self._bound)

    @property
    def path(self) -> str:
        """The absolute path of the file, or ``":memory:"``."""
        return str(self._storage.path)

    @property
    def closed(self) -> bool:
        """Whether the file was closed."""
        return self._storage.closed

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
        return await self._async.read(maintenance.stats, self._storage, reach, check=check)

    def _checked(self, check: bool) -> Reach | None:
        if check:
            self._need_whole_file("stats(check=True)")
        return self._whole()

    def export(self, path: str | os.PathLike[str], *, progress: Progress | None = None) -> int:
        """Write everything this handle can reach as JSON Lines; return how many lines.

        It is lossless: versions, history, vectors, documents, what waits for extraction, and
        LangGraph threads, of a bound handle those that no one else wrote to. A file encrypted with
        a key is exported in clear text; only its owner may read it (mode 0600).

        Raises:
            InvalidInputError: The path is the memory's own file, or no path of a file.
            StorageError: It cannot be written, or a package with tables in this file is not
                installed; what was there before is as it was.
            DamagedFileError: A record is not as it was written; it is named.
        """
        return transferring.export(
            self._storage, self._whole(), check_path(path), arguments.callback("progress", progress)
        )

    async def aexport(
        self, path: str | os.PathLike[str], *, progress: Progress | None = None
    ) -> int:
        """Async twin of `export`."""
        reach = self._whole()
        return await self._async.read(
            transferring.export,
            self._storage,
            reach,
            check_path(path),
            arguments.callback("progress", progress),
        )

    def import_(
        self, path: str | os.PathLike[str], *, progress: Progress | None = None, **ids: Unpack[Ids]
    ) -> int:
        """Read an export into this file; return how many records and documents were new.

        Everything is checked before anything is written, and written in one transaction: others
        who write wait for it. What this file or the export has erased stays erased. A newer export
        of the same memories takes an older one's place. LangGraph threads hold objects of Python:
        they are taken without ids only, from a source that you trust.

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
        within = self._import_scope(ids)
        return transferring.import_(
            self._storage, within, check_path(path), arguments.callback("progress", progress)
        )

    async def aimport_(
        self, path: str | os.PathLike[str], *, progress: Progress | None = None, **ids: Unpack[Ids]
    ) -> int:
        """Async twin of `import_`."""
        within = self._import_scope(ids)
        return await self._async.write(
            transferring.import_,
            self._storage,
            within,
            check_path(path),
            arguments.callback("progress", progress),
        )

    def _import_scope(self, ids: Ids) -> Scope | None:
        return self._scope(ids) if given_ids(ids) else self._bound

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
        return await self._async.write(self._storage.maintenance.vacuum)

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
                self._sync, self._storage, self._embedder, arguments.callback("progress", progress)
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
        return await self._async.write(self._storage.maintenance.purge)

    def rekey(self, key: str | bytes) -> None:
        """Encrypt the file under another key; every other process must have closed it."""
        self._need_whole_file("rekey")
        self._storage.maintenance.rekey(key)
