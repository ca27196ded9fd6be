"""When two texts are the same words."""

from __future__ import annotations

import pytest
from holdfast.language.wording import clean, fingerprint, normalise, same_marks, same_words, shorten
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("The user likes tea.", "the  user likes TEA"),
        ("“Dune” is great!", '"dune" is great'),
        ("ﬁne", "fine"),
        ("我住在巴黎。", "我住在巴黎"),
        ("Straße", "STRASSE"),
    ],
)
def test_case_space_edges_and_compatibility_forms_make_no_difference(left: str, right: str) -> None:
    assert fingerprint(left) == fingerprint(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("likes C", "likes C++"),
        ("likes C#", "likes C"),
        ("it is -5", "it is 5"),
        ("costs 3.5", "costs 35"),
        ("uses .NET", "uses net"),
        ("fell 50%", "fell 50"),
        ("Müller", "Muller"),
        ("ab c", "a bc"),
    ],
)
def test_marks_that_carry_meaning_make_a_difference(left: str, right: str) -> None:
    assert fingerprint(left) != fingerprint(right)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("The user currently lives in Paris.", "User lives in Paris", True),
        ("User has a long-term visa", "user has long term visa", True),
        ("Ann manages Bo", "Bo manages Ann", False),
        ("The user likes tea", "The user does not like tea", False),
        ("The rent is 900", "The rent is 950", False),
        ("User has a dog", "User had a dog", False),
    ],
)
def test_only_fillers_may_differ_between_same_words(left: str, right: str, same: bool) -> None:
    assert same_words(left, right) is same


def test_marks_are_numbers_and_names() -> None:
    assert same_marks("The user lives in Paris.", "User resides in Paris")
    assert not same_marks("The user lives in Paris.", "The user lives in Rome.")
    assert not same_marks("the rent is 900", "the rent is 950")


@settings(max_examples=100, deadline=None)
@given(st.text())
def test_cleaning_and_normalising_settle_at_once(text: str) -> None:
    assert clean(clean(text)) == clean(text)
    assert clean(text).encode() is not None
    assert normalise(normalise(clean(text))) == normalise(clean(text))


@settings(max_examples=100, deadline=None)
@given(st.text(), st.integers(2, 50))
def test_a_shortened_text_fits(text: str, limit: int) -> None:
    assert len(shorten(text, limit)) <= limit
