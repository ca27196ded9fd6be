"""Names and dates that the letters of a text show."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from holdfast.language import mentions
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = datetime(2024, 6, 20, tzinfo=timezone.utc)


def found(text: str, *speakers: str) -> list[str]:
    return [one.name for one in mentions.read(text, speakers, NOW)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("I met Paul Smith and Rita in New York City.", ["Paul Smith", "Rita", "New York City"]),
        ("She studies at the University of Oxford now", ["University of Oxford"]),
        ("We saw Dr. Weber, and Rita's dog.", ["Dr. Weber", "Rita"]),
        ("What about Jean-Luc and McKay?", ["Jean-Luc", "McKay"]),
        ("Ayer vi a María en Madrid", ["María", "Madrid", "2024-06-19"]),
        ("My sister and I are happy", []),
        ("", []),
    ],
)
def test_capitals_inside_a_sentence_show_names(text: str, names: list[str]) -> None:
    assert found(text) == names


@pytest.mark.parametrize(
    "text",
    [
        "Cats are nice. Dogs too!",
        "HELLO THERE PAUL",
        "On Monday or in June",
        "i met paul in oslo",
        "Ich habe den Hund im Garten gesehen",
        "他昨晚没睡",
        "- Tea\n- Coffee\n- Rolls",
    ],
)
def test_what_capitals_do_not_show_is_left_out(text: str) -> None:
    assert [name for name in found(text) if not name[0].isdigit()] == []


def test_the_beginning_of_a_sentence_counts_where_the_name_is_sure() -> None:
    assert found("Rita came. Then I saw Rita again") == ["Rita"]
    assert found("Melanie, how are you?") == []
    assert found("Melanie, how are you?", "Melanie") == ["Melanie"]


def test_a_speaker_counts_in_any_language() -> None:
    assert found("Ich habe Paul gesehen", "Paul") == ["Paul"]
    assert found("王伟说他很好", "王伟") == ["王伟"]


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("we met on June 3rd, 2023", "2023-06-03"),
        ("we met in June 2023", "2023-06"),
        ("we met last week", "2024-W24"),
        ("we met in 2021", "2021"),
        ("we met yesterday", "2024-06-19"),
    ],
)
def test_dates_are_spelled_as_exactly_as_they_were_said(text: str, date: str) -> None:
    assert found(text) == [date]


def test_a_long_list_is_cut_short() -> None:
    text = "we saw " + " and ".join(f"Town{chr(97 + n)}" for n in range(20))
    assert len(found(text)) == mentions.MOST


@settings(max_examples=50, deadline=None)
@given(st.text(), st.lists(st.text(min_size=1), max_size=2))
def test_any_text_can_be_read(text: str, speakers: list[str]) -> None:
    assert all(name for name in found(text, *speakers))
