"""Packages' own tables: erased, exported, imported and checked with everything else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from holdfast.errors import StorageError
from holdfast.storage.contract.reach import Reach
from holdfast.storage.contract.tables import PREFIX, PackageTables, RowWriter, find
from holdfast.storage.sqlite.database import Connection, Database
from holdfast.types import Scope


def present(connection: Connection) -> list[PackageTables]:
    """Return the tables of packages that a file holds.

    Raises:
        StorageError: A package that has tables in the file is not installed.
    """
    return [_found(name) for name in names(connection)]


def names(connection: Connection) -> list[str]:
    """Return the names of the packages that have tables in a file."""
    rows = connection.execute(
        f"SELECT name FROM migrations WHERE name LIKE '{PREFIX}%' ORDER BY name"
    )
    return [row[0] for row in rows]


def _found(name: str) -> PackageTables:
    tables = find(name)
    if tables is None:
        raise StorageError(
            f"this file holds tables of {name}, which is not installed; nothing was changed or "
            f"written: pip install {name}, then try again"
        )
    return tables


def erase(connection: Connection, reach: Reach) -> bool:
    """Delete what packages keep of a scope; return whether there was anything."""
    if reach.kind != "scope" or reach.scope is None:
        return False
    erased = [tables.erase(connection, reach.scope) for tables in present(connection)]
    return any(erased)


def check(connection: Connection) -> Iterator[str]:
    """Yield what is wrong with packages' tables; nothing if they are sound."""
    for name in names(connection):
        tables = find(name)
        if tables is None:
            yield f"{name}: its tables were not checked, for it is not installed"
        else:
            yield from (f"{name}: {problem}" for problem in tables.check(connection))


def unowned(connection: Connection) -> Iterator[str]:
    """Yield the names of what packages keep that belongs to no user."""
    for name in names(connection):
        tables = find(name)
        if tables is not None:
            yield from (f"{name}: {what}" for what in tables.unowned(connection))


def export(connection: Connection, reach: Reach | None) -> Iterator[dict[str, Any]]:
    """Yield the lines of packages' tables."""
    scope: Scope | None = None if reach is None else reach.scope
    for tables in present(connection):
        for row in tables.export(connection, scope):
            yield {"table": tables.name, **row}


def prepare(database: Database, name: str) -> None:
    """Make the tables of a package in a file that has none."""
    database.migrate(name, _found(name).steps)


def writer(connection: Connection, name: str) -> RowWriter:
    """Return what writes the lines of a package."""
    return _found(name).row_writer(connection)
