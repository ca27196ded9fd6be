"""LlamaIndex's chat models as Holdfast's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from holdfast import LLM, Answer, Tool, Usage
from holdfast.adapters.models import read_answer, spell_out
from holdfast.providers.failures import failures_of
from llama_index.core.base.llms.types import ChatMessage, ChatResponse
from llama_index.core.llms import LLM as ChatModel
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.tools import FunctionTool, ToolMetadata

Messages = Sequence[Mapping[str, str]]


class LlamaIndexLLM(LLM):
    """A chat model that LlamaIndex holds.

    A model that calls functions is made to call one; of any other the shape of the answer is
    asked in words.

    Args:
        model: Any `llama_index.core.llms.LLM`, such as ``Settings.llm``.
    """

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    def complete(self, messages: Messages, *, tool: Tool | None = None) -> Answer:
        """Answer a conversation; see `holdfast.LLM`.

        Raises:
            ProviderError: The model failed.
        """
        with failures_of(self._model.class_name()):
            calling = self._calling(tool)
            if calling is not None and tool is not None:
                reply = calling.chat_with_tools(**_call(messages, tool))
            else:
                reply = self._model.chat(_chat(spell_out(messages, tool)))
            return self._read(reply, tool)

    async def acomplete(self, messages: Messages, *, tool: Tool | None = None) -> Answer:
        """Async twin of `complete`."""
        with failures_of(self._model.class_name()):
            calling = self._calling(tool)
            if calling is not None and tool is not None:
                reply = await calling.achat_with_tools(**_call(messages, tool))
            else:
                reply = await self._model.achat(_chat(spell_out(messages, tool)))
            return self._read(reply, tool)

    def _calling(self, tool: Tool | None) -> FunctionCallingLLM | None:
        """Return the model if it can be made to call a tool."""
        model = self._model
        able = isinstance(model, FunctionCallingLLM) and model.metadata.is_function_calling_model
        return model if tool is not None and able else None  # type: ignore[return-value]

    def _read(self, reply: ChatResponse, tool: Tool | None) -> Answer:
        text, usage = reply.message.content or "", _usage(reply)
        calling = self._calling(tool)
        if calling is None:
            return read_answer(text, tool, usage)
        calls = calling.get_tool_calls_from_response(reply, error_on_no_tool_call=False)
        if not calls:
            return read_answer(text, tool, usage)
        return Answer(text, dict(calls[0].tool_kwargs), usage)


def as_llm(given: LLM | ChatModel | None) -> LLM | None:
    """Return a model for either library's; None stays None: no model is called."""
    return LlamaIndexLLM(given) if isinstance(given, ChatModel) else given


@dataclass
class _Shape(ToolMetadata):
    """A tool's metadata with the JSON schema given as it is, not by a pydantic class."""

    parameters: dict[str, Any] = field(default_factory=dict)

    def get_parameters_dict(self) -> dict[str, Any]:
        """Return the JSON schema."""
        return self.parameters


def _call(messages: Messages, tool: Tool) -> dict[str, Any]:
    shape = _Shape(tool.description[:1024], tool.name, parameters=dict(tool.parameters))
    return {
        "tools": [FunctionTool(_nothing, metadata=shape)],
        "chat_history": _chat(messages),
        "tool_required": True,
        "allow_parallel_tool_calls": False,
    }


def _nothing() -> None:
    """Stand for a function that is never called: its arguments are the answer."""


def _chat(messages: Messages) -> list[ChatMessage]:
    return [ChatMessage(role=message["role"], content=message["content"]) for message in messages]


def _usage(reply: ChatResponse) -> Usage:
    """Return what a call cost, where the integration says so."""
    spent = [reply.additional_kwargs.get(name) for name in ("prompt_tokens", "completion_tokens")]
    return Usage(1, *(count if isinstance(count, int) else 0 for count in spent))
