"""Tables of a package's own in a memory's file: a door for adapters whose data is no document.

A package derives from `PackageTables`, calls `prepare` when it opens a file, and declares its
instance as an entry point of the group ``holdfast.tables`` under its own name. From then on
`delete_all`, `export`, `import_` and `stats(check=True)` cover its rows, in every process where it
is installed. Its own statements run inside `Database.read` (a snapshot), `Database.write` (the
writer's transaction), or `Database.erasing` where they delete what has to leave the file's bytes.

Everything that can be a document belongs in `Memory.documents` instead.
"""

from __future__ import annotations

from holdfast.storage.contract.reach import Reach
from holdfast.storage.contract.tables import PackageTables, Row, RowCheck, RowWriter, register
from holdfast.storage.sqlite.database import Connection, Cursor, Database, Durability
from holdfast.storage.sqlite.namespaces import within
from holdfast.types import Scope

__all__ = [
    "Connection",
    "Cursor",
    "Database",
    "Durability",
    "PackageTables",
    "Row",
    "RowCheck",
    "RowWriter",
    "prepare",
    "scope_condition",
]


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
