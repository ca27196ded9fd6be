"""Bytes that changed by themselves: a digest of each row, and one error for what cannot be read.

SQLite does not notice a changed bit inside a value. So records and documents keep a digest of all
their columns that never change: whatever a disk or a copy changed in one of them, reading that row
raises, and `check` names it. What does change (when a version ends, ...) has a sum of its own,
which SQLite keeps (``state`` in `schema`).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from hashlib import sha256
from operator import itemgetter
from types import TracebackType
from typing import Any, Final

from holdfast.errors import DamagedFileError, HoldfastError

UNREADABLE: Final = (
    AttributeError,
    IndexError,
    KeyError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)
"""What Python raises where a value is not what was written."""


ADVICE: Final = "go back to a copy, or export what can still be read"


class Layout:
    """Which of a row's columns are digested, and how they are put together.

    Args:
        columns: In the order in which rows come.
        numbers, texts, blobs: Names of columns, none of which ever changes.
    """

    def __init__(
        self,
        columns: Sequence[str],
        numbers: Sequence[str],
        texts: Sequence[str],
        blobs: Sequence[str],
    ) -> None:
        self._numbers, self._texts, self._blobs = (
            itemgetter(*map(columns.index, names)) for names in (numbers, texts, blobs)
        )
        self._sizes = struct.Struct(f"<{len(texts) + len(blobs)}q")

    def digest(self, row: Sequence[Any]) -> bytes:
        """Return SHA-256 over the digested columns: numbers, lengths, then texts and blobs.

        With the lengths before them, no two rows put together are the same bytes.

        Raises:
            TypeError: A value is of another type than its column's.
        """
        texts, blobs = self._texts(row), self._blobs(row)
        sizes = self._sizes.pack(
            *[-1 if text is None else len(text) for text in texts], *map(len, blobs)
        )
        words = "".join([text for text in texts if text])
        head = str(self._numbers(row))
        return sha256(b"".join((sizes, head.encode(), words.encode(), *blobs))).digest()

    def fits(self, row: Sequence[Any], digest: object) -> bool:
        """Return whether a row is as it was written."""
        try:
            return self.digest(row) == digest
        except UNREADABLE:
            return False


def found(what: str) -> DamagedFileError:
    """Return the error for something that is not as it was written."""
    return DamagedFileError(f"the file is damaged at {what}: {ADVICE}")


class Reading:
    """Within it, what Python raises at values that cannot be read is `DamagedFileError`.

    Args:
        what: What is read; it goes into the message.
    """

    __slots__ = ("_what",)

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, UNREADABLE) and not isinstance(error, HoldfastError):
            raise found(self._what) from error
