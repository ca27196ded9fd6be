"""An import: how the lines of an export fit each other, and one transaction that writes them all.

First every line is surveyed, then each is written; nothing is there before everything is. A
namespace that the file does not have yet is taken as it is. One that the file knows from an earlier
export of the same memories is left alone if this export is older, and replaced if it is newer: the
log tells. What either of them has erased stays erased.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from holdfast.errors import InvalidInputError
from holdfast.storage.contract import codec
from holdfast.storage.contract.exports import Line
from holdfast.storage.contract.import_survey import NUMBER, Space, Survey, is_past
from holdfast.storage.contract.reach import NAMESPACE_BITS, Reach
from holdfast.storage.contract.tables import RowWriter
from holdfast.storage.sqlite import (
    document_rows,
    erasure,
    layout,
    log,
    namespaces,
    package_tables,
    queue,
    records,
    validity_ends,
)
from holdfast.storage.sqlite.database import Connection

_MIXED: Final = (
    "this file already holds other memories in a scope of the export: import into a new file, or "
    "delete_all() that scope first"
)
_HANGING: Final = (
    ("queue", "record"),
    ("unembedded", "record"),
    ("reembedding", "id"),
    ("sources", "record"),
    ("slots", "record"),
    ("entities", "record"),
    ("ends", "record"),
    ("records", "id"),
    ("documents", "id"),
)
_BOTH: Final = ("before", "after")
_LOGGED: Final = ("operation", "at", "key", "reason", "sources")


@dataclass(slots=True)
class _Target:
    """Where a namespace of the export goes.

    Attributes:
        number: Its number here.
        written: Whether it is written.
        head: The position behind which its log is written: views here may stand there.
        before: The rows that were here.
    """

    number: int
    written: bool
    head: int = 0
    before: set[int] = field(default_factory=set)


class Importer:
    """Writes the lines of a surveyed export inside one transaction.

    Args:
        connection: An open write.
        survey: Of the very same lines.
        now: Record time.
    """

    def __init__(self, connection: Connection, survey: Survey, now: int) -> None:
        self._connection, self._survey, self._now = connection, survey, now
        self._targets: dict[int, _Target] = {}
        self._erasures: dict[str, Mapping[str, Any]] = {}
        self._keys: set[str] = set()
        self._packages: dict[str, RowWriter] = {}

    def write(self, line: Line) -> None:
        """Write one line.

        Raises:
            InvalidInputError: It does not fit what the file holds.
        """
        if line.table in self._survey.packages:
            if line.table not in self._packages:
                self._packages[line.table] = package_tables.writer(self._connection, line.table)
            self._packages[line.table].write(line.values)
        else:
            getattr(self, f"_write_{line.table}")(line.values)

    def finish(self) -> int:
        """Let erasures hold; return how many records and documents are new.

        Raises:
            InvalidInputError: A record lies elsewhere in this file, too.
        """
        self._refuse_elsewhere()
        self._connection.executemany(
            "UPDATE namespaces SET head = max(head, (SELECT coalesce(max(position), 0) FROM log"
            " WHERE namespace = no)) WHERE no = ?",
            [(target.number,) for target in self._targets.values()],
        )
        self._erase()
        if self._packages:  # a newer row took an older one's place
            log.expect_erasure(self._connection, self._now)
        new = 0
        for number, target in self._targets.items():
            if not target.written:
                continue
            rows = _rows(self._connection, target.number)
            new += len(rows - target.before)
            self._tell_gone(target.before - rows)
            if not rows and self._survey.spaces[number].rows:  # all of it was erased before
                self._connection.execute("DELETE FROM namespaces WHERE no = ?", (target.number,))
        return new

    # -- namespaces -----------------------------------------------------------------------------

    def _write_namespace(self, values: Mapping[str, Any]) -> None:
        space = self._survey.spaces[values["no"]]
        known = self._connection.execute(
            "SELECT no, head FROM namespaces WHERE path = ?", (values["path"],)
        ).fetchone()
        if known is None:
            ids = (values[name] for name in ("user_id", "agent_id", "run_id", "app_id"))
            number = namespaces.make(self._connection, values["path"], *ids)
            target = _Target(number, True)
        else:
            target = _Target(known[0], self._is_newer(known[0], space), known[1])
            if target.head + space.head > NUMBER:
                raise InvalidInputError("a namespace has no more room in its log: use a new file")
            if target.written:
                target.before = _rows(self._connection, target.number)
                _empty(self._connection, target.number)
        self._connection.execute(
            "UPDATE namespaces SET next = max(next, ?) WHERE no = ?", (space.next, target.number)
        )
        self._targets[values["no"]] = target

    def _is_newer(self, number: int, space: Space) -> bool:
        """Return whether the export goes on where the file's namespace stops.

        Raises:
            InvalidInputError: They tell of different memories.
        """
        entries = self._connection.execute(
            "SELECT at, operation, key, before, after FROM log WHERE namespace = ?", (number,)
        )
        past = {
            hash((at, operation, key))
            for at, operation, key, before, after in entries
            if is_past(operation, key, before, after)
        }
        if space.past <= past:
            return False
        if past <= space.past:
            return True
        raise InvalidInputError(_MIXED)

    # -- rows -----------------------------------------------------------------------------------

    def _write_record(self, values: Mapping[str, Any]) -> None:
        if not self._target(values["id"]).written:
            return
        row_id = self._moved(values["id"])
        row = {**values, "id": row_id, "place": self._moved(values["place"])}
        row |= {name: self._change(values[name]) for name in ("retired_by", "closed_by")}
        layout.insert(self._connection, [[row[name] for name in layout.COLUMNS]])
        records.link(self._connection, row_id, codec.from_json(values["sources"]), values["slots"])
        ends = [
            (by, had_to, had_since, self._change(had_by))
            for closed_by, had_to, had_since, had_by in values.get("ends", ())
            if (by := self._change(closed_by)) is not None
        ]
        validity_ends.keep(self._connection, row_id, ends)
        if not values["vectors"]:
            queue.put_unembedded(self._connection, [row_id])
        self._keys.add(values["key"])

    def _write_document(self, values: Mapping[str, Any]) -> None:
        if self._target(values["id"]).written:
            row = {**values, "id": self._moved(values["id"])}
            document_rows.insert(self._connection, [[row[name] for name in document_rows.COLUMNS]])

    def _write_log(self, values: Mapping[str, Any]) -> None:
        target = self._targets[values["namespace"]]
        if not target.written:
            return
        rows = (None if values[name] is None else self._moved(values[name]) for name in _BOTH)
        self._connection.execute(
            f"INSERT INTO log (namespace, position, words, before, after, {', '.join(_LOGGED)})"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                target.number,
                target.head + values["position"],
                log.words(values["reason"], values["sources"]),
                *rows,
                *(values[name] for name in _LOGGED),
            ),
        )

    def _write_queue(self, values: Mapping[str, Any]) -> None:
        if self._target(values["record"]).written:
            names = ("attempts", "due_at", "parked", "error")
            self._connection.execute(
                f"INSERT INTO queue (record, {', '.join(names)}) VALUES (?, ?, ?, ?, ?)",
                (self._moved(values["record"]), *(values[name] for name in names)),
            )

    def _write_erasure(self, values: Mapping[str, Any]) -> None:
        self._erasures[values["key"]] = values

    def _change(self, number: int | None) -> int | None:
        """Return the number that a change of the export has here; None: it is not exported."""
        target = None if number is None else self._targets.get(number >> NAMESPACE_BITS)
        if number is None or target is None:
            return None
        return log.change_of(target.number, target.head + (number & NUMBER))

    def _target(self, row_id: int) -> _Target:
        return self._targets[row_id >> NAMESPACE_BITS]

    def _moved(self, row_id: int) -> int:
        return self._target(row_id).number << NAMESPACE_BITS | row_id & NUMBER

    # -- what is here already -------------------------------------------------------------------

    def _refuse_elsewhere(self) -> None:
        """Refuse a key that this file has anywhere but where the export has it.

        A key is what `delete` goes by: with it, one could reach another's record.
        """
        here = {target.number for target in self._targets.values()}
        told = {self._moved(row): known for row, known in self._survey.versions.items()}
        for key, row_id, version in _with_keys(
            self._connection, [*self._keys, *self._erasures], "SELECT key, id, version FROM records"
        ):
            if row_id >> NAMESPACE_BITS not in here:
                raise InvalidInputError(
                    "a record of the export lies in another scope of this file, too; a copy for "
                    "another scope cannot be imported into the same file"
                )
            if key in self._keys and told.get(row_id) != (key, version):
                raise InvalidInputError(_MIXED)

    def _erase(self) -> None:
        """Erase what the export, or this file before, says is erased: it must not come back."""
        here = {target.number for target in self._targets.values()}
        known = _with_keys(
            self._connection,
            [*self._keys, *self._erasures],
            "SELECT key, namespace, at, message FROM erasures",
        )
        kept = {row[0]: row for row in known}
        for _, namespace, *_ in kept.values():
            if namespace not in here and _exists(self._connection, namespace):
                raise InvalidInputError(
                    "a record of the export was erased in another scope of this file"
                )
        for key, values in self._erasures.items():
            number = self._targets[values["namespace"]].number
            kept.setdefault(key, (key, number, values["at"], values["message"]))
        reach = Reach.of_numbers(sorted(here))
        erasure.erase(self._connection, kept, self._now, keep_away=False, reach=reach)
        self._connection.executemany(
            "REPLACE INTO erasures (key, namespace, at, message) VALUES (?, ?, ?, ?)",
            kept.values(),
        )

    def _tell_gone(self, row_ids: Iterable[int]) -> None:
        """Tell views of rows that a newer export has no more."""
        gone = [
            log.Entry(row_id >> NAMESPACE_BITS, "ERASE", self._now, row_id)
            for row_id in sorted(row_ids)
        ]
        if gone:
            log.append(self._connection, gone)
            log.expect_erasure(self._connection, self._now)


def _rows(connection: Connection, number: int) -> set[int]:
    """Return the ids of all records and documents of a namespace."""
    bounds = (number << NAMESPACE_BITS, number + 1 << NAMESPACE_BITS)
    rows = connection.execute(
        "SELECT id FROM records WHERE id >= ?1 AND id < ?2"
        " UNION ALL SELECT id FROM documents WHERE id >= ?1 AND id < ?2",
        bounds,
    )
    return {row[0] for row in rows}


def _empty(connection: Connection, number: int) -> None:
    """Drop all that a namespace holds; the newer export brings it again."""
    bounds = (number << NAMESPACE_BITS, number + 1 << NAMESPACE_BITS)
    for table, column in _HANGING:
        connection.execute(f"DELETE FROM {table} WHERE {column} >= ? AND {column} < ?", bounds)
    connection.execute("DELETE FROM log WHERE namespace = ?", (number,))


def _exists(connection: Connection, number: int) -> bool:
    row = connection.execute("SELECT 1 FROM namespaces WHERE no = ?", (number,))
    return row.fetchone() is not None


def _with_keys(connection: Connection, keys: list[str], select: str) -> list[tuple[Any, ...]]:
    """Return the rows of a selection that have one of the keys."""
    found: list[tuple[Any, ...]] = []
    for start in range(0, len(keys), 10_000):
        some = codec.to_json(keys[start : start + 10_000])
        found += connection.execute(
            f"{select} WHERE key IN (SELECT value FROM json_each(?))", (some,)
        ).fetchall()
    return found
