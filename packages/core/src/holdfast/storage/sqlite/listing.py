"""Pages of records and sets of row ids: what filters select, without any ranking."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from holdfast.errors import InvalidInputError, ScopeError, shown
from holdfast.storage.contract import codec, damage
from holdfast.storage.contract.filters import Filter
from holdfast.storage.contract.reach import Reach
from holdfast.storage.sqlite import records
from holdfast.storage.sqlite.database import Connection
from holdfast.storage.sqlite.filters import Condition
from holdfast.storage.sqlite.namespaces import within
from holdfast.storage.sqlite.schema import RECORDS, ROWS
from holdfast.types import Kind, Page, Record, Scope

ORDERS = {
    "created_at": "r.created_at",
    "updated_at": "r.recorded_at",
    "occurred_at": "r.occurred_at",
    "importance": "r.importance",
}
VISIBLE = (
    "r.retired_at IS NULL AND (r.expires_at IS NULL OR r.expires_at > ?)"
    " AND (r.valid_to IS NULL OR r.valid_to > ?)"
)


def selected(connection: Connection, table: str, reach: Reach, tree: Filter) -> list[int]:
    """Return the row ids of a reach that a filter lets through."""
    document, rows_of = ("r.metadata", RECORDS) if table == "records" else ("r.value", ROWS)
    condition = Condition(document)
    where = condition.sql(tree)
    rows = connection.execute(
        f"SELECT r.id FROM namespaces n JOIN {table} r ON {rows_of}"
        f" WHERE {within(reach).condition} AND {where}",
        (*within(reach).parameters, *condition.values),
    )
    return [row[0] for row in rows]


def scopes(connection: Connection, reach: Reach) -> list[Scope]:
    """Return the scopes of a reach under which a record is stored, in order of their paths."""
    rows = connection.execute(
        "SELECT n.user_id, n.agent_id, n.run_id, n.app_id FROM namespaces n"
        f" WHERE {within(reach).condition} AND EXISTS (SELECT 1 FROM records r WHERE {ROWS})"
        " ORDER BY n.path",
        within(reach).parameters,
    )
    try:
        return [Scope(*row) for row in rows]
    except ScopeError as error:
        raise damage.found("the ids of a scope") from error


def page(
    connection: Connection,
    reach: Reach,
    now: int,
    *,
    tree: Filter | None,
    kinds: Sequence[Kind],
    order: str,
    limit: int,
    cursor: str | None,
) -> Page:
    """Return one page of the records that hold now, in order.

    Raises:
        InvalidInputError: An unknown order, or a cursor of another list.
    """
    column, sign, way = _order(order)
    chosen, values = _chosen(reach, now, tree, kinds)
    if cursor is not None:
        chosen += f" AND ({column}, r.id) {sign} (?, ?)"
        values += _read_cursor(cursor, order)
    rows = connection.execute(
        f"SELECT r.id, {column} {chosen} ORDER BY {column} {way}, r.id {way} LIMIT ?",
        (*values, limit + 1),
    ).fetchall()
    more = _write_cursor(order, rows[limit - 1]) if len(rows) > limit else None
    return Page(tuple(_whole(connection, [row[0] for row in rows[:limit]])), more)


def count(
    connection: Connection, reach: Reach, now: int, tree: Filter | None, kinds: Sequence[Kind]
) -> int:
    """Return how many records hold now."""
    chosen, values = _chosen(reach, now, tree, kinds)
    return int(connection.execute(f"SELECT count(*) {chosen}", values).fetchone()[0])


def _chosen(
    reach: Reach, now: int, tree: Filter | None, kinds: Sequence[Kind]
) -> tuple[str, list[Any]]:
    """Return the SQL from FROM on of the records that hold now, and its values."""
    where = [within(reach).condition, VISIBLE, f"r.kind IN ({','.join('?' * len(kinds))})"]
    values: list[Any] = [*within(reach).parameters, now, now, *kinds]
    if tree is not None:
        condition = Condition("r.metadata")
        where.append(condition.sql(tree))
        values += condition.values
    return f"FROM namespaces n JOIN records r ON {RECORDS} WHERE {' AND '.join(where)}", values


def _whole(connection: Connection, row_ids: Sequence[int]) -> list[Record]:
    """Return whole records, in this order."""
    found = records.fetch(connection, row_ids)
    with damage.Reading("a list of records"):
        return [found[row_id] for row_id in row_ids]


def _order(order: str) -> tuple[str, str, str]:
    name = order.removeprefix("-") if isinstance(order, str) else None
    if name not in ORDERS:
        raise InvalidInputError(
            f"unknown order {shown(order)}; allowed are {', '.join(ORDERS)}, "
            "each with '-' before it for newest or greatest first"
        )
    return (ORDERS[name], "<", "DESC") if order.startswith("-") else (ORDERS[name], ">", "ASC")


def _write_cursor(order: str, row: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(codec.to_json([order, row[1], row[0]]).encode()).decode()


def _read_cursor(cursor: str, order: str) -> tuple[Any, int]:
    try:
        known, value, row_id = json.loads(base64.urlsafe_b64decode(cursor).decode())
    except (binascii.Error, RecursionError, TypeError, ValueError) as error:
        raise InvalidInputError(f"{shown(cursor)} is no cursor of list()") from error
    if not all(type(part) in (int, float) and abs(part) < 1 << 63 for part in (value, row_id)):
        raise InvalidInputError(f"{shown(cursor)} is no cursor of list()")
    if known != order:
        raise InvalidInputError(
            f"the cursor belongs to a list in order {shown(known)}, not {shown(order)}"
        )
    return value, row_id


def recent_turns(connection: Connection, reach: Reach, now: int, limit: int) -> list[Record]:
    """Return the newest turns of a reach, oldest first."""
    rows = connection.execute(
        f"SELECT r.id FROM namespaces n JOIN records r ON {ROWS} WHERE {within(reach).condition}"
        f" AND r.kind = 'turn' AND {VISIBLE} ORDER BY r.occurred_at DESC, r.id DESC LIMIT ?",
        (*within(reach).parameters, now, now, limit),
    ).fetchall()
    return _whole(connection, [row[0] for row in reversed(rows)])
