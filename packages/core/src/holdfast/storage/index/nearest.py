"""The positions of a view that are nearest to a question: exact, of vectors and of codes alike.

Codes say between which two values a cosine lies (`vectors`). What surely is out is left out; what
may be in is read again from the file, and its cosine computed as of whole vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from holdfast.storage.contract.arrays import Bools, Floats, Positions
from holdfast.storage.index.vectors import Codes, Vectors, inner_products

Score: TypeAlias = Callable[[Floats, Floats], Floats]
"""Of cosines and keyword scores; it never falls as a cosine rises."""

Fetch: TypeAlias = Callable[[Positions], Floats]
"""Reads whole vectors from the file, shape (positions, dimension)."""

_FURTHER: Final = 4  # how many times more a scan returns whenever those before were not all
_CHUNK: Final = 2_000  # vectors read from the file at a time: a few megabytes


class Whole:
    """A unit vector asked of whole vectors, and which positions may answer."""

    def __init__(self, vectors: Vectors, query: Floats, allowed: Bools) -> None:
        self._places = np.flatnonzero(allowed)
        self._cosines = vectors.cosines(query, self._places)

    def cosines(self, places: Positions) -> Floats:
        """Return exact cosines."""
        return self._cosines[places]

    def nearest(self, most: int) -> tuple[Positions, Floats]:
        """Return the `most` nearest positions and all as near as the last, with their cosines."""
        cosines = self._cosines[self._places]
        near = cosines >= _nth(cosines, most)
        return self._places[near], cosines[near]

    def foremost(self, score: Score, keywords: Floats, most: int) -> tuple[Positions, Floats]:
        """Return the `most` positions of the best scores and, of equals, all; with their cosines.

        The best by keywords is always returned: it measures the others'.
        """
        cosines = self._cosines[self._places]
        best = _best(score, cosines, keywords[self._places], most)
        return self._places[best], cosines[best]


@dataclass(frozen=True, slots=True)
class Coded:
    """A unit vector asked of codes, and which positions may answer.

    Attributes:
        first: How many times what is wanted the first scan returns; more cost it little. Of real
            texts one and a half times as many as are wanted can be told apart by nothing but their
            vectors, of random ones five times; the scan's own bound is twice as wide.
        least: And not fewer than these.
    """

    codes: Codes
    query: Floats
    allowed: Bools
    fetch: Fetch
    first: int = 8
    least: int = 250

    def cosines(self, places: Positions) -> Floats:
        """Return exact cosines."""
        cosines = np.empty(len(places), dtype=np.float32)
        for start in range(0, len(places), _CHUNK):
            some = slice(start, start + _CHUNK)
            cosines[some] = inner_products(self.fetch(places[some]), self.query)
        return cosines

    def nearest(self, most: int) -> tuple[Positions, Floats]:
        """Return the `most` nearest positions and all as near as the last, with their cosines."""
        places = self._possible(most)
        cosines = self.cosines(places)
        near = cosines >= _nth(cosines, most)
        return places[near], cosines[near]

    def _possible(self, most: int) -> Positions:
        """Return all positions that may be among the `most` nearest, as they lie in the file."""
        everything = int(np.count_nonzero(self.allowed))
        asked = max(self.first * most, self.least)
        while asked < everything:
            places, beyond = self.codes.scan(self.query, asked, self.allowed)
            low, high = self.codes.bounds(self.query, places)
            least = _nth(low, most)
            if beyond < least:
                return np.sort(places[high >= least])
            asked *= _FURTHER
        places = np.flatnonzero(self.allowed)
        low, high = self.codes.bounds(self.query, places)
        return places[high >= _nth(low, most)]

    def foremost(self, score: Score, keywords: Floats, most: int) -> tuple[Positions, Floats]:
        """Return what `Whole.foremost` returns.

        A position without keywords is scored by its cosine alone, so only the nearest of those
        can be among the best.
        """
        near, cosines = self.nearest(most)
        worded = self.allowed & (keywords > 0)
        worded[near] = False
        rest = np.flatnonzero(worded)
        bounds = self.codes.bounds(self.query, rest)
        low, high = (np.concatenate([cosines, bound]) for bound in bounds)
        places = np.concatenate([near, rest])
        words = keywords[places]
        possible = score(high, words) >= _nth(score(low, words), most)
        possible[np.argmax(words)] = True
        places = places[possible]
        cosines = self.cosines(places)
        best = _best(score, cosines, keywords[places], most)
        return places[best], cosines[best]


Question: TypeAlias = Whole | Coded


def ask(vectors: Vectors, query: Floats, allowed: Bools, fetch: Fetch) -> Question:
    """Return a question to the vectors of a view, or to the codes that it keeps instead."""
    if vectors.codes is None:
        return Whole(vectors, query, allowed)
    return Coded(vectors.codes, query, allowed, fetch)


def _best(score: Score, cosines: Floats, keywords: Floats, most: int) -> Bools:
    scores = score(cosines, keywords)
    best: Bools = scores >= _nth(scores, most)
    best[np.argmax(keywords)] = True
    return best


def _nth(values: Floats, most: int) -> float:
    """Return the value of rank `most`, at least the first, or the least if there are fewer."""
    if not len(values):
        return -np.inf
    least = max(len(values) - max(most, 1), 0)
    return float(np.partition(values, least)[least])
