"""The sync face: everything in place, and no event loop."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, ParamSpec, TypeVar

from holdfast.errors import ProviderError
from holdfast.providers.base import LLM, Embedder, Reranker, Vector
from holdfast.providers.checking import checked_answer
from holdfast.runtime.questions import ASKED
from holdfast.types import Answer, Tool

P = ParamSpec("P")
T = TypeVar("T")


class SyncRuntime:
    """Calls everything in place; its coroutines never suspend.

    Args:
        share: Makes a call that writes, see `Database.run`; None: in this thread.
    """

    def __init__(self, share: Callable[[Callable[[], Any]], Any] | None = None) -> None:
        self._share = share

    async def read(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the operation in this thread."""
        return operation(*args, **kwargs)

    async def write(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the operation in this thread, or with others that wait for the same commit."""
        if self._share is None:
            return operation(*args, **kwargs)
        result: T = self._share(partial(operation, *args, **kwargs))
        return result

    async def claim(
        self,
        release: Callable[[T], object],
        operation: Callable[P, T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run the operation in this thread."""
        return operation(*args, **kwargs)

    async def finish(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the operation in this thread."""
        return operation(*args, **kwargs)

    async def embed(self, embedder: Embedder, texts: Sequence[str]) -> Sequence[Vector]:
        """Call the embedder's sync method."""
        return embedder.embed(texts)

    async def embed_query(self, embedder: Embedder, text: str) -> Vector:
        """Call the embedder's sync method, unless it was asked the same lately."""
        known = ASKED.get(embedder, text)
        if known is None:
            known = ASKED.keep(embedder, text, embedder.embed_query(text))
        return known

    async def complete(
        self, llm: LLM, messages: Sequence[Mapping[str, str]], tool: Tool | None = None
    ) -> Answer:
        """Call the model's sync method."""
        try:
            given = llm.complete(messages, tool=tool)
        except NotImplementedError as error:
            raise ProviderError(
                f"{type(llm).__name__} is async only: await aadd, aflush and aadd_procedure, and "
                "do without background=True"
            ) from error
        return checked_answer(llm, given)

    async def rerank(self, reranker: Reranker, query: str, texts: Sequence[str]) -> Sequence[float]:
        """Call the model's sync method."""
        return reranker.rerank(query, texts)


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
