"""The only room that knows sync from async.

Every flow is one coroutine that awaits nothing but its `Runtime`. Under `SYNC` no await ever
suspends, so `run` steps the coroutine to its end without an event loop. Under an
`AsyncRuntime` providers are awaited natively and each storage operation, whole, runs in a small
pool of its own: one hop, one commit. (Stepping a coroutine is how gel-python serves both faces.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ParamSpec, Protocol, TypeVar

from holdfast.providers.base import LLM, Embedder, Reranker, Vector
from holdfast.runtime.looped import AsyncRuntime
from holdfast.runtime.sync import SYNC, run
from holdfast.types import Answer, Tool

__all__ = ["SYNC", "AsyncRuntime", "Runtime", "run"]

P = ParamSpec("P")
T = TypeVar("T")


class Runtime(Protocol):
    """The things a flow may wait for."""

    async def store(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one whole storage operation: one transaction."""

    async def read(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one storage operation that asks; writes that wait may overtake it."""

    async def write(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one storage operation that is one transaction and nothing else.

        Others that wait may have their share in the transaction; each is whole or undone.
        """

    async def claim(
        self,
        release: Callable[[T], object],
        operation: Callable[P, T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run one storage operation, as `write` does, whose result is a claim.

        Where the caller is cancelled before it has the result, `release` is run with that.
        """

    async def finish(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one whole storage operation to its end, whoever is cancelled meanwhile."""

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
