"""The only module that knows sync from async.

Every flow is one coroutine that awaits nothing but its `Runtime`. Under `SYNC` no await ever
suspends, so `run` steps the coroutine to its end without an event loop. Under an
`AsyncRuntime` providers are awaited natively and each storage operation, whole, runs in a small
pool of its own: one hop, one commit. (Stepping a coroutine is how gel-python serves both faces.)
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
import time
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, ParamSpec, Protocol, TypeVar

from holdfast.errors import ProviderError
from holdfast.providers.base import LLM, Embedder, Reranker, Vector
from holdfast.types import Answer, Tool

P = ParamSpec("P")
T = TypeVar("T")

# Storage is one file with one pen; more threads would only queue.
MOST_THREADS: Final = 4
# Seconds after which an operation is taken to wait for something, and another thread goes on; and
# seconds between two looks.
PATIENCE: Final = 0.02
LOOK: Final = 0.005
# Seconds' worth of results that are brought to the loop at once.
TOGETHER: Final = 0.001
# Tasks that go on in one turn of the loop, of many that begin at once.
ARRIVALS: Final = 8

# Vectors of questions that are kept for each embedder, and how long a text may be for it.
QUESTIONS: Final = 256
LONGEST_QUESTION: Final = 2_000


class Runtime(Protocol):
    """The things a flow may wait for."""

    async def store(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one whole storage operation: one transaction."""

    async def compute(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do what takes long or loads modules, as reading a long text does."""

    async def embed(self, embedder: Embedder, texts: Sequence[str]) -> Sequence[Vector]:
        """Embed documents."""

    async def embed_query(self, embedder: Embedder, text: str) -> Vector:
        """Embed a question."""

    async def complete(
        self, llm: LLM, messages: Sequence[Mapping[str, str]], tool: Tool | None = None
    ) -> Answer:
        """Ask an LLM."""

    async def rerank(self, reranker: Reranker, query: str, texts: Sequence[str]) -> Sequence[float]:
        """Score texts against a question."""


class _Questions:
    """The vectors of the latest questions of each embedder; people and agents ask again.

    An embedder's own questions go with it. Its fingerprint is part of the key, for it may be
    given another model.
    """

    def __init__(self) -> None:
        self._known: dict[int, OrderedDict[tuple[str, str], Vector]] = {}
        self._lock = threading.Lock()

    def get(self, embedder: Embedder, text: str) -> Vector | None:
        """Return the vector of a question, if it is known."""
        key = (embedder.fingerprint, text)
        with self._lock:
            known = self._known.get(id(embedder))
            if known is None or key not in known:
                return None
            known.move_to_end(key)
            return known[key]

    def keep(self, embedder: Embedder, text: str, vector: Vector) -> Vector:
        """Remember a vector; return it."""
        if len(text) > LONGEST_QUESTION:
            return vector
        with self._lock:
            known = self._known.get(id(embedder))
            if known is None:
                known = self._known[id(embedder)] = OrderedDict()
                # Another object may have the same number later, but not before this one is gone.
                weakref.finalize(embedder, self._known.pop, id(embedder), None)
            known[embedder.fingerprint, text] = vector
            if len(known) > QUESTIONS:
                known.popitem(last=False)
        return vector


_QUESTIONS = _Questions()


class SyncRuntime:
    """Calls everything in place; its coroutines never suspend."""

    async def store(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the operation in this thread."""
        return operation(*args, **kwargs)

    async def compute(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do the work in this thread."""
        return work(*args, **kwargs)

    async def embed(self, embedder: Embedder, texts: Sequence[str]) -> Sequence[Vector]:
        """Call the embedder's sync method."""
        return embedder.embed(texts)

    async def embed_query(self, embedder: Embedder, text: str) -> Vector:
        """Call the embedder's sync method, unless it was asked the same lately."""
        known = _QUESTIONS.get(embedder, text)
        if known is None:
            known = _QUESTIONS.keep(embedder, text, embedder.embed_query(text))
        return known

    async def complete(
        self, llm: LLM, messages: Sequence[Mapping[str, str]], tool: Tool | None = None
    ) -> Answer:
        """Call the model's sync method."""
        try:
            return llm.complete(messages, tool=tool)
        except NotImplementedError as error:
            raise ProviderError(
                f"{type(llm).__name__} is async only: await aadd, aflush and adistil, and do "
                "without background=True"
            ) from error

    async def rerank(self, reranker: Reranker, query: str, texts: Sequence[str]) -> Sequence[float]:
        """Call the model's sync method."""
        return reranker.rerank(query, texts)


class _Lane:
    """The operations of one event loop, in the order in which they come.

    One thread takes one operation after the other, for threads that compute take each other's
    time and the loop's; and it brings back some results at a time, for waking the loop costs as
    much as a small operation. What takes long waits for the disk or another process, or reads
    much: then another thread goes on beside it.
    """

    def __init__(self, threads: Callable[[], ThreadPoolExecutor], at_once: int) -> None:
        self._threads = threads
        self._at_once = at_once
        self._waiting: deque[_Operation] = deque()
        self._done: deque[_Operation] = deque()
        self._running = 0
        self._watched = False
        self._latest = 0.0  # when an operation was last begun
        self._arriving: deque[asyncio.Future[None]] = deque()
        self._arrived = 0  # tasks let in during this turn of the loop

    async def arrive(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let few tasks go on in one turn of the loop, the others in the next ones."""
        if not self._arriving and self._arrived < ARRIVALS:
            if not self._arrived:
                loop.call_soon(self._admit, loop)
            self._arrived += 1
            return
        admitted = loop.create_future()
        self._arriving.append(admitted)
        await admitted

    def _admit(self, loop: asyncio.AbstractEventLoop) -> None:
        self._arrived = min(ARRIVALS, len(self._arriving))
        for _ in range(self._arrived):
            admitted = self._arriving.popleft()
            if not admitted.done():
                admitted.set_result(None)
        if self._arrived:
            loop.call_soon(self._admit, loop)

    async def run(self, loop: asyncio.AbstractEventLoop, work: Callable[[], T]) -> T:
        """Run work in a thread, in the caller's context."""
        operation = _Operation(loop.create_future(), contextvars.copy_context(), work)
        self._waiting.append(operation)
        self._begin(loop)
        result: T = await operation.future
        return result

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """See that somebody works, and look again until nothing is left."""
        stuck = time.monotonic() - self._latest > PATIENCE
        if self._waiting and self._running < (MOST_THREADS if stuck else self._at_once):
            self._running += 1
            self._latest = time.monotonic()
            self._threads().submit(self._work, loop)
        if self._running and not self._watched:
            self._watched = True
            loop.call_later(LOOK, self._watch, loop)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        self._watched = False
        self._bring()
        self._begin(loop)

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        """Do what waits, in a thread; wake the loop every millisecond, and at the end."""
        woken = time.monotonic()
        try:
            while self._waiting:
                try:
                    operation = self._waiting.popleft()
                except IndexError:  # another thread took it
                    break
                self._latest = time.monotonic()
                operation.run()
                self._done.append(operation)
                if time.monotonic() - woken > TOGETHER:
                    loop.call_soon_threadsafe(self._bring)
                    woken = time.monotonic()
            loop.call_soon_threadsafe(self._end, loop)
        except RuntimeError:
            if not loop.is_closed():
                raise

    def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        self._running -= 1
        self._bring()
        self._begin(loop)

    def _bring(self) -> None:
        """Tell those who wait, on the loop."""
        while self._done:
            self._done.popleft().tell()


@dataclass(slots=True)
class _Operation:
    """Work, who waits for it, and how it ended."""

    future: asyncio.Future[Any]
    context: contextvars.Context
    work: Callable[[], Any]
    result: Any = None
    error: BaseException | None = None

    def run(self) -> None:
        """Do it, unless nobody waits any more."""
        if self.future.cancelled():
            return
        try:
            self.result = self.context.run(self.work)
        except BaseException as error:  # noqa: BLE001 - it is for the one who waits
            self.error = error

    def tell(self) -> None:
        """Hand over what came of it, unless nobody waits any more."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)
            self.error = None  # its traceback holds this operation


class AsyncRuntime:
    """Awaits providers, and hands storage to a pool of its own.

    Args:
        together: Begin several operations at once: commits that wait for the disk are shared.
    """

    def __init__(self, *, together: bool = False) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._process = os.getpid()
        self._at_once = MOST_THREADS if together else 1
        self._lanes: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Lane]
        self._lanes = weakref.WeakKeyDictionary()

    async def store(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the operation in the pool; a cancelled caller leaves it to finish its commit."""
        loop = asyncio.get_running_loop()
        return await self._lane(loop).run(loop, partial(operation, *args, **kwargs))

    async def turn(self) -> None:
        """Let the loop go on where many tasks begin at once: what all of them check takes long."""
        loop = asyncio.get_running_loop()
        await self._lane(loop).arrive(loop)

    def _lane(self, loop: asyncio.AbstractEventLoop) -> _Lane:
        lane = self._lanes.get(loop)
        if lane is None:
            lane = self._lanes[loop] = _Lane(self._threads, self._at_once)
        return lane

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None or self._process != os.getpid():
            # A forked child inherits the pool but none of its threads.
            self._pool = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="holdfast")
            self._process = os.getpid()
        return self._pool

    async def compute(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do the work in the pool: it must not hold the event loop."""
        return await self.store(work, *args, **kwargs)

    async def embed(self, embedder: Embedder, texts: Sequence[str]) -> Sequence[Vector]:
        """Await the embedder."""
        return await embedder.aembed(texts)

    async def embed_query(self, embedder: Embedder, text: str) -> Vector:
        """Await the embedder, unless it was asked the same lately."""
        known = _QUESTIONS.get(embedder, text)
        if known is None:
            known = _QUESTIONS.keep(embedder, text, await embedder.aembed_query(text))
        return known

    async def complete(
        self, llm: LLM, messages: Sequence[Mapping[str, str]], tool: Tool | None = None
    ) -> Answer:
        """Await the model."""
        return await llm.acomplete(messages, tool=tool)

    async def rerank(self, reranker: Reranker, query: str, texts: Sequence[str]) -> Sequence[float]:
        """Await the model."""
        return await reranker.arerank(query, texts)

    def close(self) -> None:
        """Let the pool's threads go once they have finished; another use makes a new pool."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False)


SYNC = SyncRuntime()


def run(flow: Coroutine[Any, Any, T]) -> T:
    """Step a flow that never suspends to its end.

    Raises:
        RuntimeError: The flow suspended: something in it waits for an event loop.
    """
    try:
        flow.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        flow.close()
    raise RuntimeError(f"{flow!r} suspended outside an event loop")
