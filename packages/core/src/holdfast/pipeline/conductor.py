"""The conductor of the two-phase pipeline: turns -> facts -> what changes -> one commit.

Phase 1 asks an LLM for the facts of some turns; phase 2 weighs them against what is stored near
them, and asks again only where rules leave doubt. Turns wait in a durable queue until the commit
that writes their facts takes them off it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from holdfast.errors import ExtractionError, HoldfastError, InvalidInputError
from holdfast.ingestion.conductor import index
from holdfast.ingestion.embedding import embed_waiting
from holdfast.pipeline import (
    consolidation,
    extraction,
    naming,
    procedures,
    resolving,
    summarising,
)
from holdfast.pipeline.answers import Messages, Problem, repair
from holdfast.pipeline.deliberation import Deliberation, Resolved
from holdfast.pipeline.extraction import Conversation, Fact, Guidance, Turn
from holdfast.providers.base import LLM, Embedder
from holdfast.providers.failures import described
from holdfast.runtime import Runtime
from holdfast.storage.contract.memories import Added, Draft
from holdfast.storage.contract.pipeline import CommitPlan, LeaseLost, Material, batches
from holdfast.storage.contract.reach import Reach
from holdfast.storage.contract.storage import Storage
from holdfast.types import Answer, Change, Changes, Kind, Record, Scope, Tool, Usage

T = TypeVar("T")

SUMMARISE_AFTER = 20
"""Turns of a run after which its rolling summary is refreshed."""

SUMMARY_DELAY = 60.0
"""Seconds until a summary that failed is tried again."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What every step needs; `graph` as in `Memory`. Without an LLM, `drain` only embeds."""

    runtime: Runtime
    storage: Storage
    embedder: Embedder
    llm: LLM | None
    guidance: Guidance = field(default_factory=Guidance)
    graph: bool | None = None


@dataclass(frozen=True, slots=True)
class Derived:
    """What came of some turns; `pending` of them wait again."""

    changes: tuple[Change, ...] = ()
    usage: Usage = field(default_factory=Usage)
    problems: tuple[str, ...] = ()
    pending: int = 0

    def __add__(self, other: Derived) -> Derived:
        """Join two results."""
        return Derived(
            self.changes + other.changes,
            self.usage + other.usage,
            self.problems + other.problems,
            self.pending + other.pending,
        )


class _Reader(Protocol[T]):  # type: ignore[misc]
    def __call__(self, answer: Answer, *, last: bool) -> T: ...


# -- what was just added ------------------------------------------------------------------------


async def extract_added(pipeline: Pipeline, added: Added) -> Derived:
    """Extract turns that `Storage.add` stored and claimed, a batch at a time.

    Raises:
        ProviderError: The LLM failed; this batch and those behind it wait to be tried again.
    """
    texts = [change.after.text if change.after else "" for change in added.changes]
    sizes = [(row, len(text)) for row, text in zip(added.rows, texts, strict=True)]
    left = batches(sizes) if sizes else []
    total = Derived()
    try:
        while left:
            total += await extract(pipeline, left.pop(0))
    finally:
        if left:
            waiting = [row for rows in left for row in rows]
            await pipeline.runtime.finish(pipeline.storage.pipeline.release, waiting)
    return total


# -- draining the queue -------------------------------------------------------------------------


