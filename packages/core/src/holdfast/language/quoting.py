"""Text from outside as a prompt may carry it: one JSON string on one line, and nothing else.

It may pose as an instruction, so

* no line break, by any standard, starts a line of its own;
* what opens a tag, a fence or a chat template's control token is a JSON escape;
* invisible and direction-changing characters are gone, so nothing hides behind them.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence

# Line breaks by any standard (str.splitlines knows the same ones).
_BREAKS = re.compile("\r\n|[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")

# Blank, though Unicode calls them letters or marks: Hangul fillers, the braille blank, joiners
# without a glyph, and the variation selectors that can carry hidden bytes.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0\ufe00-\ufe0d\U000e0100-\U000e01ef]"
)

_JOINERS = frozenset("\u200c\u200d")

# What a reader (or a tokenizer) may take for a tag, a fence or a control token: an angle
# bracket of any width before a name, a slash or a bar; a quote of full width; square brackets
# around a template's marker such as [INST]; three backticks.
_MARKUP = re.compile(
    r"[<\uff1c\ufe64\u2039\u3008\u276e\u27e8](?=\s*[/|\\\uff0f\uff5c\u2758!?<\uff1c\ufe64_]|\s*[^\W\d])"
    r"|\uff02|`(?=``)"
    r"|[\[\uff3b](?=\s{0,8}(?:/\s{0,8})?"  # bounded, or many blanks would take quadratic time
    r"(?:[A-Z_ ]{3,64}[\]\uff3d]|(?i:system|developer|assistant|user|inst)\b))"
)


def quote(text: str) -> str:
    """Return text from outside as one JSON string on one line.

    ``json.loads`` gives the text back, without its invisible characters.
    """
    return _inert(json.dumps(clean(text), ensure_ascii=False))


def inert(text: str) -> str:
    """Return text that is no single string, such as a model's broken JSON, made as harmless."""
    return _inert(clean(text))


def _inert(text: str) -> str:
    return _MARKUP.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def clean(text: str) -> str:
    """Return the text without invisible, control and direction-changing characters.

    Every line break becomes a newline, every tab a space. Joiners stay where scripts and emoji
    need them: between two characters that are not ASCII.
    """
    if text.isascii() and text.isprintable():
        return text
    text = _BLANK.sub("", _BREAKS.sub("\n", text).replace("\t", " "))
    kept = [character for character in text if _visible(character)]
    return "".join(
        character
        for at, character in enumerate(kept)
        if character not in _JOINERS or (_joinable(kept, at - 1) and _joinable(kept, at + 1))
    )


def _visible(character: str) -> bool:
    if character == "\n" or character in _JOINERS:
        return True
    if unicodedata.category(character) == "Cn":  # emoji newer than this Python
        return "\U0001f000" <= character <= "\U0001faff"
    return unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co"}


def _joinable(characters: Sequence[str], at: int) -> bool:
    within = 0 <= at < len(characters)
    return within and not characters[at].isascii() and characters[at] not in _JOINERS
