"""AutoGen's messages: what of them was said, and what stands in the prompt."""

from __future__ import annotations

from collections.abc import Sequence

from autogen_core.models import (
    AssistantMessage,
    FunctionExecutionResultMessage,
    LLMMessage,
    SystemMessage,
    UserMessage,
)

from holdfast_autogen.injection import Injection
from holdfast_autogen.message_ids import Said


def said(message: LLMMessage) -> Said | None:
    """Return what a user or an agent said in words; None for tool calls, results and rules."""
    text = words(message)
    if not text.strip():
        return None
    if isinstance(message, UserMessage):
        return Said("user", message.source, text)
    if isinstance(message, AssistantMessage):
        return Said("assistant", message.source, text)
    return None


def conversation(messages: Sequence[LLMMessage], injection: Injection) -> list[Said]:
    """Return what was said in a context, the memory in it left out."""
    told = (said(message) for message in messages if not injection.is_mine(message))
    return [one for one in told if one is not None]


def live(messages: Sequence[LLMMessage], injection: Injection) -> list[dict[str, str]]:
    """Return a context as chat messages, the memory in it left out."""
    return [
        {"role": _role(message), "content": text}
        for message in messages
        if not injection.is_mine(message) and (text := words(message)).strip()
    ]


def words(message: LLMMessage) -> str:
    """Return the words of a message; of tool results all of them; none of a tool call."""
    content = message.content
    if isinstance(content, str):
        return content
    if isinstance(message, FunctionExecutionResultMessage):
        return "\n".join(result.content for result in message.content)
    return "\n".join(part for part in content if isinstance(part, str))


def _role(message: LLMMessage) -> str:
    if isinstance(message, UserMessage):
        return "user"
    if isinstance(message, SystemMessage):
        return "system"
    return "assistant" if isinstance(message, AssistantMessage) else "tool"
