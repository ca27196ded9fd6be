"""The only room that knows sync from async.

Every flow is one coroutine that awaits nothing but its `Runtime`. Under `SYNC` no await ever
suspends, so `run` steps the coroutine to its end without an event loop. Under an
`AsyncRuntime` providers are awaited natively and each storage operation runs, whole, in a thread:
reads in a pool of two, writes in the queue of the file's writer. (Stepping a coroutine is how
gel-python serves both faces.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ParamSpec, Protocol, TypeVar

from holdfast.providers.base import LLM, Embedder, Reranker, Vector
from holdfast.runtime.asynchronous import AsyncRuntime, Runner
from holdfast.runtime.sync import SYNC, SyncRuntime, run
from holdfast.types import Answer, Tool

__all__ = ["SYNC", "AsyncRuntime", "Runner", "Runtime", "SyncRuntime", "run"]

P = ParamSpec("P")
T = TypeVar("T")


class Runtime(Protocol):
    """The things a flow may wait for."""

    async def read(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run an operation that does not write: storage, or what else takes long."""

    async def write(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a storage operation that writes; it returns when its commit is safe.

        Others that wait may share its commit; each is whole or undone by itself.
        """

    async def claim(
        self,
        release: Callable[[T], object],
        operation: Callable[P, T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run a storage operation, as `write` does, whose result is a claim.

        Where the caller is cancelled before it has the result, `release` is run with that.
        """

    async def finish(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a storage operation that writes to its end, also when its caller is cancelled."""

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
