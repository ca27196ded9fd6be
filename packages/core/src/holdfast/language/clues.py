"""Clues: whether a text may hold what a long pattern looks for, at a quarter of its price."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Final

import regex

_WORD: Final = re.compile("[a-z]+")


def forms(stems: str, *endings: str) -> Iterable[str]:
    """Yield each stem with each of its endings."""
    return (stem + ending for stem in stems.split() for ending in endings)


class Clued:
    """A pattern that takes long, and words.

    Args:
        pattern: The pattern.
        words: Every text in ASCII that it matches holds one of these, alone between other signs.
    """

    def __init__(self, pattern: regex.Pattern[str], words: str) -> None:
        self.pattern = pattern
        self.words = frozenset(words.split())

    def found(self, text: str, runs: Collection[str] | None) -> bool:
        """Return whether the pattern is found in a text whose runs of letters are `said`."""
        if runs is not None and self.words.isdisjoint(runs):
            return False
        return self.pattern.search(text) is not None


def said(text: str) -> Collection[str] | None:
    """Return the runs of letters of a text of ASCII, in small letters; of any other None."""
    return _WORD.findall(text.lower()) if text.isascii() else None


def has_word(text: str, words: frozenset[str]) -> bool:
    """Return whether a text of ASCII in small letters holds one of these words."""
    return not words.isdisjoint(_WORD.findall(text))
