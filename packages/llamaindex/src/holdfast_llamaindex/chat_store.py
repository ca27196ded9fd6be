"""LlamaIndex's chat history in Holdfast's file: an `AsyncDBChatStore`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from holdfast.adapters.connections import IN_MEMORY
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.storage.chat_store.base_db import AsyncDBChatStore, MessageStatus
from typing_extensions import Self

from holdfast_llamaindex.blocking import sync_or_async
from holdfast_llamaindex.connections import connect, share
from holdfast_llamaindex.longterm import Owner
from holdfast_llamaindex.utterances import Utterance, digest, utterance

if TYPE_CHECKING:
    from holdfast.chatlog import ChatLog, LoggedMessage

TABLE = "messages"
_ARCHIVED = {None: None, MessageStatus.ACTIVE: False, MessageStatus.ARCHIVED: True}


class HoldfastChatStore(AsyncDBChatStore):
    """Chat histories by session, each message acknowledged once it is on disk.

    It works from any thread, any event loop and several processes at once; every operation is
    one transaction. Use it in ``Memory.from_defaults(chat_store=...)``; `HoldfastMemory` has
    one of its own. A chat is known by the key alone, which is all that LlamaIndex hands over: in
    `owned_by` by the owner's ids and the key. A chat that no user owns is erased by
    ``Memory.delete_all(run_id=key)``; ``stats(check=True).unowned`` counts it.

    Args:
        path: The file; one that is open in this process is shared. By default in RAM.
        memory: An open `holdfast.Memory`, in place of a path.
        table_name: Keeps several stores of one file apart.
    """

    path: str = Field(default=IN_MEMORY, description="The file.")
    table_name: str = Field(default=TABLE, description="Keeps stores of one file apart.")

    _memory: Any = PrivateAttr()
    _owner: Mapping[str, str] = PrivateAttr(default_factory=dict)

    def __init__(
        self,
        path: str | os.PathLike[str] = IN_MEMORY,
        *,
        memory: Any = None,
        table_name: str = TABLE,
    ) -> None:
        opened = connect(path) if memory is None else share(memory)
        super().__init__(path=opened.path, table_name=table_name)  # type: ignore[call-arg]
        self._memory = opened

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
        log, archived = self._log(key), _ARCHIVED[status]
        return _loaded(
            await sync_or_async(
                log.messages, log.amessages, limit, offset=offset or 0, archived=archived
            )
        )

    async def count_messages(
        self, key: str, status: MessageStatus | None = MessageStatus.ACTIVE
    ) -> int:
        """Count messages."""
        log = self._log(key)
        return await sync_or_async(log.count, log.acount, archived=_ARCHIVED[status])

    async def add_message(
        self, key: str, message: ChatMessage, status: MessageStatus = MessageStatus.ACTIVE
    ) -> None:
        """Add a message."""
        await self.add_messages(key, [message], status)

    async def add_messages(
        self, key: str, messages: list[ChatMessage], status: MessageStatus = MessageStatus.ACTIVE
    ) -> None:
        """Add messages, all or none; an empty list is none."""
        await self._append(key, messages, status)

    async def set_messages(
        self, key: str, messages: list[ChatMessage], status: MessageStatus = MessageStatus.ACTIVE
    ) -> None:
        """Put messages in the place of all that a session holds, archived ones too."""
        log = self._log(key)
        values, ids = _dumped(messages)
        await sync_or_async(
            log.replace, log.areplace, values, ids=ids, archived=bool(_ARCHIVED[status])
        )

    async def delete_message(self, key: str, idx: int) -> ChatMessage | None:
        """Delete one message by its id (see `get_ids`) and return it; None if there is none."""
        log = self._log(key)
        gone = _loaded(await sync_or_async(log.delete, log.adelete, [idx]))
        return gone[0] if gone else None

    async def delete_messages(self, key: str, status: MessageStatus | None = None) -> None:
        """Delete a session's messages, of one status or of all."""
        log = self._log(key)
        await sync_or_async(log.clear, log.aclear, archived=_ARCHIVED[status])

    async def delete_oldest_messages(self, key: str, n: int) -> list[ChatMessage]:
        """Delete the oldest `n` active messages and return them."""
        log = self._log(key)
        return _loaded(await sync_or_async(log.delete, log.adelete, oldest=n))

    async def archive_oldest_messages(self, key: str, n: int) -> list[ChatMessage]:
        """Archive the oldest `n` active messages and return them."""
        log = self._log(key)
        return _loaded(await sync_or_async(log.archive, log.aarchive, oldest=n))

    async def get_keys(self) -> list[str]:
        """Return the sessions that hold messages."""
        memory, name = self._memory, self._name
        scopes = await sync_or_async(memory.chat_logs, memory.achat_logs, name, **self._owner)
        return sorted(
            scope.run_id for scope in scopes if scope.ids() == self._ids(scope.run_id or "")
        )

    # -- what Holdfast's own memory asks --------------------------------------------------------

    async def get_ids(
        self, key: str, status: MessageStatus | None = MessageStatus.ACTIVE
    ) -> list[int]:
        """Return the ids of a session's messages, in the order of `get_messages`."""
        log = self._log(key)
        found = await sync_or_async(log.messages, log.amessages, archived=_ARCHIVED[status])
        return [one.position for one in found]

    async def numbered(self, key: str) -> list[tuple[int, ChatMessage]]:
        """Return the active messages with their ids."""
        log = self._log(key)
        found = await sync_or_async(log.messages, log.amessages)
        return [(one.position, message) for one, message in zip(found, _loaded(found), strict=True)]

    async def append(self, key: str, messages: list[ChatMessage]) -> list[Utterance]:
        """Add active messages; return what memory stores of them."""
        logged = await self._append(key, messages, MessageStatus.ACTIVE)
        said = [
            utterance(message, one.earlier) for message, one in zip(messages, logged, strict=True)
        ]
        return [one for one in said if one is not None]

    async def archive(self, key: str, ids: list[int]) -> list[ChatMessage]:
        """Archive messages by id; return those that were active until now."""
        log = self._log(key)
        return _loaded(await sync_or_async(log.archive, log.aarchive, ids))

    async def _append(
        self, key: str, messages: Sequence[ChatMessage], status: MessageStatus
    ) -> list[LoggedMessage]:
        log = self._log(key)
        values, ids = _dumped(messages)
        return await sync_or_async(
            log.append, log.aappend, values, ids=ids, archived=status is MessageStatus.ARCHIVED
        )

    def _log(self, session: str) -> ChatLog:
        log: ChatLog = self._memory.chat_log(self._name, **self._ids(session))
        return log

    def _ids(self, session: str) -> dict[str, str]:
        return {**self._owner, "run_id": session}

    @property
    def _name(self) -> str:
        return f"llamaindex/{self.table_name}"


def _restored(
    cls: type[HoldfastChatStore], path: str, table_name: str, owner: Mapping[str, str]
) -> HoldfastChatStore:
    return cls(path, table_name=table_name).owned_by(**owner)


def _dumped(messages: Sequence[ChatMessage]) -> tuple[list[Any], list[str]]:
    """Return messages as JSON, and their ids in the log."""
    values = [message.model_dump(mode="json") for message in messages]
    return values, [digest(message) for message in messages]


def _loaded(found: Sequence[LoggedMessage]) -> list[ChatMessage]:
    return [ChatMessage.model_validate(one.value) for one in found]
