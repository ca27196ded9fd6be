"""Delete means gone: rows, vectors, terms, queue entries, quotations in the log, and their bytes.

What rested on an erased turn alone goes with it. Freed bytes are overwritten at once
(``secure_delete``); older copies in the write-ahead log go when that is emptied (`remains`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from holdfast.filters import Filter
from holdfast.storage import codec, ends, entities, log, records
from holdfast.storage.conditions import Condition
from holdfast.storage.database import Connection
from holdfast.storage.namespaces import Region
from holdfast.storage.schema import NAMESPACE_BITS

REDO = 1 << 30  # turns since the last summary, when there is none any more


def erase(connection: Connection, keys: Iterable[str], now: int, *, keep_away: bool) -> list[str]:
    """Erase records and what rests on them alone; return the keys that are gone.

    Args:
        connection: An open write.
        keys: Records; all their versions go.
        now: Record time.
        keep_away: Refuse the same message when a framework sends it again.
    """
    gone: list[str] = []
    waiting = list(keys)
    while waiting:
        key = waiting.pop()
        rows = connection.execute(
            "SELECT id, text, message_id FROM records WHERE key = ?", (key,)
        ).fetchall()
        if not rows:
            continue
        _note(connection, key, rows, now, keep_away)
        _revive(connection, key, rows[0][0] >> NAMESPACE_BITS, now)
        _drop_summaries(connection, rows[0][0], now)
        _drop(connection, key, [row[0] for row in rows], now)
        gone.append(key)
        waiting += _bereaved(connection, key, now)
    if gone:
        log.expect_erasure(connection, now)
    return gone


def _note(
    connection: Connection, key: str, rows: list[tuple[int, str, str | None]], now: int, keep: bool
) -> None:
    row_id, text, message_id = rows[-1]
    digest = hashlib.blake2b(text.encode(), key=key.encode()[:64], digest_size=16).digest()
    message = records.message_digest(message_id) if keep and message_id else None
    connection.execute(
        "REPLACE INTO erasures VALUES (?, ?, ?, ?, ?)",
        (key, row_id >> NAMESPACE_BITS, now, digest, message),
    )


def _drop(connection: Connection, key: str, row_ids: list[int], now: int) -> None:
    for row_id in row_ids:
        connection.execute("DELETE FROM records WHERE id = ?", (row_id,))
        connection.execute("DELETE FROM queue WHERE record = ?", (row_id,))
        connection.execute("DELETE FROM reembedding WHERE id = ?", (row_id,))
        connection.execute("DELETE FROM sources WHERE record = ?", (row_id,))
        connection.execute("DELETE FROM slots WHERE record = ?", (row_id,))
        entities.forget(connection, row_id)
        ends.forget(connection, row_id)
    connection.execute("UPDATE log SET reason = NULL, sources = NULL WHERE key = ?", (key,))
    for namespace in {row_id >> NAMESPACE_BITS for row_id in row_ids}:
        connection.execute(  # what this turn did to others, in a model's words
            "UPDATE log SET reason = NULL, sources = NULL"
            " WHERE namespace = ? AND sources IS NOT NULL AND instr(sources, ?)",
            (namespace, key),
        )
    log.append(
        connection,
        [log.Entry(row >> NAMESPACE_BITS, "ERASE", now, row, None, key) for row in row_ids[:1]]
        + [log.Entry(row >> NAMESPACE_BITS, "ERASE", now, row) for row in row_ids[1:]],
    )


def _drop_summaries(connection: Connection, row_id: int, now: int) -> None:
    """Drop the summaries that may quote a turn: those of its namespace written since. Redo them."""
    low = row_id >> NAMESPACE_BITS << NAMESPACE_BITS
    rows = connection.execute(
        "SELECT key, id FROM records WHERE id > ? AND id < ? AND kind = 'summary'",
        (row_id, low + (1 << NAMESPACE_BITS)),
    ).fetchall()
    for key, summary in rows:
        _drop(connection, key, [summary], now)
    if rows:
        connection.execute(
            "REPLACE INTO summaries (namespace, turns) VALUES (?, ?)",
            (row_id >> NAMESPACE_BITS, REDO),
        )


def _revive(connection: Connection, source: str, namespace: int, now: int) -> None:
    """Let hold again what was ended on the word of this turn alone."""
    rows = connection.execute(
        "SELECT l.key FROM log l JOIN records r ON r.id = l.before WHERE l.namespace = ?"
        " AND l.operation = 'DELETE' AND l.sources = ? AND r.retired_at IS NULL"
        " AND l.seq = (SELECT max(m.seq) FROM log m WHERE m.key = l.key AND m.operation <> 'NONE')",
        (namespace, codec.to_json([source])),
    ).fetchall()
    for (key,) in rows:
        _reopen(connection, key, "DELETE", now)


def _bereaved(connection: Connection, source: str, now: int) -> list[str]:
    """Take a source away from what rests on it; return the keys left with nothing.

    A version that is left with no source is dropped, and the version before it holds again. A
    procedure retells its whole run, so it may quote any turn of it: it goes with the first.
    """
    rows = connection.execute(
        "SELECT r.id, r.key, r.sources, r.kind FROM sources s JOIN records r ON r.id = s.record"
        " WHERE s.source = ?",
        (source,),
    ).fetchall()
    connection.execute("DELETE FROM sources WHERE source = ?", (source,))
    orphans: list[str] = []
    for row_id, key, listed, kind in rows:
        left = [other for other in codec.from_json(listed) if other != source]
        if left and kind != "procedure":
            connection.execute(
                "UPDATE records SET sources = ? WHERE id = ?", (codec.to_json(left), row_id)
            )
        elif kind == "procedure" or _only_version(connection, key):
            orphans.append(key)
        else:
            _drop(connection, key, [row_id], now)
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
        "SELECT DISTINCT r.key FROM namespaces n JOIN records r"
        f" ON r.id >= n.no << {NAMESPACE_BITS} AND r.id < (n.no + 1) << {NAMESPACE_BITS}"
        f" WHERE {region.condition} AND {where}",
        (*region.parameters, *condition.values),
    ).fetchall()
    gone = erase(connection, [row[0] for row in keys], now, keep_away=False)
    connection.execute(
        f"DELETE FROM namespaces AS n WHERE {region.condition} AND NOT EXISTS (SELECT 1"
        f" FROM records r WHERE r.id >= n.no << {NAMESPACE_BITS}"
        f" AND r.id < (n.no + 1) << {NAMESPACE_BITS})",
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
