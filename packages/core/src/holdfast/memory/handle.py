"""What every verb stands on: one open file, its models, and the scope it may not leave."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import TypeVar

from holdfast.checks import check_path
from holdfast.context.cache import Cache
from holdfast.errors import InvalidInputError, ScopeError, shown
from holdfast.memory import arguments
from holdfast.pipeline import conductor
from holdfast.pipeline.extraction import Guidance
from holdfast.pipeline.worker import Worker
from holdfast.providers import default_embedder
from holdfast.providers.base import LLM, Embedder, Reranker
from holdfast.runtime import AsyncRuntime, Runtime, SyncRuntime, run
from holdfast.storage import open_storage
from holdfast.storage.contract.reach import Reach
from holdfast.storage.contract.storage import VIEW_BUDGET, Durability
from holdfast.types import (
    Changes,
    Context,
    Ids,
    Scope,
    Unpack,
    given_ids,
    reaches,
    within_reach,
)

H = TypeVar("H", bound="Handle")
Text = TypeVar("Text", str, "str | None")


class Handle:
    """An open file, whole or bound to a scope."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        embedder: Embedder | None = None,
        llm: LLM | None = None,
        reranker: Reranker | None = None,
        key: str | bytes | None = None,
        durability: Durability = "normal",
        indexed: Sequence[str] = (),
        view_budget: int = VIEW_BUDGET,
        guidance: Guidance | None = None,
        redact: Callable[[str], str] | None = None,
        background: bool = False,
        graph: bool | None = None,
    ) -> None:
        _check_kind("embedder", embedder, Embedder)
        _check_kind("llm", llm, LLM)
        _check_kind("reranker", reranker, Reranker)
        _check_kind("guidance", guidance, Guidance)
        self._embedder = embedder or default_embedder()
        self._llm = llm
        self._reranker = reranker
        self._guidance = guidance or Guidance()
        self._graph = graph
        self._redact = arguments.callback("redact", redact)
        if graph is not None and not isinstance(graph, bool):
            raise InvalidInputError(f"graph must be True, False or None, not {shown(graph)}")
        self._storage = open_storage(
            check_path(path),
            key=key,
            durability=durability,
            indexed=arguments.fields("indexed", indexed),
            view_budget=arguments.count("view_budget", view_budget),
        )
        self._async = AsyncRuntime(self._storage.database.writes)
        self._sync = SyncRuntime(self._storage.database.run)
        self._bound: Scope | None = None
        self._contexts: Cache[Context] = Cache()
        self._worker = self._start_worker() if background else None

    def _redacted(self, text: Text) -> Text:
        """Redact a text; what is none is left to be refused where texts are checked."""
        if self._redact is None or not isinstance(text, str):
            return text
        redacted = self._redact(text)
        if not isinstance(redacted, str):
            raise InvalidInputError(f"redact gave {shown(redacted)} instead of a string")
        return redacted

    def __repr__(self) -> str:
        if not hasattr(self, "_bound"):  # it could not be opened
            return "Memory()"
        bound = "" if self._bound is None else f", bound to {self._bound.ids()}"
        return f"Memory({str(self._storage.path)!r}{bound})"

    # -- scopes ---------------------------------------------------------------------------------

    def scoped(self: H, **ids: Unpack[Ids]) -> H:
        """Return a handle on the same file that cannot reach beyond this scope.

        Its verbs need no ids; ids given narrow the scope, and others raise `ScopeError`.

        Args:
            user_id, agent_id, run_id, app_id: Every id given must match; others are open.

        Raises:
            ScopeError: No id, a malformed one, or one outside the scope of this handle.
        """
        handle = copy.copy(self)
        handle._bound = self._scope(ids)
        return handle

    def _scope(self, ids: Ids) -> Scope:
        asked = given_ids(ids)
        if self._bound is None:
            return Scope(**asked)
        for name, value in self._bound.ids().items():
            if not reaches(value, asked.setdefault(name, value)):
                raise ScopeError(
                    f"this handle is bound to {name}={shown(value)}; it reaches no other"
                )
        return Scope(**asked)

    def _reach(self, ids: Ids) -> Reach:
        return Reach.of_scope(self._scope(ids))

    def _whole(self) -> Reach | None:
        """Return all that this handle reaches; None: the whole file."""
        return None if self._bound is None else Reach.of_scope(self._bound)

    def _reach_or_whole(self, ids: Ids) -> Reach | None:
        """Return the reach of these ids; where none is given, all that this handle reaches."""
        return self._reach(ids) if given_ids(ids) else self._whole()

    def _shown(self, changes: Changes) -> Changes:
        """Leave out records that this handle does not reach: a fact may end one elsewhere."""
        return changes if self._bound is None else within_reach(changes, self._bound)

    def _need_whole_file(self, verb: str) -> None:
        if self._bound is not None:
            raise ScopeError(f"{verb} concerns the whole file; this handle is bound to a scope")

    def _need_graph(self) -> None:
        if self._graph is False:
            raise InvalidInputError("this memory keeps no relations: open it without graph=False")

    @property
    def derives(self) -> bool:
        """Whether an LLM derives facts from what is said."""
        return self._llm is not None

    @property
    def _reads_mentions(self) -> bool:
        """Whether the graph is filled without a model."""
        return self._graph is True and self._llm is None

    # -- extraction -----------------------------------------------------------------------------

    def _pipeline(self, runtime: Runtime) -> conductor.Pipeline:
        if self._llm is None:
            raise InvalidInputError("this memory has no LLM: give Memory(..., llm=...)")
        return self._queues(runtime)

    def _queues(self, runtime: Runtime) -> conductor.Pipeline:
        """Return what drains the queues; without an LLM, that of vectors."""
        return conductor.Pipeline(
            runtime, self._storage, self._embedder, self._llm, self._guidance, self._graph
        )

    def _start_worker(self) -> Worker:
        drained = self._queues(self._sync)
        return Worker(
            lambda stopped: run(conductor.drain(drained, stopped=stopped)),
            partial(drained.storage.pipeline.next_due, extract=drained.llm is not None),
        )

    def _wake(self) -> None:
        if self._worker is not None:
            self._worker.wake()

    # -- closing --------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the file. A bound handle leaves it open for the memory it came from."""
        if self._bound is None:
            if self._worker is not None:
                self._worker.stop()
            self._storage.close()
            self._async.close()

    async def aclose(self) -> None:
        """Async twin of `close`."""
        await self._async.write(int)  # what was to be written before is
        await self._async.read(self.close)

    def __enter__(self: H) -> H:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self: H) -> H:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


def _check_kind(name: str, given: object, wanted: type) -> None:
    """Refuse what would fail at its first use; its words may be a key, so they stay unsaid."""
    if given is not None and not isinstance(given, wanted):
        raise InvalidInputError(
            f"{name} must be a holdfast.{wanted.__name__}, not {type(given).__name__!r}"
        )
