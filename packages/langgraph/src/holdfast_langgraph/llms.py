"""A LangChain chat model as Holdfast's `LLM`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from holdfast import LLM, Answer, Tool, Usage
from holdfast.providers.parsing import merge, read_object
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import Runnable

from holdfast_langgraph.failures import failures_of

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
        if tool is None:
            return _read(self._invoke(self.model, messages), None)
        spent, calling = Usage(), self._calling(tool)
        if calling is not None:
            answer = _read(self._invoke(calling, messages), tool)
            if answer.data is not None:
                return answer
            spent = answer.usage
        answer = _read(self._invoke(self.model, _instructed(messages, tool)), tool)
        return Answer(answer.text, answer.data, spent + answer.usage)

    async def acomplete(self, messages: Messages, *, tool: Tool | None = None) -> Answer:
        """Async twin of `complete`."""
        if tool is None:
            return _read(await self._ainvoke(self.model, messages), None)
        spent, calling = Usage(), self._calling(tool)
        if calling is not None:
            answer = _read(await self._ainvoke(calling, messages), tool)
            if answer.data is not None:
                return answer
            spent = answer.usage
        answer = _read(await self._ainvoke(self.model, _instructed(messages, tool)), tool)
        return Answer(answer.text, answer.data, spent + answer.usage)

    def _calling(self, tool: Tool) -> Chat | None:
        """Return the model bound to call the tool; None if it cannot."""
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

    def _invoke(self, model: Chat, messages: Messages) -> BaseMessage:
        with failures_of(type(self.model).__name__):
            return model.invoke([dict(message) for message in messages])

    async def _ainvoke(self, model: Chat, messages: Messages) -> BaseMessage:
        with failures_of(type(self.model).__name__):
            return await model.ainvoke([dict(message) for message in messages])


def _read(message: BaseMessage, tool: Tool | None) -> Answer:
    usage = _usage(getattr(message, "usage_metadata", None) or {})
    if tool is None:
        return Answer(message.text, None, usage)
    calls = [call["args"] for call in getattr(message, "tool_calls", ())]
    if calls:
        return Answer(message.text or json.dumps(calls), merge(calls), usage)
    return Answer(message.text, read_object(message.text, tool), usage)


def _usage(spent: Mapping[str, Any]) -> Usage:
    return Usage(1, int(spent.get("input_tokens", 0)), int(spent.get("output_tokens", 0)))


def _instructed(messages: Messages, tool: Tool) -> list[dict[str, str]]:
    """Return the messages with the schema in the first system message."""
    schema = json.dumps(dict(tool.parameters), ensure_ascii=False)
    instruction = (
        f"{tool.description}\n\nAnswer with one JSON object and nothing else. "
        f"It must match this JSON schema:\n{schema}"
    )
    sent = [dict(message) for message in messages]
    if sent and sent[0].get("role") == "system":
        sent[0]["content"] += f"\n\n{instruction}"
        return sent
    return [{"role": "system", "content": instruction}, *sent]
