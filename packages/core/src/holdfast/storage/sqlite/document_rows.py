"""Rows of documents. Every function takes an open transaction.

A put that replaces a document writes a new row: rows never change, so views need not look twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from holdfast.errors import ScopeError
from holdfast.storage.contract import codec, damage
from holdfast.storage.contract import reach as reaches
from holdfast.storage.contract.arrays import Floats
from holdfast.storage.contract.documents import (
    Choice,
    Deletion,
    Document,
    DocumentDraft,
    Order,
    Wanted,
)
from holdfast.storage.contract.reach import NAMESPACE_BITS, Reach
from holdfast.storage.sqlite import log, namespaces
from holdfast.storage.sqlite.database import Connection
from holdfast.storage.sqlite.filters import Condition, place
from holdfast.storage.sqlite.namespaces import within
from holdfast.storage.sqlite.schema import ROWS
from holdfast.types import Scope

COLUMNS = (
    "id",
    "key",
    "value",
    "created_at",
    "updated_at",
    "expires_at",
    "lifetime",
    "texts",
    "passages",
    "vectors",
    "terms",
)
LAYOUT: Final = damage.Layout(
    COLUMNS,
    ("id", "created_at", "updated_at", "lifetime"),
    ("key", "value", "texts"),
    ("passages", "vectors", "terms"),
)
"""What of a document never changes, or only with all vectors (`reembedding`)."""

_INSERT = (
    f"INSERT INTO documents ({', '.join(COLUMNS)}, content)"
    f" VALUES ({', '.join('?' * len(COLUMNS))}, ?)"
)
_SELECT = (
    f"SELECT {', '.join('r.' + name for name in COLUMNS)},"
    " n.path, n.user_id, n.agent_id, n.run_id, n.app_id, r.content FROM"
)
_BY_ID = f"documents r CROSS JOIN namespaces n ON n.no = r.id >> {NAMESPACE_BITS}"
# The plus takes the column's affinity away, which would keep SQLite from the index of keys.
_BY_KEY = f"namespaces n CROSS JOIN documents r ON r.id >> {NAMESPACE_BITS} = +n.no"
_LIVE = "(r.expires_at IS NULL OR r.expires_at > ?)"
_MANY = 500


def put(connection: Connection, draft: DocumentDraft, now: int) -> None:
    """Write a document; one of the same key gives way, and lends its creation time."""
    row_id = namespaces.document_rows(connection, draft.namespace, draft.owner, 1)[0]
    namespace = row_id >> NAMESPACE_BITS
    old = _find(connection, namespace, draft.key, now)
    if old is not None:
        connection.execute("DELETE FROM documents WHERE id = ?", (old[0],))
        connection.execute("DELETE FROM reembedding WHERE id = ?", (old[0],))
        log.expect_erasure(connection, now)
    row = (
        row_id,
        draft.key,
        draft.value,
        _created(draft, old, now),
        now,
        None if draft.lifetime is None else now + draft.lifetime,
        draft.lifetime,
        codec.to_json(draft.texts),
        codec.to_passages(draft.passages) if draft.passages else b"",
        draft.vectors.astype(np.float32, copy=False).tobytes(),
        draft.terms.tobytes(),
    )
    insert(connection, [row])
    before = None if old is None else old[0]
    log.append(connection, [log.Entry(namespace, "PUT", now, before, row_id)])


def insert(connection: Connection, rows: Iterable[Sequence[Any]]) -> None:
    """Write rows of `COLUMNS`, each with the digest that shows later whether it was damaged."""
    connection.executemany(_INSERT, [(*row, LAYOUT.digest(row)) for row in rows])


def _created(draft: DocumentDraft, old: tuple[int, int] | None, now: int) -> int:
    if draft.created_at is not None:
        return draft.created_at
    return now if old is None else old[1]


def _find(connection: Connection, namespace: int, key: str, now: int) -> tuple[int, int] | None:
    """Return row id and creation time; an expired document's creation is forgotten."""
    row = connection.execute(
        "SELECT id, CASE WHEN expires_at <= ? THEN ? ELSE created_at END FROM documents"
        f" WHERE id >> {NAMESPACE_BITS} = ? AND key = ?",
        (now, now, namespace, key),
    ).fetchone()
    return None if row is None else (row[0], row[1])


def delete(connection: Connection, deletion: Deletion, now: int) -> bool:
    """Delete the documents of a key, expired ones too; return whether there was one."""
    rows = by_keys(connection, deletion.reach, [deletion.key])
    drop(connection, [row_id for row_id, _, _ in rows], now)
    return bool(rows)


