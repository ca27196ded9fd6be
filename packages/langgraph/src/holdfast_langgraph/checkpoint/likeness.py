"""Telling that a conversation begins as before, at an eighth of what serializing it costs.

LangGraph's serializer spends about 2 us a message, most of it in Pydantic and in Python. What it
writes of a message of LangChain's own classes depends on nothing but the class and the fields. So
the fields are written as they are, by the same packer: where they come out alike, so would the
messages.
"""

from __future__ import annotations

from collections.abc import Sequence

import ormsgpack
from langchain_core.messages import (
    AIMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)

from holdfast_langgraph.checkpoint.msgpack import head_length

CODES = {
    HumanMessage: 0,
    AIMessage: 1,
    ToolMessage: 2,
    SystemMessage: 3,
    FunctionMessage: 4,
    ChatMessage: 5,
    RemoveMessage: 6,
}
# What LangGraph writes in a way of its own is passed on, to nobody: so it is refused.
PLAIN_ONLY = (
    ormsgpack.OPT_NON_STR_KEYS
    | ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_UUID
)


def likeness(elements: Sequence[object]) -> bytes | None:
    """Return bytes that are equal for equal messages, one message's after another's.

    None where some element is no message of LangChain's own, or holds an object that is no plain
    value (in a tool's artifact, for one).
    """
    try:
        fields = [
            (CODES[type(one)], one.__dict__, one.__pydantic_extra__)  # type: ignore[index,attr-defined]
            for one in elements
        ]
        packed = ormsgpack.packb(fields, option=PLAIN_ONLY)
    except (KeyError, TypeError):
        return None
    return packed[head_length(packed) :]
