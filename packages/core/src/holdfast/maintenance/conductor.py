"""Operations on a whole file, or on all that a bound handle reaches: counts, vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

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
        documents: Documents by namespace and key; of a bound handle, those its scope owns.
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
        unowned: With ``check=True``, what belongs to no user, and how much of it: documents by
            namespace, e.g. ``documents: notes/2026``, and what lies in tables of packages, e.g. a
            LangGraph thread. No ``delete_all(user_id=...)`` erases it.
    """

    records: Mapping[str, int]
    documents: int
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
    unowned: Mapping[str, int] = field(default_factory=dict)


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
            vectors = await embed(runtime, embedder, jobs)
            await runtime.write(storage.maintenance.reembedding_save, vectors)
            done += len(jobs)
            if progress is not None:
                progress(done, done + left - len(jobs))
        elif await runtime.write(storage.maintenance.reembedding_finish, embedder.fingerprint):
            return done
