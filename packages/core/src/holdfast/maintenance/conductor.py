"""Operations on a whole file, or on all that a bound handle reaches: counts, vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from holdfast.ingestion.embedding import embed
from holdfast.providers.base import Embedder
from holdfast.runtime import Runtime
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
        waiting: Turns that wait for extraction.
        unembedded: Records without vectors: found by words until `Memory.flush` or the background
            thread embeds them.
        parked: Turns and records that were given up for now, after too many attempts.
        error: The newest error of extraction, else of embedding.
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
    unembedded: int
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
    backlog, vectors = counted.pop("backlog"), counted.pop("unembedded")
    known = storage.embedder()
    return Stats(
        **counted,
        waiting=backlog.waiting,
        unembedded=vectors.waiting + vectors.parked,
        parked=backlog.parked + vectors.parked,
        error=backlog.error or vectors.error,
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
            vectors = await embed(runtime, embedder, jobs)
            await runtime.store(storage.maintenance.reembedding_save, vectors)
            done += len(jobs)
            if progress is not None:
                progress(done, done + left - len(jobs))
        elif await runtime.store(storage.maintenance.reembedding_finish, embedder.fingerprint):
            return done
