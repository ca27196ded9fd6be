"""Rows of memories: written, versioned, closed, read. Every function takes an open transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from uuid_utils import uuid7

from holdfast.errors import RecordNotFoundError
from holdfast.storage.contract import codec, damage
from holdfast.storage.contract.arrays import Floats
from holdfast.storage.contract.memories import Draft, Indexed
from holdfast.storage.contract.reach import NAMESPACE_BITS, Reach
from holdfast.storage.sqlite import entities, layout, log, namespaces, queue
from holdfast.storage.sqlite.database import Connection
from holdfast.storage.sqlite.namespaces import within
from holdfast.types import Metadata, Record, Scope

# -- writing ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Written:
    """New records.

    Attributes:
        rows: Row ids, in order.
        records: The records, as they would be read.
        change: The last one's entry in the log; the others' lie before it.
    """

    rows: tuple[int, ...]
    records: tuple[Record, ...]
    change: int


def add(connection: Connection, scope: Scope, drafts: Sequence[Draft], now: int) -> Written:
    """Write new records. All are logged."""
    ids = namespaces.scope_rows(connection, scope, len(drafts))
    namespace = ids.start >> NAMESPACE_BITS
    rows = [
        _row(row_id, str(uuid7()), 1, row_id, draft, now, now)
        for row_id, draft in zip(ids, drafts, strict=True)
    ]
    layout.insert(connection, rows)
    _link(connection, zip(ids, drafts, strict=True))
    change = log.append(
        connection,
        (
            log.Entry(
                namespace, "ADD", now, None, row[0], row[1], draft.reason or None, draft.sources
            )
            for row, draft in zip(rows, drafts, strict=True)
        ),
    )
    given = (scope.user_id, scope.agent_id, scope.run_id, scope.app_id)
    whose = [None if one is None else str(one) for one in given]  # a `Within` writes at itself
    made = tuple(layout.read((*row, *whose)) for row in rows)
    return Written(tuple(ids), made, change)


def add_version(connection: Connection, scope: Scope, old: int, draft: Draft, now: int) -> int:
    """Write the next version of a record, under its own scope; return its row id. Not logged."""
    key, version, created = connection.execute(
        "SELECT key, (SELECT max(version) FROM records v WHERE v.key = r.key), created_at"
        " FROM records r WHERE id = ?",
        (old,),
    ).fetchone()
    row_id = namespaces.scope_rows(connection, scope, 1)[0]
    layout.insert(connection, [_row(row_id, key, version + 1, row_id, draft, created, now)])
    _link(connection, [(row_id, draft)])
    return row_id


def copy_version(connection: Connection, old: int, now: int, changes: Metadata) -> int:
    """Write the next version of a record as a copy with some columns changed; not logged."""
    row = dict(zip(layout.COLUMNS, _raw(connection, old), strict=True))
    newest = connection.execute(
        "SELECT max(version) FROM records WHERE key = ?", (row["key"],)
    ).fetchone()[0]
    row_id = namespaces.take_ids(connection, old >> NAMESPACE_BITS, 1)[0]
    row |= {"id": row_id, "version": newest + 1, "recorded_at": now}
    row |= {"retired_at": None, "retired_by": None, **changes}
    layout.insert(connection, [tuple(row.values())])
    for table, name in (("sources", "source"), ("slots", "slot")):
        connection.execute(
            f"INSERT OR IGNORE INTO {table} SELECT {name}, ? FROM {table} WHERE record = ?",
            (row_id, old),
        )
    if not row["vectors"]:
        queue.put_unembedded(connection, [row_id])
    return row_id


def embed(connection: Connection, row_id: int, vectors: Floats) -> None:
    """Give a record that was stored without its vectors: shape (passages, dimension).

    Raises:
        DamagedFileError: The record is not as it was written.
    """
    row = dict(zip(layout.COLUMNS, _raw(connection, row_id), strict=True))
    row["vectors"] = vectors.astype(np.float32, copy=False).tobytes()
    connection.execute(
        "UPDATE records SET vectors = ?, content = ? WHERE id = ?",
        (row["vectors"], layout.LAYOUT.digest(tuple(row.values())), row_id),
    )


def text_columns(text: str, indexed: Indexed) -> dict[str, Any]:
    """Return the columns that follow from a text."""
    return {
        "text": text,
        "digest": None,
        "traits": indexed.traits,
        "passages": codec.to_passages(indexed.passages),
        "vectors": indexed.vectors.astype(np.float32, copy=False).tobytes(),
        "terms": indexed.terms.tobytes(),
    }


def retire(connection: Connection, row_ids: Iterable[int], now: int, change: int) -> None:
    """Let a change put another version in the place of these; they stay readable as of before.

    What was retired earlier keeps its time: a second version must not come back in between.
    """
    connection.executemany(
        "UPDATE records SET retired_at = ?, retired_by = ? WHERE id = ? AND retired_at IS NULL",
        [(now, change, row_id) for row_id in row_ids],
    )


def _raw(connection: Connection, row_id: int) -> tuple[Any, ...]:
    *row, digest = connection.execute(
        f"SELECT {', '.join(layout.COLUMNS)}, content FROM records WHERE id = ?", (row_id,)
    ).fetchone()
    if not layout.LAYOUT.fits(row, digest):  # a copy with a digest of its own would look sound
        raise damage.found(f"record {row[1]!r:.80}")
    return tuple(row)


def _row(
    row_id: int, key: str, version: int, place: int, draft: Draft, created: int, now: int
) -> tuple[Any, ...]:
    occurred = now if draft.occurred_at is None else codec.to_micros(draft.occurred_at)
    return (
        row_id,
        key,
        version,
        place,
        draft.kind,
        draft.role,
        draft.speaker,
        draft.text,
        codec.to_json(dict(draft.metadata)),
        float(draft.importance),
        created,
        now,
        None,
        None,
        occurred,
        codec.maybe_micros(draft.valid_from),
        codec.maybe_micros(draft.valid_to),
        None if draft.valid_to is None else now,
        None,
        codec.maybe_micros(draft.expires_at),
        draft.message_id,
        codec.to_json(list(draft.sources)),
        codec.to_json([dict(relation) for relation in draft.relations]),
        draft.digest,
        draft.indexed.traits,
        codec.to_passages(draft.indexed.passages),
        draft.indexed.vectors.astype(np.float32, copy=False).tobytes(),
        draft.indexed.terms.tobytes(),
    )


def link(connection: Connection, row_id: int, sources: Iterable[str], slots: Iterable[str]) -> None:
    """Note what a row rests on, and which slots it fills."""
    for source in sources:
        connection.execute("INSERT OR IGNORE INTO sources VALUES (?, ?)", (source, row_id))
    for slot in slots:
        connection.execute("INSERT OR IGNORE INTO slots VALUES (?, ?)", (slot, row_id))


def _link(connection: Connection, written: Iterable[tuple[int, Draft]]) -> None:
    for row_id, draft in written:
        link(connection, row_id, draft.sources, draft.slots)
        if draft.names:
            entities.link(connection, row_id, draft.names)
        if not draft.indexed.vectors.size:
            queue.put_unembedded(connection, [row_id])


# -- reading ------------------------------------------------------------------------------------


def fetch(connection: Connection, row_ids: Sequence[int]) -> dict[int, Record]:
    """Return whole records by row id; missing ones are left out."""
    marks = ",".join("?" * len(row_ids))
    rows = connection.execute(f"{layout.SELECT} WHERE r.id IN ({marks})", tuple(row_ids))
    return {row[0]: layout.record(row) for row in rows}


def fetch_with_passages(
    connection: Connection, row_ids: Sequence[int]
) -> dict[int, tuple[Record, bytes]]:
    """Return whole records, each with its passages as they are packed, by row id."""
    marks = ",".join("?" * len(row_ids))
    rows = connection.execute(f"{layout.SELECT} WHERE r.id IN ({marks})", tuple(row_ids))
    return {row[0]: (layout.record(row), row[layout.PASSAGES]) for row in rows}


def current(connection: Connection, reach: Reach, key: str, now: int) -> tuple[int, Record]:
    """Return the row id and the record that a key stands for now.

    Raises:
        RecordNotFoundError: The reach has no such record, or it has expired.
    """
    row = connection.execute(
        f"{layout.SELECT} WHERE r.key = ? AND r.retired_at IS NULL AND {within(reach).condition}"
        " ORDER BY r.version DESC LIMIT 1",
        (check_key(key), *within(reach).parameters),
    ).fetchone()
    # The newest version decides: when it expires, the one before must not come back.
    if row is None:
        raise RecordNotFoundError(key)
    record = layout.record(row)
    if (expiry := row[layout.EXPIRES]) is not None and expiry <= now:
        raise RecordNotFoundError(key)
    return row[0], record


def current_of_each(
    connection: Connection, reach: Reach, keys: Sequence[str], now: int
) -> list[Record]:
    """Return what several keys stand for now, in their order.

    Raises:
        RecordNotFoundError: The reach lacks some of them; it names all that are missing.
    """
    found, missing = [], []
    for key in keys:
        try:
            found.append(current(connection, reach, key, now)[1])
        except RecordNotFoundError:
            missing.append(key)
    if missing:
        raise RecordNotFoundError(*missing)
    return found


def check_key(key: str) -> str:
    """Return a key that SQLite can look for.

    Raises:
        RecordNotFoundError: It is no string, or holds a lone surrogate: nothing is stored under it.
    """
    if not _storable(key):
        raise RecordNotFoundError(key)
    return key


def _storable(key: object) -> bool:
    return isinstance(key, str) and not any("\ud800" <= character <= "\udfff" for character in key)


def is_here(connection: Connection, reach: Reach, key: str) -> bool:
    """Return whether any version of a key lies in a reach, even one that is damaged."""
    if not _storable(key):
        return False
    row = connection.execute(
        f"SELECT 1 FROM records r JOIN namespaces n ON n.no = r.id >> {NAMESPACE_BITS}"
        f" WHERE r.key = ? AND {within(reach).condition}",
        (key, *within(reach).parameters),
    )
    return row.fetchone() is not None


def versions(connection: Connection, reach: Reach, key: str) -> dict[int, Record]:
    """Return every version of a key by row id, oldest first."""
    rows = connection.execute(
        f"{layout.SELECT} WHERE r.key = ? AND {within(reach).condition} ORDER BY r.version",
        (key, *within(reach).parameters),
    )
    return {row[0]: layout.record(row) for row in rows}


def support(connection: Connection, row_id: int, sources: Sequence[str]) -> None:
    """Let a record rest on further sources, so that losing one of them does not lose it.

    What a caller stated rests on none: it must outlast the turns that only say it again.
    """
    listed = connection.execute("SELECT sources FROM records WHERE id = ?", (row_id,)).fetchone()
    known = codec.from_json(listed[0])
    if not known:
        return
    every = list(dict.fromkeys([*known, *sources]))
    connection.execute(
        "UPDATE records SET sources = ? WHERE id = ?", (codec.to_json(every), row_id)
    )
    connection.executemany(
        "INSERT OR IGNORE INTO sources VALUES (?, ?)", [(source, row_id) for source in sources]
    )


def rest_on(connection: Connection, row_id: int, sources: Sequence[str]) -> None:
    """State what a record rests on, now that others of its sources are gone."""
    connection.execute(
        "UPDATE records SET sources = ? WHERE id = ?", (codec.to_json(list(sources)), row_id)
    )


def summary(connection: Connection, scope: Scope) -> Record | None:
    """Return the rolling summary of exactly this scope, if there is one."""
    number = namespaces.known_scope(connection, scope)
    return None if number is None else summary_of(connection, number)


def summary_of(connection: Connection, namespace: int) -> Record | None:
    """Return the rolling summary of a namespace, if there is one."""
    row = connection.execute(
        f"SELECT max(id) FROM records WHERE id >= ? << {NAMESPACE_BITS}"
        f" AND id < (? + 1) << {NAMESPACE_BITS} AND kind = 'summary' AND retired_at IS NULL",
        (namespace, namespace),
    ).fetchone()
    return None if row[0] is None else fetch(connection, [row[0]])[row[0]]


def known_messages(connection: Connection, scope: Scope, message_ids: Sequence[str]) -> set[str]:
    """Return those of the message ids that this very scope already holds or has erased."""
    namespace = namespaces.known_scope(connection, scope)
    if namespace is None:
        return set()
    return {
        message_id
        for message_id in message_ids
        if connection.execute(
            f"SELECT 1 FROM records WHERE id >> {NAMESPACE_BITS} = ?1 AND message_id = ?2"
            " AND version = 1"
            " UNION ALL SELECT 1 FROM erasures WHERE namespace = ?1 AND message = ?3",
            (namespace, message_id, message_digest(message_id)),
        ).fetchone()
    }


def message_digest(message_id: str) -> bytes:
    """Return what remains of a message id after its message was erased."""
    return hashlib.blake2b(message_id.encode(), digest_size=16).digest()
