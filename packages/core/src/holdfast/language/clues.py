"""Clues: whether a text may hold what a long pattern looks for, at a quarter of its price."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_WORD: Final = re.compile("[a-z]+")


def forms(stems: str, *endings: str) -> Iterable[str]:
    """Yield each stem with each of its endings."""
    return (stem + ending for stem in stems.split() for ending in endings)


def has_word(text: str, words: frozenset[str]) -> bool:
    """Say whether a text of ASCII in small letters holds one of these words."""
    return not words.isdisjoint(_WORD.findall(text))
