"""Another chat store's chats of one owner: its keys hold the owner's ids beside the session's."""

from __future__ import annotations

import json
from collections.abc import Mapping

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.bridge.pydantic import Field
from llama_index.core.storage.chat_store.base_db import AsyncDBChatStore, MessageStatus

from holdfast_llamaindex.chat_store import HoldfastChatStore

_IDS = ("user_id", "agent_id", "app_id")


class OwnedChatStore(AsyncDBChatStore):
    """What `HoldfastMemory` makes of a chat store that is not Holdfast's.

    Such a store knows a chat by one string. Were that the session's id alone, two users with a
    session named alike would share the chat.

    Attributes:
        inner: The store that was given.
        owner: The ids of the owner that are given, by name.
    """

    inner: AsyncDBChatStore
    owner: Mapping[str, str] = Field(default_factory=dict)

    def key(self, session: str) -> str:
        """Return the key of a session in the store; no two chats have the same.

        It is the session's id where there are no others, so that chats kept without Holdfast are
        found. An id that looks like a key of several ids becomes one.
        """
        if not self.owner and not session.startswith("["):
            return session
        return json.dumps([*(self.owner.get(name) for name in _IDS), session])

    async def get_messages(
        self,
        key: str,
        status: MessageStatus | None = MessageStatus.ACTIVE,
        limit: int | None = None,
        offset: int | None = None,
    ) -> list[ChatMessage]:
        """Return messages."""
        return await self.inner.get_messages(self.key(key), status, limit, offset)

    async def count_messages(
        self, key: str, status: MessageStatus | None = MessageStatus.ACTIVE
    ) -> int:
        """Count messages."""
        return await self.inner.count_messages(self.key(key), status)

    async def add_message(
        self, key: str, message: ChatMessage, status: MessageStatus = MessageStatus.ACTIVE
    ) -> None:
        """Add a message."""
        await self.inner.add_message(self.key(key), message, status)

    async def add_messages(
        self, key: str, messages: list[ChatMessage], status: MessageStatus = MessageStatus.ACTIVE
    ) -> None:
        """Add messages."""
        await self.inner.add_messages(self.key(key), messages, status)

    async def set_messages(
        self, key: str, messages: list[ChatMessage], status: MessageStatus = MessageStatus.ACTIVE
    ) -> None:
        """Put messages in the place of all that a session holds."""
        await self.inner.set_messages(self.key(key), messages, status)

    async def delete_message(self, key: str, idx: int) -> ChatMessage | None:
        """Delete one message by its id and return it."""
        return await self.inner.delete_message(self.key(key), idx)

    async def delete_messages(self, key: str, status: MessageStatus | None = None) -> None:
        """Delete a session's messages."""
        await self.inner.delete_messages(self.key(key), status)

    async def delete_oldest_messages(self, key: str, n: int) -> list[ChatMessage]:
        """Delete the oldest messages and return them."""
        return await self.inner.delete_oldest_messages(self.key(key), n)

    async def archive_oldest_messages(self, key: str, n: int) -> list[ChatMessage]:
        """Archive the oldest messages and return them."""
        return await self.inner.archive_oldest_messages(self.key(key), n)

    async def get_keys(self) -> list[str]:
        """Return the owner's sessions that hold messages."""
        keys = await self.inner.get_keys()
        return [session for key in keys if self.key(session := _session(key)) == key]


def _session(key: str) -> str:
    """Return the session's id if this is a key of several ids, else the key."""
    try:
        ids = json.loads(key)
    except ValueError:
        return key
    return str(ids[-1]) if isinstance(ids, list) and ids else key


def owned(store: AsyncDBChatStore, owner: Mapping[str, str]) -> AsyncDBChatStore:
    """Return a store that knows a chat by the owner's ids and the session's, not by this alone."""
    if isinstance(store, HoldfastChatStore):
        return store.owned_by(**owner)
    inner = store.inner if isinstance(store, OwnedChatStore) else store
    return OwnedChatStore(inner=inner, owner=owner)
