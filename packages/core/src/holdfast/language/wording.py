"""Comparing texts by their words: cleaning, the normalised form, and what two wordings share.

Similarity of vectors cannot tell a contradiction from a duplicate (cosine AUROC 0.59, arXiv
2606.26511), so every comparison of two texts is made here.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter

from holdfast.language.normal import normal

_MEANING = frozenset("#%&@*/\\")
_QUOTES = frozenset("\"'`\u00bf\u00a1")
_SENTENCE_END = re.compile(r"[.!?](?=\s)|[\u3002\uff01\uff1f]")
_BREAKS = re.compile(r"[\s\-\u2010-\u2015/_]+")
# Bidirectional overrides, the byte order mark and tag characters: they only hide text.
_HIDDEN = re.compile("[\u202a-\u202e\u2066-\u2069\ufeff\U000e0000-\U000e007f]")
_FILLERS = frozenset(("a", "an", "the", "that", "now", "currently", "just", "really", "very"))


def clean(text: str) -> str:
    """Return `text` on one line, without control characters, lone surrogates or hidden marks."""
    kept = (" " if _is_control(character) else character for character in text)
    return " ".join(_HIDDEN.sub("", "".join(kept)).split())


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs"}


def shorten(text: str, limit: int) -> str:
    """Cut `text` to at most `limit` characters, at the end of a sentence or word if it can be."""
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    ends = [match.end() for match in _SENTENCE_END.finditer(head)]
    if ends and ends[-1] > limit // 2:
        return head[: ends[-1]]
    return (head.rsplit(" ", 1)[0] if " " in head[limit // 2 :] else head) + "…"


def words(text: str) -> list[str]:
    """Return the words of `text`, case-folded and without the punctuation at their edges.

    Marks that carry meaning stay: ``C++`` is not ``C``, ``-5`` not ``5``, ``.NET`` not ``net``.
    """
    folded = normal("NFKC", text).casefold()
    return [bare for word in folded.split() if (bare := _without_edges(word))]


def _without_edges(word: str) -> str:
    start, end = 0, len(word)
    while end and _closes(word[end - 1]):
        end -= 1
    while start < end and _opens(word[start]):
        start += 1
    return word[start:end]


def _closes(character: str) -> bool:
    category = unicodedata.category(character)
    marks = category in {"Po", "Ps", "Pe", "Pi", "Pf"} or character == "`"
    return marks and character not in _MEANING


def _opens(character: str) -> bool:
    return unicodedata.category(character) in {"Ps", "Pi", "Pf"} or character in _QUOTES


def normalise(text: str) -> str:
    """Return the form under which two texts count as the same words (NFKC, case, punctuation)."""
    return " ".join(words(text))


def fingerprint(text: str) -> str:
    """Return the hash of the normalised text: 32 hexadecimal digits."""
    return hashlib.blake2b(normalise(text).encode(), digest_size=16).hexdigest()


def same_words(left: str, right: str) -> bool:
    """Return whether two texts have the same words in the same order, articles and fillers aside.

    Order counts ("Ann manages Bo" / "Bo manages Ann"), and so does every other word: a number,
    a name, a negation or a tense that differs makes another statement.
    """
    return gist(left) == gist(right)


def gist(text: str) -> str:
    """Return the form in which two texts have the same words (`same_words`)."""
    return " ".join(_significant(text))


def _significant(text: str) -> list[str]:
    parts = (part for word in words(text) for part in _BREAKS.split(word))
    return [part for part in parts if part and part not in _FILLERS]


def same_marks(left: str, right: str) -> bool:
    """Return whether two texts hold the same numbers and the same capitalised words."""
    return _marks(left) == _marks(right)


def _marks(text: str) -> list[str]:
    marked = (part for part in text.split() if any(c.isdigit() or c.isupper() for c in part))
    return sorted(set(words(" ".join(marked))) - _FILLERS - {"user"})


def long_words(text: str) -> set[str]:
    """Return the distinct words of three or more characters."""
    return {word for word in words(text) if len(word) > 2}


def foreign_script(text: str, main: str) -> bool:
    """Return whether `text` has letters, and none of the script `main` (`main_script`)."""
    return bool(main) and bool(scripts := _scripts(text)) and main not in scripts


def main_script(text: str) -> str:
    """Return the script that most letters of a text are of; empty if it has none."""
    scripts = _scripts(text)
    return max(scripts, key=lambda script: (scripts[script], script), default="")


def _scripts(text: str) -> Counter[str]:
    scripts: Counter[str] = Counter()
    for letter, count in Counter(text).items():
        if letter.isalpha():
            # A letter's Unicode name begins with its script: "CYRILLIC SMALL LETTER A".
            scripts[unicodedata.name(letter, "?").split()[0].split("-")[0]] += count
    return scripts
