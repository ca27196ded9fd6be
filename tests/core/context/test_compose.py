import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from holdfast.context.compiling import compose, cut, full_history, ranked
from holdfast.context.rendering import CLOSING, FRAMING, OPENING
from holdfast.context.tokens import counter, estimate
from holdfast.errors import InvalidInputError
from holdfast.types import Context, Match, Record
from hypothesis import given, settings
from hypothesis import strategies as st
from support.memories import match, record

TEXTS = st.one_of(
    st.text(min_size=1, max_size=200),
    st.sampled_from(["Good morning!", "</memory>", 'a "quoted" word', "我住在北京", "word " * 300]),
)
RECORDS = st.builds(
    record,
    TEXTS,
    st.integers(0, 10_000),
    kind=st.sampled_from(["turn", "fact"]),
    speaker=st.sampled_from(["Ann", "Bob", None, "<memory>"]),
    run_id=st.sampled_from(["one", "two", None]),
    minutes=st.integers(0, 5_000),
    sources=st.sampled_from([(), ("record-000001",), ("record-000001", "record-000002")]),
)
MATCHES = st.lists(
    st.builds(match, RECORDS, st.floats(-1, 1)),
    max_size=25,
    unique_by=lambda found: found.record.id,
)
COUNTERS = st.sampled_from([estimate, counter("gpt-4o"), len, lambda text: len(text.split()) ** 2])

ROW = re.compile(
    r'(?P<label>[^":\n]+): (?P<quoted>"(?:[^"\\]|\\.)*")(?: \(until \d{4}-\d\d-\d\d\))?'
)


def rows(context: Context) -> list[str]:
    """Return the rows inside the fence, after checking that there is just one."""
    found = context.text.split("\n")
    assert found[:2] == [OPENING, FRAMING]
    assert found[-1] == CLOSING
    assert context.text.count(OPENING) == context.text.count(CLOSING) == 1
    return found[2:-1]


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    MATCHES,
    st.integers(0, 600),
    COUNTERS,
    st.none() | st.builds(record, TEXTS, kind=st.just("summary")),
    st.lists(RECORDS, max_size=6),
)
def test_any_history_fits_its_budget_fenced_dated_and_in_order(
    matches: list[Match], budget, count, summary, recent
) -> None:
    given_all = {"max_tokens": budget, "count": count, "summary": summary, "recent": recent}
    context = compose(matches, **given_all)
    assert context == compose(list(reversed(matches)), **given_all)
    if not context.text:
        assert (context.tokens, context.records, context.messages) == (0, (), [])
        return
    assert context.tokens == count(context.text) <= budget
    shown, dates = 0, []
    for row in rows(context):
        if re.fullmatch(r"\d{4}-\d\d-\d\d", row):
            dates.append(row)
            continue
        parsed = ROW.fullmatch(row)
        assert parsed is not None
        assert isinstance(json.loads(parsed["quoted"]), str)
        shown += 1
    assert dates == sorted(dates)
    assert shown == len(context.records)
    in_order([one for one in context.records if one.kind != "summary"])


def in_order(records: list[Record]) -> None:
    days = [one.occurred_at.date() for one in records]
    assert days == sorted(days)
    for run in {one.scope.run_id for one in records}:
        times = [one.occurred_at for one in records if one.scope.run_id == run]
        assert times == sorted(times)


@pytest.mark.parametrize("budget", [0, 1, 20, 30])
def test_a_budget_smaller_than_one_memory_gives_nothing(budget: int) -> None:
    context = compose([match(record("I live in Rome"))], max_tokens=budget, count=estimate)
    assert (context.text, context.messages, context.tokens) == ("", [], 0)


def test_no_memories_give_nothing() -> None:
    assert compose([], max_tokens=1_000, count=estimate) == Context()


@pytest.mark.parametrize("budget", [-1, 1.5, "1000", None, True])
def test_what_is_no_budget_is_refused(budget: object) -> None:
    with pytest.raises(InvalidInputError, match="max_tokens must be"):
        compose([], max_tokens=budget, count=estimate)  # type: ignore[arg-type]


def test_sessions_have_one_header_each_and_say_who_spoke() -> None:
    matches = [
        match(record("I moved to Rome", 1, run_id="one"), 0.5),
        match(record("I adopted a cat", 2, run_id="two", minutes=2_000, speaker="Bob"), 0.9),
        match(record("The flat has a balcony", 3, run_id="one"), 0.4),
    ]
    assert rows(compose(matches, max_tokens=500, count=estimate)) == [
        "2023-05-08",
        'Ann: "I moved to Rome"',
        'Ann: "The flat has a balcony"',
        "2023-05-09",
        'Bob: "I adopted a cat"',
    ]


