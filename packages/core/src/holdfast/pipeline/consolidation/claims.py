"""What one statement does to another: repeats it, ends it, or is ended by it. No model."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from holdfast.language.wording import normalise, same_marks, same_words
from holdfast.pipeline.relations import Relation

SAME = 0.95
"""Cosine from which two texts may be one statement, if their words agree too."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement with its times, stored or new.

    Attributes:
        text, relations: What it says.
        said_at: When it was said.
        holds_from: From when it holds.
        ends: Until when it holds; None is open.
    """

    text: str
    relations: tuple[Relation, ...]
    said_at: datetime
    holds_from: datetime
    ends: datetime | None = None

    @property
    def start_known(self) -> bool:
        """Whether `holds_from` is an event's time, not merely when it was mentioned."""
        return self.holds_from != self.said_at

    def holds_at(self, moment: datetime) -> bool:
        """Whether it is not over at `moment`."""
        return self.ends is None or moment < self.ends


def repeats(new: Claim, old: Claim, similarity: float | None) -> str | None:
    """Return the rule by which `new` says nothing that `old` does not say; None if none does.

    Args:
        new: What was said.
        old: What is known.
        similarity: Their cosine; None: not measured, then only the words decide.
    """
    if not old.holds_at(new.holds_from) or not _comparable(new.text, old.text):
        return None
    if normalise(new.text) == normalise(old.text):
        return "exact duplicate"
    if (similarity is None or similarity >= SAME) and same_words(new.text, old.text):
        return "near duplicate"
    if similarity is not None and similarity >= SAME and _same_relation(new, old):
        return "near duplicate"
    return None


def _comparable(left: str, right: str) -> bool:
    """Return whether texts are of a length: else they differ, and reading a long one takes long."""
    short, long = sorted((len(left), len(right)))
    return long <= 4 * short + 200


def _same_relation(new: Claim, old: Claim) -> bool:
    """Return whether both state one single-valued relation and nothing else, in other words.

    "Lives in Paris" and "resides in Paris"; never two texts that differ in a number or a name.
    """
    mine, theirs = ({relation.key for relation in claim.relations} for claim in (new, old))
    alike = len(mine) == 1 and mine == theirs and same_marks(new.text, old.text)
    return alike and all(claim.relations[0].slot for claim in (new, old))


def conflict(new: Claim, old: Claim) -> bool:
    """Return whether both fill one single-valued place with different things."""
    return any(mine.replaces(theirs) for mine in new.relations for theirs in old.relations)


Order = Literal["new ends old", "old ends new", "unclear"]


def order(new: Claim, old: Claim) -> Order:
    """Return which of two conflicting claims is over where the other begins.

    Who speaks later of a later time wins. "I moved in 2019", said after a mention of
    another home, may be history or news: unclear, unless the other's own start is known.
    """
    new_is_later = new.said_at >= old.said_at
    later, earlier = (new, old) if new_is_later else (old, new)
    later_wins = later.holds_from >= earlier.holds_from
    if not later_wins and not earlier.start_known:
        return "unclear"
    return "new ends old" if later_wins == new_is_later else "old ends new"
