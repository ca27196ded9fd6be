"""What was said: LlamaIndex's chat messages as what memory stores, each with a lasting id.

LlamaIndex's messages have no ids, and it hands over the whole live window again and again. So
an id is made of role and words and of how often they were said before: the same message keeps
its id, and "yes" said twice is two messages.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from llama_index.core.base.llms.types import ChatMessage

Speaker = Literal["user", "assistant"]

# Longer texts are documents; memory refuses them (its own bound is half a million characters).
_LONGEST = 400_000


@dataclass(frozen=True, slots=True)
class Utterance:
    """One message as memory stores it.

    Attributes:
        id: The same for the same message of a session.
        role: Who said it. What tools returned and what systems prescribe is not remembered.
        text: Its words, never empty.
    """

    id: str
    role: Speaker
    text: str


def words_of(message: ChatMessage) -> str:
    """Return the words of a message as they can be stored: "" if it has none."""
    text = (message.content or "").replace("\x00", "").encode("utf-8", "replace").decode()
    return text.strip()[:_LONGEST]


def digest(message: ChatMessage) -> str:
    """Return what equal messages share: a hash of role and words."""
    said = f"{message.role.value}\x00{message.content or ''}"
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def utterance(message: ChatMessage, before: int) -> Utterance | None:
    """Return what memory stores of a message said `before` times before, if anything."""
    role, text = message.role.value, words_of(message)
    if role not in ("user", "assistant") or not text:
        return None
    speaker: Speaker = "user" if role == "user" else "assistant"
    return Utterance(f"{digest(message)}.{before}", speaker, text)


def utterances(messages: Iterable[ChatMessage]) -> list[Utterance]:
    """Return what memory stores of a window, in order.

    A message that follows its equal counts once: ``Memory.aget(input=...)`` appends the user's
    message to a window that ends with it.
    """
    counts: Counter[str] = Counter()
    said: list[Utterance] = []
    last = ""
    for message in messages:
        name = digest(message)
        if name == last:
            continue
        last = name
        one = utterance(message, counts[name])
        counts[name] += 1
        if one is not None:
            said.append(one)
    return said


def asked(said: Sequence[Utterance]) -> Utterance | None:
    """Return the last message of the user: what is asked."""
    return next((one for one in reversed(said) if one.role == "user"), None)


def after_question(said: Sequence[Utterance]) -> Sequence[Utterance]:
    """Return what was said after the user's last message."""
    question = asked(said)
    return said if question is None else said[said.index(question) + 1 :]
