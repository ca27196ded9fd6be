"""`HoldfastMemory`: LlamaIndex's `Memory`, with history and long-term memory in one file."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from holdfast import LLM, Embedder
from holdfast.adapters.connections import IN_MEMORY
from llama_index.core.base.llms.types import ChatMessage, ContentBlock
from llama_index.core.bridge.pydantic import Field, PrivateAttr, model_validator
from llama_index.core.memory import BaseMemoryBlock, InsertMethod, Memory
from llama_index.core.memory.memory import (
    DEFAULT_FLUSH_SIZE,
    DEFAULT_MEMORY_BLOCKS_TEMPLATE,
    DEFAULT_TOKEN_LIMIT,
)
from llama_index.core.prompts import RichPromptTemplate
from llama_index.core.storage.chat_store.base_db import AsyncDBChatStore, MessageStatus
from llama_index.core.storage.chat_store.sql import SQLAlchemyChatStore
from typing_extensions import Self

from holdfast_llamaindex import serialising
from holdfast_llamaindex.block import HoldfastMemoryBlock
from holdfast_llamaindex.blocking import run
from holdfast_llamaindex.chat_store import TABLE, HoldfastChatStore
from holdfast_llamaindex.connections import connect, share
from holdfast_llamaindex.longterm import Owner
from holdfast_llamaindex.owned import owned
from holdfast_llamaindex.utterances import Utterance, utterances
from holdfast_llamaindex.window import leaving

if TYPE_CHECKING:
    from holdfast import Match
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.llms import LLM as ChatModel
    from sqlalchemy.ext.asyncio import AsyncEngine


# Texts whose tokens are remembered: a window of messages, some thousand tokens each at most.
_COUNTED = 1_024


class HoldfastMemory(Memory):
    """A `Memory` whose history survives restarts and which recalls across sessions.

        memory = HoldfastMemory.from_defaults(path="memory.db", user_id="ada", session_id="monday")
        await agent.run("My dog is called Rex.", memory=memory)

    The user's message is searchable for every session of the user as soon as it is put. What
    the assistant answers is on disk at once, and searchable when the user speaks again or when
    another session recalls: so a turn costs one write and one recall. Everything a stock `Memory`
    takes works: other memory blocks, other chat stores, both insert methods.

    Attributes:
        path: The file; one that is open in this process is shared. By default in RAM.
        memory: An open `holdfast.Memory`, in place of a path.
        user_id, agent_id, app_id: Whose memory, for good; `for_session` makes another's. With none
            of them long-term memory is that of the session alone. A chat is known by these and
            the session: one that is not given is none of theirs, not any.
        max_recalled_tokens: What recalled memories may cost.
        insert_method: USER (before the last user message; there is no second system message)
            or SYSTEM (before the first system message).
    """

    path: str = Field(default=IN_MEMORY, description="The file.")
    memory: Any = Field(default=None, exclude=True, description="An open holdfast.Memory.")
    user_id: str | None = Field(default=None, frozen=True)
    agent_id: str | None = Field(default=None, frozen=True)
    app_id: str | None = Field(default=None, frozen=True)
    table_name: str = Field(default=TABLE, description="Keeps histories apart.")
    max_recalled_tokens: int = Field(default=1_000, ge=0)
    insert_method: InsertMethod = Field(default=InsertMethod.USER)
    sql_store: AsyncDBChatStore = Field(default=cast("AsyncDBChatStore", None), exclude=True)

    _recall: HoldfastMemoryBlock = PrivateAttr()
    _locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = PrivateAttr(
        default_factory=WeakKeyDictionary
    )

    @classmethod
    def class_name(cls) -> str:
        """Return the name LlamaIndex knows the class by."""
        return "HoldfastMemory"

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, values: Any) -> Any:
        """Let what is not given take its default, before the stock class checks it."""
        if not isinstance(values, dict):
            return values
        given = {name: value for name, value in values.items() if value is not None}
        return {"token_limit": DEFAULT_TOKEN_LIMIT, **given}

    def model_post_init(self, context: Any) -> None:
        """Open the file."""
        super().model_post_init(context)
        self.memory = connect(self.path) if self.memory is None else share(self.memory)
        self.path = self.memory.path
        owner = Owner(self.user_id, self.agent_id, self.app_id)
        owner.check(self.session_id)
        store = self.sql_store or HoldfastChatStore(memory=self.memory, table_name=self.table_name)
        self.sql_store = owned(store, owner.ids())
        if not hasattr(self.tokenizer_fn, "cache_info"):  # the window is counted at every call
            self.tokenizer_fn = lru_cache(_COUNTED)(self.tokenizer_fn)
        self._recall = HoldfastMemoryBlock(
            memory=self.memory,
            user_id=self.user_id,
            agent_id=self.agent_id,
            app_id=self.app_id,
            max_tokens=self.max_recalled_tokens,
        )
        self._recall.serve(lambda text: len(self.tokenizer_fn(text)))
        self.memory_blocks = [*self.memory_blocks, self._recall]

    @classmethod
    def from_defaults(  # type: ignore[override]
        cls,
        session_id: str | None = None,
        chat_history: list[ChatMessage] | None = None,
        token_limit: int = DEFAULT_TOKEN_LIMIT,
        memory_blocks: list[BaseMemoryBlock[Any]] | None = None,
        tokenizer_fn: Callable[[str], list[Any]] | None = None,
        chat_history_token_ratio: float = 0.7,
        token_flush_size: int = DEFAULT_FLUSH_SIZE,
        memory_blocks_template: RichPromptTemplate = DEFAULT_MEMORY_BLOCKS_TEMPLATE,
        insert_method: InsertMethod = InsertMethod.USER,
        image_token_size_estimate: int = 256,
        audio_token_size_estimate: int = 256,
        video_token_size_estimate: int = 256,
        chat_store: AsyncDBChatStore | None = None,
        table_name: str = TABLE,
        async_database_uri: str | None = None,
        async_engine: AsyncEngine | None = None,
        db_schema: str | None = None,
        *,
        path: str | os.PathLike[str] = IN_MEMORY,
        memory: Any = None,
        embedder: Embedder | BaseEmbedding | None = None,
        llm: LLM | ChatModel | None = None,
        key: str | bytes | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        max_recalled_tokens: int = 1_000,
    ) -> Self:
        """Open a memory; whatever a stock `Memory` takes, and where and whose it is.

        Args:
            session_id: The conversation, of the owner that the next ids name; a new one each time
                if not given.
            chat_history: Takes the place of what the session's history holds.
            token_limit, memory_blocks, tokenizer_fn, chat_history_token_ratio, token_flush_size,
            memory_blocks_template, insert_method, image_token_size_estimate,
            audio_token_size_estimate, video_token_size_estimate: As of `Memory`.
            chat_store: Another chat store for the history.
            table_name: Keeps histories of one file apart.
            async_database_uri, async_engine, db_schema: Keep the history in another database.
            path: The file of history and long-term memory.
            memory: An open `holdfast.Memory`, in place of the path and the next three.
            embedder, llm, key: See `connect`.
            user_id, agent_id, app_id: Whose memory.
            max_recalled_tokens: What recalled memories may cost.

        Raises:
            ScopeError: An id cannot be one.
            InvalidInputError, StorageError, ProviderError: See `connect`.
        """
        Owner(user_id, agent_id, app_id).check(session_id)
        if chat_store is None and (async_database_uri or async_engine is not None or db_schema):
            chat_store = SQLAlchemyChatStore(
                table_name, async_database_uri, async_engine, db_schema=db_schema
            )
        fields: dict[str, Any] = {
            "session_id": session_id,
            "token_limit": token_limit,
            "tokenizer_fn": tokenizer_fn,
            "token_flush_size": token_flush_size,
            "chat_history_token_ratio": chat_history_token_ratio,
            "memory_blocks": memory_blocks,
            "memory_blocks_template": memory_blocks_template,
            "insert_method": insert_method,
            "image_token_size_estimate": image_token_size_estimate,
            "audio_token_size_estimate": audio_token_size_estimate,
            "video_token_size_estimate": video_token_size_estimate,
            "sql_store": chat_store,
            "memory": memory or connect(path, embedder=embedder, llm=llm, key=key),
            "table_name": table_name,
            "user_id": user_id,
            "agent_id": agent_id,
            "app_id": app_id,
            "max_recalled_tokens": max_recalled_tokens,
        }
        made = cls(**fields)  # what is None takes its default
        if chat_history is not None:
            made.set(chat_history)
        return made

    def for_session(self, session_id: str, *, user_id: str | None = None) -> Self:
        """Return a memory of another session, of the same user or another, on the same file.

        Raises:
            ScopeError: An id cannot be one.
        """
        user_id = self.user_id if user_id is None else user_id
        Owner(user_id, self.agent_id, self.app_id).check(session_id)
        return self.model_copy(update={"session_id": session_id, "user_id": user_id})

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a memory with other fields, made anew: another user's must not share its parts.

        Args:
            update: The other fields.
            deep: Makes no difference: messages lie in the file.
        """
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**{**fields, "memory_blocks": self._others(), **(update or {})})

    def _others(self) -> list[BaseMemoryBlock[Any]]:
        return [block for block in self.memory_blocks if block is not self._recall]

    # -- writing --------------------------------------------------------------------------------

    async def aput(self, message: ChatMessage) -> None:
        """Add a message; remember it if the user said it."""
        await self.aput_messages([message])

    async def aput_messages(self, messages: list[ChatMessage]) -> None:
        """Add messages; remember what the user said and what waits before it, in one write."""
        if not messages:
            return
        said = await self._append(messages)
        await self._manage_queue()
        if any(one.role == "user" for one in said):
            await self._recall.remember(self.session_id, said)
        else:
            await self._recall.note(self.session_id, said)

    async def _append(self, messages: list[ChatMessage]) -> list[Utterance]:
        store = self.sql_store
        if isinstance(store, HoldfastChatStore):
            return await store.append(self.session_id, messages)
        await store.add_messages(self.session_id, messages)
        window = await store.get_messages(self.session_id, status=MessageStatus.ACTIVE)
        # How often they were said before, another store cannot tell: the window says it.
        return utterances(window)[-len(utterances(messages)) or len(window) :]

    async def aset(self, messages: list[ChatMessage]) -> None:
        """Replace the history; what is new in it is remembered when the user speaks again."""
        await super().aset(messages)
        await self._recall.note(self.session_id, utterances(messages))

    async def areset(
        self, status: MessageStatus | None = None, *, long_term: bool | None = None
    ) -> None:
        """Delete the session's history.

        Args:
            status: Only messages of this status.
            long_term: Also erase everything a recall could see, in every session of the user.
                By default only where there is no user, agent or app: then all that a recall
                could see is this session.
        """
        await super().areset(status)
        self._recall.forget_turns()
        alone = not (self.user_id or self.agent_id or self.app_id) and status is None
        if alone if long_term is None else long_term:
            await self._recall.forget_all(self.session_id)

    async def aforget(self, id: str) -> None:
        """Erase one memory, by the id of its record (see `arecall`).

        Raises:
            RecordNotFoundError: This memory sees no such record.
        """
        await self._recall.forget(self.session_id, id)

    async def aflush(self) -> None:
        """Remember all that waits, and derive the facts that are still to be derived.

        Call it at the end of a session if others shall find its last answer by other ways than
        LlamaIndex; `HoldfastMemory` itself finds it anyway.

        Raises:
            ProviderError, StorageError: It could not be done; what waits goes on waiting.
        """
        await self._recall.flush(self.session_id)

    # -- reading --------------------------------------------------------------------------------

    async def arecall(self, query: str, limit: int = 10) -> list[Match]:
        """Search long-term memory as a recall would; best first."""
        return await self._recall.search(self.session_id, query, limit)

    def _insert_memory_content(
        self,
        chat_history: list[ChatMessage],
        memory_content: list[ContentBlock],
        chat_message_data: list[ChatMessage],
    ) -> list[ChatMessage]:
        """Insert memory; what is stored stays as it is, whoever changes what is returned."""
        own = isinstance(self.sql_store, HoldfastChatStore)  # which makes them anew each time
        said = chat_history if own else [one.model_copy(deep=True) for one in chat_history]
        result = [*chat_message_data, *said]
        if not memory_content:
            return result
        at = None
        if self.insert_method == InsertMethod.USER:
            at = next((one for one in reversed(said) if one.role.value == "user"), None)
        # Where nobody speaks yet, memory may not put words into the user's mouth.
        at = at or next((one for one in result if one.role.value == "system"), None)
        if at is None:
            return [ChatMessage(role="system", blocks=memory_content), *result]
        at.blocks = [*memory_content, *at.blocks]
        return result

    # -- the live window ------------------------------------------------------------------------

    async def _manage_queue(self) -> None:
        """Archive the oldest messages of a full window, and hand them to the other blocks.

        One at a time in a loop; with Holdfast's own store also over loops and processes.
        """
        loop = asyncio.get_running_loop()
        async with self._locks.setdefault(loop, asyncio.Lock()):
            gone = await self._archive()
        if gone:
            await asyncio.gather(
                *(
                    block.aput(gone, from_short_term_memory=True, session_id=self.session_id)
                    for block in self._others()
                )
            )

    async def _archive(self) -> list[ChatMessage]:
        store, session = self.sql_store, self.session_id
        if isinstance(store, HoldfastChatStore):
            rows = await store.numbered(session)
            going = self._leaving([message for _, message in rows])
            ids = [rows[place][0] for place in going]
            return await store.archive(session, ids) if ids else []
        going = self._leaving(await store.get_messages(session, status=MessageStatus.ACTIVE))
        # Another store archives from the oldest on: a leading system message goes with them.
        return await store.archive_oldest_messages(session, going.stop) if going else []

    def _leaving(self, messages: list[ChatMessage]) -> range:
        costs = [self._estimate_token_count(message) for message in messages]
        limit = self.token_limit * self.chat_history_token_ratio
        roles = [message.role.value for message in messages]
        return leaving(roles, costs, limit, self.token_flush_size)

    # -- sync twins -----------------------------------------------------------------------------

    def get(self, input: str | ChatMessage | None = None, **block_kwargs: Any) -> list[ChatMessage]:
        """Sync twin of `aget`."""
        return run(self.aget(input, **block_kwargs))

    def get_all(self, status: MessageStatus | None = None) -> list[ChatMessage]:
        """Sync twin of `aget_all`."""
        return run(self.aget_all(status))

    def put(self, message: ChatMessage) -> None:
        """Sync twin of `aput`."""
        run(self.aput(message))

    def put_messages(self, messages: list[ChatMessage]) -> None:
        """Sync twin of `aput_messages`."""
        run(self.aput_messages(messages))

    def set(self, messages: list[ChatMessage]) -> None:
        """Sync twin of `aset`."""
        run(self.aset(messages))

    def reset(self, status: MessageStatus | None = None, *, long_term: bool | None = None) -> None:
        """Sync twin of `areset`."""
        run(self.areset(status, long_term=long_term))

    def forget(self, id: str) -> None:
        """Sync twin of `aforget`."""
        run(self.aforget(id))

    def flush(self) -> None:
        """Sync twin of `aflush`."""
        run(self.aflush())

    def recall(self, query: str, limit: int = 10) -> list[Match]:
        """Sync twin of `arecall`."""
        return run(self.arecall(query, limit))

    # -- serialising ----------------------------------------------------------------------------

    def to_dict(self, **kwargs: Any) -> dict[str, Any]:
        """Return what finds this memory again: path, whose it is, settings; no text, no secret.

        Raises:
            ValueError: It lives in RAM, or has blocks or a chat store that are not Holdfast's.
        """
        return serialising.to_dict(self, self._others())

    @classmethod
    def from_dict(cls, data: dict[str, Any], **kwargs: Any) -> Self:
        """Return the memory `to_dict` describes, on the file that is open here or opened now."""
        return cls(**serialising.fields(data), **kwargs)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return type(self).from_dict, (self.to_dict(),)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self.model_copy()
