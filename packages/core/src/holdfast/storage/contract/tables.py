"""Tables that a package keeps in a memory's file: what the storage asks of it.

A package names its tables after its distribution and declares an entry point of the group
``holdfast.tables`` under that name. So a process that has not imported it still erases, exports and
checks what the file holds, or says what to install.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any, Final, Protocol, TypeAlias

from holdfast.types import Scope

GROUP: Final = "holdfast.tables"
PREFIX: Final = "holdfast-"

Row: TypeAlias = Mapping[str, Any]
"""A row of an export: JSON values by name, without a key ``table``."""


class RowCheck(Protocol):
    """Checks the rows of one export, in their order."""

    def take(self, row: Row) -> None:
        """Check a row by itself and against those before it.

        Raises:
            InvalidInputError: It is no row of these tables, or does not fit.
        """

    def finish(self) -> None:
        """Check what only all rows can tell.

        Raises:
            InvalidInputError: Something is missing.
        """


class RowWriter(Protocol):
    """Writes the rows of one checked export, in their order, in one transaction."""

    def write(self, row: Row) -> None:
        """Write a row, or pass over what the file has already.

        Raises:
            InvalidInputError: The file holds something else in its place.
        """


class PackageTables(ABC):
    """A package's tables; each connection is an open transaction (`holdfast.tables.Connection`)."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The package's distribution, which begins with ``holdfast-``."""

    @property
    @abstractmethod
    def steps(self) -> Sequence[str]:
        """The scripts that make the tables, each run once, in order."""

    @abstractmethod
    def erase(self, connection: Any, scope: Scope) -> bool:
        """Delete everything of a scope; return whether there was anything."""

    @abstractmethod
    def export(self, connection: Any, scope: Scope | None) -> Iterator[Row]:
        """Yield the rows that are of this scope alone; None: all rows."""

    @abstractmethod
    def row_check(self) -> RowCheck:
        """Return a check for the rows of one export."""

    @abstractmethod
    def row_writer(self, connection: Any) -> RowWriter:
        """Return a writer for the rows of one checked export."""

    @abstractmethod
    def check(self, connection: Any) -> Iterator[str]:
        """Yield what is wrong with the tables; nothing if they are sound."""

    @abstractmethod
    def unowned(self, connection: Any) -> Iterator[str]:
        """Yield the names of what belongs to no user."""


_registered: dict[str, PackageTables] = {}


def register(tables: PackageTables) -> None:
    """Let every file of this process know a package's tables.

    Raises:
        ValueError: Their name is not that of a distribution that begins with ``holdfast-``.
    """
    if not tables.name.startswith(PREFIX):
        raise ValueError(f"a package's tables are named {PREFIX}..., not {tables.name!r}")
    _registered[tables.name] = tables


def find(name: str) -> PackageTables | None:
    """Return the tables of a name: registered before, or of an installed package; else None."""
    if name not in _registered and name.startswith(PREFIX):
        for entry in entry_points(group=GROUP, name=name):
            register(entry.load())
    return _registered.get(name)
