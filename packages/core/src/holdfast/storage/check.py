"""Counting a file, and proving it sound: rows, vectors, terms, log, and views against a rebuild."""

from __future__ import annotations

from typing import Any

from holdfast.storage.database import Connection
from holdfast.storage.listing import VISIBLE
from holdfast.storage.namespaces import Region
from holdfast.storage.schema import NAMESPACE_BITS, ROWS

# Each query counts rows that must not exist.
_RULES = {
    "records without vectors": "SELECT count(*) FROM records WHERE length(vectors) = 0",
    "records whose vectors do not fit the dimension": (
        "SELECT count(*) FROM records WHERE length(vectors) % (4 *"
        " (SELECT value FROM properties WHERE name = 'dimension')) <> 0"
    ),
    "records whose passages and vectors differ in number": (
        "SELECT count(*) FROM records WHERE length(passages) / 12 <> length(vectors) / (4 *"
        " (SELECT value FROM properties WHERE name = 'dimension'))"
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
    "queued turns that are missing": (
        "SELECT count(*) FROM queue q WHERE NOT EXISTS"
        " (SELECT 1 FROM records r WHERE r.id = q.record)"
    ),
}


def counts(connection: Connection, region: Region | None, now: int) -> dict[str, Any]:
    """Count live records by kind, characters, namespaces, items and pending erasures."""
    where, values = ("TRUE", ()) if region is None else (region.condition, region.parameters)
    kinds = connection.execute(
        "SELECT r.kind, count(*), sum(length(r.text)) FROM namespaces n"
        f" JOIN records r ON {ROWS} WHERE {where} AND {VISIBLE} GROUP BY r.kind",
        (*values, now, now),
    ).fetchall()
    items = connection.execute(
        f"SELECT count(*) FROM namespaces n JOIN items r ON {ROWS} WHERE {where}"
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
        "items": items,
        "namespaces": spaces,
        "erasure_pending": bool(pending),
    }


def rows(connection: Connection) -> list[str]:
    """Return what is wrong with the tables; nothing if sound."""
    wrong = [
        f"{count} {rule}"
        for rule, sql in _RULES.items()
        if (count := connection.execute(sql).fetchone()[0])
    ]
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    return wrong if verdict == "ok" else [*wrong, f"SQLite: {verdict}"]
