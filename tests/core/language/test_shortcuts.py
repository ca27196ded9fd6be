"""What is done quicker for plain ASCII says the same as what is done for every script."""

from __future__ import annotations

import re

import pytest
from holdfast.language import cues, dates, terms, traits
from holdfast.language.clues import Clued, said
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.slow

# Words of which dates and times are made, and words that nearly are.
_WORDS = """
    may march marching june jun sept 3rd 12 2019 2019-05-08 10:30 1,000 3.5 the of in since every
    last next week weekend month ago today's today yesterday_ heute vor tagen letzte woche mes
    pasado hoy ayer a few couple days minutes monday wed 5pm pm it's rock'n'roll don't x a1 1a"""
ascii_texts = st.lists(
    st.sampled_from(_WORDS.split()) | st.text(st.characters(max_codepoint=127))
).map(" ".join)


@given(ascii_texts)
def test_ascii_words_are_those_of_the_full_pattern(text: str) -> None:
    plain = text.lower()
    assert terms._ASCII_WORD.findall(plain) == [match[0] for match in terms._WORD.finditer(plain)]


@given(ascii_texts)
def test_a_question_passed_over_names_no_date(text: str) -> None:
    assert dates.may_name_dates(text) or dates._FIND.search(text) is None


@given(ascii_texts)
def test_ascii_tells_a_time_as_the_full_pattern_says(text: str) -> None:
    full = traits._TIME.search(text) is not None
    assert traits.traits(text).tells_time == full


@given(st.from_regex(traits._TIME_IN_ASCII, alphabet=st.characters(max_codepoint=127)))
def test_no_time_expression_goes_without_a_clue(text: str) -> None:
    assert traits.traits(text).tells_time


@pytest.mark.parametrize("clued", [cues._WHEN, cues._NOW, cues._TO_ASSISTANT])
@given(data=st.data())
def test_no_cue_in_a_question_goes_without_its_word(clued: Clued, data: st.DataObject) -> None:
    found = data.draw(_matching(clued.pattern.pattern))
    before, behind = data.draw(_ENDS), data.draw(_ENDS)
    text = before + found + behind
    assert clued.found(text, said(text)) == (clued.pattern.search(text) is not None)


_ENDS = st.sampled_from(["", " ", "What ", "? ", "x", "_", "1", "'s"])


def _matching(pattern: str) -> st.SearchStrategy[str]:
    plain = re.compile(pattern, re.ASCII)
    return st.from_regex(plain, alphabet=st.characters(max_codepoint=127), fullmatch=True)
