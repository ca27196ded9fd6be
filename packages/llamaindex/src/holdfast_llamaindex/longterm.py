"""Long-term memory as a conversation uses it: note, remember, recall, forget.

Nothing here belongs to one session: the ids come with every call, so one object serves any
number of users and sessions at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast import RecordNotFoundError, Scope, ScopeError
from holdfast.types import NO_ID

from holdfast_llamaindex.blocking import sync_or_async
from holdfast_llamaindex.utterances import Utterance
from holdfast_llamaindex.waiting import Ids, Outbox

if TYPE_CHECKING:
    from holdfast import Match, Memory, Record

# Candidates for a token budget; and how many more, since the window's own messages come first.
CANDIDATES = 50
MOST_LIVE = 500


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose memory a conversation has, beside its session."""

    user_id: str | None = None
    agent_id: str | None = None
    app_id: str | None = None

    def ids(self) -> Ids:
        """Return the ids that are given, by name."""
        given = {"user_id": self.user_id, "agent_id": self.agent_id, "app_id": self.app_id}
        return {name: value for name, value in given.items() if value is not None}

    def check(self, session: str | None = None) -> None:
        """Raise `ScopeError` if an id that is given cannot be one."""
        if self.ids() or session is not None:
            Scope(**self.ids(), run_id=session)

    def reading(self, session: str | None) -> Ids:
        """Return what a recall may see: all sessions of the owner; without one, this session.

        That is the one that has no owner, not those of others that are named alike.
        """
        if self.ids() or session is None:
            return _some(self.ids())
        return {"user_id": NO_ID, "agent_id": NO_ID, "run_id": session, "app_id": NO_ID}

    def writing(self, session: str | None) -> Ids:
        """Return the ids under which a session is remembered."""
        return _some({**self.ids(), **({} if session is None else {"run_id": session})})


def _some(ids: Ids) -> Ids:
    if not ids:
        raise ScopeError(
            "whose memory? give user_id (or agent_id, app_id), or use it in a Memory, "
            "which has a session_id"
        )
    return ids


class LongTerm:
    """The long-term memory of one file.

    Args:
        memory: The open file.
    """

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self._outbox = Outbox(memory)

    async def note(self, ids: Ids, said: Sequence[Utterance]) -> None:
        """Make messages durable; they are remembered together with what follows them."""
        if said:
            await self._outbox.enqueue(ids, said)

    async def remember(self, ids: Ids, said: Sequence[Utterance] = ()) -> None:
        """Remember messages and what waits before them: one write, however many they are.

        They are durable before a model is called. If one fails, they wait for the next time.

        Raises:
            HoldfastError: It could not be done yet.
        """
        waiting = await self._outbox.enqueue(ids, said)
        if waiting:
            messages = [self._outbox.message(one) for one in waiting]
            add, wait = (self.memory.add, self.memory.aadd), not self.memory.derives
            await sync_or_async(*add, messages, **ids, wait=wait)
            await self._outbox.acknowledge(ids, waiting)

    async def catch_up(self, reading: Ids, own: Ids | None = None) -> None:
        """Remember what waits in scopes that a recall may see, the chat's own left out."""
        for ids in await self._outbox.scopes(reading):
            if ids != own:
                await self.remember(ids)

    async def recall(
        self, reading: Ids, own: Ids, query: str, live: Sequence[Utterance]
    ) -> list[Match]:
        """Return what answers a question, best first, without what the live window holds.

        Args:
            reading: What is searched.
            own: The ids of the chat that asks: another chat's words are not in its window, nor
                those of a session named alike.
            query: The question.
            live: The window.
        """
        await self.catch_up(reading, own)
        limit = CANDIDATES + min(len(live), MOST_LIVE)
        found = await sync_or_async(
            self.memory.search, self.memory.asearch, query, **reading, limit=limit
        )
        shown = {one.id for one in live}
        return [match for match in found if not await self._is_live(match.record, own, shown)]

    async def _is_live(self, record: Record, own: Ids, shown: set[str]) -> bool:
        """Return whether a record is a message of the window, or rests on such messages alone."""
        if record.scope.ids() != own:
            return False
        if not record.sources:
            return record.message_id in shown
        turns = [await self._source(record, source) for source in record.sources]
        return all(turn is not None and turn.message_id in shown for turn in turns)

    async def _source(self, record: Record, source: str) -> Record | None:
        get, aget = self.memory.get, self.memory.aget
        try:
            return await sync_or_async(get, aget, source, **record.scope.ids())
        except RecordNotFoundError:
            return None

    async def forget(self, reading: Ids, id: str) -> None:
        """Erase one memory.

        Raises:
            RecordNotFoundError: There is none of this id.
        """
        await sync_or_async(self.memory.delete, self.memory.adelete, id, **reading)

    async def forget_all(self, reading: Ids) -> None:
        """Erase everything that a recall could see, and what waits to be remembered."""
        await self._outbox.drop(reading)
        erase, aerase = self.memory.delete_all, self.memory.adelete_all
        await sync_or_async(erase, aerase, **reading, filters={})  # records alone: chats stay

    async def flush(self, reading: Ids) -> None:
        """Remember all that waits, and derive what facts are still to be derived."""
        await self.catch_up(reading)
        theirs = self.memory.scoped(**reading)
        stats = await sync_or_async(theirs.stats, theirs.astats)
        if stats.waiting or stats.unembedded:
            await sync_or_async(theirs.flush, theirs.aflush)
