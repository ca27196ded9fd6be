"""Offline models for LlamaIndex: an agent's LLM that answers from what it sees."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from typing import Any

from holdfast import ProviderError
from holdfast.testing import HashEmbedder
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection

Answerer = Callable[[Sequence[ChatMessage]], ChatMessage]

_NAMED = re.compile(r"My (\w+) is (?:called|named) (\w+)")
_ASKED = re.compile(r"What is my (\w+) (?:called|named)\?")


def by_heart(messages: Sequence[ChatMessage]) -> ChatMessage:
    """Answer the last question from anything the messages say, memory included."""
    seen = "\n".join(message.content or "" for message in messages)
    asked = _ASKED.findall(messages[-1].content or "")
    known = dict(_NAMED.findall(seen))
    if not asked:
        return ChatMessage(role=MessageRole.ASSISTANT, content="Noted.")
    name = known.get(asked[-1])
    said = f"Your {asked[-1]} is {name}." if name else "I do not know."
    return ChatMessage(role=MessageRole.ASSISTANT, content=said)


class OfflineLLM(FunctionCallingLLM):
    """Answers with a function of the messages; remembers what it was shown."""

    _answer: Answerer = PrivateAttr()
    _seen: list[list[ChatMessage]] = PrivateAttr(default_factory=list)
    _tools: list[Any] = PrivateAttr(default_factory=list)

    def __init__(self, answer: Answerer = by_heart, **fields: Any) -> None:
        super().__init__(**fields)
        self._answer = answer

    @property
    def seen(self) -> list[list[ChatMessage]]:
        """What it was shown, call by call."""
        return self._seen

    @property
    def tools(self) -> list[Any]:
        """The tools it was last given."""
        return self._tools

    @property
    def metadata(self) -> LLMMetadata:
        """Say that it calls functions."""
        return LLMMetadata(is_function_calling_model=True, is_chat_model=True)

    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer."""
        self._seen.append([message.model_copy(deep=True) for message in messages])
        return ChatResponse(message=self._answer(messages))

    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer."""
        return self.chat(messages)

    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Answer in one piece."""
        reply = self.chat(messages)

        def pieces() -> Generator[ChatResponse, None, None]:
            yield ChatResponse(message=reply.message, delta=reply.message.content or "")

        return pieces()

    async def astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        """Answer in one piece."""
        reply = self.chat(messages)

        async def pieces() -> AsyncGenerator[ChatResponse, None]:
            yield ChatResponse(message=reply.message, delta=reply.message.content or "")

        return pieces()

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Answer a prompt."""
        reply = self.chat([ChatMessage(role=MessageRole.USER, content=prompt)])
        return CompletionResponse(text=reply.message.content or "")

    async def acomplete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponse:
        """Answer a prompt."""
        return self.complete(prompt)

    def stream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseGen:
        """Answer a prompt in one piece."""
        reply = self.complete(prompt)
        return iter([reply])  # type: ignore[return-value]

    async def astream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseAsyncGen:
        """Answer a prompt in one piece."""
        raise NotImplementedError

    def _prepare_chat_with_tools(
        self,
        tools: Sequence[Any],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        **kwargs: Any,
    ) -> dict[str, Any]:
        self._tools = list(tools)
        messages = list(chat_history or [])
        if user_msg is not None:
            messages.append(
                user_msg
                if isinstance(user_msg, ChatMessage)
                else ChatMessage(role=MessageRole.USER, content=user_msg)
            )
        return {"messages": messages}

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """Read the calls a test put into ``additional_kwargs["calls"]``."""
        calls = response.message.additional_kwargs.get("calls", [])
        return [
            ToolSelection(tool_id=f"call-{at}", tool_name=name, tool_kwargs=arguments)
            for at, (name, arguments) in enumerate(calls)
        ]


class CountingEmbedder(HashEmbedder):
    """Counts how often documents and questions are embedded; fails while `broken`."""

    def __init__(self) -> None:
        super().__init__(256)
        self.writes: list[list[str]] = []
        self.questions: list[str] = []
        self.broken = False

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Embed documents."""
        if self.broken:
            raise ProviderError("the embedder is down")
        self.writes.append(list(texts))
        return super().embed(texts)

    def embed_query(self, text: str) -> list[float]:
        """Embed a question."""
        if self.broken:
            raise ProviderError("the embedder is down")
        self.questions.append(text)
        return super().embed([text])[0]

    async def aembed_query(self, text: str) -> list[float]:
        """Embed a question; never suspends."""
        return self.embed_query(text)


def said(role: str, text: str) -> ChatMessage:
    """Return a chat message."""
    return ChatMessage(role=MessageRole(role), content=text)


def texts(messages: Sequence[ChatMessage]) -> list[str]:
    """Return what messages say, with their roles."""
    return [f"{message.role.value}: {message.content}" for message in messages]
