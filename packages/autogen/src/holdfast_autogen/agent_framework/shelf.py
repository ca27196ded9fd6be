"""The table of Agent Framework's histories, and how a transcript sent again is recognised."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent_framework import Message

if TYPE_CHECKING:
    from holdfast import Database

NAME = "agent_framework"
STEPS = (
    """
CREATE TABLE agent_framework_messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    owner TEXT NOT NULL,
    session TEXT NOT NULL,
    digest TEXT NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX agent_framework_messages_session
    ON agent_framework_messages(source, owner, session, id, digest)
""",
)

# A message that has an id is known by it; of any other its role and content tell.
_ID = "id:"

_OWN = "source = ? AND owner = ? AND session = ?"


@dataclass(frozen=True, slots=True)
class Shelf:
    """The histories that one provider keeps in a file. Every method is one transaction.

    Attributes:
        database: The file, migrated to `STEPS`.
        source: The provider's name in an agent: an audit beside the history is not loaded with it.
    """

    database: Database
    source: str

    @classmethod
    def on(cls, database: Database, source: str) -> Shelf:
        """Return the shelf of a file; make it where there is none."""
        database.migrate(NAME, STEPS)
        return cls(database, source)

    def _chat(self, owner: Mapping[str, str], session: str) -> tuple[str, str, str]:
        return self.source, json.dumps(dict(owner), sort_keys=True), session

    def messages(
        self, owner: Mapping[str, str], session: str, limit: int | None = None
    ) -> list[Message]:
        """Return the (last) messages of a session, oldest first."""
        with self.database.read() as connection:
            rows = connection.execute(
                f"SELECT data FROM agent_framework_messages WHERE {_OWN} ORDER BY id DESC LIMIT ?",
                (*self._chat(owner, session), -1 if limit is None else limit),
            ).fetchall()
        loaded = [Message.from_dict(json.loads(row[0])) for row in reversed(rows)]
        while limit is not None and loaded and loaded[0].role == "tool":
            del loaded[0]  # its call is no longer in the window
        return loaded

    def append(self, owner: Mapping[str, str], session: str, messages: Sequence[Message]) -> None:
        """Append what is new of the messages."""
        told = [message.to_dict() for message in messages]
        digests = [_digest(message) for message in told]
        # As ASCII: half a surrogate pair is no text for SQLite, yet a part of what was said.
        written = [json.dumps(message) for message in told]
        with self.database.write() as connection:
            known = connection.execute(
                f"SELECT digest FROM agent_framework_messages WHERE {_OWN} ORDER BY id",
                self._chat(owner, session),
            ).fetchall()
            earlier = [row[0] for row in known]
            start = repeated(earlier, digests)
            connection.executemany(
                "INSERT INTO agent_framework_messages (source, owner, session, digest, data)"
                " VALUES (?, ?, ?, ?, ?)",
                [
                    (*self._chat(owner, session), digest, data)
                    for digest, data in zip(digests[start:], written[start:], strict=True)
                    if not (digest.startswith(_ID) and digest in earlier)
                ],
            )

    def erase(self, owner: Mapping[str, str], session: str) -> int:
        """Erase a session; return how many messages it had."""
        with self.database.erasing() as connection:
            gone = connection.execute(
                f"DELETE FROM agent_framework_messages WHERE {_OWN}", self._chat(owner, session)
            )
            return int(gone.rowcount)


def repeated(known: Sequence[str], given: Sequence[str]) -> int:
    """Return how many of the given digests, from the first, repeat what is known.

    That is a transcript sent again: all that is known, anywhere in what is given, or the end of
    it at the beginning. Something new always follows it (the answer at least); where nothing
    does, the same was said once more, as people do.
    """
    for start in range(len(given) - len(known)):
        if known and given[start : start + len(known)] == known and _is_transcript(known):
            return start + len(known)
    for size in range(min(len(known), len(given) - 1), 0, -1):
        # The first is looked at first, so that a long history costs no copies.
        if (
            known[-size] == given[0]
            and known[-size:] == given[:size]
            and _is_transcript(given[:size])
        ):
            return size
    return 0


def _is_transcript(digests: Sequence[str]) -> bool:
    return len(digests) > 1 or digests[0].startswith(_ID)


def _digest(message: Mapping[str, object]) -> str:
    if message.get("message_id"):
        return f"{_ID}{message['message_id']}"
    told = json.dumps([message.get("role"), message.get("contents")], sort_keys=True, default=repr)
    return hashlib.blake2b(told.encode("utf-8", "replace"), digest_size=16).hexdigest()
