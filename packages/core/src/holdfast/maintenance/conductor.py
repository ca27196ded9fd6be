"""Operations on a whole file, or on all that a bound handle reaches: counts, vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from holdfast.ingestion import indexing
from holdfast.providers.base import Embedder
from holdfast.runtime import Runtime
from holdfast.storage.contract.arrays import Floats
from holdfast.storage.contract.pipeline import EmbeddingJob
from holdfast.storage.contract.reach import Reach
from holdfast.storage.contract.storage import Storage

Progress = Callable[[int, int], None]
"""Called with (done, in all) while a long operation runs."""

BATCH = 64


@dataclass(frozen=True, slots=True)
class Stats:
    """What is stored.

    Attributes:
        records: Live records by kind.
        documents: Documents by namespace and key; of a bound handle, those its scope owns.
        namespaces: Partitions.
        characters: Of all live records.
        waiting, parked: Turns that wait for extraction, and those given up for now.
        error: The newest error of extraction.
        erasure_pending: Erased bytes still lie in the write-ahead log, held by readers.
        embedder: Fingerprint of the vectors' embedder; None in a new file.
        bytes: Size of the file and its write-ahead log.
        problems: With ``check=True``, what is unsound; empty if all is well.
        unowned: With ``check=True``, what belongs to no user, and how much of it: documents by
            namespace, e.g. ``documents: notes/2026``, and what lies in tables of packages, e.g. a
            LangGraph thread. No ``delete_all(user_id=...)`` erases it.
    """

    records: Mapping[str, int]
    documents: int
    namespaces: int
    characters: int
    waiting: int
    parked: int
    error: str | None
    erasure_pending: bool
    embedder: str | None
    bytes: int
    problems: tuple[str, ...] = ()
    unowned: Mapping[str, int] = field(default_factory=dict)


def stats(storage: Storage, reach: Reach | None, *, check: bool) -> Stats:
    """Count what a reach, or the whole file, holds."""
    counted = storage.maintenance.stats(reach)
    backlog = counted.pop("backlog")
    known = storage.embedder()
    return Stats(
        **counted,
        waiting=backlog.waiting,
        parked=backlog.parked,
        error=backlog.error,
        embedder=None if known is None else known[0],
        bytes=storage.maintenance.size(),
        problems=tuple(storage.maintenance.check()) if check and reach is None else (),
        unowned=storage.maintenance.unowned() if check and reach is None else {},
    )


async def reembed(
    runtime: Runtime, storage: Storage, embedder: Embedder, progress: Progress | None
) -> int:
    """Compute every vector anew; return how many rows got new ones in this call."""
    done = 0
    while True:
        jobs, left = await runtime.write(
            storage.maintenance.reembedding_left, embedder.fingerprint, BATCH
        )
        if jobs:
            vectors = await _embed(runtime, embedder, jobs)
            await runtime.write(storage.maintenance.reembedding_save, vectors)
            done += len(jobs)
            if progress is not None:
                progress(done, done + left - len(jobs))
        elif await runtime.write(storage.maintenance.reembedding_finish, embedder.fingerprint):
            return done


async def _embed(
    runtime: Runtime, embedder: Embedder, jobs: list[EmbeddingJob]
) -> list[tuple[int, Floats]]:
    texts = [
        list(job.texts) or indexing.texts_to_embed(job.kind, job.text, job.speaker, job.spans)
        for job in jobs
    ]
    wanted = [text for some in texts for text in some]
    vectors = indexing.unit_vectors(await runtime.embed(embedder, wanted), len(wanted), embedder)
    result, start = [], 0
    for job, some in zip(jobs, texts, strict=True):
        result.append((job.row_id, vectors[start : start + len(some)]))
        start += len(some)
    return result
