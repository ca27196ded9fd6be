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
import weakref
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, ParamSpec, Protocol, TypeVar

from holdfast.errors import ProviderError
from holdfast.providers.base import LLM, Embedder, Reranker, Vector
from holdfast.types import Answer, Tool

P = ParamSpec("P")
T = TypeVar("T")

# Storage is one file with one pen; more threads would only queue.
STORAGE_THREADS = 4

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


class AsyncRuntime:
    """Awaits providers, and hands storage to a pool of its own."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._process = os.getpid()

    async def store(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the operation in the pool; a cancelled caller leaves it to finish its commit."""
        if self._pool is None or self._process != os.getpid():
            # A forked child inherits the pool but none of its threads.
            self._pool = ThreadPoolExecutor(STORAGE_THREADS, thread_name_prefix="holdfast")
            self._process = os.getpid()
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, lambda: context.run(operation, *args, **kwargs)
        )

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
