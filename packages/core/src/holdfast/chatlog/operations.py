"""What each verb of a chat log does within its transaction.

A message is a document without texts. Its key is its position and its id, so keys alone tell what
is there and in which order. Its value is its JSON as a string in ASCII: lone surrogates and NULs
come back as they were. Archived messages lie in a namespace of their own: the live window is read
without them, however long the session is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from holdfast.storage.contract.codec import to_json
from holdfast.storage.contract.edits import Key, Labels, Rows

Choose: TypeAlias = Callable[[Sequence[str]], Sequence[int]]
"""Given the ids that a log holds, in order: which of the messages at hand to append, by index."""

_PARTS = {None: (False, True), False: (False,), True: (True,)}

# Decimal digits of a position: microseconds since 1970, so that a position is never given twice.
_DIGITS = 20


@dataclass(frozen=True, slots=True)
class LoggedMessage:
    """One message of a chat log.

    Attributes:
        position: Its place in the session: later messages have larger ones. Never given twice.
        value: The message, JSON.
        id: What the caller gave as its id; ``""`` for none. Several messages may share one.
        archived: Whether it has left the live window.
        earlier: Of a message just written that has an id: how many of that id were there before.
    """

    position: int
    value: Any
    id: str = ""
    archived: bool = False
    earlier: int = 0


class Draft(NamedTuple):
    """A message to be written: its id, and its value as JSON in ASCII."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Operations:
    """The operations of one log. Each takes the open transaction first.

    Attributes:
        name: The name of the log.
    """

    name: str

    def append(
        self, rows: Rows, drafts: Sequence[Draft], archived: bool, choose: Choose | None
    ) -> list[LoggedMessage]:
        """Write messages behind all that are there; return those that were written."""
        if choose is not None:
            ids = [_id(found.key) for found in rows.keys(self._parts(None))]
            drafts = [drafts[index] for index in choose(ids)]
        return self._write(rows, drafts, archived)

    def replace(self, rows: Rows, drafts: Sequence[Draft], archived: bool) -> list[LoggedMessage]:
        """Write messages in the place of all that are there, archived ones too."""
        self.clear(rows, None)
        return self._write(rows, drafts, archived)

    def _write(self, rows: Rows, drafts: Sequence[Draft], archived: bool) -> list[LoggedMessage]:
        # The clock alone would do, but for one that is set back.
        last = (rows.last(part) for part in self._parts(None))
        start = max(rows.now, *(_position(key) + 1 for key in last if key is not None), 0)
        written = []
        for position, draft in enumerate(drafts, start):
            earlier = rows.count(self._parts(None), f".{draft.id}") if draft.id else 0
            rows.put(labels(self.name, archived), _key(position, draft.id), to_json(draft.text))
            value = json.loads(draft.text)
            written.append(LoggedMessage(position, value, draft.id, archived, earlier))
        return written

    def update(self, rows: Rows, position: int, text: str) -> bool:
        """Give a message another value; say whether it was there."""
        found = self._at(rows, None, [position])
        for one in found:
            rows.put(one.labels, one.key, to_json(text))
        return bool(found)

    def archive(
        self, rows: Rows, positions: Sequence[int] | None, oldest: int | None
    ) -> list[LoggedMessage]:
        """Let live messages leave the window; return them as they were."""
        found = self._at(rows, False, positions, oldest)
        messages = self._read(rows, found)
        rows.drop([one.row_id for one in found])
        for one in messages:
            key, text = _key(one.position, one.id), json.dumps(one.value)
            rows.put(labels(self.name, True), key, to_json(text))
        return messages

    def delete(
        self, rows: Rows, positions: Sequence[int] | None, oldest: int | None
    ) -> list[LoggedMessage]:
        """Delete messages by position, or the oldest live ones; return them."""
        found = self._at(rows, None if oldest is None else False, positions, oldest)
        messages = self._read(rows, found)
        rows.drop([one.row_id for one in found])
        return messages

    def clear(self, rows: Rows, archived: bool | None) -> int:
        """Delete all messages; return how many."""
        found = rows.keys(self._parts(archived))
        rows.drop([one.row_id for one in found])
        return len(found)

    def messages(
        self,
        rows: Rows,
        archived: bool | None,
        before: int | None,
        limit: int | None,
        offset: int,
        newest: bool,
    ) -> list[LoggedMessage]:
        """Return a part of the messages before a position, oldest first; see `Rows.keys`."""
        parts, until = self._parts(archived), None if before is None else _key(before, "")
        found = rows.keys(parts, before=until, newest=newest, limit=limit, offset=offset)
        return self._read(rows, found)

    def count(self, rows: Rows, archived: bool | None) -> int:
        """Count messages."""
        return rows.count(self._parts(archived))

    # -- where messages lie ---------------------------------------------------------------------

    def _parts(self, archived: bool | None) -> list[Labels]:
        """Return the namespaces of live or archived messages; None: of both."""
        return [labels(self.name, part) for part in _PARTS[archived]]

    def _at(
        self,
        rows: Rows,
        archived: bool | None,
        positions: Sequence[int] | None,
        oldest: int | None = None,
    ) -> list[Key]:
        """Return the messages of some positions, or the oldest ones."""
        if oldest is not None:
            return rows.keys(self._parts(archived), limit=max(0, oldest))
        wanted = set(positions or ())
        found = rows.keys(self._parts(archived)) if wanted else []
        return [one for one in found if _position(one.key) in wanted]

    def _read(self, rows: Rows, found: Sequence[Key]) -> list[LoggedMessage]:
        texts = rows.values([one.row_id for one in found])
        return [_message(one, text) for one, text in zip(found, texts, strict=True)]


def labels(name: str, archived: bool) -> Labels:
    """Return the namespace of a log's live or archived messages."""
    return "chats", name, "archived" if archived else "live"


def _key(position: int, id: str) -> str:
    return f"{position:0{_DIGITS}}.{id}"


def _position(key: str) -> int:
    return int(key[:_DIGITS])


def _id(key: str) -> str:
    return key[_DIGITS + 1 :]


def _message(found: Key, text: str) -> LoggedMessage:
    archived = found.labels[-1] == "archived"
    return LoggedMessage(_position(found.key), json.loads(text), _id(found.key), archived)
