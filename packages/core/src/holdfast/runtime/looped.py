"""The async face: providers are awaited, storage works in threads."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from typing import Any, ParamSpec, TypeVar

from holdfast.forking import renewed
from holdfast.providers.base import LLM, Embedder, Reranker, Vector
from holdfast.providers.checking import checked_answer
from holdfast.runtime.lane import MOST_THREADS, Lane
from holdfast.runtime.operations import Kind, Together
from holdfast.runtime.questions import ASKED
from holdfast.types import Answer, Tool

P = ParamSpec("P")
T = TypeVar("T")


class AsyncRuntime:
    """Awaits providers, and hands storage to a pool of its own.

    Args:
        together: Encloses writes that are to share a transaction, see `Database.together`; without
            it each has its own.
    """

    def __init__(self, together: Together = nullcontext) -> None:
        self._together = together
        self._closed = False
        self.renew()
        renewed(self)

    def renew(self) -> None:
        """Begin with no threads, as a process does; a forked child inherits none."""
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._lanes: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Lane]
        self._lanes = weakref.WeakKeyDictionary()

    async def store(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the operation in the pool; a cancelled caller leaves it to finish its commit."""
        result: T = await self._hop("store", partial(operation, *args, **kwargs))
        return result

    async def read(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the operation in the pool."""
        result: T = await self._hop("read", partial(operation, *args, **kwargs))
        return result

    async def write(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the operation in the pool, in one transaction with others that wait."""
        result: T = await self._hop("write", partial(operation, *args, **kwargs))
        return result

    async def claim(
        self,
        release: Callable[[T], object],
        operation: Callable[P, T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run the operation as `write` does; a cancelled caller ends when its claim is released.

        The claim may be made while its caller is cancelled, or lie ready when it is: so the caller
        looks what came of it. What had not begun by then is left out.
        """
        unwanted = threading.Event()

        def wanted() -> T | None:
            return None if unwanted.is_set() else operation(*args, **kwargs)

        future = self._hop("write", wanted)
        cancelled = await _ended(future, unwanted)
        if cancelled is not None:
            if future.exception() is None and (made := future.result()) is not None:
                await _ended(self._hop("store", partial(release, made)))
            raise cancelled
        result: T = future.result()
        return result

    async def finish(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the operation in the pool; a cancelled caller waits for its end, then is."""
        future = self._hop("store", partial(operation, *args, **kwargs))
        cancelled = await _ended(future)
        if cancelled is not None:
            raise cancelled
        result: T = future.result()
        return result

    async def compute(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do the work in the pool: it must not hold the event loop."""
        result: T = await self._hop("read", partial(work, *args, **kwargs))
        return result

    def _hop(self, kind: Kind, work: Callable[[], Any]) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        return self._lane(loop).run(loop, kind, work)

    async def turn(self) -> None:
        """Let the loop go on where many tasks begin at once: what all of them check takes long."""
        loop = asyncio.get_running_loop()
        await self._lane(loop).arrive(loop)

    def _lane(self, loop: asyncio.AbstractEventLoop) -> Lane:
        lane = self._lanes.get(loop)
        if lane is None:
            lane = self._lanes[loop] = Lane(self._submit, self._together)
        return lane

    def _submit(self, work: Callable[[], None]) -> None:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="holdfast")
            self._pool.submit(work)
        if self._closed:  # what still waited is told so; no thread stays for it
            self.close()

    async def embed(self, embedder: Embedder, texts: Sequence[str]) -> Sequence[Vector]:
        """Await the embedder."""
        return await embedder.aembed(texts)

    async def embed_query(self, embedder: Embedder, text: str) -> Vector:
        """Await the embedder, unless it was asked the same lately."""
        known = ASKED.get(embedder, text)
        if known is None:
            known = ASKED.keep(embedder, text, await embedder.aembed_query(text))
        return known

    async def complete(
        self, llm: LLM, messages: Sequence[Mapping[str, str]], tool: Tool | None = None
    ) -> Answer:
        """Await the model."""
        return checked_answer(llm, await llm.acomplete(messages, tool=tool))

    async def rerank(self, reranker: Reranker, query: str, texts: Sequence[str]) -> Sequence[float]:
        """Await the model."""
        return await reranker.arerank(query, texts)

    def close(self) -> None:
        """Let the pool's threads go once they have finished; what comes later stays no longer."""
        self._closed = True
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False)


async def _ended(
    future: asyncio.Future[Any], unwanted: threading.Event | None = None
) -> asyncio.CancelledError | None:
    """Wait for the end of an operation, even if the caller is cancelled.

    Args:
        future: What comes of the operation.
        unwanted: Set as soon as the caller is cancelled.

    Returns:
        The cancellation, to be raised when the caller has done what is left to do.
    """
    cancelled = None
    while not future.done():
        try:
            await asyncio.wait((future,))
        except asyncio.CancelledError as error:
            cancelled = error
            if unwanted is not None:
                unwanted.set()
    if cancelled is not None:
        future.exception()  # else the loop complains that nobody asked
    return cancelled
