"""Agent Framework's messages: what of them was said, and what of it is new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agent_framework import Message as ChatMessage
from holdfast import Message

from holdfast_autogen.message_ids import Said, with_ids

# What Agent Framework calls an agent without a name.
_NO_NAMES = ("", "UnnamedAgent")


def live(messages: Sequence[ChatMessage]) -> list[dict[str, str]]:
    """Return a prompt's messages as the core reads them."""
    return [
        {"role": str(message.role), "content": message.text}
        for message in messages
        if message.text.strip()
    ]


def said(messages: Sequence[ChatMessage], previous: str = "") -> list[Message]:
    """Return what users and agents said in words, as messages to remember.

    Args:
        messages: In their order; tool calls, results and instructions are left out.
        previous: Id of what was said before them.
    """
    spoken = [one for one in messages if one.role in ("user", "assistant") and one.text.strip()]
    chain = with_ids([_said(one) for one in spoken], previous)
    names = [(one.author_name or "")[:256] for one in spoken]
    return [
        replace(message, name=name if name.isprintable() and name not in _NO_NAMES else None)
        for message, name in zip(chain, names, strict=True)
    ]


def _said(message: ChatMessage) -> Said:
    # Not the author's name: a client that sends a transcript again may have dropped it.
    if message.role == "user":
        return Said("user", "user", message.text)
    return Said("assistant", "assistant", message.text)


def news(
    asked: Sequence[ChatMessage], answered: Sequence[ChatMessage], last: str | None
) -> list[Message]:
    """Return what a run added to a conversation.

    Args:
        asked: The run's input; it may repeat all that was said before.
        answered: What came of it.
        last: Id of what was said last before the run.
    """
    from_the_start = said(asked)
    known = [message.id for message in from_the_start]
    if last is not None and last in known:
        fresh = from_the_start[known.index(last) + 1 :]
    else:
        fresh = from_the_start if last is None else said(asked, last)
    latest = fresh[-1].id if fresh else last
    return fresh + said(answered, latest or "")
