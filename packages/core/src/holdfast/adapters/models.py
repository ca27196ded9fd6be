"""For adapters: how to ask a framework's own chat model for data, and how to read its answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from holdfast.providers import asking
from holdfast.providers.parsing import read_object
from holdfast.types import Answer, Tool, Usage


def spell_out(messages: Sequence[Mapping[str, str]], tool: Tool | None) -> list[dict[str, str]]:
    """Return the messages, with the shape of the answer written into the system message."""
    spelled: list[dict[str, str]] = asking.fields(messages, tool, "plain")["messages"]
    return spelled


def read_answer(text: str, tool: Tool | None, usage: Usage | None = None) -> Answer:
    """Return what a model said; `Answer.data` is the object asked for, None if there is none."""
    return Answer(text, None if tool is None else read_object(text, tool), usage or Usage(1))
