"""The store: one class, sync and async, for threads, event loops and processes."""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from datetime import timedelta
from types import TracebackType
from typing import Any, Literal

from holdfast import Memory, documents
from holdfast.documents import Documents, Mode, Put
from holdfast.forking import Lock
from langgraph.store.base import (
    NOT_PROVIDED,
    BaseStore,
    NotProvided,
    Op,
    Result,
    TTLConfig,
)

from holdfast_langgraph.embeddings import LangChainEmbedder
from holdfast_langgraph.store import importing
from holdfast_langgraph.store.index import Choice, Index, IndexOptions, read_index
from holdfast_langgraph.store.memories import Memories
from holdfast_langgraph.store.operations import Habits, check, lifetime, returned, translated
from holdfast_langgraph.store.sweeper import Sweeper, Sweeping

DEFAULT_SWEEP_MINUTES = 5.0
MEMORIES = "holdfast"


class HoldfastStore(BaseStore):
    """LangGraph's long-term memory in one file, as ``InMemoryStore`` and ``SqliteStore`` are.

        store = HoldfastStore("agent.db", index={"embed": "openai:text-embedding-3-small"})
        graph = builder.compile(store=store)

    The same object serves sync and async callers, any number of threads and event loops, and
    other processes on the same file. It may be a module's global: the file is opened on first use.

    A batch is one unit: its reads see what was before its puts, its puts are written together,
    and if one operation makes no sense, its error is raised and nothing is written. Calls made at
    the same time share nothing: a bad one never fails another.

    Args:
        path: The file, made when missing, or ``":memory:"``.
        index: ``embed`` (an `Embeddings`, a function, ``"provider:model"``, or a Holdfast
            `Embedder`), ``dims`` to be held to, ``fields`` to embed; without it a query is
            ignored, and a search lists.
        ttl: LangGraph's `TTLConfig`; with ``sweep_interval_minutes``, sweeping begins at once.
        mode: ``"hybrid"``: the score is the cosine, lifted by shared words; ``"vector"``: the
            cosine; ``"keyword"``.
        key: Encrypts the whole file: a passphrase, or 32 raw bytes.
        durability: ``"normal"``: a put survives the death of the process; ``"full"``: also of
            the machine.

    Raises:
        InvalidInputError: The index configuration makes no sense.
        StorageError, WrongKeyError, SchemaVersionError: On first use, if the file cannot be opened.
    """

    supports_ttl = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        index: IndexOptions | None = None,
        ttl: TTLConfig | None = None,
        mode: Mode = "hybrid",
        key: str | bytes | None = None,
        durability: Literal["normal", "full"] = "normal",
    ) -> None:
        read = read_index(index)

        def opened() -> Documents:
            return Documents.open(path, embedder=read.embedder, key=key, durability=durability)

        self._begin(opened, read, index, ttl, mode)

    def _begin(
        self,
        opened: Callable[[], Documents],
        read: Index,
        index: IndexOptions | None,
        ttl: TTLConfig | None,
        mode: Mode,
    ) -> None:
        self.index_config = index
        self.ttl_config = ttl
        self._index = read
        self._habits = Habits(read, mode, expired=not (ttl or {}).get("omit_expired", False))
        self._opener = opened
        self._opening = Lock()
        self._documents: Documents | None = None
        self._owned = True
        self._memories: Memories | None = None
        self._sweeper = Sweeper(_sweeping(weakref.ref(self)))
        weakref.finalize(self, self._sweeper.tell)
        if ttl and ttl.get("sweep_interval_minutes"):
            self.start_ttl_sweeper()

    @classmethod
    def from_conn_string(
        cls,
        conn_string: str,
        *,
        index: IndexOptions | None = None,
        ttl: TTLConfig | None = None,
    ) -> HoldfastStore:
        """Return a store on a file, to be used with ``with``, with ``async with``, or as it is."""
        return cls(conn_string, index=index, ttl=ttl)

    @classmethod
    def from_memory(
        cls,
        memory: Memory,
        *,
        index: IndexOptions | None = None,
        ttl: TTLConfig | None = None,
        mode: Mode = "hybrid",
        memories: str | None = MEMORIES,
    ) -> HoldfastStore:
        """Return a store in a memory's file, with its embedder.

        Args:
            memory: It stays open when the store is closed. Of ``memory.scoped(user_id=...)`` the
                store is that user's: `Memory.delete_all` erases it, exports of the user hold it.
            index: Only ``fields``.
            ttl, mode: As in the constructor.
            memories: What the memory knows of a user can be read with `get` and `search` under
                ``(memories, user)``, never with a shorter prefix; None: nowhere. A user's id is
                escaped as by `escape_label`.
        """
        store = cls.__new__(cls)
        shared = memory.documents
        store._begin(lambda: shared, read_index(index, shared.embedder), index, ttl, mode)
        store._owned = False
        store._memories = None if memories is None else Memories(memory, memories)
        return store

    @property
    def embeddings(self) -> object | None:
        """The user's `Embeddings`, or the Holdfast `Embedder`; None without an index."""
        embedder = self._index.embedder
        return embedder.embeddings if isinstance(embedder, LangChainEmbedder) else embedder

    # -- the two methods ------------------------------------------------------------------------

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Do operations: reads first, then all puts in one transaction, the last of a key wins.

        Raises:
            InvalidNamespaceError: A label LangGraph does not allow; nothing was done.
            ValueError: An operation makes no sense; nothing was written.
            EmbedderMismatchError: The file was written with another embedder.
            ProviderError, StorageError: The embedder or the file failed; nothing was written.
        """
        checked = [check(op) for op in ops]
        read = [(at, memories.read(op)) for at, op, memories in self._of_memories(checked)]
        others = _without(checked, read)
        found = self._opened().batch([translated(op, self._habits) for op in others], strict=True)
        return _in_order(others, found, read)

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Async twin of `batch`; never blocks the event loop."""
        checked = [check(op) for op in ops]
        read = [(at, await memories.aread(op)) for at, op, memories in self._of_memories(checked)]
        others = _without(checked, read)
        opened = await self._aopened()
        found = await opened.abatch([translated(op, self._habits) for op in others], strict=True)
        return _in_order(others, found, read)

    def _of_memories(self, ops: Sequence[Op]) -> list[tuple[int, Op, Memories]]:
        """Return the operations on what a memory knows: their places, them, and whom to ask."""
        memories = self._memories
        if memories is None:
            return []
        return [(at, op, memories) for at, op in enumerate(ops) if memories.concerns(op)]

    # -- opening and closing --------------------------------------------------------------------

    def _opened(self) -> Documents:
        if self._documents is not None:
            return self._documents
        with self._opening:
            if self._documents is None:
                self._documents = self._opener()
            return self._documents

    async def _aopened(self) -> Documents:
        opened = self._documents
        return await asyncio.to_thread(self._opened) if opened is None else opened

    def setup(self) -> Awaitable[None]:
        """Open the file now rather than on first use; may be awaited, and need not be."""
        if not _in_loop():
            self._opened()
        return _Ready(self._opened)

    def close(self) -> None:
        """Stop sweeping and close the file, if it is this store's own."""
        self._sweeper.stop()
        with self._opening:
            if self._documents is not None and self._owned:
                self._documents.close()

    async def aclose(self) -> None:
        """Async twin of `close`."""
        await asyncio.to_thread(self.close)

    def __enter__(self) -> HoldfastStore:
        self._opened()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> HoldfastStore:
        await asyncio.to_thread(self._opened)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    # -- expiry ---------------------------------------------------------------------------------

    def sweep_ttl(self) -> int:
        """Delete what has expired; return how many items that were."""
        return self._opened().sweep()

    async def asweep_ttl(self) -> int:
        """Async twin of `sweep_ttl`."""
        return await (await self._aopened()).asweep()

    def start_ttl_sweeper(self, sweep_interval_minutes: float | None = None) -> Sweeping:
        """Sweep at an interval, in a thread; cancelling the future, or closing, ends it.

        Args:
            sweep_interval_minutes: By default the configured one, or five.
        """
        if not self.ttl_config:
            done = Sweeping()
            done.set_result(None)
            return done
        configured = self.ttl_config.get("sweep_interval_minutes")
        return self._sweeper.start(sweep_interval_minutes or configured or DEFAULT_SWEEP_MINUTES)

    def stop_ttl_sweeper(self, timeout: float | None = None) -> bool:
        """Stop sweeping; return whether it has stopped within `timeout` seconds."""
        return self._sweeper.stop(timeout)

    # -- moving in ------------------------------------------------------------------------------

    def import_store(
        self,
        source: BaseStore,
        *,
        index: Choice = None,
        ttl: float | NotProvided | None = NOT_PROVIDED,
    ) -> int:
        """Copy every item of another store; return how many.

        Items keep their creation time and their order; one of the same key here is replaced.
        The texts are embedded anew. LangGraph lets nobody read when an item expires: with
        ``ttl`` its life begins anew.

        Args:
            source: Any LangGraph store, for example a ``SqliteStore`` or ``PostgresStore``.
            index, ttl: As in `put`.
        """
        life, copied = self._lifetime(ttl), 0
        puts: list[Put] = []
        for item in importing.every_item(source):
            puts.append(importing.copied(item, self._index, index, life))
            if len(puts) == importing.PAGE:
                copied += len(self._opened().batch(puts, strict=True))
                puts = []
        return copied + len(self._opened().batch(puts, strict=True))

    async def aimport_store(
        self,
        source: BaseStore,
        *,
        index: Choice = None,
        ttl: float | NotProvided | None = NOT_PROVIDED,
    ) -> int:
        """Async twin of `import_store`."""
        life, copied = self._lifetime(ttl), 0
        opened = await self._aopened()
        puts: list[Put] = []
        async for item in importing.aevery_item(source):
            puts.append(importing.copied(item, self._index, index, life))
            if len(puts) == importing.PAGE:
                copied += len(await opened.abatch(puts, strict=True))
                puts = []
        return copied + len(await opened.abatch(puts, strict=True))

    def _lifetime(self, ttl: float | NotProvided | None) -> timedelta | None:
        if isinstance(ttl, NotProvided):
            ttl = (self.ttl_config or {}).get("default_ttl")
        return lifetime(ttl)


class _Ready:
    """What `setup` returns: awaiting it opens the file in a thread."""

    def __init__(self, opened: Callable[[], object]) -> None:
        self._opened = opened

    def __await__(self) -> Generator[Any, None, None]:
        yield from asyncio.to_thread(self._opened).__await__()


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _sweeping(store: weakref.ref[HoldfastStore]) -> Callable[[], int]:
    """Return a sweep that does not keep its store alive."""

    def sweep() -> int:
        alive = store()
        return 0 if alive is None else alive._opened().sweep()

    return sweep


def _without(ops: list[Op], read: Sequence[tuple[int, Result]]) -> list[Op]:
    """Return the operations that are still to be done."""
    if not read:
        return ops
    places = {at for at, _ in read}
    return [op for at, op in enumerate(ops) if at not in places]


def _in_order(
    ops: Sequence[Op], found: Sequence[documents.Result], read: Sequence[tuple[int, Result]]
) -> list[Result]:
    """Return the results of all operations, those already read at their places."""
    results = [returned(op, result) for op, result in zip(ops, found, strict=True)]
    for at, result in read:
        results.insert(at, result)
    return results
