"""Reading what a model answered: data to be checked, never trusted.

Problems name a place and a rule, never the model's or a user's words: reasons are kept longer
than texts may be.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from holdfast.errors import ExtractionError
from holdfast.language.quoting import inert
from holdfast.language.wording import clean
from holdfast.types import Answer

Messages: TypeAlias = list[dict[str, str]]
"""A prompt, as `LLM.complete` takes it."""

MAX_ITEMS = 500
"""Items read of one list; an answer is asked for some dozens."""

MAX_FIELD = 5_000
"""Characters read of one field."""

_MAX_ECHO = 2_000
_MAX_TEXT = 1_000_000  # characters of an answer that are searched for whole items


@dataclass(frozen=True, slots=True)
class Problem:
    """What was wrong with a part of an answer.

    Attributes:
        place: Which part, e.g. ``fact 3``.
        reason: What was wrong and what was done about it.
        lost: The part was left out; False where it was put right.
    """

    place: str
    reason: str
    lost: bool = False


def prompt(system: str, user: str) -> Messages:
    """Return a prompt of one system and one user message."""
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def repair(messages: Sequence[Mapping[str, str]], answer: Answer, error: Exception) -> Messages:
    """Return the prompt of the one repair attempt.

    Args:
        messages: The prompt that was asked.
        answer: What could not be read.
        error: Why; an `ExtractionError` of `read`.
    """
    said = answer.text or _written(answer.data)
    echo = inert(said[:_MAX_ECHO])[:_MAX_ECHO]
    request = (
        f"Your answer could not be read: {error}. Answer once more, in full and in the shape "
        "asked for, and nothing else. If it was cut off, write less: the most important first."
    )
    asked = [dict(message) for message in messages]
    spoken = [{"role": "assistant", "content": echo}] if echo.strip() else []
    return [*asked, *spoken, {"role": "user", "content": request}]


def _written(data: object) -> str:
    try:
        return "" if data is None else json.dumps(data, default=str)
    except (TypeError, ValueError, RecursionError):  # a custom model's data may be no JSON
        return ""


def items(answer: Answer, key: str, *, last: bool) -> tuple[list[object], list[Problem]]:
    """Return the list an answer holds under `key`.

    Args:
        answer: What the model said.
        key: Name of the list.
        last: No repair follows: save the whole items of an answer that breaks off.

    Raises:
        ExtractionError: There is no such list.
    """
    if answer.data is None:
        saved = _whole_items(answer.text[:_MAX_TEXT], key) if last else []
        if not saved:
            raise ExtractionError(_why_unreadable(answer.text))
        problem = Problem("answer", f"broke off; its first {len(saved)} items kept", lost=True)
        return saved, [problem]
    found = answer.data.get(key)
    if not isinstance(found, list):
        raise ExtractionError(f"the answer has no list {key!r}")
    if len(found) <= MAX_ITEMS:
        return found, []
    reason = f"has {len(found)} items; those beyond {MAX_ITEMS} dropped"
    return found[:MAX_ITEMS], [Problem("answer", reason, lost=True)]


def _why_unreadable(text: str) -> str:
    if not text.strip():
        return "the answer is empty"
    return "the answer is no complete JSON (cut off, or mixed with other text)"


def _whole_items(text: str, key: str) -> list[object]:
    """Read objects one after another from a list that may break off."""
    decoder = json.JSONDecoder()
    _, found, rest = text.partition(f'"{key}"')
    start = rest.find("[") + 1
    saved: list[object] = []
    while found and start > 0 and len(saved) < MAX_ITEMS:
        while start < len(rest) and rest[start] in " \t\r\n,":
            start += 1
        try:
            item, start = decoder.raw_decode(rest, start)
        except (ValueError, RecursionError):
            break
        saved.append(item)
    return saved


def text_of(item: Mapping[str, object], name: str) -> str:
    """Return a text field, cleaned; empty where it is missing or no string."""
    value = item.get(name)
    return clean(value[:MAX_FIELD]) if isinstance(value, str) else ""


def number_of(value: object) -> float | None:
    """Return a finite number, also from a string; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value[:100] if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def numbers_of(value: object) -> list[int | None]:
    """Return whole numbers from a list or a single value; ``"M3"`` and ``"#3"`` count as 3."""
    listed = value if isinstance(value, list) else [] if value is None else [value]
    return [_whole(entry) for entry in listed[:MAX_ITEMS]]


def _whole(value: object) -> int | None:
    bare = value[:100].strip().lstrip("FMNfmn#") if isinstance(value, str) else value
    number = number_of(bare)
    return int(number) if number is not None and number == int(number) else None