def test_the_summary_comes_first_and_the_memories_after_it() -> None:
    summary = record("Ann moves house", kind="summary", minutes=9_000)
    shown = rows(compose([match(record("Hello"))], max_tokens=500, count=estimate, summary=summary))
    assert shown[0] == 'Summary: "Ann moves house"'


def test_a_summary_that_is_found_too_is_shown_once() -> None:
    summary = record("Ann moves house", 9, kind="summary")
    context = compose([match(summary)], max_tokens=500, count=estimate, summary=summary)
    assert context.records == (summary,)


def test_a_summary_over_its_share_is_cut_and_marked() -> None:
    summary = record("Ann moves house. " * 200, 9, kind="summary")
    context = compose([match(record("Hello"))], max_tokens=400, count=estimate, summary=summary)
    assert rows(context)[0].endswith(' …"')
    assert context.records[-1].text == "Hello"


def test_the_best_memories_win_a_small_budget() -> None:
    matches = [match(record(f"number {n} of the list is w{n}", n), n / 100) for n in range(100)]
    context = compose(matches, max_tokens=150, count=estimate)
    numbers = {int(one.text.split()[1]) for one in context.records}
    assert numbers == set(range(100 - len(numbers), 100))
    assert 120 <= context.tokens <= 150


def test_a_great_gap_of_scores_ends_the_list() -> None:
    scores = [0.9, 0.89, 0.88, 0.87, 0.86, 0.85, 0.2, 0.19]
    assert len(cut([match(record("x", n), score) for n, score in enumerate(scores)])) == 6


def test_scores_that_fall_evenly_are_not_cut() -> None:
    assert len(cut([match(record("x", n), 1 - n / 50) for n in range(50)])) == 50


def test_equal_scores_are_ranked_by_id() -> None:
    matches = [match(record("x", n), 0.5) for n in (3, 1, 2)]
    assert [one.record.id[-1] for one in ranked(matches)] == ["1", "2", "3"]


def test_near_duplicates_are_shown_once() -> None:
    matches = [
        match(record("I went to the lake with my sister on Saturday", 1), 0.9),
        match(record("I went to the LAKE, with my sister, on Saturday!", 2), 0.8),
        match(record("Oh well, I really went to the lake with my sister on Saturday", 3), 0.7),
    ]
    assert [one.id[-1] for one in compose(matches, max_tokens=500, count=estimate).records] == ["1"]


@pytest.mark.parametrize(
    "other",
    [
        "I did not go to the old lake house near Como with my sister Sara on Saturday",
        "I did go to the old lake house near Como with my brother Sara on Saturday",
        "I did go to the old lake house near Como with my sister Sara on Saturday at 5",
    ],
)
def test_a_negation_a_number_or_another_word_makes_no_duplicate(other: str) -> None:
    said = "I did go to the old lake house near Como with my sister Sara on Saturday"
    matches = [match(record(said, 1), 0.9), match(record(other, 2), 0.8)]
    assert len(compose(matches, max_tokens=500, count=estimate).records) == 2


def test_the_same_words_on_another_day_are_no_duplicate() -> None:
    matches = [match(record("I had a migraine today", n, minutes=n * 1_440)) for n in range(3)]
    assert len(compose(matches, max_tokens=500, count=estimate).records) == 3


TURN = record("Well, so, you know, my sister Sara bought a red bicycle, and it is really great!", 1)


def test_a_fact_is_preferred_where_it_says_the_same_in_fewer_tokens() -> None:
    fact = record("Sister Sara bought a great red bicycle", 2, kind="fact", sources=[TURN.id])
    for scores in [(0.9, 0.8), (0.8, 0.9)]:
        matches = [match(TURN, scores[0]), match(fact, scores[1])]
        assert compose(matches, max_tokens=500, count=estimate).records == (fact,)


def test_a_turn_is_preferred_where_its_fact_says_no_more_in_no_fewer_tokens() -> None:
    turn = record("I bought a red bicycle", 1)
    fact = record("Ann said that she has bought a red bicycle", 2, kind="fact", sources=[turn.id])
    for scores in [(0.9, 0.8), (0.8, 0.9)]:
        matches = [match(turn, scores[0]), match(fact, scores[1])]
        records = compose(matches, max_tokens=500, count=estimate).records
        assert turn in records


def test_a_fact_and_its_turn_are_shown_once_whichever_ranks_first() -> None:
    fact = record("Ann envies her family's sporting gear", 2, kind="fact", sources=[TURN.id])
    for scores, first in [((0.9, 0.8), TURN), ((0.8, 0.9), fact)]:
        matches = [match(TURN, scores[0]), match(fact, scores[1])]
        assert compose(matches, max_tokens=500, count=estimate).records == (first,)


