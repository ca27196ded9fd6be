"""Threads in an export: rows out, rows checked as strictly as they were written, rows in.

A thread's row comes first, then its blobs, checkpoints and writes. Bytes are objects with one key,
``base64``. Digests are not exported: a reader of the file could not verify them, and a false one
would have another message stored in place of the next.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from holdfast import InvalidInputError, Scope, ScopeError
from holdfast.tables import Connection, Row
from zstandard import ZstdError

from holdfast_langgraph.checkpoint.compression import decompress_blob
from holdfast_langgraph.checkpoint.recent import SALT_BYTES
from holdfast_langgraph.checkpoint.rows import add_blobs, add_thread, blob_rows
from holdfast_langgraph.checkpoint.schema import THREAD_BITS
from holdfast_langgraph.checkpoint.serializer import DIGEST_BYTES
from holdfast_langgraph.checkpoint.stored import (
    Stored,
    pack_manifest,
    pack_writes,
    references,
    renumber,
    unpack_manifest,
    unpack_metadata,
    unpack_writes,
)
from holdfast_langgraph.checkpoint.threads import delete_thread

_NONE = type(None)
_TABLES: Final = {
    "checkpoint": "langgraph_checkpoints",
    "write": "langgraph_writes",
}
# The fields of a row, and what each may hold.
_FIELDS: Final[Mapping[str, Mapping[str, tuple[type, ...]]]] = {
    "thread": {
        "no": (int,),
        "thread_id": (str,),
        "salt": (bytes,),
        "newest": (str, _NONE),
        "owners": (list,),
    },
    "blob": {"thread": (int,), "number": (int,), "type": (str,), "data": (bytes,)},
    "checkpoint": {
        "thread": (int,),
        "ns": (str,),
        "checkpoint_id": (str,),
        "parent_id": (str, _NONE),
        "run_id": (str, _NONE),
        "created_at": (int,),
        "hidden": (int,),
        "metadata": (str, bytes),
        "type": (str,),
        "body": (bytes,),
        "manifest": (bytes,),
    },
    "write": {
        "thread": (int,),
        "ns": (str,),
        "checkpoint_id": (str,),
        "task_id": (str,),
        "task_path": (str,),
        "value": (bytes,),
    },
}
_UNREADABLE: Final = (
    AttributeError,
    LookupError,
    ScopeError,
    TypeError,
    ValueError,
    ZstdError,
)
_NEWEST: Final = "(SELECT max(checkpoint_id) FROM langgraph_checkpoints c WHERE c.thread = t.no)"


def export_thread(connection: Connection, no: int) -> Iterator[Row]:
    """Yield the rows of a thread."""
    row = connection.execute(
        f"SELECT no, thread_id, salt, {_NEWEST} FROM langgraph_threads t WHERE no = ?", (no,)
    ).fetchone()
    owners = connection.execute(
        "SELECT user_id, agent_id, app_id FROM langgraph_owners WHERE thread = ?", (no,)
    )
    yield _row("thread", [*row, [list(owner) for owner in owners]])
    for values in connection.execute(
        "SELECT ?1 >> ?3, id - ?1, type, data FROM langgraph_blobs WHERE id >= ?1 AND id < ?2"
        " ORDER BY id",
        (*blob_rows(no), THREAD_BITS),
    ):
        yield _row("blob", values)
    for kind, table in _TABLES.items():
        columns = ", ".join(_FIELDS[kind])
        found = connection.execute(
            f"SELECT {columns} FROM {table} WHERE thread = ? ORDER BY id", (no,)
        )
        for values in found:
            yield _row(kind, values)


def _row(kind: str, values: Sequence[Any]) -> Row:
    fields = zip(_FIELDS[kind], map(_encoded, values), strict=True)
    return {"kind": kind, **dict(fields)}


def _encoded(value: Any) -> Any:
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _read(row: Row) -> tuple[str, dict[str, Any]]:
    """Return the kind of a row and its values, each of a type that it may have."""
    kind = row.get("kind")
    fields = _FIELDS.get(kind) if isinstance(kind, str) else None
    if fields is None or row.keys() != {"kind", *fields}:
        raise InvalidInputError(f"a row of a thread has one of the kinds {', '.join(_FIELDS)}")
    values = {name: _decoded(name, row[name], fields[name]) for name in fields}
    return str(kind), values


def _decoded(name: str, value: Any, kinds: tuple[type, ...]) -> Any:
    try:
        if isinstance(value, dict) and value.keys() == {"base64"}:
            value = base64.b64decode(value["base64"], validate=True)
        elif isinstance(value, str):
            value.encode()
        fits = type(value) in kinds and (type(value) is not int or 0 <= value < 1 << 63)
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise InvalidInputError(f"{name} of a row of a thread is not as an export writes it")
    return value


class ThreadCheck:
    """Checks the rows of an export: each by itself, and that what they name came before."""

    def __init__(self) -> None:
        self._threads: dict[int, str | None] = {}  # the newest checkpoint that is still to come
        self._blobs: set[tuple[int, int]] = set()  # thread and number
        self._seen: set[tuple[object, ...]] = set()

    def take(self, row: Row) -> None:
        """See `holdfast.tables.RowCheck`."""
        kind, values = _read(row)
        if kind != "thread" and values["thread"] not in self._threads:
            raise InvalidInputError("no row before it tells of its thread")
        try:
            getattr(self, f"_take_{kind}")(values)
        except InvalidInputError:
            raise
        except _UNREADABLE as error:
            raise InvalidInputError(f"a {kind} of a thread cannot be read") from error

    def finish(self) -> None:
        """See `holdfast.tables.RowCheck`."""
        if any(self._threads.values()):
            raise InvalidInputError("the newest checkpoint of a thread is missing")

    def _take_thread(self, values: dict[str, Any]) -> None:
        self._once("thread", values["no"])
        self._once("thread id", values["thread_id"])
        for owner in values["owners"]:
            user_id, agent_id, app_id = (name or None for name in owner)
            Scope(user_id=user_id, agent_id=agent_id, app_id=app_id)
        if len(values["salt"]) != SALT_BYTES:
            raise InvalidInputError(f"salt of a thread must have {SALT_BYTES} bytes")
        self._threads[values["no"]] = values["newest"]

    def _take_blob(self, values: dict[str, Any]) -> None:
        blob = values["thread"], values["number"]
        self._once("blob", blob)
        decompress_blob(values["type"], values["data"])
        self._blobs.add(blob)

    def _take_checkpoint(self, values: dict[str, Any]) -> None:
        thread, checkpoint_id = values["thread"], values["checkpoint_id"]
        self._once("checkpoint", (thread, values["ns"], checkpoint_id))
        if values["hidden"] not in (0, 1) or not isinstance(
            unpack_metadata(values["metadata"]), dict
        ):
            raise InvalidInputError("hidden must be 0 or 1, and metadata an object")
        for channel, value in unpack_manifest(values["manifest"]).items():
            self._check_value(thread, channel, value)
        if checkpoint_id == self._threads[thread]:
            self._threads[thread] = None

    def _take_write(self, values: dict[str, Any]) -> None:
        for index, channel, value in unpack_writes(values["value"]):
            if type(index) is not int:
                raise InvalidInputError("the index of a write must be a whole number")
            self._check_value(values["thread"], channel, value)

    def _check_value(self, thread: int, channel: object, value: Stored) -> None:
        """Check the shape of a stored value, and that the blobs it names are of its thread."""
        if not isinstance(channel, str):
            raise InvalidInputError("the name of a channel must be a text")
        if isinstance(value, tuple):
            fits = value[0] is None or (isinstance(value[0], str) and isinstance(value[1], bytes))
        else:
            chunks = value if isinstance(value, list) else [value]
            fits = all(type(chunk) in (int, bytes) for chunk in chunks)
        if not fits or any((thread, one) not in self._blobs for one in references(value)):
            raise InvalidInputError("a value of a thread names a blob that no row before it holds")

    def _once(self, what: str, key: object) -> None:
        if (what, key) in self._seen:
            raise InvalidInputError(f"a {what} comes twice")
        self._seen.add((what, key))


class ThreadWriter:
    """Writes the checked rows of an export.

    A thread that the file has already is replaced if the export knows a newer checkpoint of it,
    else left as it is.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._threads: dict[int, int | None] = {}  # its number here; None: it is left as it is
        self._blobs: dict[int, dict[int, int]] = {}  # by thread here: the number here of each

    def write(self, row: Row) -> None:
        """See `holdfast.tables.RowWriter`."""
        kind, values = _read(row)
        if kind == "thread":
            self._threads[values["no"]] = self._target(values)
            return
        thread = self._threads[values["thread"]]
        if thread is None:
            return
        values["thread"] = thread
        numbers = self._blobs.setdefault(thread, {})
        if kind == "blob":
            blob = values["type"], values["data"]
            added = add_blobs(self._connection, thread, {os.urandom(DIGEST_BYTES): blob})
            [numbers[values["number"]]] = added.values()
            return
        if kind == "checkpoint":
            manifest = unpack_manifest(values["manifest"]).items()
            values["manifest"] = pack_manifest(
                {name: renumber(value, numbers) for name, value in manifest}
            )
        else:
            writes = unpack_writes(values["value"])
            values["value"] = pack_writes(
                [(at, channel, renumber(value, numbers)) for at, channel, value in writes]
            )
        marks = ", ".join("?" * len(values))
        self._connection.execute(
            f"INSERT INTO {_TABLES[kind]}({', '.join(values)}) VALUES ({marks})",
            list(values.values()),
        )

    def _target(self, values: Mapping[str, Any]) -> int | None:
        """Return the number of a new thread, or None where this file's own is left as it is."""
        known = self._connection.execute(
            f"SELECT no, salt, {_NEWEST} FROM langgraph_threads t WHERE thread_id = ?",
            (values["thread_id"],),
        ).fetchone()
        if known is not None:
            if known[1] != values["salt"]:
                raise InvalidInputError(
                    f"this file already holds another thread {values['thread_id']!r:.80}: import "
                    "into a new file, or delete that thread first"
                )
            if (values["newest"] or "") <= (known[2] or ""):
                return None
            delete_thread(self._connection, known[0])
        thread = add_thread(self._connection, values["thread_id"], values["salt"])
        self._connection.executemany(
            "INSERT OR IGNORE INTO langgraph_owners VALUES (?, ?, ?, ?)",
            [(thread, *owner) for owner in values["owners"]],
        )
        return thread
