"""What was said and waits to be remembered: durable at once, embedded together with what follows.

A turn of conversation is one write to memory: the assistant's answer waits here until the user
speaks again, or until another session of the same owner wants to recall.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeAlias

from holdfast import Scope

from holdfast_llamaindex.utterances import Speaker, Utterance

if TYPE_CHECKING:
    from holdfast import Database

Ids: TypeAlias = Mapping[str, Any]
"""The ids of a scope, strings by name: ``user_id``, ``agent_id``, ``run_id``, ``app_id``."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One message that waits.

    Attributes:
        number: Its row.
        said: The message.
        at: When it was said.
    """

    number: int
    said: Utterance
    at: datetime


class WaitingRoom:
    """The waiting messages of a file. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def enter(self, ids: Ids, said: Sequence[Utterance]) -> list[Waiting]:
        """Let messages wait, unless they do already; return all that wait in this scope."""
        now, scope = datetime.now(timezone.utc).isoformat(), _scope(ids)
        with self._database.write() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO llamaindex_waiting (scope, message, role, text, said_at)"
                " VALUES (?, ?, ?, ?, ?)",
                [(scope, one.id, one.role, one.text, now) for one in said],
            )
            rows = connection.execute(
                "SELECT id, message, role, text, said_at FROM llamaindex_waiting"
                " WHERE scope = ? ORDER BY id",
                (scope,),
            ).fetchall()
        return [_waiting(*row) for row in rows]

    def leave(self, waiting: Sequence[Waiting]) -> None:
        """Let messages go: they are remembered."""
        with self._database.write() as connection:
            connection.executemany(
                "DELETE FROM llamaindex_waiting WHERE id = ?", [(one.number,) for one in waiting]
            )

    def scopes(self, reading: Ids) -> list[Ids]:
        """Return the scopes in which something waits that a read of these ids would see."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT DISTINCT scope FROM llamaindex_waiting").fetchall()
        found: list[Ids] = [json.loads(row[0]) for row in rows]
        return [ids for ids in found if Scope(**reading).covers(Scope(**ids))]

    def drop(self, reading: Ids) -> None:
        """Forget what waits in every scope that a read of these ids would see."""
        scopes = [(_scope(ids),) for ids in self.scopes(reading)]
        with self._database.erasing() as connection:
            connection.executemany("DELETE FROM llamaindex_waiting WHERE scope = ?", scopes)


def _scope(ids: Ids) -> str:
    return json.dumps(ids, sort_keys=True)


def _waiting(number: int, message: str, role: Speaker, text: str, said_at: str) -> Waiting:
    return Waiting(number, Utterance(message, role, text), datetime.fromisoformat(said_at))
