"""`search`: who sees what, and every option."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from holdfast import FilterError, InvalidInputError, ScopeError
from support.faces import Face

YEAR = {year: datetime(year, 6, 1, tzinfo=timezone.utc) for year in range(2019, 2027)}


def texts(matches: Any) -> list[str]:
    return [match.record.text for match in matches]


def test_search_finds_what_was_added(face: Face) -> None:
    face.add(["I moved to Berlin", "my cat is called Mia"], user_id="ada")
    best = face.search("what is the cat called", user_id="ada")[0]
    assert best.record.text == best.passage == "my cat is called Mia"
    assert best.record == face.get(best.id, user_id="ada")
    assert (best.id, best.text) == (best.record.id, best.record.text)
    assert best.parts == {}


def test_search_in_an_empty_file_finds_nothing(face: Face) -> None:
    assert face.search("anything", user_id="ada") == []


def test_every_id_given_must_match_and_others_are_open(face: Face) -> None:
    face.add("tea in run one", user_id="ada", run_id="r1")
    face.add("tea in run two", user_id="ada", run_id="r2")
    face.add("tea with a bot", user_id="ada", agent_id="bot")
    face.add("tea of another", user_id="bob", run_id="r1")
    assert set(texts(face.search("tea", user_id="ada"))) == {
        "tea in run one",
        "tea in run two",
        "tea with a bot",
    }
    assert texts(face.search("tea", user_id="ada", run_id="r1")) == ["tea in run one"]
    assert set(texts(face.search("tea", run_id="r1"))) == {"tea in run one", "tea of another"}
    assert texts(face.search("tea", user_id="bob", run_id="r2")) == []


def test_a_wider_write_is_not_seen_by_a_narrower_read(face: Face) -> None:
    face.add("tea for everyone", user_id="ada")
    assert face.search("tea", user_id="ada", run_id="r1") == []


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("ada", "ad"),
        ("ada", "adam"),
        ("ada", "ADA"),
        ("ada", "*"),
        ("ada", "%"),
        ("a_a", "ada"),
        ("a%", "ada"),
        ("caf\u00e9", "cafe\u0301"),
        ("\u0430da", "ada"),
        ("ada", "ada "),
        ("ada", "'; DROP TABLE records; --"),
        ("user_id=ada", "ada"),
    ],
)
def test_another_tenant_sees_nothing(face: Face, mine: str, theirs: str) -> None:
    (change,) = face.add("my secret pet is a newt", user_id=mine)
    face.add("unrelated", user_id=theirs)
    assert texts(face.search("secret pet newt", user_id=theirs)) == ["unrelated"]
    assert texts(face.list(user_id=theirs) and face.search("newt", user_id=mine)) == [
        "my secret pet is a newt"
    ]
    for verb in (face.get, face.history, face.delete):
        with pytest.raises(KeyError):
            verb(change.id, user_id=theirs)
    with pytest.raises(KeyError):
        face.update(change.id, "mine now", user_id=theirs)
    with pytest.raises(KeyError):
        face.undo(change, user_id=theirs)
    assert face.delete_all(user_id=theirs) == 1
    assert len(face.search("newt", user_id=mine)) == 1


def test_one_id_under_another_name_is_another_scope(face: Face) -> None:
    face.add("the user's newt", user_id="x")
    assert face.search("newt", agent_id="x") == []
    assert face.search("newt", run_id="x") == []
    assert face.search("newt", app_id="x") == []


def test_a_filter_is_settled_before_the_limit(face: Face) -> None:
    face.add([f"tea number {n}" for n in range(30)], user_id="ada", metadata={"topic": "tea"})
    face.add("coffee", user_id="ada", metadata={"topic": "coffee"})
    found = face.search("tea", user_id="ada", filters={"topic": "coffee"}, limit=1)
    assert texts(found) == ["coffee"]


def test_an_unknown_operator_is_an_error_and_no_empty_result(face: Face) -> None:
    with pytest.raises(FilterError, match=r"'near'.*allowed are eq, ne"):
        face.search("tea", user_id="ada", filters={"topic": {"near": "x"}})


def test_kinds_narrow_the_search(face: Face) -> None:
    face.add("tea as a turn", user_id="ada")
    face.add("tea as a fact", user_id="ada", kind="fact")
    assert texts(face.search("tea", user_id="ada", kinds=["fact"])) == ["tea as a fact"]
    assert len(face.search("tea", user_id="ada", kinds=["fact", "turn"])) == 2
    with pytest.raises(InvalidInputError, match="turn, fact, summary, procedure"):
        face.search("tea", user_id="ada", kinds=["thought"])
    for odd in ([], "turn", 5, [None]):
        with pytest.raises(InvalidInputError, match="kinds must be a list"):
            face.search("tea", user_id="ada", kinds=odd)
    once: Any = (kind for kind in ["fact"])
    assert texts(face.search("tea", user_id="ada", kinds=once)) == ["tea as a fact"]


def test_limit_bounds_the_result(face: Face) -> None:
    face.add([f"tea number {n}" for n in range(20)], user_id="ada")
    assert len(face.search("tea", user_id="ada", limit=7)) == 7
    assert len(face.search("tea", user_id="ada", limit=10_000)) == 20


@pytest.mark.parametrize("limit", [0, -1, 10_001, 10**30, True, 2.5, "3", None])
def test_a_limit_that_makes_no_sense_is_an_error(face: Face, limit: Any) -> None:
    with pytest.raises(InvalidInputError, match="limit must be 1 to 10000"):
        face.search("tea", user_id="ada", limit=limit)


def test_matches_come_best_first_and_min_score_cuts_the_tail(face: Face) -> None:
    face.add(["green tea", "black tea with milk", "a walk in the rain"], user_id="ada")
    found = face.search("green tea", user_id="ada")
    scores = [match.score for match in found]
    assert scores == sorted(scores, reverse=True)
    assert texts(face.search("green tea", user_id="ada", min_score=scores[1])) == texts(found[:2])
    assert face.search("green tea", user_id="ada", min_score=scores[0] + 1) == []


@pytest.mark.parametrize("least", ["high", float("nan"), True])
def test_a_min_score_that_is_no_number_is_an_error(face: Face, least: Any) -> None:
    face.add("green tea", user_id="ada")
    with pytest.raises(InvalidInputError, match="min_score"):
        face.search("green tea", user_id="ada", min_score=least)


def test_explain_names_each_channels_part(face: Face) -> None:
    face.add(["green tea", "a walk"], user_id="ada")
    match = face.search("tea", user_id="ada", explain=True)[0]
    assert {"dense", "keywords"} <= set(match.parts)
    assert sum(match.parts.values()) == pytest.approx(match.score, abs=1e-5)


def test_as_of_reads_what_the_memory_knew_then(face: Face) -> None:
    (first,) = face.add("Ada lives in Berlin", user_id="ada", kind="fact")
    second = face.update(first.id, "Ada lives in Paris", user_id="ada")
    then, now = first.at, second.at
    before = then - timedelta(microseconds=1)
    assert face.search("where does Ada live", user_id="ada", as_of=before) == []
    assert texts(face.search("Ada", user_id="ada", as_of=then)) == ["Ada lives in Berlin"]
    assert texts(face.search("Ada", user_id="ada", as_of=now)) == ["Ada lives in Paris"]
    assert texts(face.search("Ada", user_id="ada")) == ["Ada lives in Paris"]


def test_as_of_sees_old_metadata(face: Face) -> None:
    (first,) = face.add("tea", user_id="ada", metadata={"mood": "good"})
    face.update(first.id, metadata={"mood": "bad"}, user_id="ada")
    mood = {"mood": "good"}
    assert texts(face.search("tea", user_id="ada", filters=mood, as_of=first.at)) == ["tea"]
    assert face.search("tea", user_id="ada", filters=mood) == []


def test_a_filter_reads_each_row_by_itself_where_one_was_written_anew(face: Face) -> None:
    (first,) = face.add("tea 0", user_id="ada", importance=0.1)
    face.add("tea 1", user_id="ada", importance=0.1)
    face.add("tea 2", user_id="ada", importance=1.0)
    face.update(first.id, metadata={"a": 1}, user_id="ada")
    assert texts(face.search("tea", user_id="ada", filters={"importance": 1.0})) == ["tea 2"]


def test_valid_at_reads_what_was_true_then(face: Face) -> None:
    face.add("tea in 2020", user_id="ada", occurred_at=YEAR[2020])
    face.add("tea in 2024", user_id="ada", occurred_at=YEAR[2024])
    assert face.search("tea", user_id="ada", valid_at=YEAR[2019]) == []
    assert texts(face.search("tea", user_id="ada", valid_at=YEAR[2022])) == ["tea in 2020"]
    assert len(face.search("tea", user_id="ada", valid_at=YEAR[2025])) == 2


def test_a_record_holds_from_the_microsecond_on_in_which_it_was_said(face: Face) -> None:
    face.add("tea", user_id="ada", occurred_at=YEAR[2020])
    just_before = YEAR[2020] - timedelta(microseconds=1)
    assert face.search("tea", user_id="ada", valid_at=just_before) == []
    assert texts(face.search("tea", user_id="ada", valid_at=YEAR[2020])) == ["tea"]


def test_after_an_update_valid_at_still_reads_what_was_true_before_it(face: Face) -> None:
    (first,) = face.add("Ada lives in Berlin", user_id="ada", kind="fact")
    second = face.update(first.id, "Ada lives in Paris", user_id="ada")
    just_before = second.at - timedelta(microseconds=1)
    assert texts(face.search("Ada", user_id="ada", valid_at=just_before)) == ["Ada lives in Berlin"]
    assert texts(face.search("Ada", user_id="ada", valid_at=second.at)) == ["Ada lives in Paris"]


def test_both_times_combine(face: Face) -> None:
    (first,) = face.add("Ada lives in Berlin", user_id="ada", kind="fact")
    second = face.update(first.id, "Ada lives in Paris", user_id="ada")
    later = second.at + timedelta(days=1)
    found = face.search("Ada", user_id="ada", as_of=first.at, valid_at=later)
    assert texts(found) == ["Ada lives in Berlin"]
    found = face.search("Ada", user_id="ada", as_of=second.at, valid_at=later)
    assert texts(found) == ["Ada lives in Paris"]


def test_what_has_expired_is_found_by_no_look_into_the_past(face: Face) -> None:
    (first,) = face.add("tea", user_id="ada")
    past = datetime.now(timezone.utc)
    face.update(first.id, expires_at=past, user_id="ada")
    assert face.search("tea", user_id="ada") == []
    assert face.search("tea", user_id="ada", as_of=datetime.now(timezone.utc)) == []


@pytest.mark.parametrize("name", ["as_of", "valid_at"])
def test_a_naive_time_is_an_error(face: Face, name: str) -> None:
    with pytest.raises(InvalidInputError, match=f"{name} must be a datetime with a timezone"):
        face.search("tea", user_id="ada", **{name: datetime(2024, 1, 1)})


@pytest.mark.parametrize("query", ["", "   ", "\x00", "\ud800", None, "x" * 500_001])
def test_a_query_that_is_no_text_is_an_error(face: Face, query: Any) -> None:
    with pytest.raises(InvalidInputError):
        face.search(query, user_id="ada")


@pytest.mark.parametrize("query", ["?!", "☃", "日本語", "a" * 10_000, '"', "“”", "%_*", "NOT OR"])
def test_any_text_is_a_query(face: Face, query: str) -> None:
    face.add("green tea", user_id="ada")
    assert len(face.search(query, user_id="ada")) == 1


def test_no_scope_is_an_error(face: Face) -> None:
    with pytest.raises(ScopeError):
        face.search("tea")


def test_the_best_passage_of_a_long_text_is_returned(face: Face) -> None:
    filler = " ".join(f"Paragraph {n} speaks of weather and of roads." for n in range(120))
    face.add(f"{filler} The password of the cellar is quinoa. {filler}", user_id="ada")
    (match,) = face.search("password of the cellar quinoa", user_id="ada")
    assert "quinoa" in match.passage
    assert match.passage in match.record.text
    assert len(match.passage) < len(match.record.text)
