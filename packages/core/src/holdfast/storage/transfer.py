"""Export and import: every table of memories as JSON Lines, lossless, a page at a time.

The first line names the format and the embedder; then one line a row: ``namespace``, ``record``
(every version, with its vectors), ``item``, ``log``, ``erasure``, ``queue``. Row ids are of this
file only: an import numbers anew and keeps the keys.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

from holdfast.errors import InvalidInputError
from holdfast.storage import codec, ends, namespaces
from holdfast.storage.database import Connection
from holdfast.storage.items import COLUMNS as ITEM_COLUMNS
from holdfast.storage.namespaces import Region
from holdfast.storage.records import COLUMNS
from holdfast.storage.schema import NAMESPACE_BITS

FORMAT = "holdfast-export"
VERSION = 1
PAGE = 500

Line = Mapping[str, Any]
Borrow: TypeAlias = Callable[[], AbstractContextManager[Connection]]

TABLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "record": ("records", tuple(COLUMNS)),
    "item": ("items", ITEM_COLUMNS),
    "log": (
        "log",
        ("seq", "namespace", "operation", "before", "after", "key", "at", "reason", "sources"),
    ),
    "queue": ("queue", ("record", "attempts", "due_at", "parked", "error")),
    "erasure": ("erasures", ("key", "namespace", "at", "message")),
}
# Which column pages a table, and which of its columns hold row ids or namespace numbers.
_PAGED_BY = {"record": "id", "item": "id", "log": "seq", "queue": "record", "erasure": "key"}
_ROW_IDS = {"id", "place", "before", "after", "record"}
# What else is told of a record: JSON arrays.
_BESIDE = {
    "slots": "(SELECT json_group_array(slot) FROM slots s WHERE s.record = records.id)",
    "ends": (
        f"(SELECT json_group_array(json_array({', '.join(ends.COLUMNS)})) FROM ends e"
        " WHERE e.record = records.id)"
    ),
}
# What was erased here, by a line's key: it stays erased, whatever an older export remembers. Of the
# log by its trace alone, for an export's own log goes on after it has told of an erasure.
_ERASED = {
    "records": "SELECT 1 FROM log WHERE key = ? AND operation = 'ERASE'",
    "log": "SELECT 1 FROM erasures WHERE key = ?",
}
_MIXED = (
    "this file already holds other memories in a scope of the export: import into a new file, or "
    "delete_all() that scope first"
)
_BLOBS = {("erasure", "message")} | {
    (table, column) for table in ("record", "item") for column in ("vectors", "passages", "terms")
}


def header(connection: Connection) -> Line:
    """Return the first line."""
    properties = dict(connection.execute("SELECT name, value FROM properties").fetchall())
    return {
        "format": FORMAT,
        "version": VERSION,
        "embedder": properties.get("embedder"),
        "dimension": properties.get("dimension"),
    }


def lines(borrow: Borrow, region: Region | None) -> Iterator[Line]:
    """Yield every line, the header first; `borrow` lends a reading connection for each page."""
    where, values = ("TRUE", ()) if region is None else (region.condition, region.parameters)
    with borrow() as connection:
        first = header(connection)
        spaces = connection.execute(
            "SELECT no, path, user_id, agent_id, run_id, app_id, next FROM namespaces n"
            f" WHERE {where} ORDER BY no",
            values,
        ).fetchall()
    yield first
    names = ("no", "path", "user_id", "agent_id", "run_id", "app_id", "next")
    for row in spaces:
        yield {"table": "namespace", **dict(zip(names, row, strict=True))}
    for table in TABLES:
        for number in [row[0] for row in spaces]:
            yield from _rows(borrow, table, number)


def _rows(borrow: Borrow, table: str, namespace: int) -> Iterator[Line]:
    name, columns = TABLES[table]
    page, owner = _PAGED_BY[table], "namespace"
    if "namespace" not in columns:
        owner = f"{page} >> {NAMESPACE_BITS}"
    after: Any = "" if table == "erasure" else 0
    beside = _BESIDE if table == "record" else {}
    while True:
        with borrow() as connection:
            rows = connection.execute(
                f"SELECT {', '.join((*columns, *beside.values()))} FROM {name}"
                f" WHERE {owner} = ? AND {page} > ? ORDER BY {page} LIMIT {PAGE}",
                (namespace, after),
            ).fetchall()
        for row in rows:
            values = dict(zip(columns, row, strict=False))
            line = {"table": table} | {key: _encode(item) for key, item in values.items()}
            told = zip(beside, map(codec.from_json, row[len(columns) :]), strict=True)
            yield line | {name: value for name, value in told if value or name == "slots"}
        if len(rows) < PAGE:
            return
        after = rows[-1][columns.index(page)]


def _encode(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


class Importer:
    """Writes lines into a file, a batch a transaction, numbering rows anew.

    Importing twice, or after an interruption, writes nothing twice: a namespace is imported only
    into one that is empty or that this same export filled.
    """

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._resumed: set[int] = set()

    def write(self, connection: Connection, batch: list[Line]) -> int:
        """Write one batch; return how many records and items were new.

        Raises:
            InvalidInputError: A line is no line of an export.
        """
        try:
            return sum(self._line(connection, line) for line in batch)
        except InvalidInputError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInputError(f"not a line of a Holdfast export: {error}") from error

    def _line(self, connection: Connection, line: Line) -> int:
        if line["table"] == "namespace":
            self._namespace(connection, line)
            return 0
        name, columns = TABLES[line["table"]]
        kept = [column for column in columns if column != "seq"]
        values = [self._decode(line["table"], column, line[column]) for column in kept]
        if name in _ERASED and connection.execute(_ERASED[name], (line["key"],)).fetchone():
            return 0
        if name == "log" and self._logged(connection, line, values):
            return 0
        if name == "queue" and not _has_record(connection, values[0]):
            return 0
        if name in ("records", "items"):
            self._refuse_another(connection, name, line)
        marks = ", ".join("?" * len(kept))
        written = connection.execute(
            f"INSERT INTO {name} ({', '.join(kept)}) VALUES ({marks}) ON CONFLICT DO NOTHING",
            values,
        ).rowcount
        if written and name == "records":
            self._link(connection, line)
        return int(written and name in ("records", "items"))

    def _logged(self, connection: Connection, line: Line, values: list[Any]) -> bool:
        """Say whether an earlier, interrupted import already wrote this entry of the log."""
        if line["namespace"] not in self._resumed:
            return False
        known = connection.execute(
            "SELECT 1 FROM log WHERE namespace = ? AND operation = ? AND before IS ?"
            " AND after IS ? AND key IS ? AND at = ?",
            values[:6],
        )
        return known.fetchone() is not None

    def _namespace(self, connection: Connection, line: Line) -> None:
        names = ("path", "user_id", "agent_id", "run_id", "app_id")
        known = connection.execute(
            "SELECT no, next FROM namespaces WHERE path = ?", (line["path"],)
        ).fetchone()
        if known is None:
            number = namespaces.make(connection, *(line[name] for name in names))
            connection.execute(
                "UPDATE namespaces SET next = ? WHERE no = ?", (line["next"], number)
            )
        else:
            number = known[0]
            self._refuse_foreign(connection, line, number, known[1])
            self._resumed.add(line["no"])
        self._numbers[line["no"]] = number

    def _refuse_foreign(self, connection: Connection, line: Line, number: int, upto: int) -> None:
        """Refuse to mix two histories in one namespace; importing the same one again is fine."""
        if upto != line["next"] and upto != 1:
            raise InvalidInputError(_MIXED)
        connection.execute(
            "UPDATE namespaces SET next = max(next, ?) WHERE no = ?", (line["next"], number)
        )

    def _refuse_another(self, connection: Connection, name: str, line: Line) -> None:
        """Refuse a row whose place another record or item already has."""
        known = connection.execute(
            f"SELECT key FROM {name} WHERE id = ?", (self._decode("record", "id", line["id"]),)
        ).fetchone()
        if known is not None and known[0] != line["key"]:
            raise InvalidInputError(_MIXED)

    def _decode(self, table: str, column: str, value: Any) -> Any:
        if value is None:
            return None
        if (table, column) in _BLOBS:
            return base64.b64decode(value)
        if column == "namespace":
            return self._numbers[value]
        if column in _ROW_IDS:
            number = self._numbers[value >> NAMESPACE_BITS]
            return number << NAMESPACE_BITS | value & (1 << NAMESPACE_BITS) - 1
        return value

    def _link(self, connection: Connection, line: Line) -> None:
        row_id = self._decode("record", "id", line["id"])
        connection.executemany(
            "INSERT OR IGNORE INTO sources VALUES (?, ?)",
            [(source, row_id) for source in codec.from_json(line["sources"])],
        )
        connection.executemany(
            "INSERT OR IGNORE INTO slots VALUES (?, ?)", [(slot, row_id) for slot in line["slots"]]
        )
        ends.keep(connection, row_id, line.get("ends", ()))


def _has_record(connection: Connection, row_id: int) -> bool:
    known = connection.execute("SELECT 1 FROM records WHERE id = ?", (row_id,))
    return known.fetchone() is not None
