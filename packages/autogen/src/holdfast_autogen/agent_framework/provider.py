"""`HoldfastContextProvider`: long-term memory around every run of an agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent_framework import AgentSession, ContextProvider, Message, SessionContext
from holdfast import Context

from holdfast_autogen.agent_framework.sessions import writing
from holdfast_autogen.agent_framework.tools import tools_of
from holdfast_autogen.agent_framework.turns import live, news
from holdfast_autogen.connections import Handle, Place
from holdfast_autogen.longterm import LongTerm
from holdfast_autogen.scopes import Owner, Sessions

if TYPE_CHECKING:
    from agent_framework import SupportsAgentRun


class HoldfastContextProvider(ContextProvider):
    """Recalls before a run, and remembers after it, for the user whose session it is.

    One provider serves any number of users at once: whose memory it is stands in
    ``session.state`` (``user_id``, ``agent_id``, ``app_id``), or is fixed here, or said by
    `serving`; where nobody is named, the run fails. What it writes lies under these ids and the
    session's; what it recalls is theirs in all sessions, and says in its attribution from which.

    Args:
        place: The file's path, or an open `holdfast.Memory`.
        source_id: The provider's name in an agent.
        user_id, agent_id, app_id: Fixed ids; a session of another user's is refused.
        sessions: ``"all"``, or ``"this"`` to recall the session alone (then it needs no user).
        max_tokens: Budget of what is recalled.
        tools: Also offer the model ``recall``, ``remember`` and ``forget`` (this with approval).
        wait: Derive facts before the run returns; else they follow (`flush`).
        strict: Let a failing model or file fail the run; else it is logged, and the run goes on
            without memory.
    """

    DEFAULT_SOURCE_ID = "holdfast"

    def __init__(
        self,
        place: Place,
        source_id: str = DEFAULT_SOURCE_ID,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        sessions: Sessions = "all",
        max_tokens: int = 1_000,
        tools: bool = False,
        wait: bool = False,
        strict: bool = False,
    ) -> None:
        super().__init__(source_id)
        self._handle = Handle.of(place)
        self._owner = Owner(user_id, agent_id, None, app_id, sessions)
        self._long_term = LongTerm(self._handle, max_tokens, wait, strict)
        self._tools = tools

    async def before_run(
        self,
        *,
        agent: SupportsAgentRun,
        session: AgentSession,
        context: SessionContext,
        state: dict[str, Any],
    ) -> None:
        """Add one message with what matters now; none if nothing does.

        Raises:
            ScopeError: It is not said whose memory.
            ProviderError, StorageError: With ``strict=True``.
        """
        ids = writing(self._owner, session.state, session.session_id)
        reading = self._owner.reading(ids)
        found = await self._long_term.recall(
            reading, live(context.get_messages(include_input=True))
        )
        if found.text:
            origins = _origins(found, session.session_id)
            message = Message("user", [found.text])
            context.extend_messages(self, [message], origin_session_ids=origins or None)
        if self._tools:
            with self._long_term.tolerance("offer its tools"):
                memory = await self._handle.memory()
                tools = tools_of(memory, ids, reading, self._long_term.max_tokens)
                context.extend_tools(self.source_id, tools)

    async def after_run(
        self,
        *,
        agent: SupportsAgentRun,
        session: AgentSession,
        context: SessionContext,
        state: dict[str, Any],
    ) -> None:
        """Write down what was asked and answered; a transcript sent again is not written again.

        Raises:
            ScopeError: It is not said whose memory.
            ProviderError, StorageError: With ``strict=True``.
        """
        ids = writing(self._owner, session.state, session.session_id)
        answered = context.response.messages if context.response else []
        fresh = news(context.input_messages, answered, state.get("last"))
        if fresh and await self._long_term.remember(ids, fresh):
            state["last"] = fresh[-1].id

    async def flush(self, session: AgentSession | None = None) -> None:
        """Derive facts from all that waits of a session's user, or of whom the provider is for.

        Args:
            session: Whose; None: the fixed ids, and those of `serving`.

        Raises:
            ScopeError: It is not said whose memory.
            InvalidInputError: The file's memory has no LLM.
        """
        owner = self._owner
        ids = (
            owner.writing()
            if session is None
            else writing(owner, session.state, session.session_id)
        )
        memory = await self._handle.memory()
        await memory.aflush(**owner.reading(ids))

    async def close(self) -> None:
        """Let the file go; nothing is deleted, and a later run opens it again."""
        self._handle.close()


def _origins(found: Context, session_id: str) -> list[str]:
    """Return the other sessions that what was found comes from."""
    runs = (record.scope.run_id for record in found.records)
    return sorted({run for run in runs if run is not None and run != session_id})
