"""Operations on many items at once, wherever below a prefix they lie: each one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from holdfast.storage.contract import codec, damage
from holdfast.storage.contract import reach as reaches
from holdfast.storage.contract.arrays import Floats
from holdfast.storage.contract.filters import Filter
from holdfast.storage.contract.reach import NAMESPACE_BITS, Reach
from holdfast.storage.sqlite import document_rows
from holdfast.storage.sqlite.database import Connection
from holdfast.storage.sqlite.document_rows import Item, ItemDraft
from holdfast.storage.sqlite.file import File
from holdfast.storage.sqlite.filters import Condition, place
from holdfast.storage.sqlite.namespaces import within
from holdfast.storage.sqlite.schema import ROWS

_MANY = 500


@dataclass(frozen=True, slots=True)
class Choice:
    """Which items are meant: all that is given must hold.

    Attributes:
        reach: Where they lie.
        tree: What their values are like.
        keys: Their keys; None: any.
    """

    reach: Reach
    tree: Filter | None = None
    keys: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """By which field of the value a list is ordered; the latest put first where there is none."""

    path: tuple[str, ...] = field(default=())
    descending: bool = True

    def sql(self) -> str:
        """Return the terms after ORDER BY."""
        way = "DESC" if self.descending else "ASC"
        where = ", ".join(place("r.value", self.path))
        column = f"json_extract({where})" if self.path else "r.updated_at"
        return f"{column} {way}, r.id {way}"


def put(file: File, reach: Reach, drafts: Sequence[ItemDraft], fingerprint: str) -> None:
    """Write items; one of the same key anywhere in the reach gives way.

    Raises:
        EmbedderMismatchError: The vectors are of another embedder than the file's.
    """
    with file.database.write() as connection:
        now = file.now()
        old = _elsewhere(connection, reach, drafts)
        document_rows.drop(connection, old, now)
        for draft in drafts:
            if draft.passages:
                file.claim_embedder(connection, fingerprint, draft.vectors.shape[1])
            document_rows.put(connection, draft, now)


def _elsewhere(connection: Connection, reach: Reach, drafts: Sequence[ItemDraft]) -> list[int]:
    """Return the rows of these keys that lie in another namespace than the draft's."""
    homes = {draft.key: reaches.item_path(draft.namespace) for draft in drafts}
    known = _by_keys(connection, reach, list(homes))
    return [row_id for row_id, path, key in known if homes[key] != path]


def _by_keys(
    connection: Connection, reach: Reach, keys: Sequence[str]
) -> list[tuple[int, str, str]]:
    found: list[tuple[int, str, str]] = []
    for start in range(0, len(keys), _MANY):
        some = tuple(keys[start : start + _MANY])
        found += connection.execute(
            "SELECT r.id, n.path, r.key FROM items r CROSS JOIN namespaces n"
            f" ON n.no = r.id >> {NAMESPACE_BITS}"
            f" WHERE r.key IN ({','.join('?' * len(some))}) AND {within(reach).condition}",
            (*some, *within(reach).parameters),
        ).fetchall()
    return found


def find(file: File, choice: Choice) -> list[tuple[Item, Floats]]:
    """Return the items of the chosen keys with their vectors, in the order of the keys."""
    with file.database.read() as connection:
        keys = choice.keys or ()
        places = {key: row_id for row_id, _, key in _by_keys(connection, choice.reach, keys)}
        rows = [places[key] for key in keys if key in places]
        found = document_rows.fetch(connection, rows)
        return [(found[row_id], _vectors(connection, row_id)) for row_id in rows]


def _vectors(connection: Connection, row_id: int) -> Floats:
    """Return an item's vectors, shape (texts, dimension)."""
    blob, passages = connection.execute(
        "SELECT vectors, length(passages) / 12 FROM items WHERE id = ?", (row_id,)
    ).fetchone()
    with damage.Reading("the vectors of an item"):
        return np.frombuffer(blob, dtype=np.float32).reshape(passages, -1 if passages else 0)


def page(file: File, choice: Choice, order: Order, limit: int, offset: int) -> list[Item]:
    """Return chosen items in order."""
    with file.database.read() as connection:
        where, values = _where(choice, file.now())
        rows = connection.execute(
            f"SELECT r.id FROM namespaces n JOIN items r ON {ROWS} WHERE {where}"
            f" ORDER BY {order.sql()} LIMIT ? OFFSET ?",
            (*values, limit, offset),
        ).fetchall()
        found = document_rows.fetch(connection, [row[0] for row in rows])
        return [found[row[0]] for row in rows]


def delete(file: File, choice: Choice) -> int:
    """Delete the chosen items; return how many there were."""
    with file.database.write() as connection:
        where, values = _where(choice, file.now())
        rows = connection.execute(
            f"SELECT r.id FROM namespaces n JOIN items r ON {ROWS} WHERE {where}", values
        ).fetchall()
        document_rows.drop(connection, [row[0] for row in rows], file.now())
        return len(rows)


def counts(file: File, reach: Reach) -> dict[tuple[str, ...], int]:
    """Count the items of each namespace of a reach."""
    with file.database.read() as connection:
        # The plus takes the column's affinity away, which would keep SQLite from the index.
        where, values = within(reach)
        rows = connection.execute(
            "SELECT n.path, (SELECT count(*) FROM items r"
            f" WHERE r.id >> {NAMESPACE_BITS} = +n.no) FROM namespaces n WHERE {where}",
            values,
        ).fetchall()
    return {reaches.item_labels(path): number for path, number in rows if number}


def tally(file: File, reach: Reach, path: tuple[str, ...]) -> dict[Any, int]:
    """Count the items by the value of a field, or by each member where it is a list."""
    field = " -> ".join(place("r.value", path))
    with file.database.read() as connection:
        # Grouped as they stand: of many items few differ, and only those are taken apart.
        rows = connection.execute(
            f"SELECT {field}, count(*) FROM namespaces n JOIN items r ON {ROWS}"
            f" WHERE {within(reach).condition} GROUP BY 1",
            within(reach).parameters,
        ).fetchall()
    counted: Counter[Any] = Counter()
    for text, number in rows:
        value = None if text is None else codec.from_json(text)
        for member in value if isinstance(value, list) else [value]:
            if isinstance(member, str | int | float | bool):
                counted[member] += number
    return dict(counted)


def _where(choice: Choice, now: int) -> tuple[str, list[Any]]:
    parts = [within(choice.reach).condition, "(r.expires_at IS NULL OR r.expires_at > ?)"]
    values: list[Any] = [*within(choice.reach).parameters, now]
    if choice.keys is not None:
        parts.append("r.key IN (SELECT value FROM json_each(?))")
        values.append(codec.to_json(list(choice.keys)))
    if choice.tree is not None:
        condition = Condition("r.value")
        parts.append(condition.sql(choice.tree))
        values += condition.values
    return " AND ".join(parts), values