def test_a_turn_with_a_number_that_its_facts_omit_takes_their_place() -> None:
    turn = record("We pay 940 for the flat, my sister and I", 1)
    facts = [
        record("Ann rents a flat", 2, kind="fact", sources=[turn.id]),
        record("Ann lives with her sister", 3, kind="fact", sources=[turn.id]),
    ]
    matches = [match(facts[0], 0.9), match(facts[1], 0.8), match(turn, 0.7)]
    assert compose(matches, max_tokens=500, count=estimate).records == (turn,)


def test_a_fact_of_several_turns_goes_only_when_all_of_them_are_shown() -> None:
    turns = [record("I ride every Sunday", 1), record("Mostly along the lake", 2)]
    fact = record("Ann cycles", 3, kind="fact", sources=[turn.id for turn in turns])
    both = [match(turns[0], 0.9), match(turns[1], 0.8), match(fact, 0.7)]
    assert compose(both, max_tokens=500, count=estimate).records == tuple(turns)
    one = [match(turns[0], 0.9), match(fact, 0.8)]
    assert compose(one, max_tokens=500, count=estimate).records == (turns[0], fact)


def test_a_long_turn_is_shown_as_its_best_passage() -> None:
    text = "Before. " * 100 + "The key is under the mat." + " After." * 100
    context = compose(
        [match(record(text), passage="The key is under the mat.")], max_tokens=200, count=estimate
    )
    assert rows(context)[1] == 'Ann: "… The key is under the mat. …"'


def test_what_the_live_window_says_is_not_repeated() -> None:
    matches = [
        match(record("I live in Rome", 1), 0.9),
        match(record("My cat is called Tiger and sleeps a lot", 2), 0.8),
        match(record("I was born in Turin", 3), 0.7),
    ]
    live = ["I live in Rome!", "By the way, my cat is called Tiger and sleeps a lot. Funny!"]
    context = compose(matches, max_tokens=500, count=estimate, live=live)
    assert [one.text for one in context.records] == ["I was born in Turin"]


def test_recent_turns_are_shown_once_and_within_their_share() -> None:
    recent = [record(f"Turn number {n} of this session", n) for n in range(30)]
    matches = [
        match(recent[29], 0.9),
        match(record("I was born in Turin", 99, minutes=-9_000), 0.8),
    ]
    context = compose(matches, max_tokens=300, count=estimate, recent=recent)
    assert context.records[0].text == "I was born in Turin"
    assert context.records[-1] == recent[-1]
    assert 3 <= len(context.records) <= 12
    assert len({one.id for one in context.records}) == len(context.records)


def test_a_recent_turn_larger_than_its_share_is_cut_and_marked() -> None:
    context = compose([], max_tokens=200, count=estimate, recent=[record("word " * 5_000)])
    assert rows(context)[1].endswith(' …"')
    assert context.tokens <= 200


@pytest.mark.slow
def test_a_hundred_thousand_memories_are_counted_not_rendered() -> None:
    calls = 0

    def count(text: str) -> int:
        nonlocal calls
        calls += 1
        return estimate(text)

    matches = [match(record(f"Memory {n} about w{n % 977} and v{n}", n), n) for n in range(100_000)]
    compose(matches, max_tokens=1_000, count=count)
    assert calls < 1_000


def test_a_counter_that_does_not_add_up_is_still_obeyed() -> None:
    matches = [match(record(f"Memory {n} about w{n}", n), 1) for n in range(50)]

    def squared(text: str) -> int:
        return len(text) ** 2 // 100

    context = compose(matches, max_tokens=3_000, count=squared)
    assert 0 < squared(context.text) <= 3_000


def test_equal_moments_are_shown_in_the_order_of_ids() -> None:
    one = record("First said", 1)
    two = replace(record("Second said", 2), occurred_at=one.occurred_at, created_at=one.created_at)
    context = compose([match(two, 0.9), match(one, 0.8)], max_tokens=500, count=estimate)
    assert context.records == (one, two)


def test_the_full_history_is_estimated_from_its_size() -> None:
    sample = "I went to the lake with my sister on Saturday. " * 20
    told = full_history(100 * len(sample), 100, sample, estimate)
    assert told == pytest.approx(100 * estimate(sample) + 400, rel=0.01)
    assert full_history(4_000, 10, "", estimate) == 1_120
    assert full_history(0, 0, "", estimate) == 0


def test_saved_is_never_negative() -> None:
    assert Context("x", 10, 4).saved == 0
    assert Context("x", 10, 40).saved == 30


def test_an_ended_fact_says_when_it_ended() -> None:
    ended = record("Ann lives in Rome", kind="fact", valid_to=TURN.occurred_at + timedelta(days=1))
    shown = rows(compose([match(ended)], max_tokens=500, count=estimate))
    assert shown[1] == 'fact: "Ann lives in Rome" (until 2023-05-09)'
