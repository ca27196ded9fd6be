"""One interface over every adapter's chat history, so that their contract is written once.

A `Chats` is one adapter on one file; it opens a `Chat` by the ids of its owner and its session.
Both use the adapters' public faces alone. What one adapter cannot do is told by class attributes,
so tests choose among them when they are collected.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol

from agent_framework import Message as FrameworkMessage
from autogen_core.models import AssistantMessage, SystemMessage, UserMessage
from holdfast import Memory
from holdfast.testing import HashEmbedder
from holdfast_autogen import HoldfastMemory as AutoGenMemory
from holdfast_autogen import HoldfastModelContext
from holdfast_autogen.agent_framework import HoldfastHistoryProvider
from holdfast_langgraph import HoldfastSaver
from holdfast_llamaindex import HoldfastChatStore, HoldfastMemory
from llama_index.core.base.llms.types import ChatMessage
from support.checkpoints import put, thread

KEY = bytes(range(32))


class Chat(Protocol):
    """One conversation: texts in order. What systems say is kept in no long-term memory."""

    def append(self, *texts: str, role: str = "user") -> None:
        """Add messages at the end."""

    def read(self) -> list[str]:
        """Return the texts of all messages, in order."""

    def replace(self, *texts: str, role: str = "user") -> None:
        """Put messages in the place of all that are there."""

    def clear(self) -> None:
        """Delete all messages."""


class Chats:
    """An adapter on one file.

    Attributes:
        owned: A chat is known by user, agent and app beside its session.
        stored: Each append is on the disk, whoever else appends.
        memory: The open file.
    """

    owned: ClassVar[bool] = True
    stored: ClassVar[bool] = True

    def __init__(self, path: Path | str, key: bytes | None = None) -> None:
        self.path, self._key = path, key
        self.memory = self._opened()

    def _opened(self) -> Memory:
        return Memory(self.path, key=self._key, embedder=HashEmbedder())

    def chat(self, session: str, **owner: str) -> Chat:
        """Return the chat of an owner's session."""
        raise NotImplementedError

    def reopen(self) -> None:
        """Close the file and open it again; chats from before are no longer used."""
        self.memory.close()
        self.memory = self._opened()

    def close(self) -> None:
        """Close the file."""
        self.memory.close()


# -- LlamaIndex -----------------------------------------------------------------------------------


class LlamaMemory(Chats):
    """`HoldfastMemory` of LlamaIndex, by its sync face."""

    def chat(self, session: str, **owner: str) -> Chat:
        """Return the chat of an owner's session."""
        return _LlamaMemory(
            HoldfastMemory.from_defaults(memory=self.memory, session_id=session, **owner)
        )


class _LlamaMemory:
    def __init__(self, memory: HoldfastMemory) -> None:
        self.memory = memory

    def append(self, *texts: str, role: str = "user") -> None:
        self.memory.put_messages(_llama(texts, role))

    def read(self) -> list[str]:
        return [message.content or "" for message in self.memory.get_all()]

    def replace(self, *texts: str, role: str = "user") -> None:
        self.memory.set(_llama(texts, role))

    def clear(self) -> None:
        self.memory.reset(long_term=False)


class AsyncLlamaMemory(Chats):
    """`HoldfastMemory` of LlamaIndex, by its async face, found again by what was serialised."""

    def chat(self, session: str, **owner: str) -> Chat:
        """Return the chat of an owner's session."""
        made = HoldfastMemory.from_defaults(memory=self.memory, session_id=session, **owner)
        if str(self.path) == ":memory:":
            return _AsyncLlamaMemory(made)
        written = json.loads(json.dumps(made.to_dict()))
        return _AsyncLlamaMemory(HoldfastMemory.from_dict(written))


class _AsyncLlamaMemory:
    def __init__(self, memory: HoldfastMemory) -> None:
        self.memory = memory

    def append(self, *texts: str, role: str = "user") -> None:
        async def puts() -> None:
            for message in _llama(texts, role):
                await self.memory.aput(message)

        asyncio.run(puts())

    def read(self) -> list[str]:
        return [message.content or "" for message in asyncio.run(self.memory.aget_all())]

    def replace(self, *texts: str, role: str = "user") -> None:
        asyncio.run(self.memory.aset(_llama(texts, role)))

    def clear(self) -> None:
        asyncio.run(self.memory.areset(long_term=False))


class LlamaStore(Chats):
    """`HoldfastChatStore` of LlamaIndex."""

    def chat(self, session: str, **owner: str) -> Chat:
        """Return the chat of an owner's session."""
        return _LlamaStore(HoldfastChatStore(memory=self.memory).owned_by(**owner), session)


class _LlamaStore:
    def __init__(self, store: HoldfastChatStore, session: str) -> None:
        self.store, self.session = store, session

    def append(self, *texts: str, role: str = "user") -> None:
        asyncio.run(self.store.add_messages(self.session, _llama(texts, role)))

    def read(self) -> list[str]:
        found = asyncio.run(self.store.get_messages(self.session, status=None))
        return [message.content or "" for message in found]

    def replace(self, *texts: str, role: str = "user") -> None:
        asyncio.run(self.store.set_messages(self.session, _llama(texts, role)))

    def clear(self) -> None:
        asyncio.run(self.store.delete_messages(self.session))


