"""Verbs of chat logs: messages word for word, beside the memories."""

from __future__ import annotations

from holdfast import chatlog
from holdfast.chatlog import ChatLog
from holdfast.memory.handle import Handle
from holdfast.types import Ids, Scope, Unpack, given_ids


class ChatVerbs(Handle):
    """`chat_log` and `chat_logs`."""

    def chat_log(self, name: str = "messages", **ids: Unpack[Ids]) -> ChatLog:
        """Return the log of a session's messages; see `ChatLog`.

        Args:
            name: Keeps several logs of a session apart.
            **ids: Whose session it is, and which (``run_id``): exactly these ids.

        Raises:
            ScopeError: There is none, or it is not within the scope of this handle.
        """
        return ChatLog(self._storage, self._async, self._scope(ids), name)

    def chat_logs(self, name: str = "messages", **ids: Unpack[Ids]) -> list[Scope]:
        """Return the sessions whose logs of a name hold messages.

        Args:
            name: See `chat_log`.
            **ids: Of which scope; none given: all that this handle reaches.
        """
        return chatlog.sessions(self._storage, name, self._covering(ids))

    async def achat_logs(self, name: str = "messages", **ids: Unpack[Ids]) -> list[Scope]:
        """Async twin of `chat_logs`."""
        return await self._async.read(chatlog.sessions, self._storage, name, self._covering(ids))

    def _covering(self, ids: Ids) -> Scope | None:
        return self._scope(ids) if given_ids(ids) else self._bound
