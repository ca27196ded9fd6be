"""Verbs that find what a question or a prompt needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from holdfast.context import compiling, compression
from holdfast.context.compression import Chat
from holdfast.context.reading import ScopeReader
from holdfast.context.tokens import Counter, checked
from holdfast.graph import Graph
from holdfast.ingestion import messages
from holdfast.ingestion.messages import check_question
from holdfast.memory import arguments
from holdfast.memory.handle import Handle
from holdfast.retrieval import conductor as retrieval
from holdfast.runtime import Runtime, run
from holdfast.storage.contract.reach import Reach
from holdfast.types import Context, Ids, Kind, Match, Scope, Unpack

# A summary says again what its turns say: found only when asked for.
SEARCHED: tuple[Kind, ...] = ("turn", "fact", "procedure")


class SearchVerbs(Handle):
    """`search`, what a prompt needs of it (`context`, `compress`), and `graph`."""

    def search(
        self,
        query: str,
        *,
        limit: int = 10,
        filters: Mapping[str, Any] | None = None,
        kinds: Sequence[Kind] | None = None,
        as_of: datetime | None = None,
        valid_at: datetime | None = None,
        min_score: float | None = None,
        explain: bool = False,
        graph: bool = False,
        **ids: Unpack[Ids],
    ) -> list[Match]:
        """Find the most relevant memories.

        Args:
            query: A question or a few words.
            user_id, agent_id, run_id, app_id: Every id given must match; others are open.
            limit: How many at most.
            filters: See docs/filters.md; applied before anything is scored.
            kinds: Only these; by default all but summaries.
            as_of: Read what the memory knew then (record time).
            valid_at: Read what was true then (event time).
            min_score: Only matches that score at least this.
            explain: Fill `Match.parts`.
            graph: Let relations boost the facts that state them and the turns these rest on: for
                questions that take several hops (docs/graph.md, "In search").

        Returns:
            Best first. Scores compare within one search only.

        Raises:
            ScopeError, FilterError, InvalidInputError: What was asked makes no sense, or relations
                were asked of a memory with ``graph=False``.
            EmbedderMismatchError: The file was written with another embedder.
            ProviderError: The embedder or the reranker failed.
        """
        reach = self._reach(ids)
        asked = self._redacted(query)
        question = _question(
            asked, limit, filters, kinds, as_of, valid_at, min_score, explain, graph
        )
        return run(self._search(self._sync, reach, question))

    async def asearch(
        self,
        query: str,
        *,
        limit: int = 10,
        filters: Mapping[str, Any] | None = None,
        kinds: Sequence[Kind] | None = None,
        as_of: datetime | None = None,
        valid_at: datetime | None = None,
        min_score: float | None = None,
        explain: bool = False,
        graph: bool = False,
        **ids: Unpack[Ids],
    ) -> list[Match]:
        """Async twin of `search`."""
        reach = self._reach(ids)
        asked = self._redacted(query)
        question = _question(
            asked, limit, filters, kinds, as_of, valid_at, min_score, explain, graph
        )
        return await self._search(self._async, reach, question)

    async def _search(
        self, runtime: Runtime, reach: Reach, question: retrieval.Question
    ) -> list[Match]:
        if question.graph:
            self._need_graph()
        return await retrieval.search(
            runtime, self._storage, self._embedder, reach, question, self._reranker
        )

    # -- context --------------------------------------------------------------------------------

    def context(
        self,
        query: str | None = None,
        *,
        messages: Sequence[object] | None = None,
        max_tokens: int = 1_000,
        model: str | Counter | None = None,
        **ids: Unpack[Ids],
    ) -> Context:
        """Compile what matters now into a token budget, ready for a prompt.

        Args:
            query: The question; by default the last user message of `messages`.
            messages: The conversation at hand; what stands there is not repeated.
            max_tokens: The budget; the text never costs more.
            model: Whose tokens are counted: a name that ``tiktoken`` knows, or a function from
                a text to its tokens. Unknown ones are estimated, never fetched.
            user_id, agent_id, run_id, app_id: Every id given must match; others are open.

        Returns:
            The text, its tokens, what the whole history would have cost, and the records used;
            an empty context when nothing was found.

        Raises:
            ScopeError, InvalidInputError: No scope, or no usable budget.
            EmbedderMismatchError, ProviderError: As in `search`.
        """
        scope = self._scope(ids)
        return run(self._context(self._sync, scope, query, messages, max_tokens, model))

    async def acontext(
        self,
        query: str | None = None,
        *,
        messages: Sequence[object] | None = None,
        max_tokens: int = 1_000,
        model: str | Counter | None = None,
        **ids: Unpack[Ids],
    ) -> Context:
        """Async twin of `context`."""
        scope = self._scope(ids)
        return await self._context(self._async, scope, query, messages, max_tokens, model)

    async def _context(
        self,
        runtime: Runtime,
        scope: Scope,
        query: str | None,
        messages: Sequence[object] | None,
        max_tokens: int,
        model: str | Counter | None,
    ) -> Context:
        return await compiling.build(
            self._reader(runtime, scope),
            None if query is None else check_question(query),
            arguments.listed("messages", messages),
            max_tokens=max_tokens,
            count=checked(model),
            cache=self._contexts,
        )

    def _reader(self, runtime: Runtime, scope: Scope) -> ScopeReader:
        return ScopeReader(
            runtime, self._storage, self._embedder, scope, self._redacted, self._reranker
        )

    def compress(
        self,
        messages: Sequence[Chat],
        max_tokens: int,
        *,
        model: str | Counter | None = None,
        **ids: Unpack[Ids],
    ) -> list[Chat | dict[str, str]]:
        """Shorten a live conversation: old turns give way to memory, new ones stay verbatim.

        System messages survive, and a tool call is never parted from its results. What is left
        out must have been added before, for memory is where it is looked up.

        Args:
            messages: The conversation; each message kept is the very object given.
            max_tokens: The budget for all of it.
            model: See `context`.
            user_id, agent_id, run_id, app_id: Every id given must match; others are open.

        Returns:
            The messages kept, with memory before the last user message. System messages, that
            message and the last one stay even where they alone are over the budget.

        Raises:
            InvalidInputError: The budget is no whole number, or negative.
        """
        scope = self._scope(ids)
        return run(self._compress(self._sync, scope, messages, max_tokens, model))

    async def acompress(
        self,
        messages: Sequence[Chat],
        max_tokens: int,
        *,
        model: str | Counter | None = None,
        **ids: Unpack[Ids],
    ) -> list[Chat | dict[str, str]]:
        """Async twin of `compress`."""
        scope = self._scope(ids)
        return await self._compress(self._async, scope, messages, max_tokens, model)

    async def _compress(
        self,
        runtime: Runtime,
        scope: Scope,
        messages: Sequence[Chat],
        max_tokens: int,
        model: str | Counter | None,
    ) -> list[Chat | dict[str, str]]:
        return await compression.compress(
            self._reader(runtime, scope),
            arguments.listed("messages", messages),
            max_tokens=max_tokens,
            count=checked(model),
            cache=self._contexts,
        )

    # -- the graph ------------------------------------------------------------------------------

    def graph(self, **ids: Unpack[Ids]) -> Graph:
        """Return the graph of a scope: entities, relations, neighbours, paths, exports.

        Args:
            user_id, agent_id, run_id, app_id: Every id given must match; others are open.

        Raises:
            InvalidInputError: This memory has ``graph=False``.
        """
        self._need_graph()
        scope = self._scope(ids)
        return Graph(self._storage, self._embedder, self._async, scope, self._bound)


def _question(
    query: str,
    limit: int,
    filters: Mapping[str, Any] | None,
    kinds: Sequence[Kind] | None,
    as_of: datetime | None,
    valid_at: datetime | None,
    min_score: float | None,
    explain: bool,
    graph: bool,
) -> retrieval.Question:
    return retrieval.Question(
        messages.check_text(query),
        arguments.limit(limit),
        arguments.filters(filters),
        arguments.kinds(SEARCHED if kinds is None else kinds),
        arguments.time("as_of", as_of),
        arguments.time("valid_at", valid_at),
        arguments.min_score(min_score),
        explain,
        graph,
    )
