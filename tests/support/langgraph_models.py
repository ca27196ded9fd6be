"""Offline models for the tests of the LangGraph package."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, SystemMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field


class ObedientModel(BaseChatModel):
    """Calls the tool a message begins with ("remember ...", "find ..."); else tells its prompt."""

    tools: list[str] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "obedient"

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Any:
        return self.model_copy(update={"tools": [tool.name for tool in tools]})

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        answer = self._answer(messages)
        return ChatResult(generations=[ChatGeneration(message=answer)])

    def _answer(self, messages: list[BaseMessage]) -> AIMessage:
        last = messages[-1].text
        word, _, rest = last.partition(" ")
        if isinstance(messages[-1], ToolMessage):
            return AIMessage(f"The tool said: {last}")
        if word == "remember" and "manage_memory" in self.tools:
            return _call("manage_memory", content=rest)
        if word == "find" and "search_memory" in self.tools:
            return _call("search_memory", query=rest)
        if word in self.tools:
            return _call(word, text=rest)
        told = [message.text for message in messages if isinstance(message, SystemMessage)]
        return AIMessage("My prompt says: " + " ".join(told))


def _call(name: str, **arguments: str) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": name, "args": arguments, "id": uuid.uuid4().hex}])
