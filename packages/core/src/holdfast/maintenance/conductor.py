"""Operations on a whole file, or on all that a bound handle reaches: counts, vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

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
        items: Frameworks' own documents.
        namespaces: Partitions.
        characters: Of all live records.
        waiting, parked: Turns that wait for extraction, and those given up for now.
        error: The newest error of extraction.
        erasure_pending: Erased bytes still lie in the write-ahead log, held by readers.
        embedder: Fingerprint of the vectors' embedder; None in a new file.
        bytes: Size of the file and its write-ahead log.
        problems: With ``check=True``, what is unsound; empty if all is well.
        unowned: With ``check=True``, what lies in tables of packages and belongs to no user, so
            that no ``delete_all(user_id=...)`` erases it, e.g. a LangGraph thread.
    """

    records: Mapping[str, int]
    items: int
    namespaces: int
    characters: int
    waiting: int
    parked: int
    error: str | None
    erasure_pending: bool
    embedder: str | None
    bytes: int
    problems: tuple[str, ...] = ()
    unowned: tuple[str, ...] = ()


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
        unowned=tuple(storage.maintenance.unowned()) if check and reach is None else (),
    )


async def reembed(
    runtime: Runtime, storage: Storage, embedder: Embedder, progress: Progress | None
) -> int:
    """Compute every vector anew; return how many rows got new ones in this call."""
    done = 0
    while True:
        jobs, left = await runtime.store(
            storage.maintenance.reembedding_left, embedder.fingerprint, BATCH
        )
        if jobs:
            vectors = await _embed(runtime, embedder, jobs)
            await runtime.store(storage.maintenance.reembedding_save, vectors)
            done += len(jobs)
            if progress is not None:
                progress(done, done + left - len(jobs))
        elif await runtime.store(storage.maintenance.reembedding_finish, embedder.fingerprint):
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
