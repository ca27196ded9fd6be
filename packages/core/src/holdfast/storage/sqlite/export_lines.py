"""Export: every table of memories as JSON Lines, lossless, a page at a time.

The first line names the format and the embedder; then one line a row: ``namespace``, ``record``
(every version, with its vectors), ``document``, ``log``, ``erasure``, ``queue``; then the rows of
packages' own tables, by the package's name. Row ids are of this file only: an import numbers anew
and keeps the keys.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from holdfast.storage.contract import codec, damage
from holdfast.storage.contract.exports import FORMAT, VERSION
from holdfast.storage.contract.reach import NAMESPACE_BITS, Reach
from holdfast.storage.sqlite import document_rows, package_tables, validity_ends
from holdfast.storage.sqlite.database import Connection
from holdfast.storage.sqlite.layout import COLUMNS, LAYOUT
from holdfast.storage.sqlite.namespaces import within

PAGE = 500

Line = Mapping[str, Any]

TABLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "record": ("records", tuple(COLUMNS)),
    "document": ("documents", document_rows.COLUMNS),
    "log": (
        "log",
        ("namespace", "position", "operation", "before", "after", "key", "at", "reason", "sources"),
    ),
    "queue": ("queue", ("record", "attempts", "due_at", "parked", "error")),
    "erasure": ("erasures", ("key", "namespace", "at", "message")),
}
# Which column pages a table. The log comes in the order of writes, across namespaces.
_PAGED_BY = {"record": "id", "document": "id", "log": "seq", "queue": "record", "erasure": "key"}
# What else is told of a record: JSON arrays.
_BESIDE = {
    "slots": "(SELECT json_group_array(slot) FROM slots s WHERE s.record = records.id)",
    "ends": (
        f"(SELECT json_group_array(json_array({', '.join(validity_ends.COLUMNS)})) FROM ends e"
        " WHERE e.record = records.id)"
    ),
}
_LAYOUTS = {"record": LAYOUT, "document": document_rows.LAYOUT}


def header(connection: Connection) -> Line:
    """Return the first line."""
    properties = dict(connection.execute("SELECT name, value FROM properties").fetchall())
    return {
        "format": FORMAT,
        "version": VERSION,
        "embedder": properties.get("embedder"),
        "dimension": properties.get("dimension"),
    }


def lines(connection: Connection, reach: Reach | None) -> Iterator[Line]:
    """Yield every line of a snapshot, the header first.

    Raises:
        DamagedFileError: A record or a document is not as it was written: a copy would look sound.
    """
    where, values = within(reach)
    yield header(connection)
    names = ("no", "path", "user_id", "agent_id", "run_id", "app_id", "next")
    spaces = connection.execute(
        f"SELECT {', '.join(names)} FROM namespaces n WHERE {where} ORDER BY no", values
    ).fetchall()
    for row in spaces:
        yield {"table": "namespace", **dict(zip(names, row, strict=True))}
    numbers = {row[0] for row in spaces}
    for table in TABLES:
        with damage.Reading(f"a row of {table}s"):
            for line in _rows(connection, table, codec.to_json(sorted(numbers))):
                yield _within(line, numbers) if table == "log" else line
    yield from package_tables.export(connection, reach)


def _rows(connection: Connection, table: str, spaces: str) -> Iterator[Line]:
    """Yield the rows of a table that lie in namespaces (a JSON list), a page at a time."""
    name, columns = TABLES[table]
    page, owner = _PAGED_BY[table], "namespace"
    if "namespace" not in columns:
        owner = f"{page} >> {NAMESPACE_BITS}"
    layout = _LAYOUTS.get(table)
    told = (
        *columns,
        *(_BESIDE if table == "record" else {}).values(),
        "content" if layout is not None else page,
    )
    after: Any = "" if table == "erasure" else 0
    while True:
        rows = connection.execute(
            f"SELECT {', '.join(told)} FROM {name}"
            f" WHERE {owner} IN (SELECT value FROM json_each(?)) AND {page} > ?"
            f" ORDER BY {page} LIMIT {PAGE}",
            (spaces, after),
        ).fetchall()
        for row in rows:
            if layout is not None and not layout.fits(row, row[-1]):
                raise damage.found(f"{table} {row[1]!r:.80}")
            yield _line(table, columns, row)
        if len(rows) < PAGE:
            return
        after = rows[-1][-1] if layout is None else rows[-1][columns.index(page)]


def _line(table: str, columns: Sequence[str], row: Sequence[Any]) -> Line:
    line = {"table": table} | dict(zip(columns, map(_encode, row), strict=False))
    if table == "record":
        told = zip(_BESIDE, map(codec.from_json, row[len(columns) : -1]), strict=True)
        line |= {name: value for name, value in told if value or name == "slots"}
    return line


def _within(line: Line, numbers: Set[int]) -> Line:
    """Return an entry of the log that names no row of a namespace which is not exported."""
    return {
        name: None
        if name in ("before", "after")
        and value is not None
        and value >> NAMESPACE_BITS not in numbers
        else value
        for name, value in line.items()
    }


def _encode(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value
