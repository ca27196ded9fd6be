"""Listing checkpoints, newest first, page by page: no transaction outlives its page."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from holdfast import Connection, FilterError
from langchain_core.runnables import RunnableConfig

from holdfast_langgraph.checkpoint.reading import (
    COLUMNS,
    TABLES,
    Fetched,
    Row,
    fetch,
    read_row,
)

FIRST_PAGE = 4
LARGEST_PAGE = 64
_KEY = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Query:
    """Which checkpoints.

    Attributes:
        where: SQL conditions with their values.
        metadata: Keys (a dot leads into a nested object) and the JSON values they must equal.
    """

    where: tuple[tuple[str, Any], ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place after which a page begins, and how many rows to look at."""

    checkpoint_id: str | None = None
    id: int = 0
    size: int = FIRST_PAGE


def read_query(
    config: RunnableConfig | None,
    filter: Mapping[str, Any] | None,
    before: RunnableConfig | None,
) -> Query:
    """Return a checked query.

    Args:
        config: A thread, and if given its namespace and checkpoint; None for all threads.
        filter: Metadata that must be equal; a missing key equals None.
        before: Only checkpoints older than the one this config names.

    Raises:
        FilterError: A filter key is malformed.
    """
    where: list[tuple[str, Any]] = []
    given = config["configurable"] if config is not None else {}
    if config is not None:
        where.append(("t.thread_id = ?", str(given["thread_id"])))
    if given.get("checkpoint_ns") is not None:
        where.append(("c.ns = ?", given["checkpoint_ns"]))
    if given.get("checkpoint_id"):
        where.append(("c.checkpoint_id = ?", given["checkpoint_id"]))
    end = before["configurable"].get("checkpoint_id") if before is not None else None
    if end:
        where.append(("c.checkpoint_id < ?", end))
    return Query(tuple(where), _check_filter(filter or {}))


def _check_filter(filter: Mapping[str, Any]) -> Mapping[str, Any]:
    for key in filter:
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise FilterError(
                f"Invalid filter key: {key!r}; a key has letters, digits, '_', '-', and '.' before"
                " the key of a nested object"
            )
    # As metadata itself is stored: a tuple is a list, a key is a string.
    checked: Mapping[str, Any] = json.loads(json.dumps(filter, default=str))
    return checked


def page(
    connection: Connection, query: Query, cursor: Cursor, most: int | None
) -> tuple[list[Fetched], Cursor | None]:
    """Return the checkpoints of one page that match, `most` at most, and where the next begins."""
    rows = _rows(connection, query, cursor)
    matching = [row for row in rows if _matches(row, query.metadata)]
    found = [fetch(connection, row) for row in matching[:most]]
    if len(rows) < cursor.size:
        return found, None
    last = rows[-1]
    return found, Cursor(last.checkpoint_id, last.id, min(2 * cursor.size, LARGEST_PAGE))


def _rows(connection: Connection, query: Query, cursor: Cursor) -> list[Row]:
    conditions = ["c.buried = 0", *(sql for sql, _ in query.where)]
    values = [value for _, value in query.where]
    if cursor.checkpoint_id is not None:
        conditions.append("(c.checkpoint_id, c.id) < (?, ?)")
        values += [cursor.checkpoint_id, cursor.id]
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM {TABLES} WHERE {' AND '.join(conditions)}"
        " ORDER BY c.checkpoint_id DESC, c.id DESC LIMIT ?",
        (*values, cursor.size),
    ).fetchall()
    return [read_row(row) for row in rows]


def _matches(row: Row, wanted: Mapping[str, Any]) -> bool:
    if not wanted:
        return True
    metadata = json.loads(row.metadata)
    return all(_lookup(metadata, key) == value for key, value in wanted.items())


def _lookup(metadata: Mapping[str, Any], key: str) -> Any:
    """Return the value of a key, or of a path of keys; None where there is none."""
    if key in metadata:
        return metadata[key]
    value: Any = metadata
    for step in key.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value
