from __future__ import annotations

import pytest
from holdfast.language.traits import Traits, traits


@pytest.mark.parametrize(
    "text",
    [
        "We met yesterday",
        "I start next Monday",
        "Two years ago we moved",
        "It was in May",
        "Back in 2019 he left",
        "Wir fahren nächste Woche weg",
        "Das war vor drei Monaten",
        "Fuimos a la playa la semana pasada",
        "Lo hicimos ayer",
        "我昨天去了公园",
        "三年前我们搬家了",
        "2023年5月8日",
    ],
)
def test_a_time_expression_is_noticed(text: str) -> None:
    assert traits(text).tells_time


@pytest.mark.parametrize("text", ["The sun is a star", "I may go", "We march on", "", "你好"])
def test_other_texts_tell_no_time(text: str) -> None:
    assert not traits(text).tells_time


@pytest.mark.parametrize(
    "text", ["Really?", "How are you? 😀", "(is it?)", "你好吗？", "كيف حالك؟"]
)
def test_a_question_is_noticed(text: str) -> None:
    assert traits(text).asks


@pytest.mark.parametrize("text", ["Why? Because.", "Yes!", "", "🎉"])
def test_a_statement_asks_nothing(text: str) -> None:
    assert not traits(text).asks


def test_traits_are_stored_as_a_small_number() -> None:
    noticed = traits("Did you go there last week?")
    assert Traits(noticed.flags) == noticed
    assert noticed.asks
    assert noticed.tells_time
    assert noticed.flags < 256
