"""Passages: where a long message is cut, so that each part has a vector of its own.

A text is broken at line ends and sentence ends, and the pieces are packed up to a size in which
an embedder still sees every word. Short texts stay whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final, TypeAlias

import regex

Span: TypeAlias = tuple[int, int]

# In characters of Latin text (about six a word); a character of a script without spaces is a
# token of its own and counts as four.
TARGET: Final = 400
LONGEST_WHOLE: Final = 600

_WIDE: Final = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]")
# The look-behind keeps a megabyte of question marks from being tried at each of them.
_BREAK: Final = regex.compile(
    r"(?<![.!?…؟।])[.!?…؟।]++[\"'”’)\]*_]*+\s++|[。！？]++[”’」』）]*+|\n\s*+"
)
_HEADING: Final = regex.compile(r"#{1,6} |\*\*[^*\n]+\*\*:?\s*$")
_ATOM: Final = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]{1,25}\s*"
    r"|[^\s\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]{1,80}\s*|\s+"
)


def split(text: str) -> list[Span]:
    """Return the spans of a text's passages, in order; one span for a short text.

    No span begins or ends with white space or inside a word (longer strings than 80 characters
    excepted), and none is empty. White space alone gives no passage.
    """
    if len(text) <= LONGEST_WHOLE and _size(text) <= LONGEST_WHOLE:
        return list(_trimmed(text, [(0, len(text))]))
    return list(_trimmed(text, _packed(text, _pieces(text))))


def _size(text: str) -> int:
    if text.isascii():
        return len(text)
    return len(text) + 3 * len(_WIDE.findall(text))


def _pieces(text: str) -> Iterator[Span]:
    """Yield sentences and lines, cut further where one is longer than a passage."""
    start = 0
    for end in chain((match.end() for match in _BREAK.finditer(text)), [len(text)]):
        if _size(text[start:end]) <= TARGET:
            yield start, end
        else:
            atoms = _ATOM.finditer(text, start, end)
            yield from _packed(text, (atom.span() for atom in atoms))
        start = end


def _packed(text: str, pieces: Iterable[Span]) -> Iterator[Span]:
    """Join neighbouring pieces up to the target size; a heading prefers to begin a passage."""
    start = end = filled = 0
    for first, last in pieces:
        size = _size(text[first:last])
        heading = filled > TARGET / 2 and _HEADING.match(text, first, last)
        if filled and (filled + size > TARGET or heading):
            yield start, end
            filled = 0
        if not filled:
            start = first
        end, filled = last, filled + size
    if filled:
        yield start, end


def _trimmed(text: str, spans: Iterable[Span]) -> Iterator[Span]:
    for start, end in spans:
        kept = text[start:end]
        start, end = start + len(kept) - len(kept.lstrip()), end - len(kept) + len(kept.rstrip())
        if start < end:
            yield start, end
