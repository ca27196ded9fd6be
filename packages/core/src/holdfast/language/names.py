"""Names of things: which spellings are one name, and what kind of thing a name may stand for."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, Literal

from holdfast.language.terms import fold, words
from holdfast.language.wording import clean, normalise

Sort = Literal["person", "place", ""]


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


TITLES: Final = _listed(
    "mr mrs ms miss mx dr prof professor sir madam herr frau monsieur madame mme sr sra senor "
    "senora don dona"
)
_BESIDE: Final = TITLES | _listed("a an the le la les der die das el los")
"""Articles and titles: "Dr Weber" is "Weber", and "the Louvre" is "Louvre"."""

_PERSON: Final = _listed(
    "person people human individual man woman boy girl child user friend colleague sibling sister "
    "brother mother father parent son daughter relative character"
)
_PLACE: Final = _listed(
    "place location city town village country reach state province continent island river "
    "mountain street address neighbourhood neighborhood park beach venue"
)
_SPLIT: Final = re.compile(r"[\W_]+")
_POSSESSIVE: Final = re.compile(r"['’]s?$")

_KEPT: Final = 200  # characters of the longest name kept in the cache
_LONGEST: Final = 4  # words of a name
_READ: Final = 200  # words of a question: a longer one names nothing in particular


def bare(name: str) -> str:
    """Return the form in which two spellings of a name are equal; empty if there is no name.

    Case, accents, punctuation, articles and titles do not count; scripts do (nothing is
    transliterated).
    """
    return _bare(name) if len(name) > _KEPT else _known_bare(name)


def _bare(name: str) -> str:
    folded = fold(normalise(name))
    split = _SPLIT.sub(" ", folded).split()
    return " ".join([word for word in split if word not in _BESIDE] or split) or clean(folded)


_known_bare = lru_cache(maxsize=200_000)(_bare)


def sort(type: str) -> Sort:
    """Return what a type says for certain: a person is no place. Empty: it may be either."""
    words = set(_SPLIT.sub(" ", type.casefold()).split())
    if words & _PERSON:
        return "person"
    return "place" if words & _PLACE else ""


def named(query: str, known: Callable[[str], object]) -> list[str]:
    """Return the known names that a question names: the longest ones, each word in one only.

    A function word alone is a name only with a capital inside the question ("Will", "May").
    Scripts without spaces give no names.
    """
    found = words(query)[:_READ]
    plain = [_POSSESSIVE.sub("", word.text) for word in found]
    names: list[str] = []
    at = 0
    while at < len(found):
        shortest = 2 if found[at].stop and not (at and plain[at][:1].isupper()) else 1
        runs = (plain[at : at + size] for size in range(_LONGEST, shortest - 1, -1))
        run = next((run for run in runs if len(run) >= shortest and known(" ".join(run))), [])
        names += [" ".join(run)] if run else []
        at += len(run) or 1
    return names
