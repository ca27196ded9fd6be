"""Partitions of the file: which namespace a write goes to, which ones a read may see.

A `Region` is what a read may see. It is a condition on the ``namespaces`` table and nothing
else, so it is resolved to integers before anything is searched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from holdfast.storage.database import Connection
from holdfast.storage.schema import NAMESPACE_BITS
from holdfast.types import Scope, Within

SEPARATOR = "\x1f"
AFTER_SEPARATOR = "\x20"
# The separator may occur in a framework's label; escaped, it cannot end one.
_ESCAPES = str.maketrans({"\x1e": "\x1e0", "\x1f": "\x1e1"})
_SCOPES = "s" + SEPARATOR
_ITEMS = "i" + SEPARATOR


@dataclass(frozen=True, slots=True)
class Region:
    """The namespaces a read may see: a condition over ``namespaces n``."""

    condition: str
    parameters: tuple[str, ...]

    @classmethod
    def of_scope(cls, scope: Scope) -> Region:
        """Match every id given; leave the others open."""
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
        return cls(" AND ".join(parts), tuple(values))

    @classmethod
    def of_neighbours(cls, scope: Scope) -> Region:
        """Match where facts and names of a scope meet: the same user, agent and app.

        An id that the scope lacks must be lacking there too. Sessions are open where there is a
        user, whose facts live across them; without one, the run counts like the other ids.
        """
        parts: list[str] = []
        values: list[str] = []
        for name in ("user_id", "agent_id", "run_id", "app_id"):
            value = scope.ids().get(name)
            if value is not None and (name != "run_id" or scope.user_id is None):
                parts.append(f"n.{name} = ?")
                values.append(str(value))  # a `Within` is written at itself
            elif name != "run_id" or scope.user_id is None:
                parts.append(f"n.{name} IS NULL")
        return cls(" AND ".join(parts), tuple(values))

    @classmethod
    def of_namespace(cls, labels: Sequence[str]) -> Region:
        """Match one item namespace exactly."""
        return cls("n.path = ?", (item_path(labels),))

    @classmethod
    def of_prefix(cls, labels: Sequence[str]) -> Region:
        """Match the item namespaces that begin with these labels; none given: all of them."""
        path = item_path(labels)
        return cls("n.path >= ? AND n.path < ?", (path, path[:-1] + AFTER_SEPARATOR))


def scope_path(scope: Scope) -> str:
    """Return the one path of a scope."""
    pairs = (f"{name}={value}".translate(_ESCAPES) for name, value in scope.ids().items())
    return _SCOPES + "".join(pair + SEPARATOR for pair in pairs)


def item_path(labels: Sequence[str]) -> str:
    """Return the one path of an item namespace."""
    return _ITEMS + "".join(label.translate(_ESCAPES) + SEPARATOR for label in labels)


def agrees(path: str, ids: Sequence[str | None]) -> bool:
    """Say whether a path is the one of these ids (user, agent, run, app), or of items for none.

    Raises:
        ScopeError: The ids are no scope.
    """
    return is_item_path(path) if not any(ids) else path == scope_path(Scope(*ids))


def is_item_path(path: str) -> bool:
    """Say whether a path is one of items."""
    return path.startswith(_ITEMS) and item_path(item_labels(path)) == path and path != _ITEMS


@lru_cache(maxsize=4096)
def item_labels(path: str) -> tuple[str, ...]:
    """Return the labels of an item path."""
    parts = path[len(_ITEMS) :].split(SEPARATOR)[:-1]
    return tuple(part.replace("\x1e1", "\x1f").replace("\x1e0", "\x1e") for part in parts)


def scope_number(connection: Connection, scope: Scope) -> int:
    """Return the number of a scope's namespace, made on first use."""
    return scope_rows(connection, scope, 0).start >> NAMESPACE_BITS


def scope_rows(connection: Connection, scope: Scope, count: int) -> range:
    """Reserve row ids at the end of a scope's namespace, made on first use."""
    ids = (scope.user_id, scope.agent_id, scope.run_id, scope.app_id)
    return _rows(connection, scope_path(scope), ids, count)


def item_rows(connection: Connection, labels: Sequence[str], count: int) -> range:
    """Reserve row ids at the end of an item namespace, made on first use."""
    return _rows(connection, item_path(labels), (None, None, None, None), count)


def known_scope(connection: Connection, scope: Scope) -> int | None:
    """Return the number of a scope's namespace, if it has one."""
    row = connection.execute(
        "SELECT no FROM namespaces WHERE path = ?", (scope_path(scope),)
    ).fetchone()
    return None if row is None else int(row[0])


def _rows(connection: Connection, path: str, ids: tuple[str | None, ...], count: int) -> range:
    row = connection.execute(
        "UPDATE namespaces SET next = next + ? WHERE path = ? RETURNING no, next", (count, path)
    ).fetchone()
    if row is None:
        return take_ids(connection, make(connection, path, *ids), count)
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


def holds(connection: Connection, region: Region, row_id: int) -> bool:
    """Say whether a row lies in a region."""
    found = connection.execute(
        f"SELECT EXISTS (SELECT 1 FROM namespaces n WHERE n.no = ? AND {region.condition})",
        (row_id >> NAMESPACE_BITS, *region.parameters),
    ).fetchone()
    return bool(found[0])


def numbers(connection: Connection, region: Region, after: int = 0) -> list[int]:
    """Return the namespaces of a region numbered above `after`, in order."""
    rows = connection.execute(
        f"SELECT n.no FROM namespaces n WHERE {region.condition} AND n.no > ? ORDER BY n.no",
        (*region.parameters, after),
    )
    return [int(row[0]) for row in rows]
