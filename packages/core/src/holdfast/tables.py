"""Tables of a package's own in a memory's file: a door for adapters whose data is no document.

A package derives from `PackageTables`, calls `prepare` when it opens a file, and declares its
instance as an entry point of the group ``holdfast.tables`` under its own name. From then on
`delete_all`, `export`, `import_` and `stats(check=True)` cover its rows, in every process where it
is installed. Its own statements run inside `Database.read` (a snapshot), `Database.write` (the
writer's transaction), or `Database.erasing` where they delete what has to leave the file's bytes.

Everything that can be a document belongs in `Memory.documents` instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.storage.contract.reach import Reach
from holdfast.storage.contract.tables import PackageTables, Row, RowCheck, RowWriter, register
from holdfast.storage.sqlite.database import Connection, Cursor, Database, Durability
from holdfast.storage.sqlite.namespaces import within
from holdfast.types import Scope

if TYPE_CHECKING:
    from holdfast.memory import Memory

__all__ = [
    "Connection",
    "Cursor",
    "Database",
    "Durability",
    "PackageTables",
    "Row",
    "RowCheck",
    "RowWriter",
    "database_of",
    "prepare",
    "scope_condition",
]


def database_of(memory: Memory) -> Database:
    """Return the database of a memory, for a package with tables in it.

    Raises:
        ScopeError: The memory is bound to a scope; its file is not.
    """
    memory._need_whole_file("a package's tables")
    database: Database = memory._storage.database
    return database


def prepare(database: Database, tables: PackageTables) -> None:
    """Make a package's tables in a file, or bring them up to date.

    Raises:
        SchemaVersionError: Another version of the package wrote them.
        StorageError: The file cannot be written.
    """
    register(tables)
    database.migrate(tables.name, tables.steps)


def scope_condition(scope: Scope) -> tuple[str, tuple[str, ...]]:
    """Return SQL that says whether a row ``n`` lies in a scope, and what it binds.

    The row has the columns user_id, agent_id, run_id and app_id; NULL where there is no such id.
    """
    return within(Reach.of_scope(scope))
