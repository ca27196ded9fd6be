"""Keywords: BM25F over the positional postings of one view, in numpy.

Every word of every position is one occurrence with a place in the stream of all words. The
occurrences of a term are one ascending slice of places: how many a position owns is the term
frequency, and neighbouring places are a phrase. New words gather in a short unsorted tail, which
is scanned, and merged in when it grows long.

Scores follow BM25F (Robertson, Zaragoza and Taylor, 2004): a position's own words, those of the
turn before and of the one before that are three fields of falling weight, each by its own
length; the words of the turn after, often the answer, are a fourth. Every occurrence that is
found is propagated along links to its neighbours; nothing is copied.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from holdfast.language.terms import Group, term_hash
from holdfast.storage.contract.arrays import begins
from holdfast.storage.contract.search import KeywordQuery
from holdfast.storage.index.arrays import GrowableArray
from holdfast.storage.index.postings import Hashes, Ints, Postings, Tail, spaced

Floats = NDArray[np.float32]
Sums = NDArray[np.float64]
Links = NDArray[np.int32]

K1: Final = 1.2  # how soon more of the same word stops counting
B: Final = 0.75  # how much a long text's words count less
# What a word counts: where it stands, in the turn after, in the one after that, in the one before.
NEIGHBOUR_WEIGHTS: Final = (1.0, 0.5, 0.25, 0.4)
PAIR: Final = 0.7  # two neighbouring query words found as neighbours, against one word
QUOTE: Final = 2.0  # a quoted phrase found word for word, against one word

_TAIL: Final = 4096  # words; scanning them costs about as much as the rest of a small search


class Keywords:
    """Postings over positions 0, 1, ... in the order in which they were added.

    Not locked: one writer at a time, and no reader meanwhile.
    """

    def __init__(self) -> None:
        self._postings = Postings()
        self._tail = Tail(0)
        self._owners = GrowableArray(np.int32)  # the position of each place
        self._lengths = GrowableArray(np.float32)
        self._before = GrowableArray(np.int32)  # the turn before, or -1
        self._after = GrowableArray(np.int32)  # the turn after, or -1
        self._alive = GrowableArray(np.bool_)
        self._words = 0.0  # words of live positions
        self._live = 0
        self._linked = False  # some position follows another

    def __len__(self) -> int:
        """Return the number of positions, removed ones included."""
        return self._lengths.size

    def extend(self, words: Hashes, lengths: Ints, previous: Links) -> None:
        """Append positions.

        Args:
            words: The term hashes (`term_hashes`) of all of them, in the order of their texts.
            lengths: How many words each position has.
            previous: For each, the position of the turn before it in its session, or -1. It
                must be an earlier position, and no two turns follow the same one.
        """
        if not len(lengths):
            return
        self._place(words, lengths)
        self._link_after(previous)
        self._lengths.extend(lengths)
        self._before.extend(previous)
        self._alive.fill(True, len(lengths))
        self._words += len(words)
        self._live += len(lengths)
        if self._tail.size > max(_TAIL, self._postings.size // 16):
            self._merge_tail()

    def _place(self, words: Hashes, lengths: Ints) -> None:
        """Append words to the stream, an empty place behind each position."""
        if len(lengths) == 1:  # as after every single add
            self._owners.fill(len(self), len(words) + 1)
            self._tail.extend(words)
            self._tail.end_position()
        else:
            new = np.arange(len(self), len(self) + len(lengths))
            self._owners.extend(np.repeat(new, lengths + 1))
            self._tail.extend(spaced(words, lengths))

    def _link_after(self, previous: Links) -> None:
        """Note the new positions as the ones after."""
        start = self._after.size
        self._after.fill(-1, len(previous))
        followed = (previous >= 0).nonzero()[0]
        self._linked |= bool(len(followed))
        self._after.values[previous[followed]] = start + followed

    def remove(self, position: int) -> None:
        """Forget a position: it scores 0, propagates no words and leaves the statistics."""
        if not self._alive.values[position]:
            return
        self._alive.values[position] = False
        self._words -= float(self._lengths.values[position])
        self._live -= 1

    def relink(self, position: int, previous: int) -> None:
        """Let a position follow another one (-1: none), after what lay between is gone."""
        self._before.values[position] = previous
        if previous >= 0:
            self._after.values[previous] = position

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        columns = (self._tail, self._owners, self._lengths, self._before, self._after, self._alive)
        return self._postings.nbytes + sum(column.nbytes for column in columns)

    def held(self, positions: Ints) -> list[NDArray[Any]]:
        """Return what is held of live positions, in the order given; for checks.

        Returns:
            How many words each has, the words of all of them, which of `positions` stands before
            and behind each (by index; -1: none), and the statistics of all that is live.
        """
        ranks = np.full(len(self) + 1, -1)  # the last one: nobody
        ranks[positions] = np.arange(len(positions))
        words = np.concatenate([self._postings.words, self._tail.words])
        owners = ranks[self._owners.values]
        order = np.argsort(owners, kind="stable")[np.count_nonzero(owners < 0) :]
        return [
            self._lengths.values[positions],
            words[order],
            ranks[self._before.values[positions]],
            ranks[self._after.values[positions]],
            np.array([self._words, self._live]),
        ]

    def scores(self, query: KeywordQuery) -> Floats:
        """Return the score of every position, 0 where nothing is found. Shape (len(self),)."""
        scores = np.zeros(len(self), dtype=np.float32)
        if not query.groups and not query.quotes:
            return scores
        found, weights = self._found(query)
        if not found:
            return scores
        owners, columns = self._owned(found)
        rows, sums = self._propagate(owners, columns, len(found))
        documents = _documents(owners, columns, len(found))
        worth = [
            weight * (K1 + 1) * math.log1p((self._live - count + 0.5) / (count + 0.5))
            for weight, count in zip(weights, documents, strict=True)
        ]
        # Not `@`: of many rows numpy would wait for other threads (see `inner_products`).
        scores[rows] = np.einsum("ij,j->i", sums / (sums + K1), np.array(worth))
        return scores

    def _found(self, query: KeywordQuery) -> tuple[list[Ints], list[float]]:
        """Return the places of every word, pair and quote that occurs, and its weight."""
        known = self._occurrences(
            [*query.groups, *(word for quote in query.quotes for word in quote)]
        )
        words = [_any_of(known, group) for group in query.groups]
        pairs = [_adjacent((words[first], words[second])) for first, second in query.pairs]
        quotes = [[_any_of(known, word) for word in quote] for quote in query.quotes]
        weighted = [(places, 1.0) for places in words]
        weighted += [(places, PAIR) for places in pairs]
        weighted += [(_adjacent(quote), QUOTE) for quote in quotes]
        kept = [(places, weight) for places, weight in weighted if len(places)]
        return [places for places, _ in kept], [weight for _, weight in kept]

    def _occurrences(self, groups: Sequence[Group]) -> dict[str, Ints]:
        """Return where each term stands that stands anywhere, ascending."""
        terms = {term: term_hash(term) for group in groups for term in group}
        known = {}
        found = self._postings.of(list(terms.values()))
        for (term, number), places in zip(terms.items(), found, strict=True):
            late = self._tail.of(number)
            if late or len(places):
                known[term] = np.concatenate([places, late]) if late else places
        return known

    def _owned(self, found: Sequence[Ints]) -> tuple[Links, Ints]:
        """Return the live position that owns each place, and which of `found` it is for."""
        counts = [len(places) for places in found]
        columns = np.repeat(np.arange(len(found)), counts)
        owners = self._owners.values[np.concatenate(found)]
        if self._live == len(self):
            return owners, columns
        alive = self._alive.values[owners]
        return owners[alive], columns[alive]

    def _propagate(self, owners: Links, columns: Ints, width: int) -> tuple[Ints, Sums]:
        """Return the live positions with words of their own or of neighbours, and their sums.

        Args:
            owners: The position of each occurrence.
            columns: What occurs there: a number below `width`.

        Returns:
            Positions, ascending, and for each the sum of every column: what occurrences count
            there (`NEIGHBOUR_WEIGHTS`), each by the length of its owner. Shape (positions, width).
        """
        length = self._lengths.values[owners] / max(self._words / max(self._live, 1), 1.0)
        targets, counts = owners, 1 / (1 - B + B * length)
        if self._linked:
            targets, counts = self._targets(owners), np.multiply.outer(NEIGHBOUR_WEIGHTS, counts)
        touched = np.zeros(len(self) + 1, dtype=np.bool_)  # the last one is -1: none
        touched[targets] = True
        touched[:-1] &= self._alive.values
        rows = touched[:-1].nonzero()[0]
        slots = np.full(len(self) + 1, len(rows))
        slots[rows] = np.arange(len(rows))
        cells = slots[targets] * width + columns
        # Of weights the sums are floats, which numpy's stubs do not know.
        sums: Any = np.bincount(cells.ravel(), counts.ravel(), (len(rows) + 1) * width)
        return rows, sums.reshape(-1, width)[:-1]

    def _targets(self, owners: Links) -> Links:
        """Return where words propagate to, a row for each of `NEIGHBOUR_WEIGHTS`; -1: nowhere."""
        after = self._after.values  # nothing is after the last position, which -1 is the index of
        follower = after[owners]
        return np.stack([owners, follower, after[follower], self._before.values[owners]])

    def settle(self) -> None:
        """Fold the tail in, as is worth it after many positions at once."""
        if self._tail.size > _TAIL:
            self._merge_tail()

    def _merge_tail(self) -> None:
        self._postings.merge(self._tail.words)
        self._tail = Tail(self._postings.end)


def _documents(owners: Links, columns: Ints, width: int) -> list[int]:
    """Return in how many positions each column occurs; occurrences in one lie side by side."""
    first = begins(owners) | begins(columns)
    counts: list[int] = np.bincount(columns[first], minlength=width).tolist()
    return counts


def _any_of(known: Mapping[str, Ints], group: Group) -> Ints:
    """Return where any term of a group stands, ascending."""
    slices = [known[term] for term in group if term in known]
    if len(slices) > 1:
        return np.sort(np.concatenate(slices))
    return slices[0] if slices else np.empty(0, np.int64)


def _adjacent(words: Sequence[Ints]) -> Ints:
    """Return the places where the first word stands and the others follow one by one."""
    first = words[0]
    for offset, following in enumerate(words[1:], start=1):
        if not len(first) or not len(following):
            return first[:0]
        wanted = first + offset
        behind = following.take(np.searchsorted(following, wanted), mode="clip")
        first = first[behind == wanted]
    return first
