"""What every part of the fault suite is: a function that counts, and says what failed.

A part takes a seed, a scale (1: the whole part; .01: a hundredth of it) and a function that shows
progress. It returns counts by name; ``failures`` is the one that must be 0. What fails is told
through `Counts.fail`, with the seed that repeats it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

Report = Callable[[str], None]

MOST_TOLD = 40


class Counts(Counter[str]):
    """What a part did, by name, and the first failures in words."""

    def __init__(self) -> None:
        super().__init__({"failures": 0})
        self.told: list[str] = []
        self.begun = time.process_time()

    def fail(self, words: str) -> None:
        """Count a failure; keep the first ones in words."""
        self["failures"] += 1
        if len(self.told) < MOST_TOLD:
            self.told.append(words)

    def take(self, other: Counts) -> None:
        """Add what another part counted."""
        self.update(other)
        self.told += other.told[: MOST_TOLD - len(self.told)]

    def verdict(self) -> str:
        """Return the failures in words; empty where there is none."""
        return "\n".join([f"{self['failures']} failures", *self.told]) if self["failures"] else ""


def quiet(_: str) -> None:
    """Show no progress."""
