"""A LangChain chat model as Holdfast's `LLM`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from holdfast import LLM, Answer, Tool, Usage
from holdfast.adapters.models import read_answer, spell_out
from holdfast.providers.failures import failures_of
from holdfast.providers.parsing import merge
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import Runnable

Messages = Sequence[Mapping[str, str]]
Chat = Runnable[LanguageModelInput, AIMessage]


class LangChainLLM(LLM):
    """The user's own chat model.

    Data is asked for by a forced tool call; where the model cannot call tools, or answers in
    prose, by the schema in the prompt.

    Args:
        model: Any LangChain chat model.
    """

    def __init__(self, model: BaseChatModel) -> None:
        self.model = model

    def complete(self, messages: Messages, *, tool: Tool | None = None) -> Answer:
        """Answer a conversation; see `LLM.complete`.

        Raises:
            ProviderError: The model failed; its error is the cause.
        """
        spent = Usage()
        with failures_of(type(self.model).__name__):
            calling = self._calling(tool)
            if calling is not None:
                answer = _read(calling.invoke(_chat(messages)), tool)
                if answer.data is not None:
                    return answer
                spent = answer.usage
            answer = _read(self.model.invoke(_chat(messages, tool)), tool)
        return Answer(answer.text, answer.data, spent + answer.usage)

    async def acomplete(self, messages: Messages, *, tool: Tool | None = None) -> Answer:
        """Async twin of `complete`."""
        spent = Usage()
        with failures_of(type(self.model).__name__):
            calling = self._calling(tool)
            if calling is not None:
                answer = _read(await calling.ainvoke(_chat(messages)), tool)
                if answer.data is not None:
                    return answer
                spent = answer.usage
            answer = _read(await self.model.ainvoke(_chat(messages, tool)), tool)
        return Answer(answer.text, answer.data, spent + answer.usage)

    def _calling(self, tool: Tool | None) -> Chat | None:
        """Return the model bound to call the tool; None if it cannot, or there is no tool."""
        if tool is None:
            return None
        function = {
            "name": tool.name,
            "description": tool.description,
            "parameters": dict(tool.parameters),
        }
        try:
            return self.model.bind_tools(
                [{"type": "function", "function": function}], tool_choice=tool.name
            )
        except NotImplementedError:
            return None


def _chat(messages: Messages, tool: Tool | None = None) -> list[dict[str, Any]]:
    return [dict(message) for message in spell_out(messages, tool)]


def _read(message: BaseMessage, tool: Tool | None) -> Answer:
    usage = _usage(getattr(message, "usage_metadata", None) or {})
    calls = [call["args"] for call in getattr(message, "tool_calls", ())]
    if tool is not None and calls:
        return Answer(message.text or json.dumps(calls), merge(calls), usage)
    return read_answer(message.text, tool, usage)


def _usage(spent: Mapping[str, Any]) -> Usage:
    return Usage(1, int(spent.get("input_tokens", 0)), int(spent.get("output_tokens", 0)))
