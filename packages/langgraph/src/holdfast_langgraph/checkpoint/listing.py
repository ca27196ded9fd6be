"""Listing checkpoints, newest first: their keys with a first page, then page by page.

No transaction outlives its page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from holdfast import Connection, FilterError
from langchain_core.runnables import RunnableConfig

from holdfast_langgraph.checkpoint.packing import unpack_metadata
from holdfast_langgraph.checkpoint.reading import Row, find_ids, read_row

FIRST_PAGE = 4  # many a caller wants only the newest
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
    return Query(tuple(where), _check_filter(filter) if filter else {})


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


def find(connection: Connection, query: Query, most: int | None) -> list[int]:
    """Return the row ids of the checkpoints in question, newest first.

    Args:
        connection: An open read.
        query: Which.
        most: How many will be wanted; with a metadata filter any number may have to be looked at.
    """
    if most is not None and most <= 0:
        return []
    return find_ids(connection, query.where, None if query.metadata else most)


def pages(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Cut the row ids after the first page into larger and larger pages."""
    begin, size = FIRST_PAGE, 2 * FIRST_PAGE
    while begin < len(ids):
        yield ids[begin : begin + size]
        begin, size = begin + size, min(2 * size, LARGEST_PAGE)


def read_page(connection: Connection, query: Query, ids: Sequence[int]) -> list[Row]:
    """Return the checkpoints of a page that match; one deleted meanwhile is passed over."""
    rows = [read_row(connection, id) for id in ids]
    return [row for row in rows if row is not None and _matches(row, query.metadata)]


def _matches(row: Row, wanted: Mapping[str, Any]) -> bool:
    if not wanted:
        return True
    metadata = unpack_metadata(row.metadata)
    return all(_lookup(metadata, key) == value for key, value in wanted.items())


def _lookup(metadata: Mapping[str, Any], key: str) -> Any:
    """Return the value of a key, or of a path of keys; None where there is none."""
    if key in metadata:
        return metadata[key]
    value: Any = metadata
    for step in key.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value
