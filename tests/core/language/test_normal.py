"""Normal forms of any text take time linear in its length; there is one place that makes them."""

from __future__ import annotations

import re
import time
import unicodedata
from pathlib import Path

import holdfast
import pytest
from holdfast.language.normal import normal, read_of
from holdfast.language.terms import analyse

LONG = 200_000
RUNS = {
    "latin": "a" + "\u0301\u0316" * LONG,
    "halfwidth, which are letters": "か" + "\u0301\uff9e" * LONG,
    "tibetan, which decompose": "ཀ" + "\u0f73\u0301" * LONG,
    "hebrew": "א" + "\u05b0\u05b1\u0591" * LONG,
}


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC"])
@pytest.mark.parametrize("name", RUNS)
def test_a_long_run_of_marks_takes_linear_time(name: str, form: str) -> None:
    begun = time.process_time()
    normal(form, RUNS[name])  # type: ignore[arg-type]
    assert time.process_time() - begun < 5


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC"])
def test_an_ordinary_text_is_normalised_as_unicode_says(form: str) -> None:
    text = "Ｃａｆé naïve ﬁn q\u0307\u0323 각 が ½ " + "e\u0301\u0316" * 15 + " \ufdfa"
    assert normal(form, text) == unicodedata.normalize(form, text)  # type: ignore[arg-type]


def test_every_character_that_becomes_a_mark_is_counted_as_one() -> None:
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    marks = [
        character
        for character in characters
        if unicodedata.combining(unicodedata.normalize("NFKD", character)[0])
    ]
    assert all("\u034f" in normal("NFC", "a" + mark * 31) for mark in marks)


def test_a_character_that_expands_eighteenfold_does_not_multiply_a_text() -> None:
    assert len(normal("NFKC", "\ufdfa" * 500_000)) < 600_000
    assert "tea" in analyse("\ufdfa" * 5_000 + " tea")


def test_no_other_module_calls_the_quadratic_function() -> None:
    called = re.compile(r"unicodedata\.normalize\(|from unicodedata import")
    sources = Path(holdfast.__file__).parent.rglob("*.py")
    assert [path.name for path in sources if called.search(path.read_text(encoding="utf-8"))] == [
        "normal.py"
    ]


def test_of_a_long_text_the_beginning_and_the_end_are_read() -> None:
    assert read_of("tea", 10) == "tea"
    assert read_of("a" * 50 + "b" * 50, 10) == "aaaaa bbbbb"
