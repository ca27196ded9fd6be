"""The async face: providers are awaited, storage calls run in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, ParamSpec, TypeVar

from holdfast.providers.base import LLM, Embedder, Reranker, Vector
from holdfast.providers.checking import checked_answer
from holdfast.runtime.jobs import Job, JobQueue
from holdfast.runtime.questions import ASKED
from holdfast.types import Answer, Tool

P = ParamSpec("P")
T = TypeVar("T")

# Threads that read: one reads on while another waits or reads much.
READERS: Final = 2


class Runner:
    """Makes an awaitable of a sync storage call: it runs in a thread, in its caller's context.

    A caller who is cancelled leaves a call that has begun to its end; what has not begun is left
    out.

    Args:
        writes: Runs the calls that write: `Database.writes`; None: a thread of its own.
    """

    def __init__(self, writes: JobQueue | None = None) -> None:
        self._reads = JobQueue(READERS)
        self._writes = JobQueue(1) if writes is None else writes

    async def read(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call that does not write."""
        result: T = await self._reads.call(partial(operation, *args, **kwargs)).future
        return result

    async def write(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call that writes; it returns when its commit is safe."""
        result: T = await self._writes.call(partial(operation, *args, **kwargs)).future
        return result

    def close(self) -> None:
        """Let the threads go once they have finished; a later call is run all the same."""
        self._reads.close()
        self._writes.close()


class AsyncRuntime(Runner):
    """Awaits providers, and runs storage calls in threads."""

    async def claim(
        self,
        release: Callable[[T], object],
        operation: Callable[P, T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run the operation as `write` does; a cancelled caller ends when its claim is released.

        The claim may be made while its caller is cancelled, or lie ready when it is: so the caller
        waits for the result. What had not begun by then is left out.
        """
        job = self._writes.call(partial(operation, *args, **kwargs))
        cancelled = await _ended(job, needed=False)
        if cancelled is not None:
            if job.future.exception() is None and (made := job.future.result()) is not None:
                await _ended(self._writes.call(partial(release, made)))
            raise cancelled
        result: T = job.future.result()
        return result

    async def finish(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the operation as `write` does; a cancelled caller waits for its end, then is."""
        job = self._writes.call(partial(operation, *args, **kwargs))
        cancelled = await _ended(job)
        if cancelled is not None:
            raise cancelled
        result: T = job.future.result()
        return result

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


async def _ended(job: Job, *, needed: bool = True) -> asyncio.CancelledError | None:
    """Wait for the end of a job, even if the caller is cancelled.

    Args:
        job: Of the running event loop.
        needed: It is run even if the caller is cancelled before it begins.

    Returns:
        The cancellation, to be raised when the caller has done what is left to do.
    """
    cancelled, future = None, job.future
    while not future.done():
        try:
            await asyncio.wait((future,))
        except asyncio.CancelledError as error:
            cancelled = error
            job.unwanted = not needed
    if cancelled is not None:
        future.exception()  # else the loop complains that nobody asked
    return cancelled
