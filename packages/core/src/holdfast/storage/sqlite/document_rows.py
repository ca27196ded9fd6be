"""Rows of items: documents by namespace and key. Every function takes an open transaction.

A put that replaces an item writes a new row: rows never change, so views need not look twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np

from holdfast.storage.contract import codec, damage
from holdfast.storage.contract import reach as reaches
from holdfast.storage.contract.arrays import Floats, Hashes, Passage
from holdfast.storage.contract.reach import NAMESPACE_BITS, Reach
from holdfast.storage.sqlite import log, namespaces
from holdfast.storage.sqlite.database import Connection
from holdfast.storage.sqlite.namespaces import within
from holdfast.storage.sqlite.schema import ROWS

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
"""What of an item never changes, or only with all vectors (`reembedding`)."""

_INSERT = (
    f"INSERT INTO items ({', '.join(COLUMNS)}, content) VALUES ({', '.join('?' * len(COLUMNS))}, ?)"
)
_SELECT = (
    f"SELECT {', '.join('r.' + name for name in COLUMNS)}, n.path, r.content"
    f" FROM namespaces n JOIN items r ON r.id >> {NAMESPACE_BITS} = n.no"
)
# The plus takes the column's affinity away, which would keep SQLite from the index.
_ONE = f"r.id >> {NAMESPACE_BITS} = (SELECT +no FROM namespaces WHERE path = ?) AND r.key = ?"


@dataclass(frozen=True, slots=True)
class Item:
    """One document.

    Attributes:
        namespace: Its labels.
        key: Unique in the namespace.
        value: JSON.
        created_at, updated_at: First and latest put.
        expires_at: From then on nobody finds it.
        lifetime: Microseconds from a put, or a refreshing read, to `expires_at`.
    """

    namespace: tuple[str, ...]
    key: str
    value: Any
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None = None
    lifetime: int | None = None


@dataclass(frozen=True, slots=True)
class ItemDraft:
    """An item about to be put: texts are what its vectors and terms were made of.

    Vectors without texts are the caller's own, which no embedder makes anew. A creation time is
    given where the item was first put elsewhere.
    """

    namespace: tuple[str, ...]
    key: str
    value: str
    lifetime: int | None
    texts: tuple[str, ...]
    vectors: Floats
    terms: Hashes
    passages: tuple[Passage, ...]
    created_at: int | None = None


def put(connection: Connection, draft: ItemDraft, now: int) -> None:
    """Write an item; one of the same key gives way, and lends its creation time."""
    row_id = namespaces.item_rows(connection, draft.namespace, 1)[0]
    namespace = row_id >> NAMESPACE_BITS
    old = _find(connection, namespace, draft.key, now)
    if old is not None:
        connection.execute("DELETE FROM items WHERE id = ?", (old[0],))
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


def _created(draft: ItemDraft, old: tuple[int, int] | None, now: int) -> int:
    if draft.created_at is not None:
        return draft.created_at
    return now if old is None else old[1]


def _find(connection: Connection, namespace: int, key: str, now: int) -> tuple[int, int] | None:
    """Return row id and creation time; an expired item's creation is forgotten."""
    row = connection.execute(
        "SELECT id, CASE WHEN expires_at <= ? THEN ? ELSE created_at END FROM items"
        f" WHERE id >> {NAMESPACE_BITS} = ? AND key = ?",
        (now, now, namespace, key),
    ).fetchone()
    return None if row is None else (row[0], row[1])


def delete(connection: Connection, labels: Sequence[str], key: str, now: int) -> bool:
    """Delete an item; say whether there was one."""
    row = connection.execute(
        f"SELECT r.id FROM items r WHERE {_ONE}", (reaches.item_path(labels), key)
    ).fetchone()
    if row is None:
        return False
    drop(connection, [row[0]], now)
    return True


def drop(connection: Connection, row_ids: Sequence[int], now: int) -> None:
    """Delete rows, one statement for all, for there may be thousands.

    An emptied namespace goes too, for its labels may name somebody: a later put makes a new one.
    Bytes in the write-ahead log go with the next `remains.finish`.
    """
    if not row_ids:
        return
    ids = codec.to_json(list(row_ids))
    for table in ("items", "reembedding"):
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
        f" FROM json_each(?)) AND NOT EXISTS (SELECT 1 FROM items r WHERE {ROWS})",
        (ids,),
    )


