"""What is done quicker for plain ASCII says the same as what is done for every script."""

from __future__ import annotations

from holdfast.language import dates, terms, traits
from hypothesis import given
from hypothesis import strategies as st

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
