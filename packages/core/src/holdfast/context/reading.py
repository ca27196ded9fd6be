"""What context and compression ask of memory, bound to one scope and one runtime."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from holdfast.context.compiling import Overview
from holdfast.providers.base import Embedder, Reranker
from holdfast.retrieval import conductor as retrieval
from holdfast.retrieval.conductor import Question
from holdfast.runtime import Runtime
from holdfast.storage.contract.reach import Reach
from holdfast.storage.contract.storage import Storage
from holdfast.types import Kind, Match, Scope

# A summary comes by itself, at its own place.
KINDS: tuple[Kind, ...] = ("turn", "fact", "procedure")


@dataclass(frozen=True, slots=True)
class ScopeReader:
    """Reads one scope; a `holdfast.context.Reader`. `redact` is applied to every question."""

    runtime: Runtime
    storage: Storage
    embedder: Embedder
    scope: Scope
    redact: Callable[[str], str]
    reranker: Reranker | None = None

    async def overview(self) -> Overview:
        """Look into the scope."""
        seen = await self.runtime.read(self.storage.overview, self.scope)
        return Overview(
            seen.characters, seen.turns, seen.change, seen.until, seen.summary, seen.recent
        )

    async def search(self, query: str, limit: int) -> Sequence[Match]:
        """Find what answers a question, best first."""
        reach = Reach.of_scope(self.scope)
        question = Question(self.redact(query), limit, kinds=KINDS)
        return await retrieval.search(
            self.runtime, self.storage, self.embedder, reach, question, self.reranker
        )
