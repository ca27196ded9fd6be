"""The nearest of many vectors that are kept as codes: exact, whatever the codes leave open.

Codes say between which two values a cosine lies (`storage.vectors`). What surely is out is left
out; what may be in is read again from the file, and its cosine computed as of whole vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from holdfast.storage.contract.arrays import Bools, Floats, Positions
from holdfast.storage.index.loading import Loader
from holdfast.storage.index.views import View

Score: TypeAlias = Callable[[Floats, Floats], Floats]
"""Of cosines and keyword scores; it never falls as a cosine rises."""

_FURTHER: Final = 4  # how many times more a scan returns whenever those before were not all


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a view of codes: a unit vector, and which positions may answer.

    Attributes:
        first: How many times what is wanted the first scan returns; more cost it little. Of real
            texts one and a half times as many as are wanted can be told apart by nothing but their
            vectors, of random ones five times; the scan's own bound is twice as wide.
        least: And not fewer than these.
    """

    loader: Loader
    view: View
    vector: Floats
    allowed: Bools
    first: int = 8
    least: int = 250

    def cosines(self, places: Positions) -> Floats:
        """Return exact cosines."""
        return self.view.cosines(self.loader, self.vector, places)

    def bounds(self, places: Positions) -> tuple[Floats, Floats]:
        """Return between which two values each cosine lies."""
        return self.view.vectors.bounds(self.vector, places)

    def nearest(self, most: int) -> tuple[Positions, Floats]:
        """Return the `most` nearest positions and all as near as the last, with their cosines."""
        places = self._possible(most)
        cosines = self.cosines(places)
        near = cosines >= _nth(cosines, most)
        return places[near], cosines[near]

    def _possible(self, most: int) -> Positions:
        """Return all positions that may be among the `most` nearest."""
        everything = int(np.count_nonzero(self.allowed))
        asked = max(self.first * most, self.least)
        while asked < everything:
            places, beyond = self.view.vectors.scan(self.vector, asked, self.allowed)
            low, high = self.bounds(places)
            least = _nth(low, most)
            if beyond < least:
                return np.sort(places[high >= least])  # as they lie in the file
            asked *= _FURTHER
        places = np.flatnonzero(self.allowed)
        low, high = self.bounds(places)
        return places[high >= _nth(low, most)]

    def foremost(self, score: Score, keywords: Floats, most: int) -> tuple[Positions, Floats]:
        """Return the `most` positions of the best scores and, of equals, all; with their cosines.

        A position without keywords is scored by its cosine alone, so only the nearest of those
        can be among the best. The best by keywords is always returned: it measures the others'.
        """
        near, cosines = self.nearest(most)
        worded = self.allowed & (keywords > 0)
        worded[near] = False
        rest = np.flatnonzero(worded)
        low, high = (np.concatenate([cosines, bound]) for bound in self.bounds(rest))
        places = np.concatenate([near, rest])
        words = keywords[places]
        possible = score(high, words) >= _nth(score(low, words), most)
        possible[np.argmax(words)] = True
        places = places[possible]
        cosines = self.cosines(places)
        scores = score(cosines, keywords[places])
        best = scores >= _nth(scores, most)
        best[np.argmax(keywords[places])] = True
        return places[best], cosines[best]


def _nth(values: Floats, most: int) -> float:
    """Return the value of rank `most`, or the least if there are fewer; -inf if there is none."""
    least = max(len(values) - most, 0)
    return float(np.partition(values, least)[least]) if len(values) else -np.inf
