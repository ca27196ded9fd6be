"""Index terms: the words of a text as keywords see them.

Words are runs of letters and digits, case-folded (NFKC), and stemmed by Snowball. Scripts that
put no spaces between words give pairs of characters, and single ones where one can be a word
(Han): together they find more than either (Nie, Gao, Zhang and Zhou, 2000). Documents keep all
their words, so that phrases stay findable; queries drop function words.

The stemmer of a Latin text is that of the language most of its function words belong to. A
question may be too short to tell, so a query term is a *group*: every stem a document could
hold for that word. Which language a document was taken for then matters little.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import regex
import Stemmer
from numpy.typing import NDArray

from holdfast.language.irregular import BASE
from holdfast.language.normal import normal
from holdfast.language.stopwords import ENGLISH, LATIN, OTHER

Group: TypeAlias = tuple[str, ...]

_UNSPACED: Final = r"\p{Han}\p{Hiragana}\p{Katakana}ー\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_WORD: Final = regex.compile(
    rf"(?V1)(?P<unspaced>[{_UNSPACED}][{_UNSPACED}\p{{M}}]*)"
    r"|\p{N}+(?:[.,:]\p{N}+)+"
    rf"|[\p{{L}}\p{{N}}--[{_UNSPACED}]][\p{{L}}\p{{M}}\p{{N}}--[{_UNSPACED}]]*"
    r"(?:['’]\p{L}+)*"
)
# The same of case-folded ASCII, an eighth of the time: no groups, no objects for matches.
_ASCII_WORD: Final = re.compile(r"[0-9]+(?:[.,:][0-9]+)+|[a-z0-9]+(?:'[a-z]+)*")
_RUN: Final = regex.compile(rf"[{_UNSPACED}]")
_CLUSTER: Final = regex.compile(r"\X")
_HAN: Final = regex.compile(r"\p{Han}")

# First code point of a block, and the Snowball stemmer of its letters ("" for none).
_BLOCKS: Final = (
    (0x0000, "latin"),
    (0x0370, "greek"),
    (0x0400, "russian"),
    (0x0530, "armenian"),
    (0x0590, ""),
    (0x0600, "arabic"),
    (0x0700, ""),
    (0x0750, "arabic"),
    (0x0780, ""),
    (0x0900, "hindi"),
    (0x0980, ""),
    (0x0B80, "tamil"),
    (0x0C00, ""),
    (0x1E00, "latin"),
    (0x1F00, "greek"),
    (0x2000, ""),
)
_STARTS: Final = [start for start, _ in _BLOCKS]

# How many words of a text are looked at to tell its language.
_SAMPLE = 200

# Characters of the longest word that is stemmed, and kept in a cache: no language has a longer one,
# a stemmer may be quadratic, and a hundred thousand such words would fill the memory.
_LONGEST: Final = 200

_stemmers = threading.local()  # a Snowball stemmer must not be shared between threads


class Word(NamedTuple):
    """One word of a query.

    Attributes:
        text: As it stands in the query.
        start, end: Where it stands, in characters.
        groups: Its index terms, each with every stem a document may hold for it.
        stop: It is a function word.
    """

    text: str
    start: int
    end: int
    groups: tuple[Group, ...]
    stop: bool


def analyse(text: str) -> list[str]:
    """Return the index terms of a document, all of them, in the order of the text."""
    plain = _plain(text)
    if plain.isascii():
        spaced = _ASCII_WORD.findall(plain)
        language = language_of(spaced) or "english"
        return [stem(word, language) for word in spaced]
    found = [(match["unspaced"] is not None, match[0]) for match in _WORD.finditer(plain)]
    language = language_of([word for unspaced, word in found if not unspaced]) or "english"
    terms: list[str] = []
    for unspaced, word in found:
        if unspaced:
            terms.extend(grams(word))
        else:
            terms.append(stem(word, language))
    return terms


def words(query: str, *, whole: bool = False) -> list[Word]:
    """Return the words of a query (NFKC) with their groups, function words marked, none dropped.

    Args:
        query: The query.
        whole: Keep function words inside scripts without spaces too, as a phrase needs them.
    """
    places = _places(query)
    language = language_of([folded for _, _, folded, unspaced in places if not unspaced])
    stops = _stops(language)
    found: list[Word] = []
    for start, end, folded, unspaced in places:
        if not unspaced:
            groups: tuple[Group, ...] = (alternatives(folded, language),)
            stop = folded in stops
        else:
            terms = grams(folded)
            kept = terms if whole else [term for term in terms if term not in stops]
            groups = tuple((term,) for term in kept or terms)
            stop = all(term in stops for term in terms)
        found.append(Word(query[start:end], start, end, groups, stop))
    return found


def forms(text: str) -> set[str]:
    """Return every term by which some text may hold a word of this one, function words left out.

    The stem of a word differs with the language of the text around it: all of them are meant.
    """
    plain = _plain(text)
    found = [(match["unspaced"] is not None, match[0]) for match in _WORD.finditer(plain)]
    stops = _stops(language_of([word for unspaced, word in found if not unspaced]))
    held: set[str] = set()
    for unspaced, word in found:
        if unspaced:
            held.update(grams(word))
        elif word not in stops:
            held.update(alternatives(word, None))
    return held - stops


def _places(query: str) -> list[tuple[int, int, str, bool]]:
    """Return where each word begins and ends, folded, and if its script puts no spaces between."""
    if query.isascii():
        return [(*match.span(), match[0], False) for match in _ASCII_WORD.finditer(query.lower())]
    return [
        (*match.span(), _plain(match[0]), match["unspaced"] is not None)
        for match in _WORD.finditer(query)
    ]


@cache
def _stops(language: str | None) -> frozenset[str]:
    return frozenset(LATIN[language] if language else ENGLISH) | OTHER


def language_of(folded: Sequence[str]) -> str | None:
    """Return the Snowball name of the language of Latin words, None where none stands out."""
    seen = set(folded[:_SAMPLE])
    counts = {name: len(seen & stops) for name, stops in LATIN.items()}
    best = max(counts, key=counts.__getitem__)
    if counts[best]:
        return best
    letters = "".join(seen)
    if any(letter in letters for letter in "äöüß"):
        return "german"
    return "spanish" if any(letter in letters for letter in "ñóíáú") else None


def alternatives(word: str, language: str | None) -> Group:
    """Return every stem a document may hold for a case-folded word of a query.

    English questions are plain enough to trust: other stemmers would turn "times" into "tim".
    A foreign word in them, and a query of unknown language, gets the stems of all.
    """
    return (word,) if len(word) > _LONGEST else _alternatives(word, language)


@lru_cache(maxsize=1 << 14)
def _alternatives(word: str, language: str | None) -> Group:
    if not word.isascii() or language is None:
        languages: Sequence[str] = tuple(LATIN)
    else:
        languages = (language, "english")
    return tuple(dict.fromkeys(stem(word, name) for name in languages))


def stem(word: str, language: str) -> str:
    """Return the stem of a case-folded word; `language` decides for Latin letters only."""
    return word if len(word) > _LONGEST else _stem(word, language)


@lru_cache(maxsize=1 << 16)
def _stem(word: str, language: str) -> str:
    if word[0].isdigit():
        return word.replace(",", "") if regex.fullmatch(r"\d{1,3}(,\d{3})+", word) else word
    block = _BLOCKS[bisect_right(_STARTS, ord(word[0])) - 1][1]
    if not block:
        return word
    if block == "latin" and language == "english":
        word = BASE.get(word, word)
    stemmed: str = _stemmer(language if block == "latin" else block).stemWord(word)
    return _unaccented(stemmed) if block == "latin" and not stemmed.isascii() else stemmed


def grams(run: str) -> list[str]:
    """Return the pairs of neighbouring characters of a run, and each Han character alone.

    A run of one character is that character. They are ordered as in the text, so a phrase
    gives the same sequence wherever it stands.
    """
    clusters: list[str] = _CLUSTER.findall(run)
    if len(clusters) == 1:
        return clusters
    return list(_grams(clusters))


def _grams(clusters: Sequence[str]) -> Iterator[str]:
    last = len(clusters) - 1
    for at, cluster in enumerate(clusters):
        if _HAN.match(cluster):
            yield cluster
        if at < last:
            yield cluster + clusters[at + 1]


def term_hash(term: str) -> int:
    """Return the number that stands for a term: its BLAKE2b digest of 8 bytes, big-endian."""
    return _digest(term) if len(term) > _LONGEST else _known_digest(term)


def _digest(term: str) -> int:
    return int.from_bytes(
        blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big"
    )


_known_digest = lru_cache(maxsize=1 << 17)(_digest)


def term_hashes(terms: Sequence[str]) -> NDArray[np.uint64]:
    """Return the hashes of terms, in order. Shape (len(terms),)."""
    return np.fromiter(map(term_hash, terms), dtype=np.uint64, count=len(terms))


def has_unspaced(text: str) -> bool:
    """Return whether a text holds a script that puts no spaces between words."""
    return _RUN.search(text) is not None


def fold(text: str) -> str:
    """Return a name or word case-folded and without accents: how two spellings are compared."""
    plain = _plain(text)
    return plain if plain.isascii() else _unaccented(plain)


def _plain(text: str) -> str:
    if text.isascii():
        return text.lower()
    return normal("NFKC", text).casefold().replace("’", "'")


def _unaccented(word: str) -> str:
    letters = normal("NFD", word)
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _stemmer(language: str) -> Stemmer.Stemmer:
    stemmer = getattr(_stemmers, language, None)
    if stemmer is None:
        stemmer = Stemmer.Stemmer(language)
        setattr(_stemmers, language, stemmer)
    return stemmer
