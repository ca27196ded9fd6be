"""LlamaIndex's chat history in Holdfast's file: an `AsyncDBChatStore`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from holdfast.adapters.connections import IN_MEMORY
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.storage.chat_store.base_db import AsyncDBChatStore, MessageStatus
from typing_extensions import Self

from holdfast_llamaindex import history
from holdfast_llamaindex.blocking import hop
from holdfast_llamaindex.connections import connect, share
from holdfast_llamaindex.history import Shelf
from holdfast_llamaindex.longterm import Owner
from holdfast_llamaindex.utterances import Utterance
from holdfast_llamaindex.waiting import Ids


class HoldfastChatStore(AsyncDBChatStore):
    """Chat histories by session, each message acknowledged once it is on disk.

    It works from any thread, any event loop and several processes at once; every operation is
    one transaction. Use it in ``Memory.from_defaults(chat_store=...)``; `HoldfastMemory` has
    one of its own. A chat is known by the key alone, which is all that LlamaIndex hands over: in
    `owned_by` by the owner's ids and the key.

    Args:
        path: The file; one that is open in this process is shared. By default in RAM.
        memory: An open `holdfast.Memory`, in place of a path.
        table_name: Keeps several stores of one file apart.
    """

    path: str = Field(default=IN_MEMORY, description="The file.")
    table_name: str = Field(default=history.TABLE, description="Keeps stores of one file apart.")

    _shelf: Shelf = PrivateAttr()
    _owner: Ids = PrivateAttr(default_factory=dict)

    def __init__(
        self,
        path: str | os.PathLike[str] = IN_MEMORY,
        *,
        memory: Any = None,
        table_name: str = history.TABLE,
    ) -> None:
        opened = connect(path) if memory is None else share(memory)
        super().__init__(path=str(opened.database.path), table_name=table_name)  # type: ignore[call-arg]
        opened.database.migrate(history.NAME, history.STEPS)
        self._shelf = Shelf(opened.database, table_name, self._owner)

    @classmethod
    def class_name(cls) -> str:
        """Return the name LlamaIndex knows the class by."""
        return "HoldfastChatStore"

    def owned_by(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
    ) -> Self:
        """Return the same store's chats of one owner, where `HoldfastMemory` keeps its own.

        Sessions named alike of two owners are two chats; an id that is not given means none.

        Raises:
            ScopeError: An id cannot be one.
        """
        owner = Owner(user_id, agent_id, app_id)
        owner.check()
        theirs = self.model_copy()
        theirs._owner = owner.ids()
        theirs._shelf = self._shelf.owned_by(theirs._owner)
        return theirs

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self  # a handle on one file; there is nothing to copy

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        if self.path == IN_MEMORY:
            raise TypeError("this chat store lives in RAM; give it a path to serialise it")
        return _restored, (type(self), self.path, self.table_name, self._owner)

    # -- what LlamaIndex asks -------------------------------------------------------------------

    async def get_messages(
        self,
        key: str,
        status: MessageStatus | None = MessageStatus.ACTIVE,
        limit: int | None = None,
        offset: int | None = None,
    ) -> list[ChatMessage]:
        """Return messages in the order they were added; fresh objects each time."""
        return await hop(self._shelf.messages, key, status, limit, offset)

    async def count_messages(
        self, key: str, status: MessageStatus | None = MessageStatus.ACTIVE
    ) -> int:
        """Count messages."""
        return await hop(self._shelf.count, key, status)

    async def add_message(
        self, key: str, message: ChatMessage, status: MessageStatus = MessageStatus.ACTIVE
    ) -> None:
        """Add a message."""
        await hop(self._shelf.add, key, [message], status)

    async def add_messages(
        self, key: str, messages: list[ChatMessage], status: MessageStatus = MessageStatus.ACTIVE
    ) -> None:
        """Add messages, all or none; an empty list is none."""
        await hop(self._shelf.add, key, messages, status)

    async def set_messages(
        self, key: str, messages: list[ChatMessage], status: MessageStatus = MessageStatus.ACTIVE
    ) -> None:
        """Put messages in the place of all that a session holds, archived ones too."""
        await hop(self._shelf.replace, key, messages, status)

    async def delete_message(self, key: str, idx: int) -> ChatMessage | None:
        """Delete one message by its id (see `get_ids`) and return it; None if there is none."""
        return await hop(self._shelf.delete, key, idx)

    async def delete_messages(self, key: str, status: MessageStatus | None = None) -> None:
        """Delete a session's messages, of one status or of all."""
        await hop(self._shelf.clear, key, status)

    async def delete_oldest_messages(self, key: str, n: int) -> list[ChatMessage]:
        """Delete the oldest `n` active messages and return them."""
        return await hop(self._shelf.delete_oldest, key, n)

    async def archive_oldest_messages(self, key: str, n: int) -> list[ChatMessage]:
        """Archive the oldest `n` active messages and return them."""
        return await hop(self._shelf.archive_oldest, key, n)

    async def get_keys(self) -> list[str]:
        """Return the sessions that hold messages."""
        return await hop(self._shelf.sessions)

    # -- what Holdfast's own memory asks --------------------------------------------------------

    async def get_ids(
        self, key: str, status: MessageStatus | None = MessageStatus.ACTIVE
    ) -> list[int]:
        """Return the ids of a session's messages, in the order of `get_messages`."""
        return [number for number, _ in await hop(self._shelf.numbered, key, status)]

    async def numbered(self, key: str) -> list[tuple[int, ChatMessage]]:
        """Return the active messages with their ids."""
        return await hop(self._shelf.numbered, key, MessageStatus.ACTIVE)

    async def append(self, key: str, messages: list[ChatMessage]) -> list[Utterance]:
        """Add active messages; return what memory stores of them."""
        return await hop(self._shelf.add, key, messages, MessageStatus.ACTIVE)

    async def archive(self, key: str, ids: list[int]) -> list[ChatMessage]:
        """Archive messages by id; return those that were active until now."""
        return await hop(self._shelf.archive, key, ids)


def _restored(
    cls: type[HoldfastChatStore], path: str, table_name: str, owner: Ids
) -> HoldfastChatStore:
    return cls(path, table_name=table_name).owned_by(**owner)
