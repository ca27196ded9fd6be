"""Operations on a whole file: counts, checks, transfer, a change of embedder."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import nullcontext
from typing import Any

from holdfast.errors import InvalidInputError
from holdfast.storage import check, queue, rebuilt, reembedding, transfer
from holdfast.storage.codec import Floats
from holdfast.storage.file import File
from holdfast.storage.namespaces import Region


class Upkeep:
    """What an owner does with a file, rather than an agent."""

    def __init__(self, file: File) -> None:
        self._file = file

    def stats(self, region: Region | None) -> dict[str, Any]:
        """Count what a region, or the whole file, holds."""
        with self._file.database.read() as connection:
            counted = check.counts(connection, region, self._file.now())
            return counted | {"backlog": queue.backlog(connection, region)}

    def check(self) -> list[str]:
        """Compare rows, vectors, terms, log and views; return what is wrong, nothing if sound."""
        with self._file.database.read() as connection:
            wrong = check.rows(connection)
        for reading in self._file.views.readings():
            with self._file.viewing(reading) as seen:
                wrong += [] if seen is None else rebuilt.view(*seen)
        for known in self._file.graphs.readings():
            with self._file.graph(known) as (connection, network):
                wrong += rebuilt.graph(connection, network)
        return wrong

    # -- transfer -------------------------------------------------------------------------------

    def export(self, region: Region | None) -> Generator[transfer.Line, None, None]:
        """Yield the lines of an export, all of one moment; close the iterator when done early.

        An export must not mix two moments, so it is the one stream that keeps its snapshot open.
        A memory database has one connection, which others need between two pages.
        """
        database = self._file.database
        if database.in_memory:
            yield from transfer.lines(database.read, region)
            return
        with database.read() as connection:
            yield from transfer.lines(lambda: nullcontext(connection), region)

    def import_(
        self, lines: Iterable[transfer.Line], progress: Callable[[int], None] | None = None
    ) -> int:
        """Write the lines of an export; return how many records and items were new.

        Raises:
            InvalidInputError: The lines are no export, or mix with other memories.
            EmbedderMismatchError: The export's vectors are of another embedder.
        """
        source, importer, written, seen = iter(lines), transfer.Importer(), 0, 0
        self._import_header(next(source, {}))
        while batch := [line for _, line in zip(range(transfer.PAGE), source, strict=False)]:
            with self._file.database.write() as connection:
                written += importer.write(connection, batch)
            seen += len(batch)
            if progress is not None:
                progress(seen)
        return written

    def _import_header(self, line: transfer.Line) -> None:
        if line.get("format") != transfer.FORMAT or line.get("version") != transfer.VERSION:
            raise InvalidInputError(
                f"the first line is no header of a {transfer.FORMAT} of version {transfer.VERSION}"
            )
        if line["embedder"] is not None:
            with self._file.database.write() as connection:
                self._file.claim_embedder(connection, line["embedder"], line["dimension"])

    # -- a change of embedder -------------------------------------------------------------------

    def reembedding_left(self, fingerprint: str, limit: int) -> tuple[list[reembedding.Job], int]:
        """Return the next texts to embed anew, and how many are left in all.

        Raises:
            InvalidInputError: A collection holds vectors that its caller made.
        """
        with self._file.database.write() as connection:
            reembedding.check_own(connection, fingerprint)
            return reembedding.left(connection, fingerprint, limit)

    def reembedding_save(self, done: Sequence[tuple[int, Floats]]) -> None:
        """Keep new vectors beside the old ones."""
        with self._file.database.write() as connection:
            reembedding.save(connection, done)

    def reembedding_finish(self, fingerprint: str) -> bool:
        """Let the new vectors take the old ones' place; False if texts came in meanwhile."""
        with self._file.database.write() as connection:
            reembedding.check_own(connection, fingerprint)
            finished = reembedding.finish(connection, fingerprint)
        if finished:
            self._file.forget_embedder()
        return finished
