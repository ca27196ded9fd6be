"""What follows when rows are erased: what must go with them, and what holds again without them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from holdfast.storage.contract import codec
from holdfast.storage.contract.exports import Operation
from holdfast.storage.contract.reach import NAMESPACE_BITS
from holdfast.storage.sqlite import log, records, validity_ends
from holdfast.storage.sqlite.database import Connection

_LISTED = "(SELECT value FROM json_each(?))"

Rows: TypeAlias = Mapping[str, Sequence[int]]
"""Row ids by key, the oldest version first."""


@dataclass(frozen=True, slots=True)
class Row:
    """A version about to be erased."""

    key: str
    id: int
    kind: str
    text: str
    speaker: str | None
    message_id: str | None
    sources: str
    stated: bool


def by_namespace(doomed: Rows) -> dict[int, list[str]]:
    """Return the keys that have a row in each namespace."""
    found: dict[int, list[str]] = {}
    for key, row_ids in doomed.items():
        for namespace in {row_id >> NAMESPACE_BITS for row_id in row_ids}:
            found.setdefault(namespace, []).append(key)
    return found


def summaries(connection: Connection, rows: Iterable[Row]) -> list[int]:
    """Return the summaries that may quote a row: those of its namespace written since."""
    firsts: dict[int, int] = {}
    for row in rows:
        number = row.id >> NAMESPACE_BITS
        firsts[number] = min(row.id, firsts.get(number, row.id))
    return [
        found[0]
        for number, first in firsts.items()
        for found in connection.execute(
            "SELECT id FROM records WHERE id > ? AND id < ? AND kind = 'summary'",
            (first, number + 1 << NAMESPACE_BITS),
        ).fetchall()
    ]


def ended_by(connection: Connection, gone: Sequence[str], doomed: Rows) -> list[str]:
    """Return what was ended on the word of these turns alone: it is to hold again."""
    listed = codec.to_json(list(gone))
    found: dict[str, None] = {}
    for namespace, keys in by_namespace({key: doomed[key] for key in gone}).items():
        rows = connection.execute(
            "SELECT l.key FROM log l JOIN records r ON r.id = l.before WHERE l.namespace = ?"
            " AND l.operation = 'DELETE' AND l.sources IS NOT NULL AND r.retired_at IS NULL"
            f" AND EXISTS (SELECT 1 FROM json_each(l.sources) s WHERE s.value IN {_LISTED})"
            f" AND NOT EXISTS (SELECT 1 FROM json_each(l.sources) s WHERE s.value NOT IN {_LISTED})"
            f" AND l.key NOT IN {_LISTED} AND l.seq ="
            " (SELECT max(m.seq) FROM log m WHERE m.key = l.key AND m.operation <> 'NONE')",
            (namespace, codec.to_json(keys), listed, listed),
        )
        found |= dict.fromkeys(row[0] for row in rows)
    return list(found)


# Of a row ``r`` and the entry ``l`` that wrote it: the turns that caused it come behind what it was
# merged with, and before those that only confirmed it later.
_MERGED = "r.sources ->> 0 NOT IN (SELECT value FROM json_each(l.sources))"
_AUTHOR = (
    "(SELECT m.key FROM json_each(r.sources) m WHERE m.value = s.source) <="
    " (SELECT max(m.key) FROM json_each(r.sources) m"
    " WHERE m.value IN (SELECT value FROM json_each(l.sources)))"
)


def merged_from(connection: Connection, gone: Sequence[str]) -> list[int]:
    """Return the versions whose words a model merged out of one of these and others.

    Copies of them are meant too. Turns that only confirmed a version are no part of its words.
    """
    rows = connection.execute(
        "SELECT DISTINCT c.id FROM sources s JOIN records r ON r.id = s.record"
        " JOIN log l ON l.key = r.key AND l.after = r.id AND l.operation = 'UPDATE'"
        " JOIN records c ON c.key = r.key AND c.text = r.text"
        f" WHERE s.source IN {_LISTED} AND r.kind = 'fact' AND {_MERGED} AND {_AUTHOR}",
        (codec.to_json(list(gone)),),
    )
    return [row[0] for row in rows]


def bereaved(connection: Connection, gone: Iterable[str], now: int) -> list[int]:
    """Take erased sources away from what rests on them; return the rows left with nothing.

    A procedure retells its whole run, so it may quote any turn of it: it goes with the first.
    """
    wanted, listed = set(gone), codec.to_json(list(gone))
    rows = connection.execute(
        "SELECT DISTINCT r.id, r.sources, r.kind FROM sources s"
        f" JOIN records r ON r.id = s.record WHERE s.source IN {_LISTED} ORDER BY r.id",
        (listed,),
    ).fetchall()
    connection.execute(f"DELETE FROM sources WHERE source IN {_LISTED}", (listed,))
    orphans: list[int] = []
    for row_id, named, kind in rows:
        left = [other for other in codec.from_json(named) if other not in wanted]
        if not left or kind == "procedure":
            orphans.append(row_id)
            continue
        records.rest_on(connection, row_id, left)
        # Without a key it is no history; it tells views that the row changed.
        log.append(connection, [log.Entry(row_id >> NAMESPACE_BITS, "UPDATE", now, row_id)])
    return orphans


def reopen(connection: Connection, key: str, operation: Operation, now: int) -> None:
    """Let the newest version left hold as it did before what ended it, if that is gone.

    Another end stays: it was born with it, another turn said so, or the caller took it back.
    """
    row_id, retired, closed_by, ended = connection.execute(
        f"SELECT id, {_done('r.retired_by')}, closed_by, {_done('r.closed_by')}"
        " FROM records r WHERE key = ? ORDER BY version DESC LIMIT 1",
        (operation, operation, key),
    ).fetchone()
    if not (retired or ended):
        return
    had = validity_ends.before(connection, row_id, closed_by) if ended else {}
    assigned = "".join(f", {column} = ?" for column in had)
    connection.execute(
        f"UPDATE records SET retired_at = NULL, retired_by = NULL{assigned} WHERE id = ?",
        (*had.values(), row_id),
    )
    log.append(
        connection, [log.Entry(row_id >> NAMESPACE_BITS, "UPDATE", now, None, row_id, key, "undo")]
    )


def _done(change: str) -> str:
    """Return SQL: the change did it to the row ``r``, and what came of it is gone."""
    return (
        f"EXISTS (SELECT 1 FROM log l WHERE l.namespace = {change} >> {NAMESPACE_BITS}"
        f" AND l.position = {change} & {(1 << NAMESPACE_BITS) - 1}"
        " AND l.key = r.key AND l.before = r.id"
        " AND l.operation = ? AND l.reason IS NOT 'undo'"
        " AND NOT EXISTS (SELECT 1 FROM records a WHERE a.id = l.after))"
    )
