"""The async face: providers are awaited, storage works in threads."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from typing import Any, ParamSpec, TypeVar

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
        self._start()

    def _start(self) -> None:
        """Begin with no threads, as a process does; a forked child inherits none."""
        self._process = os.getpid()
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._lanes: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Lane]
        self._lanes = weakref.WeakKeyDictionary()

    def _own(self) -> None:
        """Begin anew in a forked child."""
        if self._process != os.getpid():
            self._start()

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
        self._own()
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
        self._own()
        self._closed = True
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False)
