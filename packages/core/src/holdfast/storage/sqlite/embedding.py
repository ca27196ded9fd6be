"""Records stored without vectors: claimed, embedded outside any transaction, then completed."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.storage.contract.arrays import Floats
from holdfast.storage.contract.pipeline import EmbeddingJob
from holdfast.storage.contract.reach import Reach
from holdfast.storage.sqlite import log, queue, records
from holdfast.storage.sqlite.file import File
from holdfast.storage.sqlite.pipeline import SqlitePipeline
from holdfast.storage.sqlite.reembedding import spans


class SqliteEmbedding:
    """Operations on records that wait for their vectors, each one transaction.

    Args:
        file: The file.
        pipeline: Names this process, and says how long a claim holds.
    """

    def __init__(self, file: File, pipeline: SqlitePipeline) -> None:
        self._file, self._pipeline = file, pipeline

    def claim(self, fingerprint: str, reach: Reach | None = None) -> list[EmbeddingJob]:
        """See `EmbeddingStorage`."""
        with self._file.database.write() as connection:
            self._file.claim_embedder(connection, fingerprint, 0)
            by = self._pipeline.claiming(self._file.now())
            rows = queue.claim_unembedded(connection, by, reach)
        return [
            EmbeddingJob(key, kind, text, said_by, spans(cut))
            for key, kind, text, said_by, cut in rows
        ]

    def save(self, done: Sequence[tuple[int, Floats]], fingerprint: str) -> int:
        """See `EmbeddingStorage`."""
        with self._file.database.write() as connection:
            left = [(row, vectors) for row, vectors in done if queue.embedded(connection, row)]
            for row_id, vectors in left:
                self._file.claim_embedder(connection, fingerprint, vectors.shape[1])
                records.embed(connection, row_id, vectors)
            log.embedded(connection, [row_id for row_id, _ in left], self._file.now())
        return len(left)

    def failed(self, row_ids: Sequence[int], error: str) -> None:
        """See `EmbeddingStorage`."""
        worker, now = self._pipeline.worker, self._file.now()
        with self._file.database.write() as connection:
            queue.failed(connection, worker, row_ids, error, now, queue.PATIENCE, "unembedded")

    def release(self, row_ids: Sequence[int]) -> None:
        """See `EmbeddingStorage`."""
        with self._file.database.write() as connection:
            queue.release(connection, self._pipeline.worker, row_ids, "unembedded")

    def left(self, reach: Reach | None = None) -> int:
        """See `EmbeddingStorage`."""
        with self._file.database.read() as connection:
            waiting = queue.backlog(connection, reach, "unembedded")
        return waiting.waiting + waiting.parked
