"""LangChain's own views of a memory: a retriever and a message history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from holdfast import Match, Memory, Message, Page, Record
from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.documents import Document
from langchain_core.messages import BaseMessage, message_to_dict, messages_from_dict
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

_STORED = "langchain_message"
_ROLES = {"human": "user", "ai": "assistant", "system": "system"}
PAGE = 500


class HoldfastRetriever(BaseRetriever):
    """Finds a user's memories as documents.

        retriever = HoldfastRetriever(memory=memory, user_id="ada")
        retriever.invoke("Where does Ada live?")

    A document's text is the memory's; its metadata are the memory's own, and beside them ``id``,
    ``score``, ``kind``, ``speaker``, ``occurred_at`` (ISO 8601) and ``passage`` (the best one).

    Attributes:
        memory: Whose memories.
        user_id, agent_id, run_id, app_id: The scope; at least one.
        k: How many documents at most.
        filters, kinds, min_score: As of `Memory.search`.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    memory: Memory
    user_id: str | None = None
    agent_id: str | None = None
    run_id: str | None = None
    app_id: str | None = None
    k: int = 4
    filters: Mapping[str, Any] | None = None
    kinds: Sequence[Any] | None = None
    min_score: float | None = None

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return [_document(match) for match in self.memory.search(query, **self._question())]

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun
    ) -> list[Document]:
        return [_document(match) for match in await self.memory.asearch(query, **self._question())]

    def _question(self) -> dict[str, Any]:
        return {
            "user_id": self.user_id,
            "agent_id": self.agent_id,
            "run_id": self.run_id,
            "app_id": self.app_id,
            "limit": self.k,
            "filters": self.filters,
            "kinds": self.kinds,
            "min_score": self.min_score,
        }


def _document(match: Match) -> Document:
    record = match.record
    own = {name: value for name, value in record.metadata.items() if name != _STORED}
    about = {
        "id": record.id,
        "score": match.score,
        "kind": record.kind,
        "speaker": record.speaker,
        "occurred_at": record.occurred_at.isoformat(),
        "passage": match.passage,
    }
    return Document(record.text, id=record.id, metadata=own | about)


class HoldfastChatMessageHistory(BaseChatMessageHistory):
    """The messages of one session, kept in a memory: whole, in order, and found by its searches.

        history = HoldfastChatMessageHistory(memory, session_id="s1", user_id="ada")

    Every message is a turn of the memory under the user's id and the session's as ``run_id``, so
    that what was said in one session can be recalled in another. A message that is added again
    (by its id) is stored once.

    Args:
        memory: Where.
        session_id: Which session.
        user_id: Whose.
        infer: Let the memory's LLM, if it has one, derive facts.
        wait: Let the caller wait for that.
    """

    def __init__(
        self,
        memory: Memory,
        *,
        session_id: str,
        user_id: str,
        infer: bool = True,
        wait: bool = False,
    ) -> None:
        self._memory = memory
        self._scope: dict[str, Any] = {"run_id": session_id, "user_id": user_id}
        self._adding: dict[str, Any] = {**self._scope, "infer": infer}
        self._adding["wait"] = wait or not memory.derives

    @property
    def messages(self) -> list[BaseMessage]:
        """All messages, the oldest first. In async code use `aget_messages`."""
        found: list[Record] = []
        page: Page | None = None
        while page is None or page.cursor is not None:
            page = self._memory.list(**self._listing(page))
            found += page
        return _restored(found)

    @messages.setter
    def messages(self, messages: list[BaseMessage]) -> None:
        self.clear()
        self.add_messages(messages)

    async def aget_messages(self) -> list[BaseMessage]:
        """Async twin of `messages`."""
        found: list[Record] = []
        page: Page | None = None
        while page is None or page.cursor is not None:
            page = await self._memory.alist(**self._listing(page))
            found += page
        return _restored(found)

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Store messages at the end."""
        if messages:
            self._memory.add(_turns(messages), **self._adding)

    async def aadd_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Async twin of `add_messages`."""
        if messages:
            await self._memory.aadd(_turns(messages), **self._adding)

    def clear(self) -> None:
        """Erase the session, with all that was derived from it alone; a graph's thread stays."""
        self._memory.delete_all(**self._scope, filters={})

    async def aclear(self) -> None:
        """Async twin of `clear`."""
        await self._memory.adelete_all(**self._scope, filters={})

    def _listing(self, page: Page | None) -> dict[str, Any]:
        return {
            **self._scope,
            "kinds": ["turn"],
            "limit": PAGE,
            "cursor": None if page is None else page.cursor,
        }


def _turns(messages: Sequence[BaseMessage]) -> list[Message]:
    return [
        Message(
            _words(message),
            cast("Any", _ROLES.get(message.type, "tool")),
            id=message.id,
            metadata={_STORED: message_to_dict(message)},
        )
        for message in messages
    ]


def _words(message: BaseMessage) -> str:
    """Return what a message says; of one that only calls tools, which."""
    if message.text.strip():
        return message.text
    calls = [call["name"] for call in getattr(message, "tool_calls", ())]
    return f"({', '.join(calls)})" if calls else f"({message.type})"


def _restored(found: Sequence[Record]) -> list[BaseMessage]:
    stored = (record.metadata.get(_STORED) for record in found)
    return messages_from_dict([message for message in stored if message is not None])
