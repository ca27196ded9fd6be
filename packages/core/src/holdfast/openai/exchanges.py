"""One call of a model, as memory sees it: what is asked, where memory goes, what is answered.

Pure reading and writing of OpenAI's two shapes, chat completions and responses. Requests are
the caller's keyword arguments, answers are objects or mappings; none of them is changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

from holdfast.context.window import part
from holdfast.types import Context

Place: TypeAlias = Literal["before_question", "after_system"]

Arguments: TypeAlias = Mapping[str, Any]
"""The keyword arguments of one call: the client library's own, passed through."""

_VOICES = ("system", "developer")


class Exchange(Protocol):
    """One call and its answer.

    Attributes:
        conversation: The messages as the caller sent them.
        model: The model's name.
        thread: Names the conversation the server keeps, "" where the caller sends all of it.
        answer: The text of the answer once it is complete, "" before.
    """

    conversation: Sequence[object]
    model: object
    thread: str
    answer: str

    def asked(self, context: Context, place: Place) -> Arguments:
        """Return the arguments of the call with memory in them."""

    def read(self, result: object) -> None:
        """Take the answer from a result that came whole."""

    def hear(self, chunk: object) -> None:
        """Take one chunk of a stream."""


class ChatExchange:
    """A call of ``chat.completions``. Of several choices the first is the answer."""

    def __init__(self, arguments: Arguments) -> None:
        self._arguments = dict(arguments)
        self.conversation = _listed(self._arguments, "messages")
        self.model: object = self._arguments.get("model")
        self.thread = ""
        self.answer = ""
        self._heard: list[str] = []

    def asked(self, context: Context, place: Place) -> Arguments:
        """Return the arguments with a memory message among the messages."""
        if not context.text:
            return self._arguments
        role = _voice(self.conversation, "system")
        memory = {"role": role, "content": context.text}
        return {**self._arguments, "messages": _placed(self.conversation, memory, place)}

    def read(self, result: object) -> None:
        """Take the text of the first choice."""
        self.answer = _text(part(part(_first_choice(result), "message"), "content"))

    def hear(self, chunk: object) -> None:
        """Take the first choice's words; its finish reason completes the answer."""
        choice = _first_choice(chunk)
        self._heard.append(_text(part(part(choice, "delta"), "content")))
        if part(choice, "finish_reason"):
            self.answer = "".join(self._heard)


class ResponseExchange:
    """A call of ``responses``."""

    def __init__(self, arguments: Arguments) -> None:
        self._arguments = dict(arguments)
        given = self._arguments.get("input")
        alone = isinstance(given, str)
        self.conversation = (
            [{"role": "user", "content": given}] if alone else _listed(self._arguments, "input")
        )
        self.model: object = self._arguments.get("model")
        kept = self._arguments.get("previous_response_id") or self._arguments.get("conversation")
        self.thread = str(kept or "")
        self.answer = ""
        self._in_instructions = alone or bool(kept)

    def asked(self, context: Context, place: Place) -> Arguments:
        """Return the arguments with memory among the input items, or after the instructions."""
        if not context.text:
            return self._arguments
        if self._in_instructions:
            own = self._arguments.get("instructions") or ""
            instructions = f"{own}\n\n{context.text}" if own else context.text
            return {**self._arguments, "instructions": instructions}
        memory = {"role": _voice(self.conversation, "developer"), "content": context.text}
        return {**self._arguments, "input": _placed(self.conversation, memory, place)}

    def read(self, result: object) -> None:
        """Take the text of a completed response."""
        if part(result, "status") in ("completed", None):
            self.answer = _text(part(result, "output_text"))

    def hear(self, chunk: object) -> None:
        """Wait for the event that carries the completed response."""
        if part(chunk, "type") == "response.completed":
            self.read(part(chunk, "response"))


def _listed(arguments: dict[str, Any], name: str) -> Sequence[object]:
    """Return an argument as a list, and keep that in its place: an iterator can be read once."""
    given = arguments.get(name)
    if not isinstance(given, Iterable):
        return []
    arguments[name] = list(given)
    return list(arguments[name])


def _placed(conversation: Sequence[object], memory: object, place: Place) -> list[object]:
    roles = [part(message, "role") for message in conversation]
    leading = next((at for at, role in enumerate(roles) if role not in _VOICES), len(roles))
    users = [at for at, role in enumerate(roles) if role == "user"]
    at = users[-1] if users and place == "before_question" else leading
    return [*conversation[:at], memory, *conversation[at:]]


def _voice(conversation: Sequence[object], usual: str) -> str:
    """Return the role the caller's own system messages have."""
    roles = (part(message, "role") for message in conversation)
    return next((str(role) for role in roles if role in _VOICES), usual)


def _first_choice(result: object) -> object:
    choices = part(result, "choices")
    if not isinstance(choices, Sequence):
        return None
    return next((choice for choice in choices if not part(choice, "index")), None)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