async def drain(
    pipeline: Pipeline,
    progress: Callable[[int, int], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
    reach: Reach | None = None,
) -> Changes:
    """Embed all records that are due, extract turns, refresh summaries; return what changed.

    A batch that fails goes back to the queue and is named in `Changes.problems`.

    Args:
        pipeline: What is needed.
        progress: Called with turns done and turns in all.
        stopped: Asked before each model call for new turns or a summary; True ends the work.
        reach: Whose turns; None: all of the file's.
    """
    runtime, storage = pipeline.runtime, pipeline.storage
    failed = await embed_waiting(runtime, storage, pipeline.embedder, reach, stopped)
    total = Derived(problems=failed)
    if pipeline.llm is not None:
        total += await _extract_all(pipeline, progress, stopped, reach)
        total += await summarise(pipeline, stopped, reach)
    waiting = await runtime.read(storage.pipeline.waiting, reach)
    unembedded = await runtime.read(storage.embedding.left, reach)
    return Changes(total.changes, total.usage, waiting, total.problems, unembedded)


async def _extract_all(
    pipeline: Pipeline,
    progress: Callable[[int, int], None] | None,
    stopped: Callable[[], bool],
    reach: Reach | None,
) -> Derived:
    read, derivation = pipeline.runtime.read, pipeline.storage.pipeline
    total, done = Derived(), 0
    claim = pipeline.runtime.claim
    while not stopped() and (rows := await claim(derivation.release, derivation.claim, reach)):
        try:
            total += await extract(pipeline, rows)
        except HoldfastError as error:
            total += Derived(problems=(str(error),))
        done += len(rows)
        if progress is not None:
            progress(done, done + (await read(derivation.waiting, reach)))
    return total


async def extract(pipeline: Pipeline, rows: Sequence[int]) -> Derived:
    """Extract turns that this process holds; whatever happens, none is lost.

    Raises:
        ProviderError: The LLM failed or could not be understood; the turns wait to be tried again.
    """
    finish, derivation = pipeline.runtime.finish, pipeline.storage.pipeline
    try:
        return await _derive(pipeline, rows)
    except LeaseLost:
        left = await finish(derivation.release, rows)
        lost = "turns were erased, or taken over by another worker, while a model read them"
        return Derived(problems=(f"{lost}; {left} wait again",), pending=left)
    except Exception as error:
        readable = isinstance(error, HoldfastError) and not isinstance(error, ExtractionError)
        await finish(derivation.failed, rows, described(error)[:500], readable=readable)
        raise
    except BaseException:  # cancellation does not count as an attempt
        await finish(derivation.release, rows)
        raise


async def _derive(pipeline: Pipeline, rows: Sequence[int]) -> Derived:
    read, write = pipeline.runtime.read, pipeline.runtime.write
    derivation = pipeline.storage.pipeline
    material = await read(derivation.material, rows)
    if material is None:
        await write(derivation.forget, rows)
        return Derived()
    facts, usage, problems = await _extract_facts(pipeline, material)
    deliberation = Deliberation(material, await _resolved(pipeline, material.scope, facts))
    while True:
        outcome = deliberation.outcome()
        changes = await write(derivation.commit, outcome, pipeline.embedder.fingerprint)
        if changes is not None:
            told = _said(problems) + _said(deliberation.problems)
            return Derived(tuple(changes), usage, told)
        usage += await _deliberate(pipeline, deliberation, outcome)


async def _resolved(pipeline: Pipeline, scope: Scope, facts: Sequence[Fact]) -> Resolved:
    if not pipeline.graph:
        return await resolving.plain(pipeline.runtime, pipeline.embedder, facts)
    runtime, storage = pipeline.runtime, pipeline.storage
    return await resolving.resolve(runtime, storage, pipeline.embedder, scope, facts)


# -- phase 1 ------------------------------------------------------------------------------------


async def _extract_facts(
    pipeline: Pipeline, material: Material
) -> tuple[tuple[Fact, ...], Usage, tuple[Problem, ...]]:
    conversation = Conversation(
        turns=tuple(_turn(record) for record in material.turns.values()),
        recent=tuple(_turn(record) for record in material.recent),
        summary="" if material.summary is None else material.summary.text,
        one_user=material.scope.user_id is not None,
        relations=pipeline.graph is not False,
    )
    asked = extraction.request(conversation, pipeline.guidance)

    def read(answer: Answer, *, last: bool) -> extraction.Facts:
        return extraction.read(answer, conversation, pipeline.guidance, last=last)

    found, usage = await _ask(pipeline, asked, read)
    return found.facts, usage, found.problems


def _turn(record: Record) -> Turn:
    return Turn(record.text, record.occurred_at, record.role or "user", record.speaker)


async def _ask(
    pipeline: Pipeline, asked: tuple[Messages, Tool], read: _Reader[T]
) -> tuple[T, Usage]:
    """Ask, read, and if nothing can be read ask once more.

    Raises:
        ExtractionError: The second answer could not be read either.
        ProviderError: The LLM failed.
    """
    assert pipeline.llm is not None
    messages, tool = asked
    answer = await pipeline.runtime.complete(pipeline.llm, messages, tool)
    try:
        return read(answer, last=False), answer.usage
    except ExtractionError as error:
        again = repair(messages, answer, error)
    second = await pipeline.runtime.complete(pipeline.llm, again, tool)
    return read(second, last=True), answer.usage + second.usage


# -- phase 2 ------------------------------------------------------------------------------------


async def _deliberate(pipeline: Pipeline, matter: Deliberation, outcome: CommitPlan) -> Usage:
    """Ask the model about the facts that rules leave open."""
    derivation = pipeline.storage.pipeline
    nearby = await pipeline.runtime.read(derivation.nearby, outcome.reach, outcome.approaches)
    plan = matter.plan(nearby)
    if not plan.open:  # what was in doubt is gone again
        return Usage()

    def read(answer: Answer, *, last: bool) -> consolidation.Decisions:
        return consolidation.read(answer, plan, matter.doubts, last=last)

    made, usage = await _ask(pipeline, consolidation.request(plan, matter.doubts), read)
    texts = [verdict.text for verdict in made.verdicts.values() if verdict.text]
    texts += [naming.statement(pair, matter.facts).text for pair in made.united]
    found = await index(pipeline.runtime, pipeline.embedder, "fact", [(t, None) for t in texts])
    matter.learn(plan, made, dict(zip(texts, found, strict=True)))
    return usage


def _said(problems: Sequence[Problem]) -> tuple[str, ...]:
    return tuple(f"{problem.place}: {problem.reason}" for problem in problems)


# -- summaries and procedures -------------------------------------------------------------------


async def summarise(
    pipeline: Pipeline,
    stopped: Callable[[], bool] = lambda: False,
    reach: Reach | None = None,
) -> Derived:
    """Refresh the rolling summary of every run with at least `SUMMARISE_AFTER` new turns."""
    runtime, derivation = pipeline.runtime, pipeline.storage.pipeline
    total = Derived()

    def give_back(material: Material | None) -> None:
        if material is not None:
            derivation.postpone_summary(material, 0.0)

    while not stopped():
        material = await runtime.claim(give_back, derivation.claim_summary, SUMMARISE_AFTER, reach)
        if material is None:
            break
        delay = 0.0
        try:
            total += await _refresh(pipeline, material)
        except HoldfastError as error:
            delay = SUMMARY_DELAY
            total += Derived(problems=(f"summary: {error}",))
        finally:
            await runtime.finish(derivation.postpone_summary, material, delay)
    return total


async def _refresh(pipeline: Pipeline, material: Material) -> Derived:
    old = "" if material.summary is None else material.summary.text
    turns = [_turn(record) for record in material.turns.values()]
    text, usage = await _ask(pipeline, summarising.request(old, turns), summarising.read)
    draft = await _text_draft(pipeline, text, "summary", material)
    change = await pipeline.runtime.write(
        pipeline.storage.pipeline.save_summary, material, draft, pipeline.embedder.fingerprint
    )
    return Derived((change,) if change is not None else (), usage)


async def add_procedure(pipeline: Pipeline, scope: Scope, task: str) -> Changes:
    """Write down, step by step, what an agent did in a run.

    Raises:
        InvalidInputError: The scope holds no turn.
    """
    runtime, derivation = pipeline.runtime, pipeline.storage.pipeline
    material = await runtime.read(derivation.whole_run, scope)
    if material is None:
        raise InvalidInputError(f"no turns are stored under exactly {scope.ids()}")
    turns = [_turn(record) for record in material.turns.values()]
    found, usage = await _ask(pipeline, procedures.request(turns, task=task), procedures.read)
    draft = await _text_draft(pipeline, found.text, "procedure", material)
    added = await runtime.write(
        pipeline.storage.add, scope, [draft], pipeline.embedder.fingerprint, extract=False
    )
    return Changes(added.changes, usage, problems=_said(found.problems))


async def _text_draft(pipeline: Pipeline, text: str, kind: Kind, material: Material) -> Draft:
    """Make a draft of what a model wrote; a summary rests on its turns and the summary before."""
    indexed = (await index(pipeline.runtime, pipeline.embedder, kind, [(text, None)]))[0]
    turns = list(material.turns.values())
    sources = tuple(turn.id for turn in turns)
    return Draft(text, kind, indexed, occurred_at=turns[-1].occurred_at, sources=sources)
