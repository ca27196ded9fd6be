"""`HoldfastSaver`: how it is made, its life, and the async twin of every operation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from holdfast.adapters import Runner
from holdfast.tables import Durability, database_of
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from holdfast_langgraph.checkpoint import listing
from holdfast_langgraph.checkpoint.capture import Capture, ScopeOf, thread_scope
from holdfast_langgraph.checkpoint.file import File, Where
from holdfast_langgraph.checkpoint.sync import SyncSaver
from holdfast_langgraph.checkpoint.threads import Retention

if TYPE_CHECKING:
    from holdfast import Memory


class HoldfastSaver(SyncSaver):
    """A LangGraph checkpointer on one Holdfast file; the same object serves sync and async.

        with HoldfastSaver.from_conn_string("agent.db") as saver:
            graph = builder.compile(checkpointer=saver)

    Safe for many threads, many event loops and many processes on one file. A message is stored
    once however many checkpoints hold it. The file is opened at the first use.

    A thread belongs to every ``user_id`` (``agent_id``, ``app_id``) that the ``configurable`` of a
    put to it named, and its id is its run: `Memory.delete_all` of one of them on the same file
    deletes the whole thread. `Memory.stats` with ``check=True`` names the threads of no user.

    Args:
        where: A path, or ``":memory:"``; for the file of a `Memory` see `from_memory`.
        serde: Serializes values; by default LangGraph's own. Metadata is stored as JSON and never
            passes through it: to encrypt everything, give `key`.
        key: Encrypts the whole file: a passphrase, or 32 raw bytes. Only with a path.
        durability: ``"normal"``: a checkpoint survives the death of the process; ``"full"``: also
            of the machine. Only with a path.
        retention: What to keep of each thread; by default everything.
        capture: Receives what is said in the ``messages`` channel, each message once by its id.
            A failure there is logged and never stops a run.
        capture_scope: Whose those messages are, by config; by default the thread as the run, and
            ``configurable["user_id"]`` where it is given.
    """

    def __init__(
        self,
        where: Where,
        *,
        serde: SerializerProtocol | None = None,
        key: str | bytes | None = None,
        durability: Durability = "normal",
        retention: Retention | None = None,
        capture: Memory | None = None,
        capture_scope: ScopeOf = thread_scope,
    ) -> None:
        file = File(where, key, durability)
        feeding = None if capture is None else Capture(capture, capture_scope)
        super().__init__(file, serde, retention, feeding)
        self._runner = Runner()

    def __repr__(self) -> str:
        return f"HoldfastSaver({self._file!r})"

    @classmethod
    def from_conn_string(
        cls,
        conn_string: str,
        *,
        serde: SerializerProtocol | None = None,
        key: str | bytes | None = None,
        durability: Durability = "normal",
        retention: Retention | None = None,
    ) -> HoldfastSaver:
        """Return a saver on a path, for ``with`` and for ``async with``; see the class."""
        return cls(conn_string, serde=serde, key=key, durability=durability, retention=retention)

    @classmethod
    def from_memory(
        cls,
        memory: Memory,
        *,
        serde: SerializerProtocol | None = None,
        retention: Retention | None = None,
        capture: bool = False,
        capture_scope: ScopeOf = thread_scope,
    ) -> HoldfastSaver:
        """Return a saver on a memory's own file.

        Args:
            memory: It, and its file, stay yours to close.
            serde: See the class.
            retention: See the class.
            capture: Feed what is said in threads to this memory.
            capture_scope: See the class.

        Raises:
            ScopeError: The memory is bound to a scope; threads are not.
        """
        return cls(
            database_of(memory),
            serde=serde,
            retention=retention,
            capture=memory if capture else None,
            capture_scope=capture_scope,
        )

    # -- life -----------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the file, if the saver opened it."""
        self._file.close()
        self._runner.close()

    async def aclose(self) -> None:
        """Async twin of `close`."""
        await self._runner.write(self._file.close)
        self._runner.close()

    async def asetup(self) -> None:
        """Async twin of `setup`."""
        await self._runner.write(self.setup)

    def __enter__(self) -> HoldfastSaver:
        self.setup()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> HoldfastSaver:
        await self.asetup()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    # -- async twins ----------------------------------------------------------------------------

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Async twin of `get_tuple`."""
        return await self._runner.read(self.get_tuple, config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Async twin of `list`."""
        pages = self._pages(listing.read_query(config, filter, before, limit))
        while (page := await self._runner.read(next, pages, None)) is not None:
            for found in page:
                yield found

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Async twin of `get_delta_channel_history`."""
        return await self._runner.read(
            self.get_delta_channel_history, config=config, channels=channels
        )

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Async twin of `put`."""
        stored = await self._runner.write(self._put, config, checkpoint, metadata, new_versions)
        if self._capture is not None:
            await self._capture.afeed(config, checkpoint)
        return stored

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Async twin of `put_writes`."""
        await self._runner.write(self.put_writes, config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        """Async twin of `delete_thread`."""
        await self._runner.write(self.delete_thread, thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Async twin of `delete_for_runs`."""
        await self._runner.write(self.delete_for_runs, run_ids)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Async twin of `copy_thread`."""
        await self._runner.write(self.copy_thread, source_thread_id, target_thread_id)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Async twin of `prune`."""
        await self._runner.write(self.prune, thread_ids, strategy=strategy)

    async def asweep(self) -> int:
        """Async twin of `sweep`."""
        return await self._runner.write(self.sweep)