def _llama(texts: tuple[str, ...], role: str) -> list[ChatMessage]:
    return [ChatMessage(role=role, content=text) for text in texts]


# -- Agent Framework and AutoGen ------------------------------------------------------------------


class FrameworkHistory(Chats):
    """`HoldfastHistoryProvider` of Agent Framework; it has no verb to replace, so it clears."""

    def chat(self, session: str, **owner: str) -> Chat:
        """Return the chat of an owner's session."""
        return _FrameworkHistory(HoldfastHistoryProvider(self.memory, **owner), session)


class _FrameworkHistory:
    def __init__(self, history: HoldfastHistoryProvider, session: str) -> None:
        self.history, self.session = history, session

    def append(self, *texts: str, role: str = "user") -> None:
        messages = [FrameworkMessage(role, [text]) for text in texts]
        asyncio.run(self.history.save_messages(self.session, messages))

    def read(self) -> list[str]:
        return [message.text for message in asyncio.run(self.history.get_messages(self.session))]

    def replace(self, *texts: str, role: str = "user") -> None:
        self.clear()
        self.append(*texts, role=role)

    def clear(self) -> None:
        asyncio.run(self.history.clear(self.session))


class AutoGenContext(Chats):
    """`HoldfastModelContext` of AutoGen: its window is what the agent's saved state holds."""

    stored = False

    def __init__(self, path: Path | str, key: bytes | None = None) -> None:
        super().__init__(path, key)
        self._windows: dict[str, _AutoGenContext] = {}
        self._states: dict[str, str] = {}

    def chat(self, session: str, **owner: str) -> Chat:
        """Return the chat of an owner's session."""
        name = json.dumps([session, owner], sort_keys=True)
        if name not in self._windows:
            window = HoldfastModelContext(self.memory, run_id=session, **owner)
            if name in self._states:
                asyncio.run(window.load_state(json.loads(self._states[name])))
            forgetting = AutoGenMemory(self.memory, run_id=session, sessions="this", **owner)
            self._windows[name] = _AutoGenContext(window, forgetting)
        return self._windows[name]

    def reopen(self) -> None:
        """Save the windows' states, and close the file and open it again."""
        for name, chat in self._windows.items():
            self._states[name] = json.dumps(asyncio.run(chat.window.save_state()))
        self._windows.clear()
        super().reopen()


class _AutoGenContext:
    def __init__(self, window: HoldfastModelContext, forgetting: AutoGenMemory) -> None:
        self.window, self._forgetting = window, forgetting

    def append(self, *texts: str, role: str = "user") -> None:
        async def adds() -> None:
            for text in texts:
                await self.window.add_message(_autogen(text, role))

        asyncio.run(adds())

    def read(self) -> list[str]:
        state: Mapping[str, Any] = asyncio.run(self.window.save_state())
        return [message["content"] for message in state["inner"]["messages"]]

    def replace(self, *texts: str, role: str = "user") -> None:
        self.clear()
        self.append(*texts, role=role)

    def clear(self) -> None:
        asyncio.run(self.window.clear())
        asyncio.run(self._forgetting.clear())


def _autogen(text: str, role: str) -> UserMessage | AssistantMessage | SystemMessage:
    if role == "system":
        return SystemMessage(content=text)
    made = UserMessage if role == "user" else AssistantMessage
    return made(content=text, source=role)


# -- LangGraph ------------------------------------------------------------------------------------


class SaverThreads(Chats):
    """`HoldfastSaver` of LangGraph, which knows a thread by its id alone."""

    owned = False
    stored = False

    def chat(self, session: str, **owner: str) -> Chat:
        """Return a thread."""
        return _Thread(HoldfastSaver.from_memory(self.memory), session)


class _Thread:
    def __init__(self, saver: HoldfastSaver, session: str) -> None:
        self.saver, self.session = saver, session

    def append(self, *texts: str, role: str = "user") -> None:
        self._put([*self.read(), *texts])

    def read(self) -> list[str]:
        found = self.saver.get_tuple(thread(self.session))
        return list(found.checkpoint["channel_values"]["said"]) if found else []

    def replace(self, *texts: str, role: str = "user") -> None:
        self._put(list(texts))
        self.saver.prune([self.session])

    def clear(self) -> None:
        self.saver.delete_thread(self.session)

    def _put(self, said: list[str]) -> None:
        found = self.saver.get_tuple(thread(self.session))
        version = found.checkpoint["channel_versions"]["said"] + 1 if found else 1  # type: ignore[operator]
        parent = found.config if found else thread(self.session)
        put(self.saver, {"said": said}, parent, version)


CHATS: tuple[type[Chats], ...] = (
    LlamaMemory,
    AsyncLlamaMemory,
    LlamaStore,
    FrameworkHistory,
    AutoGenContext,
    SaverThreads,
)
