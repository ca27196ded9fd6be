"""Namespaces: the rows that number partitions, and a `Reach` as a condition on them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from holdfast.storage.contract.codec import to_json
from holdfast.storage.contract.reach import (
    AFTER_SEPARATOR,
    NAMESPACE_BITS,
    SEPARATOR,
    Reach,
    document_path,
    labels_path,
    scope_path,
)
from holdfast.storage.sqlite.database import Connection
from holdfast.types import Scope, Within

# The labels of an owned document namespace, with a separator before them; '' of other paths.
_SPLIT = "instr(n.path, char(31, 31))"
_LABELS = f"iif({_SPLIT}, substr(n.path, {_SPLIT} + 1), '')"


class Where(NamedTuple):
    """A condition over ``namespaces n``, and what it binds."""

    condition: str
    parameters: tuple[str, ...]


@lru_cache(maxsize=4096)
def within(reach: Reach | None) -> Where:
    """Return a reach as SQL; none given: everything."""
    if reach is None:
        return Where("TRUE", ())
    if reach.kind in ("namespace", "prefix"):
        return _of_documents(reach) if reach.scope is None else _of_owned(reach, reach.scope)
    if reach.kind == "numbers":
        return Where("n.no IN (SELECT value FROM json_each(?))", (to_json(reach.numbers),))
    assert reach.scope is not None
    return _of_neighbours(reach.scope) if reach.kind == "neighbours" else _of_scope(reach.scope)


def _of_documents(reach: Reach) -> Where:
    path = document_path(reach.labels)
    if reach.kind == "namespace":
        return Where("n.path = ?", (path,))
    return Where("n.path >= ? AND n.path < ?", (path, path[:-1] + AFTER_SEPARATOR))


def _of_owned(reach: Reach, scope: Scope) -> Where:
    """Return the condition of documents that a scope owns: their ids, and how the path goes on."""
    ids, values = _of_scope(scope)
    labels = SEPARATOR + labels_path(reach.labels)
    if reach.kind == "namespace":
        return Where(f"{ids} AND {_LABELS} = ?", (*values, labels))
    bounds = (labels, labels[:-1] + AFTER_SEPARATOR)
    return Where(f"{ids} AND {_LABELS} >= ? AND {_LABELS} < ?", (*values, *bounds))


def _of_scope(scope: Scope) -> Where:
    parts: list[str] = []
    values: list[str] = []
    for name, value in scope.ids().items():
        if isinstance(value, Within):
            none = f" OR n.{name} IS NULL" if value.or_none else ""
            parts.append(f"(n.{name} = ? OR n.{name} >= ? AND n.{name} < ?{none})")
            values += value.bounds
        else:
            parts.append(f"n.{name} = ?")
            values.append(value)
    return Where(" AND ".join(parts), tuple(values))


def _of_neighbours(scope: Scope) -> Where:
    parts: list[str] = []
    values: list[str] = []
    for name in ("user_id", "agent_id", "run_id", "app_id"):
        value = scope.ids().get(name)
        if value is not None and (name != "run_id" or scope.user_id is None):
            parts.append(f"n.{name} = ?")
            values.append(str(value))  # a `Within` is written at itself
        elif name != "run_id" or scope.user_id is None:
            parts.append(f"n.{name} IS NULL")
    return Where(" AND ".join(parts), tuple(values))


def scope_number(connection: Connection, scope: Scope) -> int:
    """Return the number of a scope's namespace, made on first use."""
    return scope_rows(connection, scope, 0).start >> NAMESPACE_BITS


def scope_rows(connection: Connection, scope: Scope, count: int) -> range:
    """Reserve row ids at the end of a scope's namespace, made on first use."""
    return _rows(connection, scope_path(scope), scope, count)


def document_rows(
    connection: Connection, labels: Sequence[str], owner: Scope | None, count: int
) -> range:
    """Reserve row ids at the end of a document namespace, made on first use."""
    return _rows(connection, document_path(labels, owner), owner, count)


def known_scope(connection: Connection, scope: Scope) -> int | None:
    """Return the number of a scope's namespace, if it has one."""
    row = connection.execute(
        "SELECT no FROM namespaces WHERE path = ?", (scope_path(scope),)
    ).fetchone()
    return None if row is None else int(row[0])


def _rows(connection: Connection, path: str, scope: Scope | None, count: int) -> range:
    row = connection.execute(
        "UPDATE namespaces SET next = next + ? WHERE path = ? RETURNING no, next", (count, path)
    ).fetchone()
    if row is None:
        ids = () if scope is None else (scope.user_id, scope.agent_id, scope.run_id, scope.app_id)
        return take_ids(connection, make(connection, path, *(ids or (None,) * 4)), count)
    return _before(row[0], row[1], count)


def make(connection: Connection, path: str, *ids: str | None) -> int:
    """Make a namespace (its path, then user, agent, run and app id); return its number."""
    made = connection.execute(
        "INSERT INTO namespaces (path, user_id, agent_id, run_id, app_id)"
        " VALUES (?, ?, ?, ?, ?) RETURNING no",
        (path, *ids),
    ).fetchone()
    return int(made[0])


def take_ids(connection: Connection, namespace: int, count: int) -> range:
    """Reserve `count` row ids at the end of a namespace."""
    row = connection.execute(
        "UPDATE namespaces SET next = next + ? WHERE no = ? RETURNING next", (count, namespace)
    ).fetchone()
    return _before(namespace, row[0], count)


def _before(namespace: int, upto: int, count: int) -> range:
    end = (namespace << NAMESPACE_BITS) + upto
    return range(end - count, end)


def holds(connection: Connection, reach: Reach, row_id: int) -> bool:
    """Return whether a row lies in a reach."""
    found = connection.execute(
        f"SELECT EXISTS (SELECT 1 FROM namespaces n WHERE n.no = ? AND {within(reach).condition})",
        (row_id >> NAMESPACE_BITS, *within(reach).parameters),
    ).fetchone()
    return bool(found[0])


def heads(connection: Connection, reach: Reach, after: int = 0) -> dict[int, int]:
    """Return the namespaces of a reach numbered above `after`, in order, with their positions."""
    where, values = within(reach)
    return dict(
        connection.execute(
            f"SELECT n.no, n.head FROM namespaces n WHERE {where} AND n.no > ? ORDER BY n.no",
            (*values, after),
        ).fetchall()
    )
