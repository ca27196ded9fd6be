from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from holdfast.language.cues import Cues
from holdfast.language.traits import ASKS, TELLS_TIME
from holdfast.retrieval.ranking import DEFAULT, Weights, rank
from holdfast.storage.contract.search import ROLE_CODES, Candidates
from holdfast.storage.index.passage_table import DAY, ROW
from hypothesis import given, settings
from hypothesis import strategies as st

PLAIN = Cues(dense="")
USER, ASSISTANT = ROLE_CODES["user"], ROLE_CODES["assistant"]


def candidates(n: int, dense: Any = 0.3, keywords: Any = 0.0, **columns: Any) -> Candidates:
    """Return candidates of equal merit, each a row and a session of its own, but for columns."""
    rows = np.zeros(n, dtype=ROW)
    given = {
        "id": np.arange(n),
        "session": np.arange(n),
        "passages": 1,
        "words": 9,
        "importance": 0.5,
    }
    for name, values in (given | columns).items():
        rows[name] = values
    ids = rows["id"].tolist()
    rows["passage"] = [ids[:place].count(one) for place, one in enumerate(ids)]
    return Candidates(
        np.full(n, dense, dtype=np.float32) if np.isscalar(dense) else np.float32(dense),
        np.full(n, keywords, dtype=np.float32) if np.isscalar(keywords) else np.float32(keywords),
        rows,
        {"Ann": 1, "Bo": 2},
    )


def best(found: Candidates, cues: Cues = PLAIN, weights: Weights = DEFAULT) -> int:
    return int(found.rows["id"][rank(found, cues, weights).order[0]])


def test_the_nearest_wins_when_words_say_nothing() -> None:
    assert best(candidates(3, dense=[0.1, 0.2, 0.9])) == 2


def test_words_win_when_vectors_say_nothing() -> None:
    assert best(candidates(3, keywords=[0, 0, 7.0])) == 2


def test_who_is_named_wins_only_if_somebody_is_named() -> None:
    found = candidates(3, speaker=[-1, 2, 1])
    assert best(found, replace(PLAIN, speakers=("Ann",))) == 2
    assert best(found) == 0


def test_a_stranger_named_changes_nothing() -> None:
    found = candidates(3, speaker=[-1, 2, 1])
    assert best(found, replace(PLAIN, speakers=("Zoe",))) == 0


def test_a_time_wins_only_if_a_time_is_asked_for() -> None:
    found = candidates(3, traits=[0, 0, TELLS_TIME])
    assert best(found, replace(PLAIN, when=True)) == 2
    assert best(found) == 0


def test_a_named_date_prefers_the_days_in_and_soon_after_it() -> None:
    days = np.array([0, 98, 103, 100.5]) * DAY
    day = DAY / 1e6
    cues = replace(PLAIN, ranges=((100 * day, 101 * day),))
    assert rank(candidates(4, occurred=days), cues).order.tolist() == [3, 2, 1, 0]


def test_a_question_answers_less() -> None:
    assert best(candidates(2, traits=[ASKS, 0])) == 1


def test_a_wordy_assistant_steps_back_unless_it_is_asked() -> None:
    found = candidates(
        2, dense=[0.42, 0.35], role=[ASSISTANT, USER], words=[90, 20], passages=[3, 1]
    )
    assert best(found) == 1
    assert best(found, replace(PLAIN, role="assistant"), Weights(passages=0)) == 0


def test_an_assistant_that_talks_like_everybody_is_one_more_speaker() -> None:
    assert best(candidates(2, dense=[0.36, 0.35], role=[ASSISTANT, USER])) == 0


def test_a_row_is_returned_once_by_its_best_passage() -> None:
    found = candidates(
        4,
        dense=[0.1, 0.2, 0.9, 0.3],
        id=[0, 1, 1, 1],
        session=[0, 1, 1, 1],
        passage=[0, 0, 1, 2],
        passages=[1, 3, 3, 3],
    )
    assert rank(found, PLAIN).order.tolist() == [2, 0]


def test_many_passages_are_no_advantage_as_such() -> None:
    assert best(candidates(2, passages=[9, 1])) == 1


def test_a_session_with_several_good_rows_lifts_them() -> None:
    assert best(candidates(5, dense=[0.6, 0.6, 0.6, 0.6, 0.1], session=[0, 1, 1, 1, 2])) == 1


def test_importance_counts() -> None:
    assert best(candidates(3, importance=[0.5, 0.5, 0.9])) == 2


def test_the_newest_wins_only_if_the_present_is_asked_for() -> None:
    found = candidates(3, occurred=[0, 9 * DAY, 3 * DAY])
    assert best(found, replace(PLAIN, now=True)) == 1
    assert best(found) == 0


def test_a_cue_that_all_share_changes_nothing() -> None:
    found = candidates(3, dense=[0.3, 0.5, 0.4], speaker=1, role=ASSISTANT)
    named = rank(found, replace(PLAIN, speakers=("Ann",), when=True))
    assert rank(found, PLAIN).order.tolist() == named.order.tolist() == [1, 2, 0]


NUMBERS = st.floats(-1, 1, width=32)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS, st.integers(0, 5)), min_size=1))
def test_parts_add_up_and_scores_fall(rows: list[tuple[float, float, int]]) -> None:
    dense, keywords, ids = (np.array(column) for column in zip(*rows, strict=True))
    passage = [ids[:place].tolist().count(id) for place, id in enumerate(ids.tolist())]
    found = candidates(
        len(rows), dense, np.abs(keywords), id=ids, session=ids // 2, passage=passage
    )
    ranked = rank(found, replace(PLAIN, when=True, speakers=("Ann",)))
    np.testing.assert_allclose(sum(ranked.parts.values()), ranked.scores, atol=1e-5)
    assert (np.diff(ranked.scores[ranked.order]) <= 0).all()
    assert sorted(found.rows["id"][ranked.order]) == sorted(set(ids))
