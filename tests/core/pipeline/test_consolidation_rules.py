"""What the rules settle without a model."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from holdfast.errors import InvalidInputError
from holdfast.pipeline import consolidation
from holdfast.pipeline.consolidation import Decision, Neighbour, Plan
from holdfast.pipeline.facts import Fact
from holdfast.pipeline.relations import Relation


def at(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=timezone.utc)


def home(place: str, said: str, since: str | None = None, text: str = "") -> Fact:
    lives = Relation("user", "lives_in", place, single_valued=True)
    starts = at(since or said)
    return Fact(
        text or f"The user lives in {place}.", "user", (0,), at(said), starts, relations=(lives,)
    )


def plain(text: str, said: str = "2026-06-10") -> Fact:
    return Fact(text, "user", (0,), at(said), at(said))


def stored(fact: Fact, id: str = "old", similarity: float = 0.6, to: str = "") -> Neighbour:
    return Neighbour(
        id=id,
        text=fact.text,
        valid_from=fact.holds_from,
        said_at=fact.said_at,
        valid_to=at(to) if to else None,
        relations=fact.relations,
        similarity=similarity,
    )


def settled(plan: Plan) -> tuple[Decision, ...]:
    assert plan.open == ()
    return consolidation.decide(plan)


def test_a_fact_with_nothing_near_is_added_without_a_call() -> None:
    far = stored(plain("The user likes tea."), similarity=0.1)
    (decision,) = settled(consolidation.plan([plain("Bo plays chess.")], [[far]]))
    assert decision == Decision("ADD", 0, text="Bo plays chess.", reason="nothing near")


def test_an_exact_duplicate_is_none_whatever_its_similarity() -> None:
    known = stored(plain("The user likes tea."), similarity=0.0)
    (decision,) = settled(consolidation.plan([plain("the user LIKES tea")], [[known]]))
    assert (decision.event, decision.target, decision.text) == ("NONE", "old", "")
    assert decision.reason == "exact duplicate"


def test_a_near_duplicate_is_none_only_if_the_words_agree() -> None:
    known = [stored(plain("The user now likes tea."), similarity=0.99)]
    (decision,) = settled(consolidation.plan([plain("The user likes tea.")], [known]))
    assert (decision.event, decision.reason) == ("NONE", "near duplicate")


@pytest.mark.parametrize(
    "other",
    [
        "The user likes tea at 5.",
        "The user does not like tea.",
        "The user liked tea.",
        "Ann likes tea.",
    ],
)
def test_very_similar_texts_that_differ_in_a_word_go_to_the_model(other: str) -> None:
    known = [stored(plain("The user likes tea."), similarity=0.99)]
    assert consolidation.plan([plain(other)], [known]).open == (0,)


def test_one_relation_in_other_words_is_a_near_duplicate() -> None:
    new = home("Paris", "2026-03-01", text="The user resides in Paris.")
    known = stored(home("Paris", "2026-01-15"), similarity=0.97)
    (decision,) = settled(consolidation.plan([new], [[known]]))
    assert decision.event == "NONE"


def test_duplicates_within_a_batch_are_stored_once() -> None:
    facts = [plain("The user likes tea."), plain("The user really likes tea.")]
    first, second = settled(consolidation.plan(facts, [[], []]))
    assert (first.event, second.event, second.target) == ("ADD", "NONE", None)


def test_a_new_home_ends_the_old_one_at_the_move() -> None:
    paris = stored(home("Paris", "2026-01-15"), "paris")
    move = home("Berlin", "2026-06-10", since="2026-05-20")
    (decision,) = settled(consolidation.plan([move], [[paris]]))
    assert decision == Decision(
        "UPDATE",
        0,
        target="paris",
        text="The user lives in Berlin.",
        reason="new value of a single-valued relation",
        decided_by="rule",
        closes_at=at("2026-05-20"),
    )


def test_a_new_home_ends_every_record_of_the_old_one() -> None:
    one = stored(home("Paris", "2026-01-15"), "one")
    two = stored(home("Paris", "2026-02-15", text="The user's flat is in Paris."), "two")
    plan = consolidation.plan([home("Berlin", "2026-06-10")], [[one, two]])
    decisions = settled(plan)
    assert [(d.event, d.target) for d in decisions] == [("UPDATE", "one"), ("DELETE", "two")]
    assert {d.closes_at for d in decisions} == {at("2026-06-10")}


def test_an_older_home_heard_of_later_is_history() -> None:
    berlin = stored(home("Berlin", "2026-06-10", since="2026-05-20"), "berlin")
    (decision,) = settled(consolidation.plan([home("Paris", "2026-01-15")], [[berlin]]))
    assert (decision.event, decision.target) == ("ADD", None)
    assert decision.valid_to == at("2026-05-20")


def test_a_home_before_a_known_move_is_history_even_if_told_afterwards() -> None:
    berlin = stored(home("Berlin", "2026-06-10", since="2026-05-20"), "berlin")
    rome = home("Rome", "2026-07-01", since="2019-01-01")
    (decision,) = settled(consolidation.plan([rome], [[berlin]]))
    assert (decision.event, decision.valid_to) == ("ADD", at("2026-05-20"))


def test_an_earlier_move_told_after_a_mere_mention_is_left_to_the_model() -> None:
    paris = stored(home("Paris", "2026-06-01"), "paris")
    move = home("Berlin", "2026-06-10", since="2026-05-20")
    assert consolidation.plan([move], [[paris]]).open == (0,)


def test_a_home_between_two_others_takes_the_time_between() -> None:
    paris = stored(home("Paris", "2026-01-15"), "paris", to="2026-05-20")
    berlin = stored(home("Berlin", "2026-05-20"), "berlin")
    lyon = home("Lyon", "2026-03-01")
    (decision,) = settled(consolidation.plan([lyon], [[paris, berlin]]))
    assert (decision.event, decision.target) == ("UPDATE", "paris")
    assert decision.closes_at == at("2026-03-01")
    assert decision.valid_to == at("2026-05-20")


def test_moving_back_is_no_duplicate_of_the_time_before() -> None:
    paris = stored(home("Paris", "2026-01-15"), "paris", to="2026-05-20", similarity=0.99)
    berlin = stored(home("Berlin", "2026-05-20"), "berlin")
    (decision,) = settled(consolidation.plan([home("Paris", "2026-09-01")], [[paris, berlin]]))
    assert (decision.event, decision.target) == ("UPDATE", "berlin")


def test_moving_away_and_back_within_a_batch_is_kept() -> None:
    paris = stored(home("Paris", "2026-01-15"), "paris", similarity=0.99)
    facts = [home("Berlin", "2026-05-20"), home("Paris", "2026-09-01")]
    away, back = settled(consolidation.plan(facts, [[paris], [paris]]))
    assert (away.event, away.target, away.valid_to) == ("UPDATE", "paris", at("2026-09-01"))
    assert (back.event, back.valid_to) == ("ADD", None)


def test_homes_of_one_batch_follow_one_another_and_end_the_stored_one_once() -> None:
    paris = stored(home("Paris", "2026-01-15"), "paris")
    facts = [home("Munich", "2026-08-01"), home("Berlin", "2026-05-20")]
    munich, berlin = settled(consolidation.plan(facts, [[paris], [paris]]))
    assert (munich.event, munich.valid_to) == ("ADD", None)
    assert (berlin.event, berlin.target, berlin.valid_to) == ("UPDATE", "paris", at("2026-08-01"))


def test_a_correction_within_one_message_leaves_the_last_word() -> None:
    facts = [home("Paris", "2026-06-10"), home("Berlin", "2026-06-10")]
    paris, berlin = settled(consolidation.plan(facts, [[], []]))
    assert (paris.valid_to, berlin.valid_to) == (at("2026-06-10"), None)


def test_a_further_near_neighbour_leaves_the_fact_open() -> None:
    paris = stored(home("Paris", "2026-01-15"), "paris")
    garden = stored(plain("The user rents a garden in Paris.", "2026-02-01"), "garden")
    plan = consolidation.plan([home("Berlin", "2026-06-10")], [[paris, garden]])
    assert plan.open == (0,)


def test_an_old_record_that_says_more_leaves_the_fact_open() -> None:
    job = Relation("user", "works_at", "Acme", single_valued=True)
    paris = home("Paris", "2026-01-15")
    both = Neighbour("both", "...", at("2026-01-15"), relations=(*paris.relations, job))
    assert consolidation.plan([home("Berlin", "2026-06-10")], [[both]]).open == (0,)


def test_a_model_is_shown_few_neighbours_and_those_of_the_slot_first() -> None:
    many = [stored(plain(f"Thing {n}."), f"n{n}", 0.5 + n / 100) for n in range(20)]
    same = stored(home("Paris", "2026-01-15"), "paris", similarity=0.0)
    plan = consolidation.plan([home("Berlin", "2026-06-10")], [[*many, same]])
    assert [found.id for found in plan.shown[0]] == ["paris", "n19", "n18", "n17", "n16"]


def test_facts_and_neighbours_must_be_equally_many() -> None:
    with pytest.raises(InvalidInputError):
        consolidation.plan([plain("x")], [])
