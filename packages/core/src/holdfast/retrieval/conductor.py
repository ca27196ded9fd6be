"""The conductor of `search`: read the question, embed it, rank the candidates, return matches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from holdfast.ingestion import indexing
from holdfast.language import cues
from holdfast.providers.base import Embedder, Reranker
from holdfast.retrieval import ranking, reranking
from holdfast.runtime import Runtime
from holdfast.storage.contract.codec import maybe_micros
from holdfast.storage.contract.filters import Filter
from holdfast.storage.contract.reach import Reach
from holdfast.storage.contract.search import NO_PARTS, Found, KeywordQuery, Probe
from holdfast.storage.contract.storage import Storage
from holdfast.types import Kind, Match, utc_now


@dataclass(frozen=True, slots=True)
class Question:
    """One call of `search`, checked."""

    query: str
    limit: int
    tree: Filter | None = None
    kinds: tuple[Kind, ...] = ()
    as_of: datetime | None = None
    valid_at: datetime | None = None
    min_score: float | None = None
    explain: bool = False
    graph: bool = False


async def search(
    runtime: Runtime,
    storage: Storage,
    embedder: Embedder,
    reach: Reach,
    question: Question,
    reranker: Reranker | None = None,
) -> list[Match]:
    """Return the best matches, best first."""
    limit = question.limit if reranker is None else max(question.limit, reranking.TOP)
    found = None
    while found is None:  # others speak than when the question was read
        found = await _search(runtime, storage, embedder, reach, question, limit)
    if reranker is not None:
        found = await reranking.rerank(runtime, reranker, question.query, found)
    return [_match(item, question.explain) for item in found[: question.limit]]


async def _search(
    runtime: Runtime,
    storage: Storage,
    embedder: Embedder,
    reach: Reach,
    question: Question,
    limit: int,
) -> list[Found] | None:
    asked, known = await runtime.read(_read, storage, embedder.fingerprint, reach, question)
    vector = await runtime.embed_query(embedder, asked.dense)
    probe = Probe(
        vector=indexing.unit_vectors([vector], 1, embedder)[0],
        keywords=KeywordQuery(asked.groups, asked.pairs, asked.quotes),
        rank=partial(ranking.rank, cues=asked),
        limit=limit,
        kinds=question.kinds,
        tree=question.tree,
        valid_at=maybe_micros(question.valid_at),
        min_score=question.min_score,
        explain=question.explain,
    )
    as_of = maybe_micros(question.as_of)
    query = cues.shortened(question.query) if question.graph else None
    return await runtime.read(
        storage.search, reach, probe, as_of=as_of, speakers=known, query=query
    )


def _read(
    storage: Storage, fingerprint: str, reach: Reach, question: Question
) -> tuple[cues.Cues, frozenset[str]]:
    """Return what a question asks for, and who was known to speak where it is asked."""
    storage.check_embedder(fingerprint)
    speakers = storage.speakers(reach, newest=question.as_of is not None)
    moment = question.as_of or utc_now()
    return cues.read(question.query, speakers, moment), speakers


def _match(found: Found, explain: bool) -> Match:
    start, end = found.span
    passage = found.record.text[start:end]
    return Match(found.record, found.score, passage, found.parts if explain else NO_PARTS)
