"""Vectors for what was stored without: a batch at a time, with no transaction open meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count

from holdfast.errors import HoldfastError
from holdfast.ingestion import indexing
from holdfast.providers.base import Embedder
from holdfast.providers.failures import described
from holdfast.runtime import Runtime
from holdfast.storage.contract.arrays import Floats
from holdfast.storage.contract.pipeline import EmbeddingJob
from holdfast.storage.contract.reach import Reach
from holdfast.storage.contract.storage import Storage


async def embed_waiting(
    runtime: Runtime,
    storage: Storage,
    embedder: Embedder,
    reach: Reach | None = None,
    stopped: Callable[[], bool] = lambda: False,
    batches: int | None = None,
) -> tuple[str, ...]:
    """Embed the records that are due; return what failed, which is tried again later.

    Args:
        runtime, storage, embedder: What is needed.
        reach: Whose records; None: all in the file.
        stopped: Asked before each batch; True ends the work.
        batches: At most so many; None: all.

    Raises:
        EmbedderMismatchError: The file's vectors are of another embedder.
    """
    claim, maker = storage.embedding.claim, embedder.fingerprint

    def release(jobs: Sequence[EmbeddingJob]) -> None:
        storage.embedding.release([job.row_id for job in jobs])

    problems: list[str] = []
    for _ in count() if batches is None else range(batches):
        if stopped() or not (jobs := await runtime.claim(release, claim, maker, reach)):
            break
        try:
            await _embed_claimed(runtime, storage, embedder, jobs)
        except HoldfastError as error:
            problems.append(f"vectors: {error}")
    return tuple(problems)


async def _embed_claimed(
    runtime: Runtime, storage: Storage, embedder: Embedder, jobs: Sequence[EmbeddingJob]
) -> None:
    """Embed what this process holds; whatever happens, no record is lost."""
    rows = [job.row_id for job in jobs]
    try:
        vectors = await embed(runtime, embedder, jobs)
        await runtime.write(storage.embedding.save, vectors, embedder.fingerprint)
    except Exception as error:
        await runtime.finish(storage.embedding.failed, rows, described(error)[:500])
        raise
    except BaseException:  # cancelled, or interrupted: no fault of the records, so no attempt
        await runtime.finish(storage.embedding.release, rows)
        raise


async def embed(
    runtime: Runtime, embedder: Embedder, jobs: Sequence[EmbeddingJob]
) -> list[tuple[int, Floats]]:
    """Return the vectors of each row, shape (passages, dimension), with one call for all."""
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
