"""Export to a file, and import of one: what is read is checked whole before anything is written."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Final, TextIO, TypeAlias

from holdfast.errors import InvalidInputError, StorageError
from holdfast.maintenance import export_format as exports
from holdfast.storage.contract.exports import Header, Line
from holdfast.storage.contract.import_survey import Survey
from holdfast.storage.contract.reach import Reach
from holdfast.storage.contract.storage import Storage
from holdfast.types import Scope

Progress: TypeAlias = Callable[[int, int], None]
"""Called with (done, in all) while a long operation runs."""

STEP: Final = 500  # lines between two calls of it
LONGEST: Final = 1 << 28  # bytes of a line; a text of the greatest length takes a tenth
_DRAFTS: Final = (".holdfast-", ".part")
_STALE: Final = 86_400.0  # seconds; a draft so old was left by a process that was killed


def export(
    storage: Storage,
    reach: Reach | None,
    path: str,
    progress: Progress | None,
) -> int:
    """Write an export beside its final name, then move it there; return the number of lines.

    Raises:
        InvalidInputError: The path is the memory's own file, or no path of a file.
        StorageError: It cannot be written; nothing of it is left.
        DamagedFileError: The memory's file is damaged at a record, which is named.
    """
    target, own = _path(path), storage.path
    if target.is_dir():
        raise InvalidInputError(f"{target} is a folder; export to a file in it")
    if target.exists() and own.exists() and target.samefile(own):
        raise InvalidInputError(f"{target} is the memory's file itself; export to another path")
    total = sum(storage.maintenance.stats(reach)["records"].values())
    with _draft(target) as file, closing(storage.maintenance.export(reach)) as lines:
        return _write(lines, file, total, progress)


@contextmanager
def _draft(target: Path) -> Iterator[TextIO]:
    """Lend a file that only its owner can read; it takes the target's place when all went well."""
    try:
        _sweep(target.parent)
        number, name = tempfile.mkstemp(_DRAFTS[1], _DRAFTS[0], target.parent)
        try:
            with open(number, "w", encoding="utf-8") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(target)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"{target} cannot be written: {error.strerror or error}") from error


def _sweep(folder: Path) -> None:
    """Remove the drafts of exports that were killed long ago: they hold words in clear text."""
    for draft in folder.glob(f"{_DRAFTS[0]}*{_DRAFTS[1]}"):
        if draft.is_file() and time.time() - draft.stat().st_mtime > _STALE:
            draft.unlink(missing_ok=True)


def _write(
    lines: Iterator[Mapping[str, Any]], file: TextIO, total: int, progress: Progress | None
) -> int:
    count = done = 0
    for count, line in enumerate(lines, 1):
        file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
        done += line.get("table") == "record"
        if progress is not None and count % 1000 == 0:
            progress(min(done, total), total)
    if progress is not None:
        progress(total, total)
    return count


def import_(
    storage: Storage,
    within: Scope | None,
    path: str,
    progress: Progress | None,
) -> int:
    """Read an export; return how many records and documents were new.

    It is read twice: to check it whole, and to write it in one transaction.

    Args:
        storage: Where to.
        within: What may be imported; None: all.
        path: The export.
        progress: Told of both readings.

    Raises:
        InvalidInputError: It is no export; the line is named, and what is allowed.
    """
    source = _path(path)
    with _opened(source) as file:
        total = 2 * _count(file)
        first = _Export(file, progress, 0, total)
        survey = first.survey(within)
        second = _Export(file, progress, first.done, total)
        same = chain(second.lines(), second.same_as(first))
        return storage.maintenance.import_(survey, second.header, same)


class _Export:
    """One reading of an export.

    Args:
        file: It, open; it is read from its beginning.
        progress, before, total: Told after every `STEP` lines, of those before this reading too.

    Attributes:
        header: Its first line.
        done: Lines read, those before this reading counted.
    """

    def __init__(self, file: BinaryIO, progress: Progress | None, before: int, total: int) -> None:
        self._file, self._progress, self._total = file, progress, total
        self._digest = hashlib.sha256()
        self._number = 0
        self.done = before
        file.seek(0)
        self.header: Header = self._checked(self._next(), exports.read_header)

    def survey(self, within: Scope | None) -> Survey:
        """Read to the end; return what was seen."""
        survey = Survey(within)
        for line in self.lines():
            self._checked(line, survey.take)
        self._checked(None, lambda _: survey.finish())
        return survey

    def lines(self) -> Iterator[Line]:
        """Yield every line behind the header, checked."""
        while text := self._next():
            yield self._checked(text, lambda given: exports.read_line(given, self.header))
        self._tell()

    def same_as(self, other: _Export) -> Iterator[Line]:
        """Yield nothing.

        Raises:
            InvalidInputError: Something else was read than by another reading.
        """
        if self._digest.digest() != other._digest.digest():
            raise InvalidInputError("the export was changed while it was read; import it again")
        yield from ()

    def _next(self) -> bytes:
        try:
            text = self._file.readline(LONGEST)
        except OSError as error:
            raise StorageError(f"the export cannot be read: {error.strerror or error}") from error
        self._digest.update(text)
        self._number += 1
        self.done += bool(text)
        if text and self._number % STEP == 0:
            self._tell()
        return text

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self.done, self._total)

    def _checked(self, given: Any, check: Callable[[Any], Any]) -> Any:
        """Apply a check to a line; what is wrong is said with its number."""
        try:
            return check(_parsed(given) if isinstance(given, bytes) else given)
        except InvalidInputError as error:
            raise InvalidInputError(f"line {self._number}: {error}") from error


def _count(file: BinaryIO) -> int:
    """Return how many lines a file has."""
    try:
        return sum(1 for _ in file)
    except OSError as error:  # a folder, a disk that fails
        raise InvalidInputError(f"{file.name} cannot be read: {error.strerror}") from error


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text.decode())
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"it is no UTF-8 text at byte {error.start}") from error
    except (RecursionError, ValueError) as error:
        raise InvalidInputError("it is no JSON, or nested too deeply") from error


def _path(path: str) -> Path:
    """Return a path, checked by `check_path`, that this file system can have."""
    given = Path(path)
    try:
        with suppress(FileNotFoundError):
            os.stat(given)
        os.stat(given.parent)
    except OSError as error:
        raise InvalidInputError(f"{str(path)!r:.200} is no path of a file: {error}") from error
    return given


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be read: {error.strerror or error}") from error
