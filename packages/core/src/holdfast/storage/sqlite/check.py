"""Counting a file, and proving it sound: rows, vectors, terms, log, and views against a rebuild."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from holdfast.errors import StorageError
from holdfast.storage.contract import damage
from holdfast.storage.contract import reach as reaches
from holdfast.storage.contract.exports import OPERATIONS
from holdfast.storage.contract.reach import NAMESPACE_BITS, Reach
from holdfast.storage.sqlite import document_rows, layout, log
from holdfast.storage.sqlite.database import Connection, unmapped
from holdfast.storage.sqlite.listing import VISIBLE
from holdfast.storage.sqlite.namespaces import within
from holdfast.storage.sqlite.opening import DriverError
from holdfast.storage.sqlite.schema import ROWS, STATE

_NAMED = 20  # so many damaged rows are named
_DIGESTED = (
    ("records", layout.COLUMNS, layout.LAYOUT),
    ("documents", document_rows.COLUMNS, document_rows.LAYOUT),
)

# Each query counts rows that must not exist.
_RULES = {
    "records without vectors": (
        "SELECT count(*) FROM records WHERE length(vectors) = 0"
        " AND id NOT IN (SELECT record FROM unembedded)"
    ),
    "records that wait for vectors and have them, or are missing": (
        "SELECT count(*) FROM unembedded u WHERE NOT EXISTS"
        " (SELECT 1 FROM records r WHERE r.id = u.record AND length(r.vectors) = 0)"
    ),
    "records whose vectors do not fit the dimension": (
        "SELECT count(*) FROM records WHERE length(vectors) % (4 *"
        " (SELECT value FROM properties WHERE name = 'dimension')) <> 0"
    ),
    "records whose passages and vectors differ in number": (
        "SELECT count(*) FROM records WHERE length(passages) / 12 <> length(vectors) / (4 *"
        " (SELECT value FROM properties WHERE name = 'dimension')) AND length(vectors) > 0"
    ),
    "records with words but no terms": (
        "SELECT count(*) FROM records WHERE length(terms) = 0 AND text GLOB '*[a-z]*'"
    ),
    "records without history": (
        "SELECT count(*) FROM records r WHERE NOT EXISTS (SELECT 1 FROM log l WHERE l.key = r.key)"
    ),
    "records in no namespace": (
        "SELECT count(*) FROM records r WHERE NOT EXISTS"
        f" (SELECT 1 FROM namespaces n WHERE n.no = r.id >> {NAMESPACE_BITS})"
    ),
    "records numbered beyond their namespace": (
        f"SELECT count(*) FROM records r JOIN namespaces n ON n.no = r.id >> {NAMESPACE_BITS}"
        f" WHERE r.id & {(1 << NAMESPACE_BITS) - 1} >= n.next"
    ),
    "records with several open versions": (
        "SELECT count(*) FROM (SELECT key FROM records WHERE retired_at IS NULL"
        " AND valid_to IS NULL GROUP BY key HAVING count(*) > 1)"
    ),
    "erased records still there": (
        "SELECT count(*) FROM erasures e WHERE EXISTS (SELECT 1 FROM records r WHERE r.key = e.key)"
    ),
    "links of missing records": (
        "SELECT count(*) FROM sources s WHERE NOT EXISTS"
        " (SELECT 1 FROM records r WHERE r.id = s.record)"
    ),
    "names of missing records": (
        "SELECT count(*) FROM entities e WHERE NOT EXISTS"
        " (SELECT 1 FROM records r WHERE r.id = e.record)"
    ),
    "records whose end is not as it was written": (
        f"SELECT count(*) FROM records WHERE state IS NOT ({STATE['records']})"
    ),
    "documents whose end is not as it was written": (
        f"SELECT count(*) FROM documents WHERE state IS NOT ({STATE['documents']})"
    ),
    "entries of the log whose numbers are not as they were written": (
        f"SELECT count(*) FROM log WHERE state IS NOT ({STATE['log']})"
    ),
    "namespaces whose next row has no number": (
        f"SELECT count(*) FROM namespaces WHERE next NOT BETWEEN 1 AND {1 << NAMESPACE_BITS}"
    ),
    "records whose sources differ from their links": (
        "SELECT count(*) FROM records r WHERE (SELECT count(DISTINCT value) FROM"
        " json_each(r.sources)) <> (SELECT count(*) FROM sources s WHERE s.record = r.id)"
        " OR EXISTS (SELECT 1 FROM json_each(r.sources) j WHERE NOT EXISTS"
        " (SELECT 1 FROM sources s WHERE s.source = j.value AND s.record = r.id))"
    ),
    "records that ended at no known time": (
        "SELECT count(*) FROM records WHERE (valid_to IS NULL) <> (closed_at IS NULL)"
    ),
    "entries of the log that cannot be read": (
        f"SELECT count(*) FROM log WHERE operation NOT IN ({', '.join(map(repr, OPERATIONS))})"
        " OR typeof(at) <> 'integer' OR sources IS NOT NULL AND NOT json_valid(sources)"
    ),
    "entries of the log that name another record's version": (
        "SELECT count(*) FROM log l JOIN records r ON r.id IN (l.before, l.after)"
        " WHERE l.key IS NOT NULL AND r.key <> l.key"
    ),
    "entries of the log beyond their namespace's head": (
        "SELECT count(*) FROM log l JOIN namespaces n ON n.no = l.namespace"
        " WHERE l.position > n.head"
    ),
    "queued turns that are missing": (
        "SELECT count(*) FROM queue q WHERE NOT EXISTS"
        " (SELECT 1 FROM records r WHERE r.id = q.record)"
    ),
}


def counts(connection: Connection, reach: Reach | None, now: int) -> dict[str, Any]:
    """Count live records by kind, characters, namespaces, documents and pending erasures."""
    where, values = within(reach)
    kinds = connection.execute(
        "SELECT r.kind, count(*), sum(length(r.text)) FROM namespaces n"
        f" JOIN records r ON {ROWS} WHERE {where} AND {VISIBLE} GROUP BY r.kind",
        (*values, now, now),
    ).fetchall()
    documents = connection.execute(
        f"SELECT count(*) FROM namespaces n JOIN documents r ON {ROWS} WHERE {where}"
        " AND (r.expires_at IS NULL OR r.expires_at > ?)",
        (*values, now),
    ).fetchone()[0]
    spaces = connection.execute(
        f"SELECT count(*) FROM namespaces n WHERE {where}", values
    ).fetchone()[0]
    pending = connection.execute(
        "SELECT count(*) FROM properties WHERE name = 'erasure_pending'"
    ).fetchone()[0]
    return {
        "records": {row[0]: row[1] for row in kinds},
        "characters": sum(row[2] for row in kinds),
        "documents": documents,
        "namespaces": spaces,
        "erasure_pending": bool(pending),
    }


def rows(connection: Connection) -> list[str]:
    """Return what is wrong with the tables; nothing if sound. What cannot be read is wrong, too."""
    looks = {rule: partial(_counted, connection, rule, sql) for rule, sql in _RULES.items()}
    for table, columns, digested in _DIGESTED:
        looks[table] = partial(_damaged, connection, table, columns, digested)
    looks["words of the log"] = partial(_reworded, connection)
    looks["paths"] = partial(_misplaced, connection)
    looks["SQLite's own check"] = partial(_verdicts, connection)
    return [problem for what, look in looks.items() for problem in _attempted(what, look)]


def _attempted(what: str, look: Callable[[], Iterable[str]]) -> list[str]:
    try:
        return list(look())
    except (DriverError, StorageError, *damage.UNREADABLE) as error:
        return [f"{what}: could not be checked ({type(error).__name__})"]


def _counted(connection: Connection, rule: str, sql: str) -> Iterator[str]:
    count = connection.execute(sql).fetchone()[0]
    if count:
        yield f"{count} {rule}"


def _damaged(
    connection: Connection, table: str, columns: Sequence[str], digested: damage.Layout
) -> Iterator[str]:
    """Name the rows that are not as they were written, by key; no word of them."""
    with unmapped(connection):
        found = 0
        for row in connection.execute(f"SELECT {', '.join(columns)}, content FROM {table}"):
            if not digested.fits(row, row[-1]):
                found += 1
                if found <= _NAMED:
                    yield f"{table}: {row[1]!r:.80} is not as it was written"
        if found > _NAMED:
            yield f"{table}: {found - _NAMED} more are not as they were written"


def _reworded(connection: Connection) -> Iterator[str]:
    """Name the entries of the log whose words are not as they were written."""
    for seq, reason, sources, words in connection.execute(
        "SELECT seq, reason, sources, words FROM log WHERE words IS NOT NULL"
    ):
        if log.words(reason, sources) != words:
            yield f"log: the words of entry {seq} are not as they were written"


def _misplaced(connection: Connection) -> Iterator[str]:
    """Name the namespaces whose path does not say what their ids say."""
    for no, path, *ids in connection.execute(
        "SELECT no, path, user_id, agent_id, run_id, app_id FROM namespaces"
    ):
        if not reaches.agrees(path, ids):
            yield f"namespace {no}: its path and its ids differ"


def _verdicts(connection: Connection) -> Iterator[str]:
    for (verdict,) in connection.execute(f"PRAGMA integrity_check({_NAMED})"):
        if verdict != "ok":
            yield f"SQLite: {verdict}"
