"""`HoldfastHistoryProvider`: the messages of every session, as they were, in the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agent_framework import AgentSession, HistoryProvider, Message, SessionContext
from holdfast import InvalidInputError, ScopeError

from holdfast_autogen.agent_framework.resends import digest, new
from holdfast_autogen.agent_framework.sessions import stated
from holdfast_autogen.connections import Handle, Place
from holdfast_autogen.scopes import Owner

if TYPE_CHECKING:
    from agent_framework import SupportsAgentRun
    from holdfast.chatlog import ChatLog

# Where the provider's own state says whose session it is, for the methods that get no session.
_WHOSE = "whose"


class HoldfastHistoryProvider(HistoryProvider):
    """Keeps conversations in the file of a memory: a session goes on in another process.

    A session belongs to the ids that stand in its state (``user_id``, ``agent_id``, ``app_id``),
    are fixed here or said by `serving`: who guesses another's session id reads nothing.
    ``Memory.delete_all`` of the user erases their sessions. One that names no user is erased by
    ``delete_all(run_id=...)``; ``stats(check=True).unowned`` counts it.

    Args:
        place: The file's path, or an open `holdfast.Memory`.
        source_id: The provider's name in an agent; providers of other names keep histories of
            their own, such as an audit beside what is loaded.
        user_id, agent_id, app_id: Fixed ids; a session of another user's is refused.
        load_messages, store_inputs, store_context_messages, store_context_from, store_outputs:
            As of `agent_framework.HistoryProvider`.
        limit: Load only so many of the last messages; never beginning with a tool's result.
    """

    DEFAULT_SOURCE_ID = "holdfast_history"

    def __init__(
        self,
        place: Place,
        source_id: str = DEFAULT_SOURCE_ID,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        load_messages: bool = True,
        store_inputs: bool = True,
        store_context_messages: bool = False,
        store_context_from: set[str] | None = None,
        store_outputs: bool = True,
        limit: int | None = None,
    ) -> None:
        if limit is not None and limit < 1:
            raise InvalidInputError(f"limit must be at least 1, or None for all, not {limit}")
        super().__init__(
            source_id,
            load_messages=load_messages,
            store_inputs=store_inputs,
            store_context_messages=store_context_messages,
            store_context_from=store_context_from,
            store_outputs=store_outputs,
        )
        self._handle = Handle.of(place)
        self._owner = Owner(user_id, agent_id, None, app_id)
        self._limit = limit

    async def before_run(
        self,
        *,
        agent: SupportsAgentRun,
        session: AgentSession,
        context: SessionContext,
        state: dict[str, Any],
    ) -> None:
        """Load the session's messages.

        Raises:
            ScopeError: The session is another's than this provider's.
        """
        state[_WHOSE] = stated(session.state)
        await super().before_run(agent=agent, session=session, context=context, state=state)

    async def after_run(
        self,
        *,
        agent: SupportsAgentRun,
        session: AgentSession,
        context: SessionContext,
        state: dict[str, Any],
    ) -> None:
        """Store what was asked and answered."""
        state[_WHOSE] = stated(session.state)
        await super().after_run(agent=agent, session=session, context=context, state=state)

    async def get_messages(
        self, session_id: str | None, *, state: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[Message]:
        """Return a session's messages, oldest first.

        Args:
            session_id: Which session.
            state: The provider's own state of the session, which says whose it is.
            **kwargs: Agent Framework's signature; nothing is read from it.

        Raises:
            ScopeError: No session id, or the session is another's than this provider's.
        """
        log = await self._log(session_id, state)
        found = await log.amessages(self._limit, latest=True)
        loaded = [Message.from_dict(one.value) for one in found]
        while self._limit is not None and loaded and loaded[0].role == "tool":
            del loaded[0]  # its call is no longer in the window
        return loaded

    async def save_messages(
        self,
        session_id: str | None,
        messages: Sequence[Message],
        *,
        state: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Append messages to a session, those of a transcript sent again left out.

        Args:
            session_id: Which session.
            messages: In their order.
            state: The provider's own state of the session, which says whose it is.
            **kwargs: Agent Framework's signature; nothing is read from it.

        Raises:
            ScopeError: No session id, or the session is another's than this provider's.
            StorageError: The file failed; nothing was stored.
        """
        log = await self._log(session_id, state)
        values = [message.to_dict() for message in messages]
        ids = [digest(value) for value in values]
        if values:
            await log.aappend(values, ids=ids, choose=lambda known: new(known, ids))

    async def clear(self, session_id: str, *, state: dict[str, Any] | None = None) -> int:
        """Erase a session's messages; return how many there were. Memories stay.

        Their bytes leave the file, and its write-ahead log as soon as readers allow.

        Args:
            session_id: Which session.
            state: The provider's own state of the session, which says whose it is; without it the
                fixed ids do, and those of `serving`.

        Raises:
            ScopeError: No session id, or the session is another's than this provider's.
        """
        log = await self._log(session_id, state)
        return await log.aclear()

    async def close(self) -> None:
        """Let the file go; nothing is deleted, and a later run opens it again."""
        self._handle.close()

    async def _log(self, session_id: str | None, state: Mapping[str, Any] | None) -> ChatLog:
        if not session_id:
            raise ScopeError("a history belongs to a session: give a session id")
        whose = (state or {}).get(_WHOSE, {})
        ids = self._owner.writing({**whose, "run_id": session_id})
        memory = await self._handle.memory()
        return memory.chat_log(f"agent_framework/{self.source_id}", **ids)
