"""The checkpointer's operations, each one transaction."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from holdfast import InvalidInputError
from holdfast.tables import Database
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    get_checkpoint_metadata,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from holdfast_langgraph.checkpoint import delta, listing, rows, storing, threads
from holdfast_langgraph.checkpoint.address import Address, config_of
from holdfast_langgraph.checkpoint.capture import Capture
from holdfast_langgraph.checkpoint.file import File, digest_key
from holdfast_langgraph.checkpoint.recent import RecentThreads, ThreadState
from holdfast_langgraph.checkpoint.stored import references
from holdfast_langgraph.checkpoint.threads import Retention
from holdfast_langgraph.checkpoint.values import Codec


class SyncSaver(BaseCheckpointSaver[Any]):
    """The sync face of `HoldfastSaver`; see there."""

    def __init__(
        self,
        file: File,
        serde: SerializerProtocol | None,
        retention: Retention | None,
        capture: Capture | None,
    ) -> None:
        super().__init__(serde=serde)
        self._file = file
        self._retention = retention
        self._capture = capture
        self._recent = RecentThreads()
        self._made: storing.WriteContext | None = None

    def setup(self) -> None:
        """Open the file and bring its tables up to date; every operation does so by itself.

        Raises:
            StorageError: It cannot be opened; `WrongKeyError`, `SchemaVersionError`.
        """
        self._file.open()

    @property
    def database(self) -> Database:
        """The file, opened now if it was not yet."""
        return self._file.open()

    def _context(self) -> storing.WriteContext:
        # `serde` may be set anew at any time, and is on a shallow copy (`with_allowlist`).
        context = self._made
        if context is None or context.codec.serde is not self.serde:
            codec = Codec(self.serde, digest_key(self.database, self.serde))
            context = storing.WriteContext(self.database, codec, self._recent, self._retention)
            self._made = context
        return context

    # -- reading --------------------------------------------------------------------------------

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return the checkpoint a config names, or its thread's latest; None if there is none."""
        codec, address = self._context().codec, Address.of(config)
        with self.database.read() as connection:
            row = rows.find(connection, address)
            if row is None:
                return None
            plain = self._opened(codec, row)
            [fetched] = listing.fetch(connection, [row], {row.thread: plain})
        if address.checkpoint_id:
            return listing.assemble(codec, fetched, config, plain)
        found = listing.assemble(codec, fetched, None, plain)
        self._remember(codec, row, plain)
        return found

    def _remember(self, codec: Codec, row: rows.CheckpointRow, plain: Mapping[int, bytes]) -> None:
        """Keep the opened chunks of a thread's latest checkpoint, from where the thread goes on."""
        state = self._recent.get(row.thread_id)
        if state is None or (state.no, state.epoch) != (row.thread, row.epoch):
            state = ThreadState(row.thread, row.salt, row.epoch)
        if plain:
            needed = {id for value in row.manifest.values() for id in references(value)}
            state.note_plain(codec, {id: plain[id] for id in needed if id in plain})
        self._recent.keep(row.thread_id, state)

    def _opened(self, codec: Codec, row: rows.CheckpointRow) -> dict[int, bytes]:
        """Return the opened chunks that are known of a checkpoint's thread."""
        state = self._recent.get(row.thread_id)
        return state.opened(codec, row.thread, row.epoch) if state is not None else {}

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Yield checkpoints, newest first.

        Nothing is held between two of them: read, write and list as you go.

        Args:
            config: A thread, and if given its namespace and checkpoint; None for all threads.
            filter: Metadata that must be equal; a dot leads into a nested object, and a missing
                key equals None.
            before: Only checkpoints older than the one this config names.
            limit: How many at most.

        Raises:
            FilterError: A filter key is malformed.
        """
        for page in self._pages(listing.read_query(config, filter, before, limit)):
            yield from page

    def _pages(self, query: listing.Query) -> Iterator[Sequence[CheckpointTuple]]:
        """Yield what a query finds, page by page; each is read in a transaction of its own."""
        codec, left = self._context().codec, query.limit
        ids: Sequence[int] | None = None
        begin, size = 0, listing.FIRST_PAGE
        while ids is None or (begin < len(ids) and left != 0):
            with self.database.read() as connection:
                ids = listing.find_listed(connection, query) if ids is None else ids
                page = listing.read_page(connection, query, ids[begin : begin + size])[:left]
                # Checkpoints of a thread share most of their chunks.
                firsts = {row.thread: row for row in page}
                plain = {thread: self._opened(codec, row) for thread, row in firsts.items()}
                fetched = listing.fetch(connection, page, plain)
            yield [listing.assemble(codec, one, None, plain[one[0].thread]) for one in fetched]
            left = None if left is None else left - len(page)
            begin, size = begin + size, min(2 * size, listing.LARGEST_PAGE)

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Return what each delta channel needs to be rebuilt at a checkpoint (LangGraph's beta).

        Args:
            config: The checkpoint; by default the thread's latest.
            channels: Their names.

        Returns:
            For each, the writes of its ancestors, oldest first, back to the nearest stored value,
            and that value as ``seed`` where there is one.
        """
        if not channels:
            return {}
        codec = self._context().codec
        with self.database.read() as connection:
            histories, blobs = delta.read_history(connection, Address.of(config), channels)
        return delta.decode_history(codec, histories, blobs)

    # -- writing --------------------------------------------------------------------------------

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint; only what the thread did not hold yet takes room.

        Args:
            config: The thread, the namespace, and the parent's checkpoint id.
            checkpoint: The checkpoint.
            metadata: JSON; the config's own metadata is added to it.
            new_versions: The channels this checkpoint changed.

        Returns:
            The config that names it.
        """
        stored = self._put(config, checkpoint, metadata, new_versions)
        if self._capture is not None:
            self._capture.feed(config, checkpoint)
        return stored

    def _put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        address = Address.of(config)
        full = get_checkpoint_metadata(config, metadata)
        storing.store_checkpoint(self._context(), address, checkpoint, full, new_versions)
        return config_of(config["configurable"]["thread_id"], address.ns, checkpoint["id"])

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Store what a task wrote after a checkpoint.

        Writes already stored under the same task and index stay; interrupts, resumes and errors,
        given on their own, take the place of earlier ones.

        Args:
            config: The checkpoint.
            writes: Channels and values.
            task_id: The task.
            task_path: Its path, by which writes are ordered.
        """
        if writes:
            storing.store_writes(self._context(), Address.of(config), writes, (task_id, task_path))

    # -- threads --------------------------------------------------------------------------------

    def delete_thread(self, thread_id: str) -> None:
        """Delete a thread: checkpoints, writes and values, of all its namespaces."""
        self._erase([thread_id], None)

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints of these runs and their writes.

        What a later checkpoint's delta channel rests on stays, invisible, so that no state of
        another run changes. A thread without checkpoints is deleted.
        """
        keep = threads.without_runs(frozenset(map(str, run_ids)))
        with self.database.erasing() as connection:
            for thread in threads.threads_of_runs(connection, list(map(str, run_ids))):
                threads.prune(connection, thread, keep)

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy a thread with all its history to another id; a missing source copies nothing.

        Checkpoints the target has under the same ids are replaced.
        """
        self._recent.drop(str(target_thread_id))
        with self.database.write() as connection:
            threads.copy_thread(connection, str(source_thread_id), str(target_thread_id))

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Delete old checkpoints of these threads.

        Args:
            thread_ids: The threads; a missing one is passed over.
            strategy: ``"keep_latest"`` keeps the newest checkpoint of each namespace, and,
                invisible, what its delta channels rest on; ``"delete"`` keeps nothing.

        Raises:
            InvalidInputError: There is no such strategy.
        """
        if strategy not in ("keep_latest", "delete"):
            raise InvalidInputError(
                f"unknown strategy {strategy!r}; allowed are 'keep_latest' and 'delete'"
            )
        self._erase(thread_ids, threads.latest if strategy == "keep_latest" else None)

    def _erase(self, thread_ids: Sequence[str], keep: threads.Keep | None) -> None:
        """Prune threads in one transaction, whole without `keep`, and clear the log behind it."""
        if not thread_ids:
            return
        with self.database.erasing() as connection:
            for thread_id in map(str, thread_ids):
                state = rows.find_thread(connection, thread_id)
                if state is None or state.no is None:
                    continue
                if keep is None:
                    threads.delete_thread(connection, state.no)
                else:
                    threads.prune(connection, state.no, keep)
        if keep is None and self._capture is not None:
            self._capture.forget(list(map(str, thread_ids)))

    def sweep(self) -> int:
        """Apply the retention to every thread, and delete those idle for longer than its age.

        Returns:
            How many checkpoints were deleted.
        """
        retention = self._retention
        if retention is None:
            return 0
        database, deleted = self.database, 0
        with database.read() as connection:
            every = threads.all_threads(connection)
        for thread in every:
            with database.write() as connection:
                gone = threads.retire(connection, thread, retention)
                if gone:
                    database.expect_erasure(connection)
            deleted += gone
        database.finish_erasure()
        return deleted

    def get_next_version(self, current: int | str | float | None, channel: None) -> Any:
        """Return the version after `current`: a count.

        Other savers add a random tail, because they store values under their version and a fork
        would write over its sibling. Here values are stored by content. A thread that came from
        another saver goes on in that saver's form.
        """
        if isinstance(current, str):
            return f"{int(current.split('.')[0]) + 1:032}.{random.random():016}"
        return 1 if current is None else current + 1
