"""Positional postings: where each term stands in the stream of all words."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from holdfast.storage.contract.arrays import begins
from holdfast.storage.index.arrays import GrowableArray

NO_WORD: Final = 0  # the hash that fills the place between two positions
_MOST: Final = 2**31 - 2**16  # places up to here take four bytes

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]


class Postings:
    """The places of every term: `terms[i]` has `places[bounds[i]:bounds[i + 1]]`, ascending."""

    def __init__(self) -> None:
        self.end = 0  # places below this one are in here
        self._terms: Hashes = np.empty(0, np.uint64)
        self._bounds: Ints = np.zeros(1, np.int64)
        self._places: Ints = np.empty(0, np.int64)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return int(self._terms.nbytes + self._bounds.nbytes + self._places.nbytes)

    @property
    def size(self) -> int:
        """The number of occurrences."""
        return len(self._places)

    @property
    def words(self) -> Hashes:
        """The words in their order, as they were merged."""
        words = np.full(self.end, NO_WORD, dtype=np.uint64)
        words[self._places] = np.repeat(self._terms, np.diff(self._bounds))
        return words

    def of(self, terms: Sequence[int]) -> list[Ints]:
        """Return the places of each term."""
        if not len(self._terms):
            return [self._places] * len(terms)
        at = np.searchsorted(self._terms, np.array(terms, dtype=np.uint64))
        at[at == len(self._terms)] = 0
        starts, ends = self._bounds[at].tolist(), self._bounds[at + 1].tolist()
        there = zip(terms, self._terms[at].tolist(), starts, ends, strict=True)
        return [
            self._places[start : end if known == term else start]
            for term, known, start, end in there
        ]

    def merge(self, words: Hashes) -> None:
        """Append the words that follow in the stream."""
        new, counts, places = _by_term(words)
        places += self.end
        terms = np.union1d(self._terms, new)
        was, now = np.searchsorted(terms, self._terms), np.searchsorted(terms, new)
        sizes = np.zeros(len(terms), dtype=np.int64)
        sizes[was] = np.diff(self._bounds)
        starts_behind = sizes[now]
        sizes[now] += counts
        bounds = np.append(0, np.cumsum(sizes))
        self.end += len(words)
        merged = np.empty(bounds[-1], dtype=np.int32 if self.end <= _MOST else np.int64)
        merged[_spread(bounds[was], np.diff(self._bounds))] = self._places
        merged[_spread(bounds[now] + starts_behind, counts)] = places
        self._terms, self._bounds, self._places = terms, bounds, merged


class Tail:
    """The words behind the postings, from place `start` on; looked up once somebody asks.

    It holds nothing but numbers, which Python's garbage collector does not look at: a list for
    each word of each view would be tens of thousands of objects, all threads at rest meanwhile.
    """

    def __init__(self, start: int) -> None:
        self._start = start
        self._words = GrowableArray(np.uint64)
        self._last: dict[int, int] = {}  # where each word stands last
        self._before = array("i")  # for each place, where its word stands before that, or -1

    @property
    def size(self) -> int:
        """The number of words, empty places included."""
        return self._words.size

    @property
    def words(self) -> Hashes:
        """The words in their order."""
        return self._words.values

    @property
    def nbytes(self) -> int:
        """Bytes held, roughly: an entry of a dict for each word, once one is asked for."""
        return self._words.nbytes + 100 * self.size

    def extend(self, words: Hashes) -> None:
        """Append words."""
        self._words.extend(words)

    def end_position(self) -> None:
        """Leave a place empty."""
        self._words.fill(NO_WORD, 1)

    def of(self, term: int) -> list[int]:
        """Return the places of a term, ascending."""
        if len(self._before) < self.size:
            self._note()
        places = []
        place = self._last.get(term, -1)
        while place >= 0:
            places.append(self._start + place)
            place = self._before[place]
        return places[::-1]

    def _note(self) -> None:
        """Take note of where the words stand that came since."""
        last, known = self._last, len(self._before)
        for place, word in enumerate(self.words[known:].tolist(), known):
            self._before.append(last.get(word, -1))
            last[word] = place


def spaced(words: Hashes, lengths: Ints) -> Hashes:
    """Return the words of all positions in one stream, an empty place behind each."""
    stream = np.full(len(words) + len(lengths), NO_WORD, dtype=np.uint64)
    stream[np.arange(len(words)) + np.repeat(np.arange(len(lengths)), lengths)] = words
    return stream


def _by_term(words: Hashes) -> tuple[Hashes, Ints, Ints]:
    """Return the terms of a stream, how often each stands in it, and where: by term, ascending.

    Two sorts that numpy does in vectors take a quarter of the time of a stable one.
    """
    order = np.argsort(words)
    ordered = words[order]
    begun = begins(ordered)
    places = np.sort((np.cumsum(begun) << 32) + order) & 0xFFFF_FFFF
    starts = np.flatnonzero(begun)
    terms, counts = ordered[starts], np.diff(np.append(starts, len(words)))
    gaps = int(counts[0]) if terms[0] == NO_WORD else 0
    first = int(gaps > 0)
    return terms[first:], counts[first:], places[gaps:]


def _spread(starts: Ints, counts: Ints) -> Ints:
    """Return starts[i], starts[i] + 1, ..., counts[i] of them, for every i in turn."""
    firsts = np.cumsum(counts) - counts
    spread: Ints = np.repeat(starts - firsts, counts) + np.arange(int(counts.sum()))
    return spread
