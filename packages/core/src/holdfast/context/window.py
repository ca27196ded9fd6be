"""The live window: messages that are in the prompt anyway, and what they say.

A message is a mapping or an object with the fields of a chat message (``role``, ``content``);
both are read, neither is changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from holdfast.context.redundancy import words


class Live:
    """The words already in the prompt: what they say need not be remembered there again."""

    def __init__(self, texts: Iterable[str]) -> None:
        said = [" ".join(words(text)) for text in texts]
        self._whole = frozenset(said)
        self._joined = "\n".join(f" {text} " for text in said)

    def has(self, text: str) -> bool:
        """Return whether the prompt has this text: as a message, or five words of it in one."""
        if not self._whole:
            return False
        said = " ".join(words(text))
        return said in self._whole or (said.count(" ") >= 4 and f" {said} " in self._joined)


def question(messages: Sequence[object], longest: int = 2_000) -> str:
    """Return what a conversation asks: the text of its last user message, "" if it has none.

    A very long message is asked by its beginning and its end: there the question stands.
    """
    for message in reversed(messages):
        if part(message, "role") == "user":
            text, half = said(message), longest // 2
            return text if len(text) <= longest else f"{text[:half]} {text[-half:]}"
    return ""


def said(message: object) -> str:
    """Return the text of a chat message; of one with parts, the text parts, a line each."""
    content = part(message, "content")
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        return ""
    texts = (part(piece, "text") for piece in content)
    return "\n".join(text for text in texts if isinstance(text, str))


def part(message: object, name: str) -> object:
    """Return a message's field, whether it is a mapping or an object; None where it has none."""
    return message.get(name) if isinstance(message, Mapping) else getattr(message, name, None)
