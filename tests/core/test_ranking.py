from __future__ import annotations

from dataclasses import replace

import numpy as np
from holdfast.language.cues import Cues
from holdfast.ranking import DEFAULT, Candidates, Weights, rank
from hypothesis import given, settings
from hypothesis import strategies as st

DAY = 86_400.0
PLAIN = Cues(dense="")


def candidates(n: int) -> Candidates:
    """Return candidates of no merit, each a record and a session of its own."""
    return Candidates(
        record=np.arange(n),
        parts=np.ones(n, dtype=np.int64),
        dense=np.full(n, 0.3),
        keyword=np.zeros(n),
        named=np.zeros(n, dtype=np.bool_),
        assistant=np.zeros(n, dtype=np.bool_),
        asks=np.zeros(n, dtype=np.bool_),
        tells_time=np.zeros(n, dtype=np.bool_),
        length=np.full(n, 0.5),
        session=np.full(n, -1),
        occurred_at=np.zeros(n),
        importance=np.full(n, 0.5),
    )


def best(found: Candidates, cues: Cues = PLAIN, weights: Weights = DEFAULT) -> int:
    return int(found.record[rank(found, cues, weights).order[0]])


def last_of(values: list[float]) -> np.ndarray:
    return np.array(values)


def test_nothing_ranks_nothing() -> None:
    assert len(rank(candidates(0), PLAIN).order) == 0


def test_the_nearest_wins_when_words_say_nothing() -> None:
    assert best(replace(candidates(3), dense=last_of([0.1, 0.2, 0.9]))) == 2


def test_words_win_when_vectors_say_nothing() -> None:
    assert best(replace(candidates(3), keyword=last_of([0, 0, 7.0]))) == 2


def test_who_is_named_wins_only_if_somebody_is_named() -> None:
    found = replace(candidates(3), named=np.array([False, False, True]))
    assert best(found, replace(PLAIN, speakers=("Ann",))) == 2
    assert best(found) == 0


def test_a_time_wins_only_if_a_time_is_asked_for() -> None:
    found = replace(candidates(3), tells_time=np.array([False, False, True]))
    assert best(found, replace(PLAIN, when=True)) == 2
    assert best(found) == 0


def test_a_named_date_prefers_the_days_in_and_soon_after_it() -> None:
    found = replace(candidates(4), occurred_at=last_of([0.0, 98 * DAY, 103 * DAY, 100.5 * DAY]))
    cues = replace(PLAIN, ranges=((100 * DAY, 101 * DAY),))
    assert rank(found, cues).order.tolist() == [3, 2, 1, 0]


def test_a_question_answers_less() -> None:
    assert best(replace(candidates(2), asks=np.array([True, False]))) == 1


def test_the_assistant_steps_back_unless_it_is_asked() -> None:
    found = replace(candidates(2), assistant=np.array([True, False]), dense=last_of([0.42, 0.35]))
    assert best(found) == 1
    assert best(found, replace(PLAIN, role="assistant")) == 0


def test_a_record_is_returned_once_by_its_best_passage() -> None:
    found = replace(
        candidates(4),
        record=np.array([0, 1, 1, 1]),
        parts=np.array([1, 3, 3, 3]),
        dense=last_of([0.1, 0.2, 0.9, 0.3]),
    )
    assert rank(found, PLAIN).order.tolist() == [2, 0]


def test_many_passages_are_no_advantage_as_such() -> None:
    found = replace(candidates(2), record=np.array([0, 1]), parts=np.array([9, 1]))
    assert best(found) == 1


def test_a_session_with_several_good_records_lifts_them() -> None:
    found = replace(
        candidates(5),
        session=np.array([0, 1, 1, 1, 2]),
        dense=last_of([0.6, 0.6, 0.6, 0.6, 0.1]),
    )
    assert best(found) == 1


def test_importance_and_recency_break_ties() -> None:
    assert best(replace(candidates(3), importance=last_of([0.5, 0.5, 0.9]))) == 2
    newer = replace(candidates(3), occurred_at=last_of([0, 9 * DAY, 3 * DAY]))
    assert best(newer, weights=replace(DEFAULT, recency=0.1)) == 1


def test_an_absent_cue_changes_nothing() -> None:
    found = replace(candidates(3), dense=last_of([0.3, 0.5, 0.4]))
    one_speaker = replace(found, named=np.ones(3, dtype=np.bool_))
    plain = rank(found, PLAIN)
    named = rank(one_speaker, replace(PLAIN, speakers=("Ann",)))
    assert plain.order.tolist() == named.order.tolist()


NUMBERS = st.floats(-1, 1, width=32)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS, st.integers(0, 5)), min_size=1))
def test_parts_add_up_and_scores_fall(rows: list[tuple[float, float, int]]) -> None:
    dense, keyword, record = zip(*rows, strict=True)
    found = replace(
        candidates(len(rows)),
        record=np.array(record),
        dense=np.array(dense),
        keyword=np.abs(np.array(keyword)),
        session=np.array(record) // 2 - 1,
    )
    ranking = rank(found, replace(PLAIN, when=True, speakers=("Ann",)))
    np.testing.assert_allclose(sum(ranking.parts.values()), ranking.scores, atol=1e-6)
    assert (np.diff(ranking.scores) <= 0).all()
    assert sorted(found.record[ranking.order]) == sorted(set(record))
