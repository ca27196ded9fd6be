"""The one memory message of a context: where it stands, and how it is known again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from autogen_core.model_context import ChatCompletionContext
from autogen_core.models import LLMMessage, SystemMessage, UserMessage
from holdfast import InvalidInputError
from pydantic import TypeAdapter

InjectAs = Literal["user", "system"]

DEFAULT_NAME = "memory"

# How what the core renders begins (`holdfast.Context.text`).
_OPENING = "<memory>\n"

_MESSAGES: TypeAdapter[list[LLMMessage]] = TypeAdapter(list[LLMMessage])


@dataclass(frozen=True, slots=True)
class Injection:
    """How memory stands in a prompt.

    As a user message it stands right before the last thing said, so that all before it stays
    as it was (prompt caches). As a system message it stands first, next to the agent's own:
    models that take system messages only there do not break.

    Attributes:
        name: Tells the memories of one agent apart.
        inject_as: The message's kind.
    """

    name: str = DEFAULT_NAME
    inject_as: InjectAs = "user"

    def __post_init__(self) -> None:
        if self.inject_as not in get_args(InjectAs):
            raise InvalidInputError(f"inject_as must be 'user' or 'system', not {self.inject_as!r}")

    def message(self, text: str) -> LLMMessage:
        """Return memory as a message."""
        if self.inject_as == "system":
            return SystemMessage(content=self._heading() + text)
        return UserMessage(content=text, source=self.name)

    def is_mine(self, message: LLMMessage) -> bool:
        """Return whether a message is this memory's, of this turn or an earlier one."""
        if isinstance(message, SystemMessage):
            return message.content.startswith(self._heading() + _OPENING)
        if not isinstance(message, UserMessage) or message.source != self.name:
            return False
        return isinstance(message.content, str) and message.content.startswith(_OPENING)

    def placed(self, messages: Sequence[LLMMessage], text: str) -> list[LLMMessage]:
        """Return the messages with this memory in them once; not at all if it has no text."""
        others = [message for message in messages if not self.is_mine(message)]
        if text:
            others.insert(self._place(others), self.message(text))
        return others

    def _place(self, messages: Sequence[LLMMessage]) -> int:
        if self.inject_as == "system":
            return 0
        asked = (at for at, one in enumerate(messages) if isinstance(one, UserMessage))
        return max(asked, default=len(messages))

    def _heading(self) -> str:
        return "" if self.name == DEFAULT_NAME else f"{self.name}:\n"


async def whole(context: ChatCompletionContext) -> list[LLMMessage]:
    """Return all messages of a context, also those a bounded one does not show."""
    state = await context.save_state()
    if not isinstance(state.get("messages"), list):
        return list(await context.get_messages())
    return _MESSAGES.validate_python(state["messages"])


async def put(
    context: ChatCompletionContext,
    injection: Injection,
    text: str,
    before: Sequence[LLMMessage],
) -> None:
    """Make a context, which holds the messages `before`, hold the memory once.

    A context can only be appended to and cleared; what is to stand elsewhere goes in by its
    state, which holds all messages. One whose state is of another shape is appended to.
    """
    after = injection.placed(before, text)
    if after == before:
        return
    state = await context.save_state()
    if isinstance(state.get("messages"), list):
        dumped = [message.model_dump() for message in after]
        await context.load_state({**state, "messages": dumped})
    elif text:
        await context.add_message(injection.message(text))
