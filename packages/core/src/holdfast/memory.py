"""`Memory`: every operation and its `a` twin. Each only opens its arguments and starts a flow."""

from __future__ import annotations

import builtins
import copy
import math
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar

from holdfast import ingestion, maintenance, messages, retrieval
from holdfast.context import compiling, compression
from holdfast.context.cache import Cache
from holdfast.context.compression import Chat
from holdfast.context.reading import ScopeReader
from holdfast.context.tokens import Counter, counter
from holdfast.errors import InvalidInputError, ScopeError
from holdfast.filters import parse
from holdfast.graph import Graph, stating
from holdfast.items import Items
from holdfast.maintenance import Stats
from holdfast.messages import Given
from holdfast.pipeline import conductor
from holdfast.pipeline.extraction import Guidance
from holdfast.pipeline.worker import Worker
from holdfast.providers import default_embedder
from holdfast.providers.base import LLM, Embedder, Reranker
from holdfast.runtime import SYNC, AsyncRuntime, Runtime, run
from holdfast.storage.database import Database, Durability
from holdfast.storage.embedded import EmbeddedStorage
from holdfast.storage.file import VIEW_BUDGET
from holdfast.storage.namespaces import Region
from holdfast.types import (
    KINDS,
    Change,
    Changes,
    Context,
    Kind,
    Match,
    Metadata,
    Page,
    Record,
    Scope,
    check_time,
    reaches,
)

Text = TypeVar("Text", str, "str | None")
Progress = Callable[[int, int], None]
"""Called with (done, in all) while a long operation runs."""

MOST_RESULTS = 10_000

# A summary says again what its turns say: found only when asked for.
SEARCHED: tuple[Kind, ...] = ("turn", "fact", "procedure")