def drop_expired(connection: Connection, now: int, most: int = 1000) -> int:
    """Delete what has expired; return how many."""
    rows = connection.execute(
        "SELECT id FROM items WHERE expires_at <= ? LIMIT ?", (now, most)
    ).fetchall()
    drop(connection, [row[0] for row in rows], now)
    return len(rows)


def get(
    connection: Connection, labels: Sequence[str], key: str, now: int
) -> tuple[int, Item] | None:
    """Return the row id and the item, or None."""
    row = connection.execute(
        f"{_SELECT} WHERE {_ONE} AND (r.expires_at IS NULL OR r.expires_at > ?)",
        (reaches.item_path(labels), key, now),
    ).fetchone()
    return None if row is None else (row[0], _item(row))


def fetch(connection: Connection, row_ids: Sequence[int]) -> dict[int, Item]:
    """Return whole items by row id."""
    found: dict[int, Item] = {}
    for start in range(0, len(row_ids), 10_000):  # SQLite binds 32,766 values at most
        some = tuple(row_ids[start : start + 10_000])
        marks = ",".join("?" * len(some))
        rows = connection.execute(f"{_SELECT} WHERE r.id IN ({marks})", some)
        found |= {row[0]: _item(row) for row in rows}
    return found


def refresh(connection: Connection, row_ids: Sequence[int], now: int) -> None:
    """Let the lifetime of these rows begin anew."""
    connection.executemany(
        "UPDATE items SET expires_at = ? + lifetime WHERE id = ? AND lifetime IS NOT NULL",
        [(now, row_id) for row_id in row_ids],
    )
    log.append(
        connection,
        [log.Entry(row_id >> NAMESPACE_BITS, "PUT", now, row_id, row_id) for row_id in row_ids],
    )


def page(
    connection: Connection,
    reach: Reach,
    now: int,
    condition: str,
    values: Sequence[Any],
    limit: int,
    offset: int,
) -> list[tuple[int, Item]]:
    """Return items without ranking, the latest put first."""
    rows = connection.execute(
        f"SELECT r.id FROM namespaces n JOIN items r ON {ROWS} WHERE {within(reach).condition}"
        f" AND (r.expires_at IS NULL OR r.expires_at > ?) AND {condition}"
        " ORDER BY r.updated_at DESC, r.id DESC LIMIT ? OFFSET ?",
        (*within(reach).parameters, now, *values, limit, offset),
    ).fetchall()
    found = fetch(connection, [row[0] for row in rows])
    with damage.Reading("a page of items"):
        return [(row[0], found[row[0]]) for row in rows]


def labels(connection: Connection, reach: Reach, now: int) -> list[tuple[str, ...]]:
    """Return the namespaces of a reach that hold at least one item, sorted."""
    rows = connection.execute(
        f"SELECT n.path FROM namespaces n WHERE {within(reach).condition}"
        f" AND EXISTS (SELECT 1 FROM items r WHERE {ROWS}"
        " AND (r.expires_at IS NULL OR r.expires_at > ?))",
        (*within(reach).parameters, now),
    )
    return sorted(reaches.item_labels(row[0]) for row in rows)


def _item(row: Sequence[Any]) -> Item:
    """Return a row of `_SELECT` as an item.

    Raises:
        DamagedFileError: It is not as it was written.
    """
    if not LAYOUT.fits(row, row[-1]):
        raise damage.found(f"item {row[1]!r:.80}")
    _, key, value, created, updated, expires, lifetime = row[:7]
    try:
        created_at = codec.from_micros(created)
        return Item(
            reaches.item_labels(row[-2]),
            key,
            codec.from_json(value),
            created_at,
            created_at if updated == created else codec.from_micros(updated),
            None if expires is None else codec.from_micros(expires),
            lifetime,
        )
    except damage.UNREADABLE as error:
        raise damage.found(f"item {key!r:.80}") from error
