"""What says the same twice: near-duplicates, and facts beside the turns they came from.

Pure functions over words, and one index that answers in time independent of how much was
chosen before.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from holdfast.types import Record

Words: TypeAlias = tuple[str, ...]

# Chinese and Japanese write no spaces: there every character is a word.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_]+(?:['\u2019][^\W_]+)*")
# Words whose absence changes nothing. Not `language.stopwords`: a keyword query can do without
# "before" and "not", a statement cannot.
_FILLERS = """
    a an the and or but so then that this these those it its is are was were be been am do does
    did have has had will would can could should of in on at to for from with by as about into
    i me my mine we us our you your he him his she her they them their just really very too
    well oh hey hi yeah yes
"""
_FILLING = frozenset(_FILLERS.split())
_NEGATING = frozenset(
    {"not", "no", "never", "none", "nobody", "nothing", "nor", "without", "cannot"}
)

# Two texts are near-duplicates when one is the other with a fifth of its words left out.
_LEAST_SHARE = 0.8

# A fact says what its turn says when it has six of ten of its words (their first five letters:
# facts change the person and the tense).
_LEAST_COVER = 0.6
_STEM = 5

# Postings looked at per word; a word in more texts than this tells little.
_LOOKED_AT = 32


def words(text: str) -> Words:
    """Return the words of a text in order, case folded; its fillers only if it has no others."""
    found = tuple(_WORD.findall(text.casefold().replace("\u2019", "'")))
    return tuple(word for word in found if word not in _FILLING) or found


def alike(one: Words, other: Words) -> bool:
    """Return whether two texts say the same words in the same order, but for a fifth of them.

    A number or a negation that only one of them has makes them different.
    """
    short, long = sorted((one, other), key=len)
    if one == other:
        return True
    if len(short) < _LEAST_SHARE * len(long):
        return False
    extra = _left_over(short, long)
    return extra is not None and not any(map(_decisive, extra))


def _left_over(short: Words, long: Words) -> list[str] | None:
    """Return the words of `long` beside `short`; None when `short` is no part of it, in order."""
    expected = iter(short)
    wanted = next(expected, None)
    extra: list[str] = []
    for word in long:
        if word == wanted:
            wanted = next(expected, None)
        else:
            extra.append(word)
    return extra if wanted is None else None


def _decisive(word: str) -> bool:
    return word in _NEGATING or word.endswith("n't") or any(map(str.isdigit, word))


def covers(facts: Iterable[str], turn: str) -> bool:
    """Return whether facts, together, say what a turn says: most of its words, all its numbers."""
    told, said = _stems(facts), set(words(turn))
    if not _numbers(said) <= told:
        return False
    return sum(word[:_STEM] in told for word in said) >= _LEAST_COVER * len(said)


def tells_numbers(facts: Iterable[str], turn: str) -> bool:
    """Return whether facts, together, have all the numbers of a turn."""
    return _numbers(words(turn)) <= _stems(facts)


def _numbers(said: Iterable[str]) -> set[str]:
    return {word[:_STEM] for word in said if any(map(str.isdigit, word))}


def _stems(texts: Iterable[str]) -> set[str]:
    return {word[:_STEM] for text in texts for word in words(text)}


@dataclass(frozen=True, slots=True)
class _Said:
    words: Words
    turn: tuple[object, ...] | None
    """Who said it in which session on which day; None for what is no turn."""


class Repetition:
    """Remembers what was chosen and says whether a candidate repeats it.

    The same words on another day, in another session or from another mouth are no repetition
    among turns: people repeat themselves, and that they did is worth knowing.
    """

    def __init__(self) -> None:
        self._by_word: defaultdict[str, list[_Said]] = defaultdict(list)
        self._by_longest: defaultdict[str, list[_Said]] = defaultdict(list)

    def add(self, record: Record, shown: str) -> None:
        """Remember that a record was chosen."""
        said = _said(record, shown)
        for word in set(said.words):
            self._by_word[word].append(said)
        if said.words:
            self._by_longest[_longest(said.words)].append(said)

    def has(self, record: Record, shown: str) -> bool:
        """Return whether something chosen says the same."""
        candidate = _said(record, shown)
        return any(
            alike(candidate.words, chosen.words)
            for chosen in self._near(candidate.words)
            if None in (candidate.turn, chosen.turn) or candidate.turn == chosen.turn
        )

    def _near(self, candidate: Words) -> Iterator[_Said]:
        """Yield what could be alike: one of the two has the longest word of the other."""
        if not candidate:
            return
        yield from self._by_word.get(_longest(candidate), [])[-_LOOKED_AT:]
        for word in sorted(set(candidate)):
            yield from self._by_longest.get(word, [])[-_LOOKED_AT:]


def _said(record: Record, shown: str) -> _Said:
    if record.kind != "turn":
        return _Said(words(shown), None)
    voice = (record.speaker, record.role, record.scope.run_id, record.occurred_at.date())
    return _Said(words(shown), voice)


def _longest(among: Sequence[str]) -> str:
    return max(among, key=lambda word: (len(word), word))
