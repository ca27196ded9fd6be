"""Names of things: which spellings are one name, and what kind of thing a name may stand for."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal

from holdfast.language.terms import fold
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
    "place location city town village country region state province continent island river "
    "mountain street address neighbourhood neighborhood park beach venue"
)
_SPLIT: Final = re.compile(r"[\W_]+")


@lru_cache(maxsize=200_000)
def bare(name: str) -> str:
    """Return the form in which two spellings of a name are equal; empty if there is no name.

    Case, accents, punctuation, articles and titles do not count; scripts do (nothing is
    transliterated).
    """
    folded = fold(normalise(name))
    split = _SPLIT.sub(" ", folded).split()
    return " ".join([word for word in split if word not in _BESIDE] or split) or clean(folded)


def sort(type: str) -> Sort:
    """Return what a type says for certain: a person is no place. Empty: it may be either."""
    words = set(_SPLIT.sub(" ", type.casefold()).split())
    if words & _PERSON:
        return "person"
    return "place" if words & _PLACE else ""
