"""The columns of a record, and how a row of them is written and read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

from holdfast.storage.contract import codec, damage
from holdfast.storage.contract.reach import NAMESPACE_BITS
from holdfast.storage.sqlite.database import Connection
from holdfast.types import Record, Scope

COLUMNS = [
    "id",
    "key",
    "version",
    "place",
    "kind",
    "role",
    "speaker",
    "text",
    "metadata",
    "importance",
    "created_at",
    "recorded_at",
    "retired_at",
    "retired_by",
    "occurred_at",
    "valid_from",
    "valid_to",
    "closed_at",
    "closed_by",
    "expires_at",
    "message_id",
    "sources",
    "relations",
    "digest",
    "traits",
    "passages",
    "vectors",
    "terms",
]
LAYOUT: Final = damage.Layout(
    COLUMNS,
    [
        "id",
        "version",
        "place",
        "importance",
        "created_at",
        "recorded_at",
        "occurred_at",
        "valid_from",
        "expires_at",
        "traits",
    ],
    ["key", "kind", "role", "speaker", "text", "metadata", "message_id", "relations", "digest"],
    ["passages", "vectors", "terms"],
)
"""What of a record never changes, but for its vectors (`records.embed`, `reembedding`)."""

_INSERT = (
    f"INSERT INTO records ({', '.join(COLUMNS)}, content)"
    f" VALUES ({', '.join('?' * len(COLUMNS))}, ?)"
)
_IDS = "n.user_id, n.agent_id, n.run_id, n.app_id"
SELECT = (
    f"SELECT {', '.join('r.' + name for name in COLUMNS)}, {_IDS}, r.content"
    f" FROM records r JOIN namespaces n ON n.no = r.id >> {NAMESPACE_BITS}"
)
EXPIRES, PASSAGES = COLUMNS.index("expires_at"), COLUMNS.index("passages")
_SCOPE = slice(len(COLUMNS), len(COLUMNS) + 4)


def insert(connection: Connection, rows: Iterable[Sequence[Any]]) -> None:
    """Write rows of `COLUMNS`, each with the digest that shows later whether it was damaged."""
    connection.executemany(_INSERT, [(*row, LAYOUT.digest(row)) for row in rows])


# Reading many records of few scopes must not check the same ids again and again.
@lru_cache(maxsize=4096)
def _scope(*ids: str | None) -> Scope:
    return Scope(*ids)


def record(row: Sequence[Any]) -> Record:
    """Return a row of `SELECT` as a record.

    Raises:
        DamagedFileError: It is not as it was written.
    """
    if not LAYOUT.fits(row, row[-1]):
        raise damage.found(f"record {row[1]!r:.80}")
    try:
        return read(row)
    except damage.UNREADABLE as error:
        raise damage.found(f"record {row[1]!r:.80}") from error


def read(row: Sequence[Any]) -> Record:
    """Return a row of `COLUMNS` and the ids of its scope as a record."""
    _, key, version, _, kind, role, speaker, text, metadata, importance = row[:10]
    created, recorded, retired, _, occurred, valid_from, valid_to, _, _, expires = row[10:20]
    created_at = codec.from_micros(created)
    return Record(  # in the order of its fields: names take a third of a microsecond
        key,
        text,
        kind,
        _scope(*row[_SCOPE]),
        role,
        speaker,
        codec.from_json(metadata),
        created_at,
        created_at if recorded == created else codec.from_micros(recorded),
        created_at if occurred == created else codec.from_micros(occurred),
        codec.maybe_moment(valid_from),
        codec.maybe_moment(valid_to),
        codec.maybe_moment(retired),
        codec.maybe_moment(expires),
        importance,
        version,
        tuple(codec.from_json(row[21])),
        row[20],
    )
