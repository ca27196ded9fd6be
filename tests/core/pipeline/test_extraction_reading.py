"""What extraction makes of answers, good and bad."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import pytest
from holdfast.errors import ExtractionError
from holdfast.pipeline import extraction
from holdfast.pipeline.extraction import MAX_FACTS, Conversation, Fact, Facts, Guidance, Turn
from holdfast.types import Answer, Role
from hypothesis import given, settings
from hypothesis import strategies as st


def at(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=timezone.utc)


def talk(*texts: str, day: str = "2026-06-10T12:00", role: Role = "user") -> Conversation:
    return Conversation(tuple(Turn(text, at(day), role) for text in texts))


def item(text: str, **fields: Any) -> dict[str, Any]:
    plain = {"about": "user", "turns": [1], "when": "", "importance": 0.5, "category": "other"}
    return {"text": text, **plain, "relations": [], **fields}


def triple(subject: str, relation: str, object_: str, single: bool = False) -> dict[str, Any]:
    return {
        "subject": subject,
        "subject_type": "person",
        "relation": relation,
        "object": object_,
        "object_type": "",
        "single_valued": single,
    }


def read(items: list[Any], conversation: Conversation, **rest: Any) -> Facts:
    return extraction.read(Answer(data={"facts": items}), conversation, **rest)


def only(items: list[Any], conversation: Conversation) -> Fact:
    (fact,) = read(items, conversation).facts
    return fact


def reasons(facts: Facts) -> str:
    return "; ".join(f"{problem.place} {problem.reason}" for problem in facts.problems)


def test_a_fact_is_read_with_all_its_fields() -> None:
    move = item(
        "The user moved to Berlin on 2026-05-20.",
        when="2026-05-20",
        importance=0.8,
        category="profile",
        relations=[triple("I", "moved to", "Berlin")],
    )
    result = read([move], talk("I moved to Berlin three weeks ago"))
    (fact,) = result.facts
    assert result.problems == ()
    assert fact.text == "The user moved to Berlin on 2026-05-20."
    assert fact.turns == (0,)
    assert fact.said_at == at("2026-06-10T12:00")
    assert fact.event_time == fact.holds_from == at("2026-05-20")
    assert (fact.importance, fact.category, fact.about) == (0.8, "profile", "user")
    assert fact.slots == ("user|lives_in",)


def test_no_facts_is_a_fine_answer() -> None:
    assert read([], talk("Hi!")) == Facts()


@pytest.mark.parametrize(
    "answer",
    [
        Answer(text=""),
        Answer(text="Sure! Here are the facts."),
        Answer(text='{"facts": [{"text": "cut'),
        Answer(data={}),
        Answer(data={"facts": None}),
        Answer(data={"facts": {"text": "x"}}),
        Answer(data={"facts": ["x", 3, None]}),
        Answer(data={"facts": [{"memory": "x"}, {"text": "  "}]}),
    ],
)
def test_an_answer_without_one_readable_item_asks_for_a_repair(answer: Answer) -> None:
    conversation = talk("I like tea")
    with pytest.raises(ExtractionError) as error:
        extraction.read(answer, conversation)
    prompt, _ = extraction.request(conversation)
    repaired = extraction.repair(prompt, answer, error.value)
    assert repaired[:2] == prompt
    assert str(error.value) in repaired[-1]["content"]
    with pytest.raises(ExtractionError):
        extraction.read(answer, conversation, last=True)


def test_whole_items_of_an_answer_that_breaks_off_are_saved_when_no_repair_follows() -> None:
    cut = '```json\n{"facts": [{"text": "The user likes tea.", "turns": [1]}, {"text": "The us'
    with pytest.raises(ExtractionError, match="cut off"):
        extraction.read(Answer(text=cut), talk("I like tea"))
    result = extraction.read(Answer(text=cut), talk("I like tea"), last=True)
    assert [fact.text for fact in result.facts] == ["The user likes tea."]
    assert "broke off" in reasons(result)


def test_bad_items_are_dropped_and_good_ones_kept() -> None:
    result = read(["junk", item("The user likes tea."), {"text": 7}], talk("I like tea"))
    assert [fact.text for fact in result.facts] == ["The user likes tea."]
    assert [problem.place for problem in result.problems if problem.lost] == ["fact 1", "fact 3"]


def test_turn_numbers_that_do_not_exist_are_left_out() -> None:
    result = read([item("Tea is liked.", turns=[1, 9, "x"])], talk("I like tea", "Bye"))
    assert result.facts[0].turns == (0,)
    assert "cites turns that do not exist" in reasons(result)


def test_a_fact_without_a_real_turn_goes_to_the_turn_of_its_words() -> None:
    result = read([item("Ann plays the oboe.", turns=[0])], talk("Hello", "I play the oboe"))
    assert result.facts[0].turns == (1,)
    assert "nearest in words" in reasons(result)


def test_a_fact_without_a_real_turn_and_without_their_words_is_dropped() -> None:
    result = read([item("Bob owns yachts.", turns=[7])], talk("Hello", "I play the oboe"))
    assert result.facts == ()
    assert result.problems[0].lost


@pytest.mark.parametrize(
    "text",
    [
        "Zibbo has worked as a glimmerwright in Quendelmar since 2031-03-17.",
        "The user is a Glimmerwright.",
        "Zibbo's broom is good.",
    ],
)
def test_an_echo_of_the_prompts_example_is_dropped(text: str) -> None:
    echo = item(text)
    result = read([echo], talk("I like tea"))
    assert result.facts == ()
    assert "example" in reasons(result)


def test_the_examples_words_are_kept_where_the_messages_hold_them() -> None:
    fact = only([item("The user is a glimmerwright.")], talk("We glimmerwrights are proud"))
    assert fact.text == "The user is a glimmerwright."


def test_facts_from_system_text_are_dropped() -> None:
    boot = talk("You are a helpful assistant called Max", role="system")
    result = read([item("The assistant is called Max.")], boot)
    assert result.facts == ()
    assert "system text" in reasons(result)


def test_five_hundred_facts_are_capped_at_the_most_important_and_it_is_said() -> None:
    many = [item(f"The user saw bird {n}.", importance=n / 500) for n in range(500)]
    result = read(many, talk("I saw many a bird"))
    assert len(result.facts) == MAX_FACTS
    assert result.facts[0].text == "The user saw bird 400."
    assert "400 least important facts" in reasons(result)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("2026-05-20", "2026-05-20"),
        ("2026-05", "2026-05-01"),
        ("2025", "2025-01-01"),
        ("2026-05-20T14:30:00Z", "2026-05-20T14:30"),
        ("2026-05-20T14:30:00+02:00", "2026-05-20T12:30"),
    ],
)
def test_event_times_are_read(when: str, expected: str) -> None:
    fact = only([item("The user moved.", when=when)], talk("I moved"))
    assert fact.event_time == at(expected)


@pytest.mark.parametrize(
    "when", ["three weeks ago", "2026-13-40", "9999", "20260520", "0000", 17, [], {}, "-" * 999]
)
def test_an_event_time_that_is_no_date_is_left_open_and_noted(when: object) -> None:
    result = read([item("The user moved.", when=when)], talk("I moved"))
    assert result.facts[0].event_time is None
    assert result.facts[0].holds_from == at("2026-06-10T12:00")
    assert "no date" in reasons(result)


def test_what_happened_the_day_it_was_told_holds_from_when_it_was_told() -> None:
    fact = only([item("The user moved today.", when="2026-06-10")], talk("I moved today"))
    assert fact.holds_from == at("2026-06-10T12:00")


def test_a_plan_holds_from_when_it_was_told_a_new_home_from_the_move() -> None:
    flight = item("The user flies to Rome on 2026-07-01.", when="2026-07-01")
    home = item(
        "The user lives in Rome from 2026-07-01.",
        when="2026-07-01",
        relations=[triple("user", "lives_in", "Rome")],
    )
    plan, move = read([flight, home], talk("I fly to Rome on July 1st, to live there")).facts
    assert plan.holds_from == at("2026-06-10T12:00")
    assert move.holds_from == at("2026-07-01")


@pytest.mark.parametrize(
    ("given", "taken"),
    [(7, 1.0), (-1, 0.0), ("0.9", 0.9), (None, 0.5), (True, 0.5), (float("nan"), 0.5), ([], 0.5)],
)
def test_importance_is_a_number_from_0_to_1(given: object, taken: float) -> None:
    assert only([item("The user moved.", importance=given)], talk("I moved")).importance == taken


def test_a_category_that_is_not_listed_is_left_empty() -> None:
    guidance = Guidance(categories={"dive": "a dive"})
    result = read([item("The user moved.", category="home")], talk("I moved"), guidance=guidance)
    assert result.facts[0].category == ""
    assert "category" in reasons(result)


def test_overlong_text_is_cut_at_a_sentence_and_noted() -> None:
    result = read([item("The user moved. " * 200)], talk("I moved"))
    assert len(result.facts[0].text) <= 1_000
    assert result.facts[0].text.endswith("moved.")
    assert "cut" in reasons(result)


def test_control_characters_surrogates_and_hidden_marks_are_cleaned() -> None:
    fact = only([item("The\x00 user\ud800 moved\u202e to\nRome.\U000e0041")], talk("I moved"))
    assert fact.text == "The user moved to Rome."


def test_a_fact_in_another_script_than_the_messages_is_noted() -> None:
    result = read([item("The user lives in Moscow.")], talk("Я живу в Москве"))
    assert "another script" in reasons(result)
    assert read([item("Пользователь живёт в Москве.")], talk("Я живу в Москве")).problems == ()


def test_unusable_relations_are_left_out_and_noted() -> None:
    bad = ["x", {}, triple("user", "", "Rome"), triple("user", "likes", "Rome")]
    result = read([item("The user likes Rome.", relations=bad)], talk("I like Rome"))
    assert [relation.object for relation in result.facts[0].relations] == ["Rome"]
    assert "3 of its relations" in reasons(result)


def test_the_only_user_is_one_subject_with_or_without_a_name() -> None:
    named = Conversation((Turn("I live in Rome", at("2026-06-10"), "user", "Ann"),))
    for subject in ("I", "user", "The user", "ann"):
        home = item("Ann lives in Rome.", relations=[triple(subject, "resides in", "Rome")])
        assert only([home], named).slots == ("user|lives_in",)


def test_where_several_people_speak_user_is_whoever_spoke() -> None:
    turns = (
        Turn("I live in Rome", at("2026-06-10"), "user", "Ann"),
        Turn("I live in Oslo", at("2026-06-10"), "user", "Bo"),
    )
    homes = [
        item("Ann lives in Rome.", turns=[1], relations=[triple("user", "lives_in", "Rome")]),
        item("Bo lives in Oslo.", turns=[2], relations=[triple("Bo", "lives_in", "Oslo")]),
    ]
    ann, bo = read(homes, Conversation(turns)).facts
    assert (ann.slots, bo.slots) == (("ann|lives_in",), ("bo|lives_in",))


def test_the_assistants_i_is_the_assistant() -> None:
    turns = (Turn("I have moved to port 80", at("2026-06-10"), "assistant"),)
    move = item("The assistant moved.", relations=[triple("I", "listens_on", "port 80", True)])
    assert only([move], Conversation(turns)).slots == ("assistant|listens_on",)


def test_the_fact_is_about_the_speaker_unless_it_names_another() -> None:
    turns = (Turn("My sister Mia is ill", at("2026-06-10"), "user", "Ann"),)
    mine, hers = read(
        [item("Ann has a sister."), item("Mia is ill.", about="Mia")], Conversation(turns)
    ).facts
    assert (mine.about, hers.about) == ("Ann", "Mia")


def test_problems_never_quote_what_was_said() -> None:
    secret = "hunter2"
    bad = [
        secret,
        item(f"The {secret}.", turns=[secret], when=secret, category=secret, importance=secret),
        item(secret, turns=[9]),
    ]
    result = read(bad, talk("Hello", "Bye"))
    assert result.problems
    assert secret not in reasons(result)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["text", "turns", "when", "relations", "x"]), inner)
    ),
    max_leaves=12,
)
almost = st.fixed_dictionaries(
    {"text": st.text(max_size=30) | json_values},
    optional={
        "about": json_values,
        "turns": st.lists(st.integers(-2, 5) | json_values, max_size=4) | json_values,
        "when": st.sampled_from(["2026-05-20", "2026-02-30", "9999-12-31"]) | json_values,
        "importance": json_values,
        "category": json_values,
        "relations": st.lists(
            st.fixed_dictionaries(
                {"subject": json_values, "relation": st.text() | json_values, "object": st.text()}
            )
            | json_values,
            max_size=3,
        ),
    },
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(data=st.fixed_dictionaries({"facts": st.lists(almost | json_values, max_size=5)}))
def test_whatever_the_answer_read_gives_sound_facts_or_an_extraction_error(
    data: Mapping[str, Any],
) -> None:
    conversation = talk("I moved to Berlin", "It is nice")
    try:
        result = extraction.read(Answer(data=data), conversation)
    except ExtractionError:
        return
    for fact in result.facts:
        assert fact.text.encode()
        assert fact.turns
        assert set(fact.turns) <= {0, 1}
        assert 0 <= fact.importance <= 1
        assert fact.holds_from.tzinfo is not None
    assert len(result.facts) + sum(problem.lost for problem in result.problems) >= len(
        data["facts"]
    )


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=80) | json_values.map(lambda value: f'{{"facts": [{value!r}'))
def test_whatever_the_text_the_last_reading_saves_or_raises(text: str) -> None:
    try:
        extraction.read(Answer(text=text), talk("I moved"), last=True)
    except ExtractionError:
        return
