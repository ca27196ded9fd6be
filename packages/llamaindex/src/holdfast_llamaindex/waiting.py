"""What was said and waits to be remembered: durable at once, embedded together with what follows.

A turn of conversation is one write to memory: the assistant's answer waits here until the user
speaks again, or until another session of the same owner wants to recall.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeAlias

from holdfast import Message

from holdfast_llamaindex.blocking import sync_or_async
from holdfast_llamaindex.utterances import Utterance

if TYPE_CHECKING:
    from holdfast import Memory
    from holdfast.chatlog import ChatLog, LoggedMessage

Ids: TypeAlias = Mapping[str, Any]
"""The ids of a scope, strings by name: ``user_id``, ``agent_id``, ``run_id``, ``app_id``."""

_LOG = "llamaindex/waiting"


class Outbox:
    """The messages of a file that wait: a chat log of each session."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def enqueue(self, ids: Ids, said: Sequence[Utterance]) -> list[LoggedMessage]:
        """Let messages wait, unless they do already; return all that wait in this scope."""
        log = self._log(ids)
        now = datetime.now(timezone.utc).isoformat()
        values = [{"role": one.role, "text": one.text, "at": now} for one in said]
        names = [one.id for one in said]

        def new(known: Sequence[str]) -> list[int]:
            return [at for at, name in enumerate(names) if name not in known]

        if values:
            await sync_or_async(log.append, log.aappend, values, ids=names, choose=new)
        return await sync_or_async(log.messages, log.amessages)

    async def acknowledge(self, ids: Ids, remembered: Sequence[LoggedMessage]) -> None:
        """Let messages go: they are remembered."""
        log, positions = self._log(ids), [one.position for one in remembered]
        await sync_or_async(log.delete, log.adelete, positions, erase=False)

    async def scopes(self, reading: Ids) -> list[Ids]:
        """Return the scopes in which something waits that a read of these ids would see."""
        memory = self._memory
        found = await sync_or_async(memory.chat_logs, memory.achat_logs, _LOG, **reading)
        return [scope.ids() for scope in found]

    async def drop(self, reading: Ids) -> None:
        """Forget what waits in every scope that a read of these ids would see."""
        for ids in await self.scopes(reading):
            log = self._log(ids)
            await sync_or_async(log.clear, log.aclear)

    @staticmethod
    def message(waiting: LoggedMessage) -> Message:
        """Return what waits as a message to remember."""
        value = waiting.value
        at = datetime.fromisoformat(value["at"])
        return Message(value["text"], value["role"], id=waiting.id, occurred_at=at)

    def _log(self, ids: Ids) -> ChatLog:
        return self._memory.chat_log(_LOG, **ids)
