"""Tables of chat histories, and of what was said but is not yet in long-term memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.storage.chat_store.base_db import MessageStatus

from holdfast_llamaindex.utterances import Utterance, digest, utterance
from holdfast_llamaindex.waiting import Ids

if TYPE_CHECKING:
    from holdfast import Database

NAME = "llamaindex"
TABLE = "messages"
STEPS = (
    """
CREATE TABLE llamaindex_messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    shelf TEXT NOT NULL,
    owner TEXT NOT NULL,
    session TEXT NOT NULL,
    status TEXT NOT NULL,
    digest TEXT NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX llamaindex_messages_session ON llamaindex_messages(shelf, owner, session, id);
CREATE INDEX llamaindex_messages_digest ON llamaindex_messages(shelf, owner, session, digest);
-- What was said and is durable, but not yet embedded: `scope` holds the ids as JSON.
CREATE TABLE llamaindex_waiting (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    scope TEXT NOT NULL,
    message TEXT NOT NULL,
    role TEXT NOT NULL,
    text TEXT NOT NULL,
    said_at TEXT NOT NULL,
    UNIQUE (scope, message)
)
""",
)

_OWN = "shelf = ? AND owner = ? AND session = ?"


class Shelf:
    """The histories of one owner in one chat store. Every method is one transaction.

    Args:
        database: The file, migrated to `STEPS`.
        name: Keeps shelves of one file apart.
        owner: The ids beside the session's: a chat is known by all four. An id that is not given
            is an id of its own, not a pattern.
    """

    def __init__(self, database: Database, name: str, owner: Ids) -> None:
        self._database = database
        self._name = name
        self._owner = json.dumps(owner, sort_keys=True)

    def owned_by(self, owner: Ids) -> Shelf:
        """Return the histories of another owner."""
        return Shelf(self._database, self._name, owner)

    # -- reading --------------------------------------------------------------------------------

    def numbered(
        self,
        session: str,
        status: MessageStatus | None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> list[tuple[int, ChatMessage]]:
        """Return a part of a session with the messages' ids, in the order they were added."""
        where, values = self._where(session, status)
        with self._database.read() as connection:
            rows = connection.execute(
                f"SELECT id, data FROM llamaindex_messages WHERE {where}"
                " ORDER BY id LIMIT ? OFFSET ?",
                (*values, -1 if limit is None else limit, offset or 0),
            ).fetchall()
        return [(row[0], _loaded(row[1])) for row in rows]

    def messages(
        self,
        session: str,
        status: MessageStatus | None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> list[ChatMessage]:
        """Return a part of a session."""
        return [message for _, message in self.numbered(session, status, limit, offset)]

    def count(self, session: str, status: MessageStatus | None) -> int:
        """Count a session's messages."""
        where, values = self._where(session, status)
        with self._database.read() as connection:
            row = connection.execute(
                f"SELECT count(*) FROM llamaindex_messages WHERE {where}", values
            ).fetchone()
        return int(row[0])

    def sessions(self) -> list[str]:
        """Return the sessions that hold messages, sorted."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT DISTINCT session FROM llamaindex_messages"
                " WHERE shelf = ? AND owner = ? ORDER BY 1",
                (self._name, self._owner),
            ).fetchall()
        return [row[0] for row in rows]

    def _where(self, session: str, status: MessageStatus | None) -> tuple[str, tuple[str, ...]]:
        if status is None:
            return _OWN, self._chat(session)
        return f"{_OWN} AND status = ?", (*self._chat(session), status.value)

    def _chat(self, session: str) -> tuple[str, str, str]:
        return self._name, self._owner, session

    # -- writing --------------------------------------------------------------------------------

    def add(
        self, session: str, messages: Sequence[ChatMessage], status: MessageStatus
    ) -> list[Utterance]:
        """Add messages; return what memory stores of them."""
        if not messages:
            return []
        rows = [(digest(message), _dumped(message)) for message in messages]
        with self._database.write() as connection:
            return self._insert(connection, session, messages, rows, status)

    def replace(
        self, session: str, messages: Sequence[ChatMessage], status: MessageStatus
    ) -> list[Utterance]:
        """Put messages in the place of all the session holds."""
        rows = [(digest(message), _dumped(message)) for message in messages]
        with self._database.erasing() as connection:
            connection.execute(f"DELETE FROM llamaindex_messages WHERE {_OWN}", self._chat(session))
            return self._insert(connection, session, messages, rows, status)

    def _insert(
        self,
        connection: Any,
        session: str,
        messages: Sequence[ChatMessage],
        rows: Sequence[tuple[str, str]],
        status: MessageStatus,
    ) -> list[Utterance]:
        said = []
        for message, (name, data) in zip(messages, rows, strict=True):
            before = connection.execute(
                f"SELECT count(*) FROM llamaindex_messages WHERE {_OWN} AND digest = ?",
                (*self._chat(session), name),
            ).fetchone()[0]
            connection.execute(
                "INSERT INTO llamaindex_messages (shelf, owner, session, status, digest, data)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (*self._chat(session), status.value, name, data),
            )
            said.append(utterance(message, before))
        return [one for one in said if one is not None]

    def archive(self, session: str, ids: Sequence[int]) -> list[ChatMessage]:
        """Archive messages by id; return those that were active until now."""
        with self._database.write() as connection:
            gone = self._active(connection, session, ids)
            connection.executemany(
                "UPDATE llamaindex_messages SET status = ? WHERE id = ?",
                [(MessageStatus.ARCHIVED.value, number) for number, _ in gone],
            )
        return [_loaded(data) for _, data in gone]

    def archive_oldest(self, session: str, n: int) -> list[ChatMessage]:
        """Archive the oldest active messages; return them."""
        with self._database.write() as connection:
            gone = self._oldest(connection, session, n)
            connection.executemany(
                "UPDATE llamaindex_messages SET status = ? WHERE id = ?",
                [(MessageStatus.ARCHIVED.value, number) for number, _ in gone],
            )
        return [_loaded(data) for _, data in gone]

    def delete_oldest(self, session: str, n: int) -> list[ChatMessage]:
        """Delete the oldest active messages; return them."""
        with self._database.erasing() as connection:
            gone = self._oldest(connection, session, n)
            connection.executemany(
                "DELETE FROM llamaindex_messages WHERE id = ?", [(number,) for number, _ in gone]
            )
        return [_loaded(data) for _, data in gone]

    def delete(self, session: str, number: int) -> ChatMessage | None:
        """Delete one message by its id; return it if it was there."""
        with self._database.erasing() as connection:
            row = connection.execute(
                f"DELETE FROM llamaindex_messages WHERE {_OWN} AND id = ? RETURNING data",
                (*self._chat(session), number),
            ).fetchone()
        return None if row is None else _loaded(row[0])

    def clear(self, session: str, status: MessageStatus | None) -> None:
        """Delete a session's messages."""
        where, values = self._where(session, status)
        with self._database.erasing() as connection:
            connection.execute(f"DELETE FROM llamaindex_messages WHERE {where}", values)

    def _oldest(self, connection: Any, session: str, n: int) -> list[tuple[int, str]]:
        where, values = self._where(session, MessageStatus.ACTIVE)
        rows: list[tuple[int, str]] = connection.execute(
            f"SELECT id, data FROM llamaindex_messages WHERE {where} ORDER BY id LIMIT ?",
            (*values, max(0, n)),
        ).fetchall()
        return rows

    def _active(self, connection: Any, session: str, ids: Sequence[int]) -> list[tuple[int, str]]:
        where, values = self._where(session, MessageStatus.ACTIVE)
        marks = ",".join("?" * len(ids))
        rows: list[tuple[int, str]] = connection.execute(
            f"SELECT id, data FROM llamaindex_messages WHERE {where} AND id IN ({marks})"
            " ORDER BY id",
            (*values, *ids),
        ).fetchall()
        return rows


def _dumped(message: ChatMessage) -> str:
    # Not model_dump_json: it refuses lone surrogates, which tools do return.
    return json.dumps(message.model_dump(mode="json"))


def _loaded(data: str) -> ChatMessage:
    return ChatMessage.model_validate(json.loads(data))
