from __future__ import annotations

from datetime import datetime, timezone

import pytest
from holdfast.language.cues import Cues, read

NOW = datetime(2023, 10, 4, 12, tzinfo=timezone.utc)  # a Wednesday
PEOPLE = {"Caroline", "Melanie", "Will", "Jean-Luc Müller", "小明", "user", "assistant"}


def ask(query: str) -> Cues:
    return read(query, PEOPLE, NOW)


def terms(cues: Cues) -> set[str]:
    return {term for group in cues.groups for term in group}


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("What did Caroline research?", {"Caroline"}),
        ("what does caroline like", {"Caroline"}),
        ("What is Mel's favourite book?", {"Melanie"}),
        ("When did Melanie and Caroline meet?", {"Melanie", "Caroline"}),
        ("Was hat Muller gekauft?", {"Jean-Luc Müller"}),
        ("Did I ask Will?", {"Will"}),
        ("Will it rain?", set()),
        ("will it rain?", set()),
        ("小明什么时候去了北京？", {"小明"}),
        ("How many user roles are there?", set()),
        ("Where is the melon?", set()),
    ],
)
def test_named_speakers_are_recognised(query: str, named: set[str]) -> None:
    assert set(ask(query).speakers) == named


def test_one_named_person_becomes_i_in_english() -> None:
    assert ask("What did Caroline say about Caroline's dog?").dense == (
        "What did I say about my dog?"
    )


@pytest.mark.parametrize(
    "query",
    ["What did Caroline and Melanie do?", "Was hat Caroline gekauft?", "Caroline", "a dog", ""],
)
def test_other_queries_are_embedded_as_they_are(query: str) -> None:
    assert ask(query).dense == query


def test_names_and_function_words_are_not_looked_for() -> None:
    assert terms(ask("What did Caroline say about the beach?")) == {"say", "beach"}


def test_a_name_alone_is_looked_for() -> None:
    assert "caroline" in terms(ask("Caroline?")) or "carolin" in terms(ask("Caroline?"))


def test_neighbouring_words_are_pairs() -> None:
    cues = ask("Who runs the support group in town?")
    paired = [(cues.groups[a][0], cues.groups[b][0]) for a, b in cues.pairs]
    assert paired == [("support", "group")]


def test_quotes_are_phrases_word_for_word() -> None:
    (quote,) = ask('Who said "to be or not"?').quotes
    assert [group[0] for group in quote] == ["to", "be", "or", "not"]


@pytest.mark.parametrize(
    "query",
    [
        "When did she leave?",
        "What year was it?",
        "How long has it been?",
        "Wann war das?",
        "¿Cuándo fue?",
        "他什么时候走的？",
    ],
)
def test_a_question_for_a_time_is_recognised(query: str) -> None:
    assert ask(query).when


@pytest.mark.parametrize("query", ["Where is it?", "Wo ist es?", "¿Dónde está?", "他在哪里？", ""])
def test_other_questions_do_not_ask_for_a_time(query: str) -> None:
    assert not ask(query).when


def test_a_question_for_the_present_is_recognised() -> None:
    assert ask("Where does she currently live?").now
    assert ask("他现在住在哪里？").now
    assert not ask("Where does she live?").now


def test_a_question_to_the_assistant_is_recognised() -> None:
    assert ask("What did you recommend for dinner?").role == "assistant"
    assert ask("What did I order for dinner?").role is None


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ("What happened on 8 May 2023?", (2023, 5, 8), (2023, 5, 9)),
        ("What happened on May 8, 2023?", (2023, 5, 8), (2023, 5, 9)),
        ("What happened on 2023-05-08?", (2023, 5, 8), (2023, 5, 9)),
        ("What did we do in June 2022?", (2022, 6, 1), (2022, 7, 1)),
        ("What did we do in 2021?", (2021, 1, 1), (2022, 1, 1)),
        ("What did we do yesterday?", (2023, 10, 3), (2023, 10, 4)),
        ("What did we do last week?", (2023, 9, 25), (2023, 10, 2)),
        ("Was war letzte Woche?", (2023, 9, 25), (2023, 10, 2)),
        ("Was geschah im März 2022?", (2022, 3, 1), (2022, 4, 1)),
        ("¿Qué pasó el 8 de mayo de 2023?", (2023, 5, 8), (2023, 5, 9)),
        ("我昨天做了什么？", (2023, 10, 3), (2023, 10, 4)),
    ],
)
def test_dates_become_ranges(
    query: str, first: tuple[int, int, int], last: tuple[int, int, int]
) -> None:
    moments = [datetime(*day, tzinfo=timezone.utc).timestamp() for day in (first, last)]
    assert ask(query).ranges == (tuple(moments),)


@pytest.mark.parametrize(
    "query", ["May I go?", "She may march.", "Buy 2 eggs", "", "on 99 May 2023"]
)
def test_what_is_no_date_gives_no_range(query: str) -> None:
    assert ask(query).ranges == ()


@pytest.mark.parametrize("query", ["", "🎉", "?", "the", "\u0301", "\ud800", "a" * 5000])
def test_any_query_can_be_read(query: str) -> None:
    assert isinstance(ask(query), Cues)
