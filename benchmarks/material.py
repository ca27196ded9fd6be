"""Texts, vectors and questions for the speed benchmarks: made up, always the same ones.

Vectors are random unit vectors: the hardest data there is for an index, and the same for all.
Texts have about 120 characters; their words, and how often each comes, are those of the prose
that Python ships (`pydoc_data`), so that stemming and postings meet real words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pydoc_data.topics import topics
from typing import Any, TypeAlias

import numpy as np
from holdfast import Embedder
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]

DIMENSION = 384
WORDS = 19  # about 120 characters
ASKED = 6
TOPICS = 10  # a filter on one of them keeps a tenth


@dataclass(frozen=True, slots=True)
class Memo:
    """One thing to be remembered: whose, under which number, its words, value and vector."""

    user: str
    number: int
    text: str
    vector: Floats

    @property
    def key(self) -> str:
        """Its name among all."""
        return f"m{self.number}"

    @property
    def value(self) -> dict[str, Any]:
        """What is filtered by: one of ten topics, and the number."""
        return {"topic": topic(self.number), "number": self.number}


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: whose memories, its words, its vector, and the topic of a filtered one."""

    user: str
    text: str
    vector: Floats
    topic: str


def topic(number: int) -> str:
    """Return the topic of a memo: ten, spread evenly over every user's."""
    return f"topic {number % TOPICS}"


@lru_cache(maxsize=1)
def _prose() -> NDArray[np.str_]:
    return np.array(re.findall(r"\b[a-z]{2,12}\b", " ".join(topics.values())))


def words(dice: np.random.Generator, count: int, each: int) -> list[str]:
    """Draw texts of so many words each."""
    drawn = dice.choice(_prose(), (count, each))
    return [" ".join(row) for row in drawn.tolist()]


def vectors(dice: np.random.Generator, count: int) -> Floats:
    """Draw unit vectors, shape (count, DIMENSION)."""
    drawn = dice.standard_normal((count, DIMENSION), dtype=np.float32)
    unit: Floats = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return unit


def memos(user: str, start: int, count: int, seed: int = 0) -> list[Memo]:
    """Make a user's memos, numbered from `start`; equal arguments make equal memos."""
    dice = np.random.default_rng((seed, start))
    texts, rows = words(dice, count, WORDS), vectors(dice, count)
    return [Memo(user, start + at, texts[at], rows[at]) for at in range(count)]


def questions(users: Sequence[str], count: int, seed: int = 1) -> list[Asked]:
    """Make questions, each about one user, the users in turn but shuffled."""
    dice = np.random.default_rng((seed, count))
    whose = dice.permutation(np.resize(np.arange(len(users)), count)).tolist()
    texts, rows = words(dice, count, ASKED), vectors(dice, count)
    return [
        Asked(users[one], texts[at], rows[at], topic(int(dice.integers(TOPICS))))
        for at, one in enumerate(whose)
    ]


@dataclass
class Handed(Embedder):
    """Gives the vectors that it was handed for texts: embedding costs a look into a dict."""

    known: dict[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Return a name."""
        return f"handed/{DIMENSION}"

    def embed(self, texts: Sequence[str]) -> list[Any]:
        """Return the vectors of these texts."""
        return [self.known[text] for text in texts]

    async def aembed(self, texts: Sequence[str]) -> list[Any]:
        """Async twin of `embed`; never suspends."""
        return self.embed(texts)
