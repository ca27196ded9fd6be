"""Verbs that store what was said or stated, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from holdfast.errors import InvalidInputError, StorageError, shown
from holdfast.graph import stating
from holdfast.ingestion import conductor as ingestion
from holdfast.ingestion import messages
from holdfast.ingestion.embedding import embed_waiting
from holdfast.ingestion.messages import Given
from holdfast.maintenance.conductor import Progress
from holdfast.memory import arguments
from holdfast.memory.handle import Handle
from holdfast.pipeline import conductor
from holdfast.runtime import Runtime, run
from holdfast.storage.contract.reach import Reach
from holdfast.types import KINDS, Changes, Ids, Kind, Metadata, Scope, Unpack


class AddVerbs(Handle):
    """`add`, `add_relations`, and the pipeline behind them: `flush`, `add_procedure`."""

    def add(
        self,
        messages: Given | Sequence[Given],
        *,
        metadata: Metadata | None = None,
        occurred_at: datetime | None = None,
        expires_at: datetime | None = None,
        kind: Kind = "turn",
        importance: float = 0.5,
        infer: bool = True,
        wait: bool = True,
        **ids: Unpack[Ids],
    ) -> Changes:
        """Remember what was said, verbatim, and with an LLM the facts that follow from it.

        Args:
            messages: A string (said by the user), a message, or a list of them. A mapping has
                ``role`` and ``content``, and may have ``name``, ``id``, ``occurred_at`` and
                ``metadata``. A message whose id this scope has stored before is left out.
            user_id, agent_id, run_id, app_id: Stored under exactly the ids given.
            metadata: JSON, filterable; a message's own metadata goes first.
            occurred_at: When it was said, if not now.
            expires_at: From this time on no read returns it.
            kind: ``"fact"`` for what you state yourself rather than quote.
            importance: 0 (trivial) to 1 (vital).
            infer: Let the LLM derive facts, if there is one.
            wait: False: return once the messages are durable and found by words, after one write
                and no call of a model. Vectors and facts follow: by `flush`, by the thread of
                ``Memory(background=True)``, and vectors also by the scope's next call with True.

        Returns:
            What changed, and what the models cost.

        Raises:
            ScopeError: No scope, or a malformed id.
            InvalidInputError: A message cannot be stored; none of them was.
            EmbedderMismatchError: The file was written with another embedder.
            ProviderError: A model failed (with ``wait=True``). If it was the embedder, nothing was
                stored; if it was the LLM, the turns are stored and wait in the queue.
        """
        scope = self._scope(ids)
        writing = self._writing(
            scope, messages, metadata, occurred_at, expires_at, kind, importance, infer, wait
        )
        return run(self._add(self._sync, writing))

    async def aadd(
        self,
        messages: Given | Sequence[Given],
        *,
        metadata: Metadata | None = None,
        occurred_at: datetime | None = None,
        expires_at: datetime | None = None,
        kind: Kind = "turn",
        importance: float = 0.5,
        infer: bool = True,
        wait: bool = True,
        **ids: Unpack[Ids],
    ) -> Changes:
        """Async twin of `add`."""
        scope = self._scope(ids)
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
        if not isinstance(kind, str) or kind not in KINDS:
            raise InvalidInputError(f"unknown kind {shown(kind)}; allowed are {', '.join(KINDS)}")
        return ingestion.Writing(
            scope,
            messages.read(given, occurred_at, metadata, self._redact),
            kind,
            arguments.time("expires_at", expires_at),
            ingestion.check_importance(importance),
            extract=infer and kind == "turn" and self._llm is not None,
            wait=wait,
            mentions=self._reads_mentions and kind == "turn",
        )

    async def _add(self, runtime: Runtime, writing: ingestion.Writing) -> Changes:
        added = await ingestion.store(runtime, self._storage, self._embedder, writing)
        if not writing.wait:
            self._wake()
            waiting = len(added.rows)
            pending = waiting if writing.extract else 0
            return Changes(added.changes, pending=pending, unembedded=waiting)
        if added.others:
            reach = Reach.of_scope(writing.scope)
            await embed_waiting(runtime, self._storage, self._embedder, reach, batches=1)
        if not (writing.extract and added.rows):
            return Changes(added.changes)
        try:
            derived = await conductor.extract_added(self._pipeline(runtime), added)
        except StorageError as error:
            ids = ", ".join(change.id for change in added.changes[:10])
            raise StorageError(
                f"the turns are stored ({len(added.changes)}: {ids}), do not add them again; their "
                f"facts are not, and flush() goes on with them. Meanwhile: {error}"
            ) from error
        finally:
            self._wake()  # other turns of this scope had to wait meanwhile
        changes = added.changes + derived.changes
        told = Changes(changes, derived.usage, derived.pending, derived.problems)
        return self._shown(told)

    # -- relations ------------------------------------------------------------------------------

    def add_relations(self, relations: Sequence[stating.Given], **ids: Unpack[Ids]) -> Changes:
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
        scope = self._scope(ids)
        triples = stating.read(relations, self._redact)
        return self._shown(run(stating.add(self._stating(self._sync), scope, triples)))

    async def aadd_relations(
        self, relations: Sequence[stating.Given], **ids: Unpack[Ids]
    ) -> Changes:
        """Async twin of `add_relations`."""
        scope = self._scope(ids)
        triples = stating.read(relations, self._redact)
        return self._shown(await stating.add(self._stating(self._async), scope, triples))

    def _stating(self, runtime: Runtime) -> stating.Stating:
        self._need_graph()
        return stating.Stating(runtime, self._storage, self._embedder, bool(self._graph))

    # -- the pipeline ---------------------------------------------------------------------------

    def flush(
        self, *, retry: bool = False, progress: Progress | None = None, **ids: Unpack[Ids]
    ) -> Changes:
        """Embed and extract all that waits and is due, and refresh the summaries that are.

        Args:
            retry: Also try at once what waits for its next attempt or was given up.
            progress: Called with turns extracted and turns in all.
            user_id, agent_id, run_id, app_id: Whose; of a bound handle, its scope's. A memory
                that is not bound and names none works for the whole file, with its own LLM.

        Returns:
            What changed; `Changes.problems` names batches that failed and stay queued,
            `Changes.pending` and `Changes.unembedded` count what still waits.

        Raises:
            InvalidInputError: Turns wait for extraction, and this memory has no LLM. What waited
                for vectors has been embedded.
            EmbedderMismatchError: The file was written with another embedder.
            ScopeError: A malformed id, or one outside a bound scope.
        """
        reach = self._reach_or_whole(ids)
        return run(self._flush(self._sync, reach, retry, progress))

    async def aflush(
        self, *, retry: bool = False, progress: Progress | None = None, **ids: Unpack[Ids]
    ) -> Changes:
        """Async twin of `flush`."""
        reach = self._reach_or_whole(ids)
        return await self._flush(self._async, reach, retry, progress)

    async def _flush(
        self, runtime: Runtime, reach: Reach | None, retry: bool, progress: Progress | None
    ) -> Changes:
        arguments.callback("progress", progress)
        if retry:
            await runtime.write(self._storage.pipeline.retry, reach)
        changes = await conductor.drain(self._queues(runtime), progress, reach=reach)
        if changes.pending and self._llm is None:
            self._pipeline(runtime)  # raises
        return self._shown(changes)

    def add_procedure(self, task: str = "", **ids: Unpack[Ids]) -> Changes:
        """Write down what an agent did in a run, step by step, as a ``procedure`` to follow again.

        Args:
            task: What the run was for.
            user_id, agent_id, run_id, app_id: The run: exactly the ids it was stored under.

        Raises:
            InvalidInputError: The scope holds no turn, or this memory has no LLM.
            ProviderError: The LLM failed; nothing was stored.
        """
        scope = self._scope(ids)
        return run(conductor.add_procedure(self._pipeline(self._sync), scope, self._redacted(task)))

    async def aadd_procedure(self, task: str = "", **ids: Unpack[Ids]) -> Changes:
        """Async twin of `add_procedure`."""
        scope, pipeline = self._scope(ids), self._pipeline(self._async)
        return await conductor.add_procedure(pipeline, scope, self._redacted(task))
