"""Unicode normalisation of text from outside, in time linear in its length.

`unicodedata.normalize` sorts a run of combining marks by insertion: half a million of them after
one letter take minutes, and it holds the interpreter's lock meanwhile. In Stream-Safe Text Format
(UAX #15, section 13) no run is longer than thirty, so nothing else here calls it.
"""

from __future__ import annotations

import unicodedata
from itertools import islice
from typing import Final, Literal

import regex

# Every character that a normal form may turn into combining marks alone: marks, and the two
# halfwidth ones that Unicode calls letters. The joiner ends a run, so it is none.
_MARK: Final = r"[\p{M}\uFF9E\uFF9F--\u034F]"
_LONGEST_RUN: Final = 30
_LONG_RUN: Final = regex.compile(rf"(?V1){_MARK}{{{_LONGEST_RUN}}}(?={_MARK})")
_JOINER: Final = "\u034f"

# One character is eighteen of NFKC, eight, or (units as one sign: "kilometre") up to six. Beyond
# twenty of them in one passage they are left out; it is found by the others.
_WIDE: Final = regex.compile("[\ufdfa\ufdfb\u3300-\u3357]")
_MOST_WIDE: Final = 20


def normal(form: Literal["NFC", "NFD", "NFKC"], text: str) -> str:
    """Return a text in a normal form; a combining grapheme joiner cuts longer runs of marks."""
    if text.isascii():
        return text
    if len(text) > _LONGEST_RUN:
        text = _LONG_RUN.sub(rf"\g<0>{_JOINER}", text)
    if form == "NFKC" and len(text) > _MOST_WIDE:
        text = _without_wide(text)
    return unicodedata.normalize(form, text)


def _without_wide(text: str) -> str:
    last = next(islice(_WIDE.finditer(text), _MOST_WIDE, None), None)
    return text if last is None else text[: last.start()] + _WIDE.sub(" ", text[last.start() :])


def read_of(text: str, most: int) -> str:
    """Return what is read of a long text: its beginning and its end, for there questions stand."""
    half = most // 2
    return text if len(text) <= most else f"{text[:half]} {text[-half:]}"