def drop(connection: Connection, row_ids: Sequence[int], now: int) -> None:
    """Delete rows, one statement for all, for there may be thousands.

    An emptied namespace goes too, for its path may name a user: a later put makes a new one.
    Bytes in the write-ahead log go with the next `remains.finish`.
    """
    if not row_ids:
        return
    ids = codec.to_json(list(row_ids))
    for table in ("documents", "reembedding"):
        connection.execute(
            f"DELETE FROM {table} WHERE id IN (SELECT value FROM json_each(?))", (ids,)
        )
    log.expect_erasure(connection, now)
    log.append(
        connection,
        (log.Entry(row_id >> NAMESPACE_BITS, "PUT", now, row_id) for row_id in row_ids),
    )
    connection.execute(
        f"DELETE FROM namespaces AS n WHERE n.no IN (SELECT value >> {NAMESPACE_BITS}"
        f" FROM json_each(?)) AND NOT EXISTS (SELECT 1 FROM documents r WHERE {ROWS})",
        (ids,),
    )


def drop_expired(connection: Connection, now: int, most: int = 1000) -> int:
    """Delete what has expired; return how many."""
    rows = connection.execute(
        "SELECT id FROM documents WHERE expires_at <= ? LIMIT ?", (now, most)
    ).fetchall()
    drop(connection, [row[0] for row in rows], now)
    return len(rows)


def get(connection: Connection, wanted: Wanted, now: int) -> tuple[int, Document] | None:
    """Return the row id and the document, or None."""
    reach = wanted.reach
    where, values = within(reach)
    row = connection.execute(
        f"{_SELECT} {_BY_KEY} WHERE {where} AND r.key = ? AND {_LIVE}"
        " ORDER BY n.path = ? DESC, r.updated_at DESC, r.id DESC LIMIT 1",
        (*values, wanted.key, now, reaches.document_path(reach.labels, reach.scope)),
    ).fetchone()
    return None if row is None else (row[0], _document(row))


def by_keys(
    connection: Connection, reach: Reach, keys: Sequence[str]
) -> list[tuple[int, str, str]]:
    """Return row id, path and key of the documents of these keys in a reach."""
    where, values = within(reach)
    found: list[tuple[int, str, str]] = []
    for start in range(0, len(keys), _MANY):
        some = tuple(keys[start : start + _MANY])
        # A namespace alone is found by its path; of many, the keys find the documents sooner.
        join = _BY_KEY if reach.kind == "namespace" else _BY_ID
        found += connection.execute(
            f"SELECT r.id, n.path, r.key FROM {join}"
            f" WHERE r.key IN ({','.join('?' * len(some))}) AND {where}",
            (*some, *values),
        ).fetchall()
    return found


def fetch(connection: Connection, row_ids: Sequence[int]) -> dict[int, Document]:
    """Return whole documents by row id."""
    found: dict[int, Document] = {}
    for start in range(0, len(row_ids), 10_000):  # SQLite binds 32,766 values at most
        some = tuple(row_ids[start : start + 10_000])
        marks = ",".join("?" * len(some))
        rows = connection.execute(f"{_SELECT} {_BY_ID} WHERE r.id IN ({marks})", some)
        found |= {row[0]: _document(row) for row in rows}
    return found


def values(connection: Connection, row_ids: Sequence[int]) -> list[Any]:
    """Return the values of documents alone, by row id and in this order."""
    rows = connection.execute(
        f"SELECT {', '.join(COLUMNS)}, content FROM documents"
        " WHERE id IN (SELECT value FROM json_each(?))",
        (codec.to_json(list(row_ids)),),
    )
    found = {row[0]: _value(row) for row in rows}
    return [found[row_id] for row_id in row_ids]


def _value(row: Sequence[Any]) -> Any:
    if not LAYOUT.fits(row, row[-1]):
        raise damage.found(f"document {row[1]!r:.80}")
    return codec.from_json(row[2])


def vectors(connection: Connection, row_id: int) -> Floats:
    """Return a document's vectors, shape (texts, dimension)."""
    blob, passages = connection.execute(
        "SELECT vectors, length(passages) / 12 FROM documents WHERE id = ?", (row_id,)
    ).fetchone()
    with damage.Reading("the vectors of a document"):
        return np.frombuffer(blob, dtype=np.float32).reshape(passages, -1 if passages else 0)


def refresh(connection: Connection, row_ids: Sequence[int], now: int) -> None:
    """Let the lifetime of these rows begin anew."""
    connection.executemany(
        "UPDATE documents SET expires_at = ? + lifetime WHERE id = ? AND lifetime IS NOT NULL",
        [(now, row_id) for row_id in row_ids],
    )
    log.append(
        connection,
        [log.Entry(row_id >> NAMESPACE_BITS, "PUT", now, row_id, row_id) for row_id in row_ids],
    )


