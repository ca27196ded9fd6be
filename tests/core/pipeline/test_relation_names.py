"""One name for one relation, and which of them hold one value."""

from __future__ import annotations

import pytest
from holdfast.pipeline.relations import (
    MANY_VALUED,
    SINGLE_VALUED,
    Relation,
    canonical,
    canonical_subject,
    holds_one_value,
)


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("lives in", "lives_in"),
        ("livingIn", "lives_in"),
        ("is living in", "lives_in"),
        ("RESIDES-IN", "lives_in"),
        ("moved_to", "lives_in"),
        ("currently works for", "works_at"),
        ("has occupation", "job"),
        ("is married to", "partner"),
        ("wife", "partner"),
        ("favorite color", "favourite_color"),
        ("prefers_seat", "favourite_seat"),
        ("preferred name", "nickname"),
        ("prefers", "prefers"),
        ("likes", "likes"),
        ("has", "has"),
        ("plays chess with", "plays_chess_with"),
        ("wohnt in", "wohnt_in"),
        ("", ""),
        ("!!", ""),
    ],
)
def test_a_relation_has_one_name(told: str, name: str) -> None:
    assert canonical(told) == name
    assert canonical(name) == name


def test_every_canonical_name_is_its_own() -> None:
    for name in (*SINGLE_VALUED, *MANY_VALUED):
        assert canonical(name) == name


def test_no_alias_stands_for_two_relations() -> None:
    aliases = [alias for others in SINGLE_VALUED.values() for alias in others.split(", ")]
    assert len(aliases) == len(set(aliases))


@pytest.mark.parametrize("subject", ["I", "me", "User", "the user.", "ANN", "Ann"])
def test_the_speaker_is_one_subject(subject: str) -> None:
    assert canonical_subject(subject, "Ann") == "user"


def test_somebody_else_stays_somebody_else() -> None:
    assert canonical_subject("Bo", "Ann") == "Bo"
    assert canonical_subject("Ann's sister", "Ann") == "Ann's sister"


@pytest.mark.parametrize(
    ("relation", "told", "text", "single"),
    [
        ("lives_in", False, "The user lives in Paris.", True),
        ("favourite_colour", False, "The user's favourite colour is red.", True),
        ("likes", True, "The user likes tea.", False),
        ("project_lead", True, "The user leads Apollo.", True),
        ("project_lead", False, "The user leads Apollo.", False),
        ("works_at", True, "The user also works at a bakery.", False),
        ("lives_in", True, "The user no longer lives in Paris.", False),
        ("lives_in", True, "The user plans to move to Rome.", False),
        ("lives_in", True, "The user moved to Rome in May 2026.", True),
    ],
)
def test_tables_decide_what_holds_one_value_and_the_model_beyond_them(
    relation: str, told: bool, text: str, single: bool
) -> None:
    assert holds_one_value(relation, told, text) is single


@pytest.mark.parametrize(
    ("mine", "theirs", "replaces"),
    [
        ("Berlin", "Paris", True),
        ("Berlin", "berlin.", False),
        ("the Netherlands", "Netherlands", False),
        ("Berlin", "Berlin, Germany", False),
        ("31", "30", True),
        ("柏林", "巴黎", True),
    ],
)
def test_a_value_replaces_another_only_if_neither_says_more_of_the_same(
    mine: str, theirs: str, replaces: bool
) -> None:
    new, old = (Relation("user", "lives_in", place, True) for place in (mine, theirs))
    assert new.replaces(old) is replaces


def test_relations_of_many_values_or_other_subjects_replace_nothing() -> None:
    assert not Relation("user", "likes", "tea").replaces(Relation("user", "likes", "cake"))
    here, there = (Relation(who, "lives_in", who, True) for who in ("Ann", "Bo"))
    assert not here.replaces(there)
