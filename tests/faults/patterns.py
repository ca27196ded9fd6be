"""Texts that cost much to read, break out of quotes, or are no text at all; any length."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Iterator
from itertools import count

Pattern = Callable[[int], str]

# Repeated up to the length: controls, marks, widths, tokens of prompts, words of dates and names.
UNITS = (
    "a", " ", "\n", "\t", "\r\n", "a ", "ab ", "Ab", "aB ", "A ", "A", "I ", "the ", "é", "e\u0301",
    "\u0301", "\u0316\u0301", "\u0345", "\u0300\u0308\u0327", "\u05b0\u05bc", "\u064b\u0651",
    "\u0e49", "\u3099", "か\u3099", "\u0f71\u0f72", "\u1e9b\u0323", "\ufdfa", "\ufdfb ", "\ufb03",
    "\u3316", "①", "ｱﾀﾞ", "Ａ", "\u1100\u1161\u11a8", "\uac00", "각 ", "漢", "漢字、", "あ", "ア。",
    "ไทย", "हिन्दी ", "العربية ", "Ω", "ß", "İ", "ſ", "ĳ", "ǆ", "\u200b", "\u200d", "\u2060",
    "\ufeff", "\u00ad", "\ufe0f", "\U000e0061", "\u3164", "👨\u200d👩\u200d👧", "🇩🇪",
    "🏽", "\u202e",
    "\u2066", "\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1b[31m", "\x9b", "\x7f", "\ufffd",
    "\uffff", "\U0010ffff", "<", "</memory>", "<|im_end|>", "[INST]", "```", "<!--", "&amp;", "{",
    "[", "(", "()", '"', '\\"', "\\", "'", "''", '"a" ', "“a” ", "%", "_", "*", "?", "? ", "!", ".",
    "..", "a.", "A.", "Mr. ", "e.g. ", "U.S.", "。", ",", ", ", ";", ":", "-", "--", "- ", "_a",
    "/", "//", "1", "1 ", "1.", "1,", "1-", "0.", "1e9", "0x", "$1 ", "1%", "12:", "2024", "2024-",
    "2024-01-01 ", "1/2/2024 ", "last friday ", "in 3 days ", "yesterday ", "Monday ", "May ",
    "mayor ", "3 weeks ago ", "the 3rd of ", "Ada ", "Ada Lovelace ", "AdaLovelace", "O'Neil ",
    "I live in Paris. ", "I'm ", "user: ", "\nuser: ", "http://a.b/", "a@b.c ", "#a ", "@a ",
    "not ", "and ", "aaaa bbbb ", "a-b ", "a_b", "a'b ", "running ", "AAAA ", "x" * 63 + " ",
)  # fmt: skip


def _repeated(unit: str) -> Pattern:
    return lambda size: (unit * (size // len(unit) + 1))[:size]


def _joined(words: Iterator[str], size: int) -> str:
    parts, length = [], 0
    while length < size:
        parts.append(next(words))
        length += len(parts[-1])
    return "".join(parts)[:size]


def _counted(made: Callable[[int], str]) -> Pattern:
    """Return a pattern of words that are all different."""
    return lambda size: _joined(map(made, count()), size)


def _drawn(alphabet: Callable[[random.Random], str]) -> Pattern:
    def text(size: int) -> str:
        rng = random.Random(7)
        return "".join(alphabet(rng) for _ in range(size))

    return text


def _any_character(rng: random.Random) -> str:
    while unicodedata.category(made := chr(rng.randrange(1, 0x110000))) == "Cs":
        pass
    return made


def _day(n: int) -> str:
    return f"{1900 + n // 336 % 200}-{n // 28 % 12 + 1:02}-{n % 28 + 1:02} "


_MARKS = [chr(code) for code in range(0x300, 0x370)]
_MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August"]

DISTINCT: dict[str, Pattern] = {
    "words": _counted(lambda n: f"w{n:x} "),
    "long words": _counted(lambda n: f"{n:x}" * 8 + " "),
    "numbers": _counted(lambda n: f"{n} "),
    "days": _counted(_day),
    "days in words": _counted(lambda n: f"{n % 28 + 1} {_MONTHS[n % 8]} {1700 + n // 28} "),
    "spans of time": _counted(lambda n: f"{n} days ago "),
    "hours": _counted(lambda n: f"{n % 24}:{n % 60:02}:{n % 59:02}.{n} "),
    "names": _counted(lambda n: f"Name{n} "),
    "double names": _counted(lambda n: f"Nu{n} Sur{n} and "),
    "quotes": _counted(lambda n: f'"said {n}" '),
    "sentences": _counted(lambda n: f"Thing {n} is near thing {n + 1}. "),
    "lines": _counted(lambda n: f"line {n}\n"),
    "characters": _counted(lambda n: chr(0x3400 + n % 0x6000)),
    "questions": _counted(lambda n: f"Where is Name{n}? "),
    "pairs": _counted(lambda n: f"k{n}: v{n}, "),
    "accents": _counted(lambda n: f"a{n:x}" + _MARKS[n % 112] + " "),
    "homes": _counted(lambda n: f"I live in Place{n}. "),
    "hashes": _counted(lambda n: f"#{n}"),
    "emails": _counted(lambda n: f"u{n}@h{n}.org "),
    "camels": _counted(lambda n: f"aB{n}"),
}
DRAWN: dict[str, Pattern] = {
    "ASCII": _drawn(lambda rng: chr(rng.randrange(32, 127))),
    "Unicode": _drawn(_any_character),
    "marks": _drawn(lambda rng: rng.choice(_MARKS)),
    "digits": _drawn(lambda rng: chr(rng.randrange(48, 58))),
    "punctuation": _drawn(lambda rng: rng.choice(".,;:!?'\"-()[]{} ")),
    "brackets": _drawn(lambda rng: rng.choice("([{<>}])\"' ")),
    "spaces": _drawn(lambda rng: rng.choice(" \t\n\u00a0\u2003\u3000\u2028")),
    "Han": _drawn(lambda rng: chr(rng.randrange(0x4E00, 0x9FA0))),
    "Hangul": _drawn(lambda rng: chr(rng.randrange(0xAC00, 0xD7A4))),
    "letters": _drawn(lambda rng: rng.choice("abcdefghijklmnopqrstuvwxyzABC  ")),
}
SHAPED: dict[str, Pattern] = {
    "marks on a letter": lambda size: "a" + "\u0301\u0316" * (size // 2),
    "marks before a letter": lambda size: "\u0316\u0301" * (size // 2) + "a",
    "marks in descending order": lambda size: "a" + "".join(reversed(_MARKS)) * (size // 112),
    "a word and a mark": lambda size: "a" * size + "!",
    "digits and a letter": lambda size: "1" * size + "x",
    "spaces and a letter": lambda size: " " * size + "x",
    "open brackets": lambda size: "(" * (size // 2) + "a" * (size // 2),
    "nested brackets": lambda size: "[" * (size // 2) + "]" * (size // 2),
    "nested objects": lambda size: '{"a":' * (size // 6) + "1" + "}" * (size // 6),
    "an open quote": lambda size: '"' + "a " * (size // 2),
    "one quote in all": lambda size: '"' + "a b " * (size // 4) + '"',
    "a NUL": lambda size: "\x00" + "a" * size,
    "a lone surrogate": lambda size: "\ud800" + " a" * (size // 2),
    "surrogates": lambda size: "\udcff" * size,
    "one word, then others": lambda size: "tea " * (size // 8) + "rain " * (size // 10),
    "a path": lambda size: "../" * (size // 3) + "etc/passwd",
}


def patterns() -> dict[str, Pattern]:
    """Return all patterns by name; none is longer than it is asked for."""
    found = {f"repeated {unit!a}": _repeated(unit) for unit in UNITS}
    found |= {f"distinct {name}": made for name, made in DISTINCT.items()}
    found |= {f"random {name}": made for name, made in DRAWN.items()}
    return found | {name: _cut(made) for name, made in SHAPED.items()}


def _cut(made: Pattern) -> Pattern:
    return lambda size: made(size)[:size]


FEW = (
    "marks on a letter", "random Unicode", "random marks", "distinct days", "distinct names",
    "distinct quotes", "random punctuation", r"repeated '\ufdfa'", "repeated '<|im_end|>'",
    "nested brackets", "a NUL", "a lone surrogate", r"repeated '\x85'", "random spaces",
)  # fmt: skip
"""Those that the quick part asks with."""