class Memory:
    """Long-term memory in one file.

        memory = Memory("memory.db")
        memory.add("I moved to Berlin", user_id="ada")
        memory.search("Where does Ada live?", user_id="ada")

    Safe for many threads, many event loops and many processes on one file. Every verb has an
    async twin with an ``a`` before its name. Every verb needs a scope: at least one of
    ``user_id``, ``agent_id``, ``run_id`` (a session) and ``app_id``.

    Args:
        path: The file, made when missing, or ``":memory:"``.
        embedder: Turns texts into vectors; by default a local one that needs no network.
        llm: Derives facts from what is said; without one, search works on the turns themselves.
        reranker: Puts the fifty best matches of every search in its own order.
        key: Encrypts the whole file: a passphrase, or 32 raw bytes.
        durability: ``"normal"``: an acknowledged write survives the death of the process;
            ``"full"``: also of the machine.
        indexed: Metadata fields to index, for filters on large scopes.
        view_budget: Bytes of memory for search views.
        guidance: What the LLM is to remember, what never, and the categories of facts.
        redact: Applied to every text before it is stored or sent anywhere.
        background: Extract what waits in the file in a thread of its own: what
            ``add(..., wait=False)`` queues here, and what other processes left, of every scope.
        graph: None: relations come with facts and can be read as a graph. True: the names in
            them are embedded and compared with those known, too, and without an LLM names and
            dates are read from what is said. False: no relations, no graph; see docs/graph.md.

    Raises:
        StorageError: The file cannot be opened; `WrongKeyError`, `SchemaVersionError`.
        ProviderError: No embedder was given and the local one's weights are missing.
    """

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
        self._embedder = embedder or default_embedder()
        self._llm = llm
        self._reranker = reranker
        self._guidance = guidance or Guidance()
        self._graph = graph
        self._redact = redact
        if graph is not None and not isinstance(graph, bool):
            raise InvalidInputError(f"graph must be True, False or None, not {graph!r}")
        if background and llm is None:
            raise InvalidInputError("background=True extracts with an LLM: give Memory(llm=...)")
        self._storage = EmbeddedStorage(
            path, key=key, durability=durability, indexed=indexed, view_budget=view_budget
        )
        self._async = AsyncRuntime()
        self._bound: Scope | None = None
        self._contexts: Cache[Context] = Cache()
        self._worker = self._start_worker() if background else None

    def _redacted(self, text: Text) -> Text:
        """Redact a text; what is none is left to be refused where texts are checked."""
        if self._redact is None or not isinstance(text, str):
            return text
        return self._redact(text)

    def _start_worker(self) -> Worker:
        drained = self._pipeline(SYNC)
        return Worker(
            lambda stopped: run(conductor.drain(drained, stopped=stopped)),
            self._storage.derivation.next_due,
        )

    def __repr__(self) -> str:
        bound = "" if self._bound is None else f", bound to {self._bound.ids()}"
        return f"Memory({str(self._storage.database.path)!r}{bound})"

    # -- scopes ---------------------------------------------------------------------------------

    def scoped(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> Memory:
        """Return a handle on the same file that cannot reach beyond this scope.

        Its verbs need no ids; ids given narrow the scope, and others raise `ScopeError`.
        """
        handle = copy.copy(self)
        handle._bound = self._scope(user_id, agent_id, run_id, app_id)
        return handle

    def _scope(self, *ids: str | None) -> Scope:
        if self._bound is None:
            return Scope(*ids)
        given = dict(zip(("user_id", "agent_id", "run_id", "app_id"), ids, strict=True))
        asked = {name: value for name, value in given.items() if value is not None}
        for name, value in self._bound.ids().items():
            if not reaches(value, asked.setdefault(name, value)):
                raise ScopeError(f"this handle is bound to {name}={value!r}; it reaches no other")
        return Scope(**asked)

    def _region(self, *ids: str | None) -> Region:
        return Region.of_scope(self._scope(*ids))

    # -- add ------------------------------------------------------------------------------------

    def add(
        self,
        messages: Given | Sequence[Given],
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        metadata: Metadata | None = None,
        occurred_at: datetime | None = None,
        expires_at: datetime | None = None,
        kind: Kind = "turn",
        importance: float = 0.5,
        infer: bool = True,
        wait: bool = True,
    ) -> Changes:
        """Remember what was said, verbatim, and with an LLM the facts that follow from it.

        Args:
            messages: A string (said by the user), a message, or a list of them. A mapping has
                ``role`` and ``content``, and may have ``name``, ``id``, ``occurred_at`` and
                ``metadata``. A message whose id this scope has stored before is left out.
            user_id, agent_id, run_id, app_id: Stored under exactly the ids given.
            metadata: JSON, filterable; a message's own metadata goes first.
            occurred_at: When it was said, if not now.
            expires_at: From then on nobody finds it.
            kind: ``"fact"`` for what you state yourself rather than quote.
            importance: 0 (trivial) to 1 (vital).
            infer: Let the LLM derive facts, if there is one.
            wait: False: return once the turns are durable; facts follow (`flush`).

        Returns:
            What changed, and what the models cost.

        Raises:
            ScopeError: No scope, or a malformed id.
            InvalidInputError: A message cannot be stored; none of them was.
            EmbedderMismatchError: The file was written with another embedder.
            ProviderError: A model failed. If it was the embedder, nothing was stored; if it was
                the LLM, the turns are stored and wait in the queue.
        """
        scope = self._scope(user_id, agent_id, run_id, app_id)
        writing = self._writing(
            scope, messages, metadata, occurred_at, expires_at, kind, importance, infer, wait
        )
        return run(self._add(SYNC, writing))

    async def aadd(
        self,
        messages: Given | Sequence[Given],
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        metadata: Metadata | None = None,
        occurred_at: datetime | None = None,
        expires_at: datetime | None = None,
        kind: Kind = "turn",
        importance: float = 0.5,
        infer: bool = True,
        wait: bool = True,
    ) -> Changes:
        """Async twin of `add`."""
        scope = self._scope(user_id, agent_id, run_id, app_id)
        writing = self._writing(
            scope, messages, metadata, occurred_at, expires_at, kind, importance, infer, wait
        )
        return await self._add(self._async, writing)

    def _writing(
        self,
        scope: Scope,
        given: Given | Sequence[Given],
        metadata: Metadata | None,
        occurred_at: datetime | None,
        expires_at: datetime | None,
        kind: Kind,
        importance: float,
        infer: bool,
        wait: bool,
    ) -> ingestion.Writing:
        if kind not in KINDS:
            raise InvalidInputError(f"unknown kind {kind!r}; allowed are {', '.join(KINDS)}")
        return ingestion.Writing(
            scope,
            messages.read(given, occurred_at, metadata, self._redact),
            kind,
            None if expires_at is None else check_time("expires_at", expires_at),
            ingestion.check_importance(importance),
            extract=infer and kind == "turn" and self._llm is not None,
            wait=wait,
            mentions=self._reads_mentions and kind == "turn",
        )

    @property
    def _reads_mentions(self) -> bool:
        """Whether the graph is filled without a model."""
        return self._graph is True and self._llm is None

    async def _add(self, runtime: Runtime, writing: ingestion.Writing) -> Changes:
        added = await ingestion.store(runtime, self._storage, self._embedder, writing)
        if not (writing.extract and added.rows):
            return Changes(added.changes)
        if not writing.wait:
            self._wake()
            return Changes(added.changes, pending=len(added.rows))
        try:
            derived = await conductor.extract_added(self._pipeline(runtime), added)
        finally:
            self._wake()  # other turns of this scope had to wait meanwhile
        return Changes(
            added.changes + derived.changes, derived.usage, derived.pending, derived.problems
        )

    def _pipeline(self, runtime: Runtime) -> conductor.Pipeline:
        if self._llm is None:
            raise InvalidInputError("this memory has no LLM: give Memory(..., llm=...)")
        return conductor.Pipeline(
            runtime, self._storage, self._embedder, self._llm, self._guidance, self._graph
        )

    # -- the pipeline ---------------------------------------------------------------------------

    def flush(
        self,
        *,
        retry: bool = False,
        progress: Progress | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> Changes:
        """Extract every turn that waits and is due, and refresh the summaries that are.

        Args:
            retry: Also try at once what waits for its next attempt or was given up.
            progress: Called with turns done and turns in all.
            user_id, agent_id, run_id, app_id: Whose turns; of a bound handle, its scope's. A memory
                that is not bound and names none works for the whole file, with its own LLM.

        Returns:
            What changed; `Changes.problems` names batches that failed and stay queued.

        Raises:
            InvalidInputError: This memory has no LLM.
            ScopeError: A malformed id, or one outside a bound scope.
        """
        reach = self._reach_of(user_id, agent_id, run_id, app_id)
        return run(self._flush(SYNC, reach, retry, progress))

    async def aflush(
        self,
        *,
        retry: bool = False,
        progress: Progress | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> Changes:
        """Async twin of `flush`."""
        reach = self._reach_of(user_id, agent_id, run_id, app_id)
        return await self._flush(self._async, reach, retry, progress)

    async def _flush(
        self, runtime: Runtime, reach: Region | None, retry: bool, progress: Progress | None
    ) -> Changes:
        if retry:
            await runtime.store(self._storage.derivation.retry, reach)
        return await conductor.drain(self._pipeline(runtime), progress, region=reach)

    def distil(
        self,
        task: str = "",
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> Changes:
        """Write down what an agent did in a run, step by step, as a ``procedure`` to follow again.

        Args:
            task: What the run was for.
            user_id, agent_id, run_id, app_id: The run: exactly the ids it was stored under.

        Raises:
            InvalidInputError: The scope holds no turn, or this memory has no LLM.
            ProviderError: The LLM failed; nothing was stored.
        """
        scope = self._scope(user_id, agent_id, run_id, app_id)
        return run(conductor.distil(self._pipeline(SYNC), scope, self._redacted(task)))

    async def adistil(
        self,
        task: str = "",
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> Changes:
        """Async twin of `distil`."""
        scope = self._scope(user_id, agent_id, run_id, app_id)
        return await conductor.distil(self._pipeline(self._async), scope, self._redacted(task))

    # -- graph ----------------------------------------------------------------------------------

    def add_relations(
        self,
        relations: Sequence[stating.Given],
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> Changes:
        """State relations yourself, as facts: without a model, in one transaction.

        A new object of a single-valued relation (``lives_in``) ends the old one; what is known
        already is confirmed.

        Args:
            relations: `holdfast.graph.Triple`, (subject, relation, object), or mappings with the
                fields of a triple.
            user_id, agent_id, run_id, app_id: Stored under exactly the ids given.

        Raises:
            ScopeError: No scope, or a malformed id.
            InvalidInputError: One cannot be stored; none of them was.
            RecordNotFoundError: The scope has no record of an id in ``sources``.
            EmbedderMismatchError, ProviderError: As in `add`.
        """
        scope = self._scope(user_id, agent_id, run_id, app_id)
        triples = stating.read(relations, self._redact)
        return run(stating.add(self._pen(SYNC), scope, triples))

    async def aadd_relations(
        self,
        relations: Sequence[stating.Given],
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> Changes:
        """Async twin of `add_relations`."""
        scope = self._scope(user_id, agent_id, run_id, app_id)
        triples = stating.read(relations, self._redact)
        return await stating.add(self._pen(self._async), scope, triples)

    def _pen(self, runtime: Runtime) -> stating.Pen:
        self._need_graph()
        return stating.Pen(runtime, self._storage, self._embedder, bool(self._graph))

    def _need_graph(self) -> None:
        if self._graph is False:
            raise InvalidInputError("this memory keeps no relations: open it without graph=False")

    def graph(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> Graph:
        """Return the graph of a scope: entities, relations, neighbours, paths, exports.

        Args:
            user_id, agent_id, run_id, app_id: Every id given must match; others are open.

        Raises:
            InvalidInputError: This memory has ``graph=False``.
        """
        self._need_graph()
        scope = self._scope(user_id, agent_id, run_id, app_id)
        return Graph(self._storage, self._embedder, self._async, scope)

    def _wake(self) -> None:
        if self._worker is not None:
            self._worker.wake()

    # -- search ---------------------------------------------------------------------------------

    def search(
        self,
        query: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        limit: int = 10,
        filters: Mapping[str, Any] | None = None,
        kinds: Sequence[Kind] | None = None,
        as_of: datetime | None = None,
        valid_at: datetime | None = None,
        min_score: float | None = None,
        explain: bool = False,
    ) -> builtins.list[Match]:
        """Find the most relevant memories.

        Args:
            query: A question or a few words.
            user_id, agent_id, run_id, app_id: Every id given must match; others are open.
            limit: How many at most.
            filters: See `holdfast.filters`; settled before anything is scored.
            kinds: Only these; by default all but summaries.
            as_of: Read what the memory knew then (record time).
            valid_at: Read what was true then (event time).
            min_score: Only matches that score at least this.
            explain: Fill `Match.parts`.

        Returns:
            Best first. Scores compare within one search only.

        Raises:
            ScopeError, FilterError, InvalidInputError: What was asked makes no sense.
            EmbedderMismatchError: The file was written with another embedder.
            ProviderError: The embedder or the reranker failed.
        """
        region = self._region(user_id, agent_id, run_id, app_id)
        asked = self._redacted(query)
        question = _question(asked, limit, filters, kinds, as_of, valid_at, min_score, explain)
        return run(self._search(SYNC, region, question))

    async def asearch(
        self,
        query: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        limit: int = 10,
        filters: Mapping[str, Any] | None = None,
        kinds: Sequence[Kind] | None = None,
        as_of: datetime | None = None,
        valid_at: datetime | None = None,
        min_score: float | None = None,
        explain: bool = False,
    ) -> builtins.list[Match]:
        """Async twin of `search`."""
        region = self._region(user_id, agent_id, run_id, app_id)
        asked = self._redacted(query)
        question = _question(asked, limit, filters, kinds, as_of, valid_at, min_score, explain)
        return await self._search(self._async, region, question)

    async def _search(
        self, runtime: Runtime, region: Region, question: retrieval.Question
    ) -> builtins.list[Match]:
        return await retrieval.search(
            runtime, self._storage, self._embedder, region, question, self._reranker
        )

    # -- context --------------------------------------------------------------------------------

    def context(
        self,
        query: str | None = None,
        *,
        messages: Sequence[object] | None = None,
        max_tokens: int = 1_000,
        model: str | Counter | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
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
        scope = self._scope(user_id, agent_id, run_id, app_id)
        return run(self._context(SYNC, scope, query, messages, max_tokens, model))

    async def acontext(
        self,
        query: str | None = None,
        *,
        messages: Sequence[object] | None = None,
        max_tokens: int = 1_000,
        model: str | Counter | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> Context:
        """Async twin of `context`."""
        scope = self._scope(user_id, agent_id, run_id, app_id)
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
            query,
            messages or (),
            max_tokens=max_tokens,
            count=counter(model),
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
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> builtins.list[Chat | dict[str, str]]:
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
        scope = self._scope(user_id, agent_id, run_id, app_id)
        return run(self._compress(SYNC, scope, messages, max_tokens, model))

    async def acompress(
        self,
        messages: Sequence[Chat],
        max_tokens: int,
        *,
        model: str | Counter | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> builtins.list[Chat | dict[str, str]]:
        """Async twin of `compress`."""
        scope = self._scope(user_id, agent_id, run_id, app_id)
        return await self._compress(self._async, scope, messages, max_tokens, model)

    async def _compress(
        self,
        runtime: Runtime,
        scope: Scope,
        messages: Sequence[Chat],
        max_tokens: int,
        model: str | Counter | None,
    ) -> builtins.list[Chat | dict[str, str]]:
        return await compression.compress(
            self._reader(runtime, scope),
            messages,
            max_tokens=max_tokens,
            count=counter(model),
            cache=self._contexts,
        )

    # -- get, list ------------------------------------------------------------------------------

    def get(
        self,
        id: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> Record:
        """Return one record as it is now.

        Raises:
            RecordNotFoundError: The scope has no such record.
        """
        return self._storage.get(self._region(user_id, agent_id, run_id, app_id), id)

    async def aget(
        self,
        id: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> Record:
        """Async twin of `get`."""
        region = self._region(user_id, agent_id, run_id, app_id)
        return await self._async.store(self._storage.get, region, id)

    def list(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        filters: Mapping[str, Any] | None = None,
        kinds: Sequence[Kind] | None = None,
        order: str = "created_at",
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page:
        """Return a page of the records that hold now.

        Args:
            user_id, agent_id, run_id, app_id: Every id given must match; others are open.
            filters: See `holdfast.filters`.
            kinds: Only these.
            order: ``created_at``, ``updated_at``, ``occurred_at`` or ``importance``, with ``-``
                before it for the newest or greatest first.
            limit: Records a page.
            cursor: `Page.cursor` of the page before.
        """
        region = self._region(user_id, agent_id, run_id, app_id)
        options = _listing(filters, kinds, order, limit, cursor)
        return self._storage.page(region, **options)

    async def alist(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        filters: Mapping[str, Any] | None = None,
        kinds: Sequence[Kind] | None = None,
        order: str = "created_at",
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page:
        """Async twin of `list`."""
        region = self._region(user_id, agent_id, run_id, app_id)
        options = _listing(filters, kinds, order, limit, cursor)
        return await self._async.store(self._storage.page, region, **options)

    def scopes(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> builtins.list[Scope]:
        """Return the scopes, exactly as written, that a read of these ids sees."""
        return self._storage.scopes(self._region(user_id, agent_id, run_id, app_id))

    async def ascopes(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> builtins.list[Scope]:
        """Async twin of `scopes`."""
        region = self._region(user_id, agent_id, run_id, app_id)
        return await self._async.store(self._storage.scopes, region)

    # -- update, delete -------------------------------------------------------------------------

    def update(
        self,
        id: str,
        text: str | None = None,
        *,
        metadata: Metadata | None = None,
        importance: float | None = None,
        expires_at: datetime | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> Change:
        """Add a new version of a record; the old one stays in its history and can be restored.

        Args:
            id: Which record.
            text: New words.
            metadata: Replaces the old metadata.
            importance: 0 to 1.
            expires_at: From then on nobody finds it.
            user_id, agent_id, run_id, app_id: The scope it must lie in.

        Raises:
            RecordNotFoundError: The scope has no such record.
            InvalidInputError: Nothing to change was given, or it cannot be stored.
        """
        region = self._region(user_id, agent_id, run_id, app_id)
        edit = ingestion.edit(self._redacted(text), metadata, importance, expires_at)
        return run(self._update(SYNC, region, id, edit))

    async def aupdate(
        self,
        id: str,
        text: str | None = None,
        *,
        metadata: Metadata | None = None,
        importance: float | None = None,
        expires_at: datetime | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> Change:
        """Async twin of `update`."""
        region = self._region(user_id, agent_id, run_id, app_id)
        edit = ingestion.edit(self._redacted(text), metadata, importance, expires_at)
        return await self._update(self._async, region, id, edit)

    async def _update(
        self, runtime: Runtime, region: Region, id: str, edit: ingestion.Edit
    ) -> Change:
        return await ingestion.update(
            runtime,
            self._storage,
            self._embedder,
            region,
            id,
            edit,
            mentions=self._reads_mentions,
        )

    def delete(
        self,
        id: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> Change:
        """Erase a record, all its versions, and what was derived from it alone.

        No search, history or file finds its words again; `history` still says that and when it
        was erased. It cannot be undone.

        Raises:
            RecordNotFoundError: The scope has no such record.
        """
        return self._storage.erase(self._region(user_id, agent_id, run_id, app_id), id)

    async def adelete(
        self,
        id: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> Change:
        """Async twin of `delete`."""
        region = self._region(user_id, agent_id, run_id, app_id)
        return await self._async.store(self._storage.erase, region, id)

    def delete_all(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> int:
        """Erase every record of a scope, or those a filter lets through; return how many."""
        region = self._region(user_id, agent_id, run_id, app_id)
        return self._storage.erase_region(region, None if filters is None else parse(filters))

    async def adelete_all(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> int:
        """Async twin of `delete_all`."""
        region = self._region(user_id, agent_id, run_id, app_id)
        tree = None if filters is None else parse(filters)
        return await self._async.store(self._storage.erase_region, region, tree)

    # -- history --------------------------------------------------------------------------------

    def history(
        self,
        id: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> builtins.list[Change]:
        """Return everything that happened to a record, oldest first.

        Raises:
            RecordNotFoundError: The scope never had such a record.
        """
        return self._storage.history(self._region(user_id, agent_id, run_id, app_id), id)

    async def ahistory(
        self,
        id: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> builtins.list[Change]:
        """Async twin of `history`."""
        region = self._region(user_id, agent_id, run_id, app_id)
        return await self._async.store(self._storage.history, region, id)

    def undo(
        self,
        change: Change,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> Change:
        """Take back the newest change of a record; the undoing is a change of its own.

        Raises:
            RecordNotFoundError: The scope has no such record.
            InvalidInputError: It is not the newest change, or it erased.
        """
        return self._storage.undo(self._region(user_id, agent_id, run_id, app_id), change)

    async def aundo(
        self,
        change: Change,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> Change:
        """Async twin of `undo`."""
        region = self._region(user_id, agent_id, run_id, app_id)
        return await self._async.store(self._storage.undo, region, change)

    # -- items ----------------------------------------------------------------------------------

    @property
    def items(self) -> Items:
        """Documents by namespace and key, in the same file; adapters stand on it.

        Raises:
            ScopeError: This handle is bound to a scope.
        """
        self._need_whole_file("items")
        return Items(self._storage, self._embedder, self._async)

    # -- the file -------------------------------------------------------------------------------

    @property
    def database(self) -> Database:
        """The file itself, for a package that keeps tables of its own in it.

        Raises:
            ScopeError: This handle is bound to a scope.
        """
        self._need_whole_file("database")
        return self._storage.database

    def stats(self, *, check: bool = False) -> Stats:
        """Count what this handle can reach: the whole file, or the scope it is bound to.

        Args:
            check: Also prove the file sound (whole file only); `Stats.problems` says what is not.
        """
        return maintenance.stats(self._storage, self._reach(), check=check)

    async def astats(self, *, check: bool = False) -> Stats:
        """Async twin of `stats`."""
        reach = self._reach()
        return await self._async.store(maintenance.stats, self._storage, reach, check=check)

    def export(self, path: str | os.PathLike[str], *, progress: Progress | None = None) -> int:
        """Write everything this handle can reach as JSON Lines; return the number of lines.

        It is lossless: versions, history, vectors, items. A file encrypted with a key is
        exported in clear text.
        """
        return maintenance.export(self._storage, self._reach(), path, progress)

    async def aexport(
        self, path: str | os.PathLike[str], *, progress: Progress | None = None
    ) -> int:
        """Async twin of `export`."""
        reach = self._reach()
        return await self._async.store(maintenance.export, self._storage, reach, path, progress)

    def import_(self, path: str | os.PathLike[str], *, progress: Progress | None = None) -> int:
        """Read an export into this file; return how many records and items were new.

        Raises:
            InvalidInputError: It is no export, or this file has other memories in its scopes.
            EmbedderMismatchError: It was written with another embedder than this file.
            ScopeError: This handle is bound to a scope.
        """
        self._need_whole_file("import_")
        return maintenance.import_(self._storage, path, progress)

    async def aimport_(
        self, path: str | os.PathLike[str], *, progress: Progress | None = None
    ) -> int:
        """Async twin of `import_`."""
        self._need_whole_file("import_")
        return await self._async.store(maintenance.import_, self._storage, path, progress)

    def reembed(self, *, progress: Progress | None = None) -> int:
        """Compute every vector anew with this memory's embedder; return how many.

        It can be interrupted and called again; until it is done, the old embedder's searches
        go on working.

        Raises:
            ScopeError: This handle is bound to a scope.
            InvalidInputError: A framework's vector store lies in this file, and its vectors, which
                only the framework can make, would be of another embedder than all others.
            ProviderError: The embedder failed; what is done is kept.
        """
        self._need_whole_file("reembed")
        return run(maintenance.reembed(SYNC, self._storage, self._embedder, progress))

    async def areembed(self, *, progress: Progress | None = None) -> int:
        """Async twin of `reembed`."""
        self._need_whole_file("reembed")
        return await maintenance.reembed(self._async, self._storage, self._embedder, progress)

    def purge(self) -> int:
        """Erase expired records, and finish erasures that waited for readers; return how many."""
        self._need_whole_file("purge")
        return self._storage.purge()

    async def apurge(self) -> int:
        """Async twin of `purge`."""
        self._need_whole_file("purge")
        return await self._async.store(self._storage.purge)

    def rekey(self, key: str | bytes) -> None:
        """Encrypt the file under another key; every other process must have closed it."""
        self._need_whole_file("rekey")
        self._storage.database.rekey(key)

    def close(self) -> None:
        """Close the file. A bound handle leaves it open for the memory it came from."""
        if self._bound is None:
            if self._worker is not None:
                self._worker.stop()
            self._storage.file.close()
            self._async.close()

    async def aclose(self) -> None:
        """Async twin of `close`."""
        await self._async.store(self.close)

    def _need_whole_file(self, verb: str) -> None:
        if self._bound is not None:
            raise ScopeError(f"{verb} concerns the whole file; this handle is bound to a scope")

    def _reach(self) -> Region | None:
        return None if self._bound is None else Region.of_scope(self._bound)

    def _reach_of(self, *ids: str | None) -> Region | None:
        """Return the region of these ids; where none is given, all that this handle reaches."""
        return self._reach() if all(value is None for value in ids) else self._region(*ids)

    def __enter__(self) -> Memory:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Memory:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


def _question(
    query: str,
    limit: int,
    filters: Mapping[str, Any] | None,
    kinds: Sequence[Kind] | None,
    as_of: datetime | None,
    valid_at: datetime | None,
    min_score: float | None,
    explain: bool,
) -> retrieval.Question:
    return retrieval.Question(
        messages.check_text(query),
        _limit(limit),
        None if filters is None else parse(filters),
        _kinds(SEARCHED if kinds is None else kinds),
        None if as_of is None else check_time("as_of", as_of),
        None if valid_at is None else check_time("valid_at", valid_at),
        _min_score(min_score),
        explain,
    )


def _listing(
    filters: Mapping[str, Any] | None,
    kinds: Sequence[Kind] | None,
    order: str,
    limit: int,
    cursor: str | None,
) -> dict[str, Any]:
    return {
        "tree": None if filters is None else parse(filters),
        "kinds": _kinds(kinds),
        "order": order,
        "limit": _limit(limit),
        "cursor": cursor,
    }


def _limit(limit: int) -> int:
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MOST_RESULTS:
        raise InvalidInputError(f"limit must be 1 to {MOST_RESULTS}, not {limit!r}")
    return limit


def _min_score(least: float | None) -> float | None:
    if least is not None and (type(least) not in (int, float) or math.isnan(least)):
        raise InvalidInputError(f"min_score must be a number, not {least!r}")
    return least


def _kinds(kinds: Sequence[Kind] | None) -> tuple[Kind, ...]:
    if kinds is None:
        return KINDS
    unknown = [kind for kind in kinds if kind not in KINDS]
    if isinstance(kinds, str) or unknown or not kinds:
        raise InvalidInputError(
            f"kinds must be a list of some of {', '.join(KINDS)}, not {kinds!r}"
        )
    return tuple(kinds)
