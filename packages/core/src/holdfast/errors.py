"""Every error Holdfast raises on purpose.

HoldfastError
├── ScopeError               no scope, a malformed id, or one that does not reach so far
├── FilterError              an unknown operator, a wrong value type, a malformed tree
├── InvalidInputError        a message, date, budget or vector that cannot be stored
├── RecordNotFoundError      no such record in this scope (also a KeyError)
├── EmbedderMismatchError    the file was written with another embedder
├── ProviderError            an embedder or LLM failed
│   └── ExtractionError      the LLM's answer could not be read
└── StorageError             the database failed
    ├── StorageClosedError   used after close()
    ├── DamagedFileError     bytes of the file are not those that were written
    ├── SchemaVersionError   the file is foreign, or newer than this library
    └── WrongKeyError        the file is encrypted and the key is missing or wrong

A message says what was given, what is allowed and what to do. Foreign exceptions are mapped
once, where they enter, and kept as ``__cause__``.
"""

from __future__ import annotations

import reprlib


class _Shown(reprlib.Repr):
    """`repr`, cut short on its way: of a deep or huge value the whole cannot even be written."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxlist, self.maxtuple, self.maxdict = 3, 4, 4, 4
        self.maxstring = self.maxother = 80

    def repr_int(self, x: int, level: int) -> str:
        """Return a number, or of a very long one how long it is."""
        return repr(x) if x.bit_length() < 256 else f"<a number of {x.bit_length()} bits>"


def shown(value: object) -> str:
    """Return a value that was given, for a message: at most 120 characters of it."""
    return _SHOWN.repr(value)[:120]


_SHOWN = _Shown()


class HoldfastError(Exception):
    """Base of every error raised by Holdfast."""


class ScopeError(HoldfastError, ValueError):
    """A scope is missing, malformed, or does not reach what is to be changed."""


class FilterError(HoldfastError, ValueError):
    """A filter has an unknown operator, a value of the wrong type, or a malformed shape."""


class InvalidInputError(HoldfastError, ValueError):
    """An argument cannot be stored or searched for."""


class RecordNotFoundError(HoldfastError, KeyError):
    """No record with this id lives in the given scope.

    Attributes:
        record_id: The id; the first one where several are missing.
        record_ids: Every id that is missing.
    """

    def __init__(self, *record_ids: str) -> None:
        super().__init__(*(_short(record_id) for record_id in record_ids))
        self.record_id = record_ids[0]
        self.record_ids = record_ids

    def __str__(self) -> str:
        named = ", ".join(map(shown, self.record_ids[:10]))
        if len(self.record_ids) == 1:
            return f"no record {named} in this scope; it may be deleted or belong to another"
        more = f" and {len(self.record_ids) - 10} more" if len(self.record_ids) > 10 else ""
        return f"no records {named}{more} in this scope; they may be deleted or belong to another"


def _short(record_id: str) -> str:
    short = isinstance(record_id, str) and len(record_id) < 120
    return record_id if short else shown(record_id)


class EmbedderMismatchError(HoldfastError):
    """The file's vectors were made by another embedder than the one given."""

    def __init__(self, stored: str, given: str) -> None:
        super().__init__(stored, given)  # both, or it could not be pickled
        self.stored = stored
        self.given = given

    def __str__(self) -> str:
        return (
            f"this file was written with embedder {self.stored!r} but {self.given!r} was given: "
            "open it with the first, or call Memory.reembed() to compute every vector anew with "
            "the second"
        )


class ProviderError(HoldfastError):
    """An embedder or an LLM failed, timed out or answered something unusable."""


class ExtractionError(ProviderError):
    """The LLM's answer could not be read, even after one repair attempt."""


class StorageError(HoldfastError):
    """The database failed; nothing of the failed operation was stored."""


class StorageClosedError(StorageError):
    """The memory was used after close()."""


class DamagedFileError(StorageError):
    """Bytes of the file are not those that were written: go back to a copy of it."""


class SchemaVersionError(StorageError):
    """The file is no Holdfast file, or was written by a newer Holdfast."""


class WrongKeyError(StorageError):
    """The file is encrypted and the key is missing or wrong."""
