"""Operations on a whole file: counts, checks, transfer, a change of embedder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from typing import Any

from holdfast.storage.contract.arrays import Floats
from holdfast.storage.contract.exports import Header, Line
from holdfast.storage.contract.import_survey import Survey
from holdfast.storage.contract.pipeline import EmbeddingJob
from holdfast.storage.contract.reach import Reach
from holdfast.storage.sqlite import (
    check,
    document_edits,
    document_rows,
    erasure,
    export_lines,
    import_rows,
    package_tables,
    queue,
    reembedding,
    view_check,
    wal_erasure,
)
from holdfast.storage.sqlite.file import File


class SqliteMaintenance:
    """What an owner does with a file, rather than an agent."""

    def __init__(self, file: File) -> None:
        self._file = file

    def stats(self, reach: Reach | None) -> dict[str, Any]:
        """See `MaintenanceStorage`."""
        with self._file.database.read() as connection:
            counted = check.counts(connection, reach, self._file.now())
            waiting = queue.backlog(connection, reach)
            unembedded = queue.backlog(connection, reach, "unembedded")
            return counted | {"backlog": waiting, "unembedded": unembedded}

    def check(self) -> list[str]:
        """See `MaintenanceStorage`."""
        self._file.database.verify()
        with self._file.database.read() as connection:
            wrong = [*check.rows(connection), *package_tables.check(connection)]
        for reading in self._file.views.readings():
            with self._file.viewing(reading) as seen:
                wrong += view_check.view(*seen)
        for known in self._file.graphs.readings():
            with self._file.graph(known) as (connection, network):
                wrong += view_check.graph(connection, network)
        return wrong

    def unowned(self) -> dict[str, int]:
        """See `MaintenanceStorage`."""
        with self._file.database.read() as connection:
            found = Counter(package_tables.unowned(connection))
            for labels, number in document_rows.counts(connection, Reach.of_prefix(())).items():
                found[f"documents: {'/'.join(labels)}"] += number
            for labels, number in document_edits.counts_of_runs(connection).items():
                found[f"documents of runs: {'/'.join(labels)}"] += number
        return dict(found)

    # -- transfer -------------------------------------------------------------------------------

    def export(self, reach: Reach | None) -> Generator[export_lines.Line, None, None]:
        """See `MaintenanceStorage`."""
        database = self._file.database
        with database.read() as connection:
            lines: Iterable[export_lines.Line] = export_lines.lines(connection, reach)
            if not database.in_memory:
                yield from lines
                return
            lines = list(lines)
        yield from lines

    def import_(self, survey: Survey, header: Header, lines: Iterable[Line]) -> int:
        """See `MaintenanceStorage`."""
        for name in survey.packages:
            package_tables.prepare(self._file.database, name)
        with self._file.database.write(alone=True) as connection:
            if header.embedder is not None and header.dimension is not None:
                self._file.claim_embedder(connection, header.embedder, header.dimension)
            importer = import_rows.Importer(connection, survey, self._file.now())
            for line in lines:
                importer.write(line)
            return importer.finish()

    # -- room -----------------------------------------------------------------------------------

    def purge(self) -> int:
        """See `MaintenanceStorage`; what is left of erased rows in free room goes, too."""
        with self._file.database.write() as connection:
            gone = erasure.purge_expired(connection, self._file.now())
        wal_erasure.finish(self._file.database)
        wal_erasure.rewrite(self._file.database)
        return len(gone)

    def size(self) -> int:
        """See `MaintenanceStorage`."""
        return self._file.database.size()

    def rekey(self, key: str | bytes) -> None:
        """See `MaintenanceStorage`."""
        self._file.database.rekey(key)

    def vacuum(self) -> int:
        """See `MaintenanceStorage`."""
        return self._file.database.vacuum()

    # -- a change of embedder -------------------------------------------------------------------

    def reembedding_left(self, fingerprint: str, limit: int) -> tuple[list[EmbeddingJob], int]:
        """See `MaintenanceStorage`."""
        with self._file.database.write() as connection:
            reembedding.check_own(connection, fingerprint)
            return reembedding.left(connection, fingerprint, limit)

    def reembedding_save(self, done: Sequence[tuple[int, Floats]]) -> None:
        """See `MaintenanceStorage`."""
        with self._file.database.write() as connection:
            reembedding.save(connection, done)

    def reembedding_finish(self, fingerprint: str) -> bool:
        """See `MaintenanceStorage`."""
        with self._file.database.write(alone=True) as connection:
            reembedding.check_own(connection, fingerprint)
            finished = reembedding.finish(connection, fingerprint, self._file.now())
        if finished:
            self._file.forget_embedder()
        return finished
