"""Turns as a prompt shows them: numbered, dated, and fenced so that no content can break out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from holdfast.language.quoting import quote
from holdfast.language.wording import clean, shorten
from holdfast.types import Role

MAX_NAME = 80


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a conversation, as the prompts need it.

    Attributes:
        text: What was said.
        said_at: When; timezone-aware.
        role: Who speaks in the protocol's terms.
        speaker: Who speaks by name, if known.
    """

    text: str
    said_at: datetime
    role: Role = "user"
    speaker: str | None = None

    @property
    def who(self) -> str:
        """Name and role, as in ``Ann (user)``; the role alone for one without a name."""
        name = shorten(clean(self.speaker or ""), MAX_NAME)
        return f"{name} ({self.role})" if name and name != self.role else self.role


def transcript(turns: Sequence[Turn], *, numbered: bool, limit: int | None = None) -> list[str]:
    """Return one line a turn: number (or ``-``), date, speaker, and the words as a JSON string.

    Args:
        turns: In order.
        numbered: Number them 1..n, so that an answer can cite them.
        limit: Cut each turn to this many characters.
    """
    return [
        f"{number if numbered else '-'} | {day(turn.said_at)} | {quote(turn.who)} | "
        f"{quote(turn.text if limit is None else shorten(turn.text, limit))}"
        for number, turn in enumerate(turns, start=1)
    ]


def day(moment: datetime) -> str:
    """Return a date the way the prompts write it: ``2026-06-10 09:30 Wednesday``."""
    return f"{moment:%Y-%m-%d %H:%M} {_WEEKDAYS[moment.weekday()]}"


def fenced(tag: str, lines: Iterable[str]) -> str:
    """Return lines between ``<tag>`` and ``</tag>``."""
    return "\n".join((f"<{tag}>", *lines, f"</{tag}>"))


# strftime's %A follows the process's locale; prompts must not.
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
