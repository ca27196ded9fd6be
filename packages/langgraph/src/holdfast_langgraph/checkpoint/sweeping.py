"""Sweeping a thread: checkpoints go, and with them the blobs that nothing names any more.

A blob that a row carries and another still names is given a row of its own before its carrier
goes, and whoever names it learns the new number.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from holdfast import Connection

from holdfast_langgraph.checkpoint.forms import (
    Stored,
    carried_number,
    carrier,
    references,
    renumber,
)
from holdfast_langgraph.checkpoint.packing import (
    pack_manifest,
    renumbered,
    unpack_manifest,
    unpack_row,
    without,
)
from holdfast_langgraph.checkpoint.reading import read_carried
from holdfast_langgraph.checkpoint.writing import add_blobs

Manifests = Mapping[int, Mapping[str, Stored]]
Writes = Mapping[int, tuple[int, str, bytes]]
"""Rows of writes by id: index, channel and packed value."""


def sweep(connection: Connection, thread: int, going: Sequence[int]) -> None:
    """Delete checkpoints and the blobs nothing names; numbers read earlier may be stale then.

    Args:
        connection: An open write.
        thread: Its number.
        going: Row ids of checkpoints whose writes are gone already.
    """
    gone = frozenset(going)
    manifests = {
        row: values for row, values in _manifests(connection, thread).items() if row not in gone
    }
    writes = _writes(connection, thread)
    named = {
        *_named(value for values in manifests.values() for value in values.values()),
        *_named(_values(writes.values())),
    }
    moved = _move(connection, thread, gone, named)
    if moved:
        _rename_manifests(connection, manifests, moved)
        _rename_writes(connection, writes, moved)
    connection.execute(
        "DELETE FROM langgraph_checkpoints WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(going),),
    )
    _trim(connection, thread, named)
    _drop_blobs(connection, thread, named | set(moved.values()))
    connection.execute("UPDATE langgraph_threads SET epoch = epoch + 1 WHERE no = ?", (thread,))


def _manifests(connection: Connection, thread: int) -> Manifests:
    rows = connection.execute("SELECT id, manifest FROM langgraph_all WHERE thread = ?", (thread,))
    return {row: unpack_manifest(manifest, row) for row, manifest in rows}


def _writes(connection: Connection, thread: int) -> Writes:
    rows = connection.execute(
        "SELECT id, idx, channel, value FROM langgraph_pending WHERE thread = ?", (thread,)
    )
    return {id: row for id, *row in rows}


def _values(rows: Iterable[tuple[int, str, bytes]]) -> Iterator[Stored]:
    return (value for row in rows for _, _, value in unpack_row(*row))


def _named(values: Iterable[Stored]) -> set[int]:
    return {number for value in values for number in references(value)}


def _move(
    connection: Connection, thread: int, going: Collection[int], named: Collection[int]
) -> dict[int, int]:
    """Give the named blobs that these rows carry rows of their own; return their new numbers."""
    moved: dict[int, int] = {}
    for row, blobs in read_carried(connection, going).items():
        for at, blob in enumerate(blobs):
            number = carried_number(row, at)
            if blob is not None and number in named:
                moved[number] = add_blobs(connection, thread, dict([blob]))[blob[0]]
    return moved


def _rename_manifests(
    connection: Connection, manifests: Manifests, moved: Mapping[int, int]
) -> None:
    connection.executemany(
        "UPDATE langgraph_checkpoints SET manifest = ? WHERE id = ?",
        [
            (pack_manifest({name: renumber(one, moved) for name, one in values.items()}), row)
            for row, values in manifests.items()
            if not moved.keys().isdisjoint(_named(values.values()))
        ],
    )


def _rename_writes(connection: Connection, writes: Writes, moved: Mapping[int, int]) -> None:
    connection.executemany(
        "UPDATE langgraph_tasks SET value = ? WHERE id = ?",
        [
            (renumbered(*row, moved), id)
            for id, row in writes.items()
            if not moved.keys().isdisjoint(_named(_values([row])))
        ],
    )


def _trim(connection: Connection, thread: int, named: Iterable[int]) -> None:
    """Empty what the rows that stay carry and nothing names: a replaced checkpoint brought it."""
    places: dict[int, set[int]] = {}
    for number in named:
        if number < 0:
            row, at = carrier(number)
            places.setdefault(row, set()).add(at)
    rows = connection.execute(
        "SELECT id, carried FROM langgraph_all WHERE thread = ? AND carried IS NOT NULL", (thread,)
    ).fetchall()
    for row, data in rows:
        kept = without(data, places.get(row, ()))
        if kept != data:
            connection.execute(
                "UPDATE langgraph_checkpoints SET carried = ? WHERE id = ?", (kept, row)
            )


def _drop_blobs(connection: Connection, thread: int, named: Iterable[int]) -> None:
    connection.execute(
        "DELETE FROM langgraph_blobs WHERE thread = ?"
        " AND id NOT IN (SELECT value FROM json_each(?))",
        (thread, json.dumps(sorted(named))),
    )
