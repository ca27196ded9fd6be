"""Three ways to ask a model for data, and how to read the answer of each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from holdfast.errors import ProviderError
from holdfast.providers.parsing import merge, read_object
from holdfast.types import Answer, Tool, Usage

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletion
    from openai.types.chat.chat_completion import Choice

Way = Literal["tool", "schema", "plain"]
Messages = Sequence[Mapping[str, str]]

WAYS: tuple[Way, ...] = ("tool", "schema", "plain")
"""Best first: a forced tool call, a JSON schema for the answer, the schema in the prompt alone."""


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer, and what it tells of the way it was asked for.

    Attributes:
        answer: With `data` wherever the tool's arguments could be read.
        proven: The model took the way: no other need ever be tried.
        final: Asking in another way would not give a better answer.
    """

    answer: Answer
    proven: bool
    final: bool


def fields(messages: Messages, tool: Tool | None, way: Way) -> dict[str, Any]:
    """Return the fields of a chat request that depend on the way."""
    sent = [{key: clean(value) for key, value in message.items()} for message in messages]
    if tool is None:
        return {"messages": sent}
    if way == "tool":
        return {"messages": sent, **_tool_fields(tool)}
    # The schema is also written out: some endpoints ignore `response_format` without a word.
    shaped: dict[str, Any] = {"messages": _with_instruction(sent, tool)}
    if way == "schema":
        schema = {"name": tool.name, "schema": tool.parameters}
        shaped["response_format"] = {"type": "json_schema", "json_schema": schema}
    return shaped


def read(reply: ChatCompletion, tool: Tool | None, way: Way) -> Reading:
    """Read a reply.

    Raises:
        ProviderError: There is no answer in it, or the model refused.
    """
    # The client does not validate: a field that was not sent is not there.
    choice = (getattr(reply, "choices", None) or [None])[0]
    if choice is None or getattr(choice, "message", None) is None:
        raise ProviderError("the model's reply holds no answer")
    finish = getattr(choice, "finish_reason", None)
    if choice.message.refusal or finish == "content_filter":
        raise ProviderError("the model refused to answer")
    usage, text = _usage(reply), choice.message.content or ""
    if tool is None:
        return Reading(Answer(text, None, usage), proven=False, final=True)
    calls = _arguments(choice)
    if calls:
        return Reading(_from_calls(calls, tool, usage), proven=way == "tool", final=True)
    data = read_object(text, tool)
    prose = way == "tool" and data is None and finish != "length"
    return Reading(
        Answer(text, data, usage), proven=way != "tool" and data is not None, final=not prose
    )


def _from_calls(calls: list[str | Mapping[str, Any]], tool: Tool, usage: Usage) -> Answer:
    read_calls = [
        dict(call) if isinstance(call, Mapping) else read_object(call, tool) for call in calls
    ]
    text = "\n".join(call if isinstance(call, str) else json.dumps(call) for call in calls)
    whole = [call for call in read_calls if call is not None]
    # One unreadable call among several: better all asked again than some lost unseen.
    data = merge(whole) if len(whole) == len(calls) else None
    return Answer(text, data, usage)


def _arguments(choice: Choice) -> list[str | Mapping[str, Any]]:
    """Return the arguments of the calls; some servers send an object in the string's place."""
    functions = [getattr(call, "function", None) for call in choice.message.tool_calls or ()]
    return [function.arguments or "" for function in functions if function is not None]


def _usage(reply: ChatCompletion) -> Usage:
    spent = [getattr(reply.usage, name, 0) for name in ("prompt_tokens", "completion_tokens")]
    return Usage(1, *(count or 0 for count in spent))


def _tool_fields(tool: Tool) -> dict[str, Any]:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
    }
    return {
        "tools": [{"type": "function", "function": function}],
        "tool_choice": {"type": "function", "function": {"name": tool.name}},
    }


def _with_instruction(messages: list[dict[str, str]], tool: Tool) -> list[dict[str, str]]:
    schema = json.dumps(tool.parameters, ensure_ascii=False)
    instruction = (
        f"{tool.description}\n\nAnswer with one JSON object and nothing else. "
        f"It must match this JSON schema:\n{schema}"
    )
    # Many chat templates take one system message only, and first.
    if messages and messages[0].get("role") == "system":
        first = {**messages[0], "content": f"{messages[0]['content']}\n\n{instruction}"}
        return [first, *messages[1:]]
    return [{"role": "system", "content": instruction}, *messages]


def clean(text: str) -> str:
    """Replace lone surrogates, which no request can carry."""
    return text.encode("utf-8", "replace").decode("utf-8")
