"""Delete means gone: rows, vectors, terms, queue entries, quotations in the log, and their bytes.

What rested on an erased turn alone goes with it. Freed bytes are overwritten at once
(``secure_delete``); older copies in the write-ahead log go when that is emptied (`remains`).
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import TypeAlias

from holdfast.filters import Filter
from holdfast.storage import codec, ends, log, records
from holdfast.storage.conditions import Condition
from holdfast.storage.database import Connection
from holdfast.storage.namespaces import Region
from holdfast.storage.schema import NAMESPACE_BITS, RECORDS, ROWS

REDO = 1 << 30  # turns since the last summary, when there is none any more

# So many are erased with the same statements: one by one they take three times as long.
_TOGETHER = 5_000

# What hangs on the rows of records, and by which column.
_HANGING = (
    ("records", "id"),
    ("queue", "record"),
    ("reembedding", "id"),
    ("sources", "record"),
    ("slots", "record"),
    ("entities", "record"),
    ("ends", "record"),
)
_LISTED = "(SELECT value FROM json_each(?))"
_QUOTES = f"EXISTS (SELECT 1 FROM json_each(sources) s WHERE s.value IN {_LISTED})"
_QUOTES_ONE = "instr(sources, ?)"

Rows: TypeAlias = Mapping[str, Sequence[int]]
"""Row ids by key, the oldest version first."""


def erase(connection: Connection, keys: Iterable[str], now: int, *, keep_away: bool) -> list[str]:
    """Erase records and what rests on them alone; return the keys that are gone.

    Args:
        connection: An open write.
        keys: Records; all their versions go.
        now: Record time.
        keep_away: Refuse the same message when a framework sends it again.
    """
    gone: list[str] = []
    waiting = deque(keys)
    while waiting:
        some = [waiting.popleft() for _ in range(min(len(waiting), _TOGETHER))]
        doomed = _doomed(connection, some, now, keep_away)
        _revive(connection, doomed, now)
        _drop(connection, doomed, now)
        gone += doomed
        waiting += _bereaved(connection, set(doomed), now)
    if gone:
        log.expect_erasure(connection, now)
    return gone


def _doomed(connection: Connection, keys: list[str], now: int, keep: bool) -> Rows:
    """Note what is to be erased, all its versions; the summaries that may quote it are gone."""
    listed = codec.to_json(keys)
    homes = connection.execute(
        f"SELECT id >> {NAMESPACE_BITS}, min(id) FROM records WHERE key IN {_LISTED}"
        " AND version = (SELECT min(version) FROM records v WHERE v.key = records.key) GROUP BY 1",
        (listed,),
    ).fetchall()
    for _, first in homes:
        _drop_summaries(connection, first, now)
    rows = connection.execute(
        f"SELECT key, id, text, message_id FROM records WHERE key IN {_LISTED}"
        " ORDER BY key, version",
        (listed,),
    ).fetchall()
    newest = {row[0]: row for row in rows}
    connection.executemany(
        "REPLACE INTO erasures VALUES (?, ?, ?, ?, ?)",
        [_trace(row, now, keep) for row in newest.values()],
    )
    doomed: dict[str, list[int]] = {key: [] for key in newest}
    for key, row_id, *_ in rows:
        doomed[key].append(row_id)
    return doomed


def _trace(row: tuple[str, int, str, str | None], now: int, keep: bool) -> tuple[object, ...]:
    key, row_id, text, message_id = row
    digest = hashlib.blake2b(text.encode(), key=key.encode()[:64], digest_size=16).digest()
    message = records.message_digest(message_id) if keep and message_id else None
    return key, row_id >> NAMESPACE_BITS, now, digest, message


def _drop(connection: Connection, doomed: Rows, now: int) -> None:
    """Drop rows, what hangs on them, and what the log says of them and quotes from them."""
    listed = codec.to_json(sorted(row_id for row_ids in doomed.values() for row_id in row_ids))
    firsts = codec.to_json([row_ids[0] for row_ids in doomed.values()])
    connection.execute(  # history names a key once
        "INSERT INTO log (namespace, operation, at, before, key)"
        f" SELECT id >> {NAMESPACE_BITS}, 'ERASE', ?, id, iif(id IN {_LISTED}, key, NULL)"
        f" FROM records WHERE id IN {_LISTED} ORDER BY id",
        (now, firsts, listed),
    )
    for table, column in _HANGING:
        connection.execute(f"DELETE FROM {table} WHERE {column} IN {_LISTED}", (listed,))
    connection.execute(
        f"UPDATE log SET reason = NULL, sources = NULL WHERE key IN {_LISTED}"
        " AND (reason IS NOT NULL OR sources IS NOT NULL)",
        (codec.to_json(list(doomed)),),
    )
    for namespace, keys in _by_namespace(doomed).items():
        one = len(keys) == 1  # and so most often: then a look at the text takes a tenth
        connection.execute(  # what these turns did to others, in a model's words
            "UPDATE log SET reason = NULL, sources = NULL"
            f" WHERE namespace = ? AND sources IS NOT NULL AND {_QUOTES_ONE if one else _QUOTES}",
            (namespace, keys[0] if one else codec.to_json(keys)),
        )


def _by_namespace(doomed: Rows) -> dict[int, list[str]]:
    """Return the keys that have a row in each namespace."""
    found: dict[int, list[str]] = {}
    for key, row_ids in doomed.items():
        for namespace in {row_id >> NAMESPACE_BITS for row_id in row_ids}:
            found.setdefault(namespace, []).append(key)
    return found


def _drop_summaries(connection: Connection, row_id: int, now: int) -> None:
    """Drop the summaries that may quote a turn: those of its namespace written since. Redo them."""
    low = row_id >> NAMESPACE_BITS << NAMESPACE_BITS
    rows = connection.execute(
        "SELECT key, id FROM records WHERE id > ? AND id < ? AND kind = 'summary'",
        (row_id, low + (1 << NAMESPACE_BITS)),
    ).fetchall()
    for key, summary in rows:
        _drop(connection, {key: [summary]}, now)
    if rows:
        connection.execute(
            "REPLACE INTO summaries (namespace, turns) VALUES (?, ?)",
            (row_id >> NAMESPACE_BITS, REDO),
        )


def _revive(connection: Connection, doomed: Rows, now: int) -> None:
    """Let hold again what was ended on the word of one of these turns alone."""
    homes = {key: row_ids[:1] for key, row_ids in doomed.items()}
    for namespace, keys in _by_namespace(homes).items():
        rows = connection.execute(
            "SELECT l.key FROM log l JOIN records r ON r.id = l.before WHERE l.namespace = ?"
            " AND l.operation = 'DELETE' AND l.sources IS NOT NULL AND r.retired_at IS NULL"
            f" AND json_array_length(l.sources) = 1 AND l.sources ->> 0 IN {_LISTED}"
            " AND l.seq ="
            " (SELECT max(m.seq) FROM log m WHERE m.key = l.key AND m.operation <> 'NONE')",
            (namespace, codec.to_json(keys)),
        ).fetchall()
        for (key,) in rows:
            if key not in doomed:
                _reopen(connection, key, "DELETE", now)


def _bereaved(connection: Connection, gone: Set[str], now: int) -> list[str]:
    """Take sources away from what rests on them; return the keys left with nothing.

    A version that is left with no source is dropped, and the version before it holds again. A
    procedure retells its whole run, so it may quote any turn of it: it goes with the first.
    """
    listed = codec.to_json(list(gone))
    rows = connection.execute(
        "SELECT DISTINCT r.id, r.key, r.sources, r.kind FROM sources s"
        f" JOIN records r ON r.id = s.record WHERE s.source IN {_LISTED} ORDER BY r.id",
        (listed,),
    ).fetchall()
    connection.execute(f"DELETE FROM sources WHERE source IN {_LISTED}", (listed,))
    orphans: list[str] = []
    for row_id, key, named, kind in rows:
        left = [other for other in codec.from_json(named) if other not in gone]
        if left and kind != "procedure":
            connection.execute(
                "UPDATE records SET sources = ? WHERE id = ?", (codec.to_json(left), row_id)
            )
        elif kind == "procedure" or _only_version(connection, key):
            orphans.append(key)
        else:
            _drop(connection, {key: [row_id]}, now)
            _reopen(connection, key, "UPDATE", now)
    return orphans


def _only_version(connection: Connection, key: str) -> bool:
    count = connection.execute("SELECT count(*) FROM records WHERE key = ?", (key,)).fetchone()[0]
    return bool(count == 1)


def _reopen(connection: Connection, key: str, operation: log.Operation, now: int) -> None:
    """Let the newest version left hold as it did before the operation that ended it, if one did.

    Another end stays: it was born with it, or another turn said so.
    """
    row_id, retired, closed_at, ended = connection.execute(
        "SELECT id, retired_at IS NOT NULL, closed_at, EXISTS (SELECT 1 FROM log l WHERE"
        " l.key = r.key AND l.before = r.id AND l.at = r.closed_at AND l.operation = ?)"
        " FROM records r WHERE key = ? ORDER BY version DESC LIMIT 1",
        (operation, key),
    ).fetchone()
    if not (retired or ended):
        return
    had = ends.before(connection, row_id, closed_at) if ended else {}
    assigned = "".join(f", {column} = ?" for column in had)
    connection.execute(
        f"UPDATE records SET retired_at = NULL{assigned} WHERE id = ?", (*had.values(), row_id)
    )
    log.append(
        connection, [log.Entry(row_id >> NAMESPACE_BITS, "UPDATE", now, None, row_id, key, "undo")]
    )


def erase_region(
    connection: Connection, region: Region, now: int, tree: Filter | None = None
) -> list[str]:
    """Erase the records of a region, and emptied namespaces with the ids in their names.

    With a filter, only records whose newest version it lets through.
    """
    condition = Condition("r.metadata")
    where = "TRUE" if tree is None else f"r.retired_at IS NULL AND {condition.sql(tree)}"
    keys = connection.execute(
        f"SELECT DISTINCT r.key FROM namespaces n JOIN records r ON {RECORDS}"
        f" WHERE {region.condition} AND {where}",
        (*region.parameters, *condition.values),
    ).fetchall()
    gone = erase(connection, [row[0] for row in keys], now, keep_away=False)
    connection.execute(
        f"DELETE FROM namespaces AS n WHERE {region.condition}"
        f" AND NOT EXISTS (SELECT 1 FROM records r WHERE {ROWS})",
        region.parameters,
    )
    return gone


def purge_expired(connection: Connection, now: int) -> list[str]:
    """Erase the records whose newest version has expired."""
    rows = connection.execute(
        "SELECT key FROM records r WHERE expires_at <= ?"
        " AND version = (SELECT max(version) FROM records v WHERE v.key = r.key)",
        (now,),
    ).fetchall()
    return erase(connection, [row[0] for row in rows], now, keep_away=False)
