"""What a caller may hand to `add`, made into checked `Message`s."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeAlias

from holdfast.checks import check_time
from holdfast.errors import InvalidInputError, shown
from holdfast.storage.contract.codec import to_json
from holdfast.types import ROLES, Message, Metadata, check_id

Given: TypeAlias = str | Message | Mapping[str, Any]

# A passage of a longer text would be lost among thousands; such a text is a document.
MAX_TEXT = 500_000

_KEYS = frozenset({"role", "content", "name", "id", "occurred_at", "metadata"})


def read(
    given: Given | Sequence[Given],
    occurred_at: datetime | None,
    metadata: Metadata | None,
    redact: Callable[[str], str] | None = None,
) -> list[Message]:
    """Return checked messages; the call's own time and metadata fill what a message leaves open.

    `redact` is applied to every text, before anything else sees it.

    Raises:
        InvalidInputError: A message is empty, too long, malformed, or holds what cannot be stored.
        ScopeError: A message's id is malformed.
    """
    several = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    if not several:
        raise InvalidInputError("no messages given: add() needs a string, a message, or a list")
    shared = check_metadata({} if metadata is None else metadata)
    read_ = [_complete(_message(item), occurred_at, shared) for item in several]
    if redact is None:
        return read_
    return [replace(item, content=check_text(redact(item.content))) for item in read_]


def check_question(query: str) -> str:
    """Return a question that may be empty, or hold what could not be stored.

    Raises:
        InvalidInputError: It is no text, or longer than `MAX_TEXT`.
    """
    if not isinstance(query, str) or len(query) > MAX_TEXT:
        raise InvalidInputError(
            f"a question is a string of at most {MAX_TEXT:,} characters, not {shown(query)}"
        )
    return query


def _message(given: object) -> Message:
    if isinstance(given, str):
        return Message(given)
    if isinstance(given, Message):
        return given
    if not isinstance(given, Mapping):
        raise InvalidInputError(
            "a message is a string, a Message or a mapping with role and content, "
            f"not {shown(given)}"
        )
    if "content" not in given:
        raise InvalidInputError(f"a message has no content; it has {sorted(map(str, given))}")
    unknown = {str(key) for key in given} - _KEYS
    if unknown:
        raise InvalidInputError(
            f"a message has unknown keys {sorted(unknown)}; known are {sorted(_KEYS)}"
        )
    values = dict(given) | {"content": _text(given["content"])}
    return Message(**values)


def _text(content: object) -> str:
    """Return the words of a content: a string, or OpenAI's list of parts, of which texts count."""
    if isinstance(content, str):
        return content
    if isinstance(content, Sequence):
        parts = [part.get("text") for part in content if isinstance(part, Mapping)]
        return "\n".join(part for part in parts if isinstance(part, str))
    raise InvalidInputError(
        f"a message's content is a string or a list of parts, not {shown(content)}"
    )


def _complete(message: Message, occurred_at: datetime | None, shared: Metadata) -> Message:
    if message.role not in ROLES:
        raise InvalidInputError(
            f"unknown role {shown(message.role)}; allowed are {', '.join(ROLES)}"
        )
    if message.name is not None:
        check_id("name", message.name)
    if message.id is not None:
        check_id("message id", message.id)
    moment = message.occurred_at or occurred_at
    return replace(
        message,
        content=check_text(message.content),
        occurred_at=None if moment is None else check_time("occurred_at", moment),
        metadata={**shared, **check_metadata(message.metadata)},
    )


def check_text(text: object) -> str:
    """Return a text that can be stored and found.

    Raises:
        InvalidInputError: It is empty, longer than `MAX_TEXT`, or holds NUL or lone surrogates.
    """
    if not isinstance(text, str) or not text.strip():
        raise InvalidInputError(
            f"a text to remember or to ask for must be a non-empty string, not {shown(text)}"
        )
    if len(text) > MAX_TEXT:
        raise InvalidInputError(
            f"a text of {len(text):,} characters is longer than {MAX_TEXT:,}; "
            "split it into messages"
        )
    if "\x00" in text:
        raise InvalidInputError(f"the text holds a NUL character at {text.index(chr(0))}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInputError(
            f"the text holds a lone surrogate at {error.start}, which is no character; "
            "decode it with errors='replace' first"
        ) from error
    return text


def check_metadata(metadata: Metadata) -> Metadata:
    """Return metadata that can be stored as JSON.

    Raises:
        InvalidInputError: It is no mapping of strings to JSON.
    """
    if not isinstance(metadata, Mapping) or not all(isinstance(key, str) for key in metadata):
        raise InvalidInputError(
            f"metadata must be a mapping with string keys, not {shown(metadata)}"
        )
    try:
        to_json(dict(metadata)).encode()
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"metadata must be JSON: {error}") from error
    return metadata