def chosen(
    connection: Connection,
    choice: Choice,
    now: int,
    order: Order | None = None,
    limit: int = -1,
    offset: int = 0,
    *,
    textless: bool = False,
) -> list[int]:
    """Return the row ids of chosen documents, in order where one is given.

    Args:
        connection: An open transaction.
        choice: Which.
        now: Record time; what has expired by then is left out.
        order: By which field.
        limit, offset: Which part; -1: all.
        textless: Only documents without texts.
    """
    where, values = within(choice.reach)
    parts, bound = [where, _LIVE], [*values, now]
    if textless:
        parts.append("length(r.passages) = 0")
    if choice.keys is not None:
        parts.append("r.key IN (SELECT value FROM json_each(?))")
        bound.append(codec.to_json(list(choice.keys)))
    if choice.tree is not None:
        condition = Condition("r.value")
        parts.append(condition.sql(choice.tree))
        bound += condition.values
    ordered = "" if order is None else f" ORDER BY {_terms(order)}"
    rows = connection.execute(
        f"SELECT r.id FROM namespaces n JOIN documents r ON {ROWS}"
        f" WHERE {' AND '.join(parts)}{ordered} LIMIT ? OFFSET ?",
        (*bound, limit, offset),
    )
    return [row[0] for row in rows]


def _terms(order: Order) -> str:
    """Return the terms after ORDER BY."""
    way = "DESC" if order.descending else "ASC"
    where = ", ".join(place("r.value", order.path))
    column = f"json_extract({where})" if order.path else "r.updated_at"
    return f"{column} {way}, r.id {way}"


def page(connection: Connection, row_ids: Sequence[int]) -> list[tuple[int, Document]]:
    """Return whole documents in the order of their row ids."""
    found = fetch(connection, row_ids)
    with damage.Reading("a page of documents"):
        return [(row_id, found[row_id]) for row_id in row_ids]


def counts(connection: Connection, reach: Reach) -> dict[tuple[str, ...], int]:
    """Count the documents by the labels of their namespaces, sorted."""
    where, values = within(reach)
    # The index of keys is counted once: it is far smaller than the rows.
    rows = connection.execute(
        f"SELECT n.path, c.number FROM (SELECT id >> {NAMESPACE_BITS} AS no, count(*) AS number"
        f" FROM documents GROUP BY 1) c JOIN namespaces n ON n.no = c.no WHERE {where}",
        values,
    )
    found: Counter[tuple[str, ...]] = Counter()
    for path, number in rows:
        found[reaches.document_labels(path) or ()] += number
    return dict(sorted(found.items()))


def labels(connection: Connection, reach: Reach, now: int) -> list[tuple[str, ...]]:
    """Return the namespaces of a reach that hold at least one document, sorted."""
    where, values = within(reach)
    rows = connection.execute(
        f"SELECT n.path FROM namespaces n WHERE {where}"
        f" AND EXISTS (SELECT 1 FROM documents r WHERE {ROWS} AND {_LIVE})",
        (*values, now),
    )
    return sorted({reaches.document_labels(row[0]) or () for row in rows})


def tally(connection: Connection, reach: Reach, path: tuple[str, ...]) -> dict[Any, int]:
    """Count the documents by the value of a field, or by each member where it is a list."""
    where, values = within(reach)
    field = " -> ".join(place("r.value", path))
    # Grouped as they stand: of many documents few differ, and only those are taken apart.
    rows = connection.execute(
        f"SELECT {field}, count(*) FROM namespaces n JOIN documents r ON {ROWS}"
        f" WHERE {where} GROUP BY 1",
        values,
    )
    counted: Counter[Any] = Counter()
    for text, number in rows:
        value = None if text is None else codec.from_json(text)
        for member in value if isinstance(value, list) else [value]:
            if isinstance(member, str | int | float | bool):
                counted[member] += number
    return dict(counted)


def _document(row: Sequence[Any]) -> Document:
    """Return a row of `_SELECT` as a document.

    Raises:
        DamagedFileError: It is not as it was written.
    """
    if not LAYOUT.fits(row, row[-1]):
        raise damage.found(f"document {row[1]!r:.80}")
    _, key, value, created, updated, expires, lifetime = row[:7]
    path, *ids = row[-6:-1]
    try:
        created_at = codec.from_micros(created)
        return Document(
            reaches.document_labels(path) or (),
            key,
            codec.from_json(value),
            created_at,
            created_at if updated == created else codec.from_micros(updated),
            None if expires is None else codec.from_micros(expires),
            lifetime,
            Scope(*ids) if any(ids) else None,
        )
    except (*damage.UNREADABLE, ScopeError) as error:
        raise damage.found(f"document {key!r:.80}") from error
