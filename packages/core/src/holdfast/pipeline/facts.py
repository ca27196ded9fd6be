"""A fact: what extraction reads from messages and consolidation weighs against memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from holdfast.pipeline.relations import Relation


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing worth remembering.

    Attributes:
        text: A statement that can be understood alone, in the language of the conversation.
        about: Whom or what it is about; ``user`` for a user without a name.
        turns: Positions (from 0) of the new turns it comes from; never empty.
        said_at: When the last of these turns was said.
        holds_from: From when it holds: the event's time where known, else `said_at`.
        event_time: When it happened or began, where the messages say so.
        importance: 0 (trivial) to 1 (vital).
        category: One of the categories asked for; empty where none fits.
        relations: What it says as triples; names canonical.
    """

    text: str
    about: str
    turns: tuple[int, ...]
    said_at: datetime
    holds_from: datetime
    event_time: datetime | None = None
    importance: float = 0.5
    category: str = ""
    relations: tuple[Relation, ...] = ()

    @property
    def slots(self) -> tuple[str, ...]:
        """The places of its single-valued relations; look these up among the live facts."""
        return tuple(slot for item in self.relations if (slot := item.slot) is not None)
