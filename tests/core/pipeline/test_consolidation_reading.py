"""What consolidation asks, and what it makes of answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import pytest
from holdfast.errors import ExtractionError
from holdfast.pipeline import consolidation
from holdfast.pipeline.consolidation import Decision, Decisions, Neighbour, Plan
from holdfast.pipeline.facts import Fact
from holdfast.pipeline.relations import Relation
from holdfast.types import Answer
from hypothesis import given, settings
from hypothesis import strategies as st

MARCH, JUNE = (datetime(2026, month, 1, tzinfo=timezone.utc) for month in (3, 6))


def fact(text: str, *relations: Relation, said: datetime = JUNE) -> Fact:
    return Fact(text, "user", (0,), said, said, relations=relations)


def near(id: str, text: str, *relations: Relation, since: datetime = MARCH) -> Neighbour:
    return Neighbour(id, text, since, relations=relations, similarity=0.7)


def dog() -> Plan:
    known = [near("dog", "Ann has a dog called Rex."), near("walk", "Ann walks Rex daily.")]
    return consolidation.plan([fact("Rex has died.")], [known])


def verdict(event: str, *memories: Any, about: Any = "F1", text: str = "") -> dict[str, Any]:
    return {"fact": about, "event": event, "memories": [*memories], "text": text, "reason": "why"}


def read(plan: Plan, *verdicts: Any) -> Decisions:
    return consolidation.read(Answer(data={"decisions": [*verdicts]}), plan)


def reasons(result: Decisions) -> str:
    return "; ".join(f"{problem.place} {problem.reason}" for problem in result.problems)


def test_numbers_stand_for_ids_in_the_prompt() -> None:
    messages, tool = consolidation.request(dog())
    user = messages[1]["content"]
    assert '1 | 2026-03-01 | "Ann has a dog called Rex."' in user
    assert 'F1 | 2026-06-01 | near 1, 2 | "Rex has died."' in user
    assert "walk |" not in user
    assert tool.name == "decide"


def test_a_memory_near_several_facts_is_shown_once() -> None:
    rex = near("dog", "Ann has a dog called Rex.")
    facts = [fact("Rex has died."), fact("Ann misses Rex.")]
    messages, _ = consolidation.request(consolidation.plan(facts, [[rex], [rex]]))
    assert messages[1]["content"].count("called Rex") == 1


def test_the_prompt_stays_small_and_the_same() -> None:
    messages, _ = consolidation.request(dog())
    assert len(messages[0]["content"]) < 2_000
    other = consolidation.plan([fact("x")], [[near("y", "z")]])
    assert consolidation.request(other)[0][0] == messages[0]


def test_delete_ends_the_memories_and_stores_nothing() -> None:
    result = read(dog(), verdict("DELETE", 1, 2))
    assert result.problems == ()
    expected = Decision("DELETE", 0, "dog", "", "why", "model", closes_at=JUNE)
    assert result.decisions[0] == expected
    assert [d.target for d in result.decisions] == ["dog", "walk"]


def test_update_ends_the_memory_and_stores_the_merged_text() -> None:
    result = read(dog(), verdict("update", "1", text="Ann had a dog called Rex, who died."))
    (decision,) = result.decisions
    assert (decision.event, decision.target) == ("UPDATE", "dog")
    assert decision.text == "Ann had a dog called Rex, who died."
    assert (decision.decided_by, decision.closes_at) == ("model", JUNE)


def test_update_without_a_text_stores_the_facts_own() -> None:
    assert read(dog(), verdict("UPDATE", 1)).decisions[0].text == "Rex has died."


def test_add_and_none_touch_no_memory() -> None:
    (added,) = read(dog(), verdict("ADD")).decisions
    assert (added.event, added.text, added.closes_at) == ("ADD", "Rex has died.", None)
    (known,) = read(dog(), verdict("NONE", 2)).decisions
    assert (known.event, known.target, known.closes_at) == ("NONE", "walk", None)


@pytest.mark.parametrize("event", ["UPDATE", "DELETE"])
@pytest.mark.parametrize("number", [0, 3, -1, 999, "dog", None, 1.5, [1], {"id": 1}])
def test_an_invented_number_is_never_a_write(event: str, number: object) -> None:
    result = read(dog(), verdict(event, number))
    (decision,) = result.decisions
    assert (decision.event, decision.target, decision.text) == ("ADD", None, "Rex has died.")
    assert "not listed" in reasons(result)


def test_a_number_listed_for_another_fact_is_not_followed() -> None:
    facts = [fact("Rex has died."), fact("Ann sold the boat.")]
    known = [[near("dog", "Ann has a dog.")], [near("boat", "Ann has a boat.")]]
    plan = consolidation.plan(facts, known)
    result = read(plan, verdict("DELETE", 2), verdict("DELETE", 2, about="F2"))
    assert [(d.event, d.target) for d in result.decisions] == [("ADD", None), ("DELETE", "boat")]


def test_a_fact_passed_over_is_added_and_it_is_said() -> None:
    facts = [fact("Rex has died."), fact("Ann misses Rex.")]
    known = near("dog", "Ann has a dog called Rex.")
    result = read(consolidation.plan(facts, [[known], [known]]), verdict("DELETE", 1))
    assert [d.event for d in result.decisions] == ["DELETE", "ADD"]
    assert "F2 got no decision" in reasons(result)


def test_the_first_decision_on_a_fact_counts() -> None:
    result = read(dog(), verdict("NONE", 1), verdict("DELETE", 1))
    assert [d.event for d in result.decisions] == ["NONE"]
    assert result.problems[0].lost


def test_two_facts_end_one_memory_once() -> None:
    facts = [fact("Rex has died."), fact("Ann gave Rex away.")]
    known = near("dog", "Ann has a dog called Rex.")
    plan = consolidation.plan(facts, [[known], [known]])
    result = read(plan, verdict("DELETE", 1), verdict("UPDATE", 1, about="F2"))
    assert [(d.event, d.closes_at) for d in result.decisions] == [("DELETE", JUNE), ("ADD", None)]


def test_a_fact_that_would_end_everything_ends_nothing() -> None:
    known = [near(f"m{n}", f"Ann owns thing {n}.") for n in range(5)]
    plan = consolidation.plan([fact("Ann said: forget everything about Ann.")], [known])
    result = read(plan, verdict("DELETE", 1, 2, 3, 4, 5))
    assert [(d.event, d.target) for d in result.decisions] == [("ADD", None)]
    assert "refused" in reasons(result)


def test_a_fact_older_than_a_memory_does_not_end_it() -> None:
    known = near("dog", "Ann has a dog called Rex.", since=JUNE)
    plan = consolidation.plan([fact("Ann has no dog.", said=MARCH)], [[known]])
    result = read(plan, verdict("DELETE", 1))
    assert [d.event for d in result.decisions] == ["ADD"]
    assert "newer than its fact" in reasons(result)


def test_none_is_not_believed_of_a_number_no_memory_has() -> None:
    plan = consolidation.plan([fact("The rent is 950.")], [[near("rent", "The rent is 900.")]])
    result = read(plan, verdict("NONE", 1))
    assert [d.event for d in result.decisions] == ["ADD"]
    assert "number" in reasons(result)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(),
        Answer(text="I would add it."),
        Answer(data={}),
        Answer(data={"decisions": []}),
        Answer(data={"decisions": ["ADD"]}),
        Answer(data={"decisions": [{"fact": "F1", "event": "MERGE"}]}),
        Answer(data={"decisions": [{"fact": "F7", "event": "ADD"}]}),
    ],
)
def test_an_answer_without_one_decision_asks_for_a_repair(answer: Answer) -> None:
    with pytest.raises(ExtractionError) as error:
        consolidation.read(answer, dog())
    messages, _ = consolidation.request(dog())
    assert consolidation.repair(messages, answer, error.value)[-1]["role"] == "user"


def moving(text: str = "The user moved to Berlin.") -> Plan:
    paris, berlin = (Relation("user", "lives_in", at, True) for at in ("Paris", "Berlin"))
    known = [near("paris", "The user lives in Paris.", paris), near("flat", "The flat is small.")]
    return consolidation.plan([fact(text, berlin)], [known])


@pytest.mark.parametrize(
    "said", [verdict("ADD"), verdict("NONE", 2), verdict("DELETE", 1), verdict("UPDATE", 9)]
)
def test_a_new_home_ends_the_old_one_whatever_the_model_says(said: dict[str, Any]) -> None:
    (decision,) = read(moving(), said).decisions
    assert (decision.event, decision.target) == ("UPDATE", "paris")
    assert (decision.text, decision.closes_at) == ("The user moved to Berlin.", JUNE)


def test_rule_and_model_join_where_both_end_something() -> None:
    result = read(moving(), verdict("UPDATE", 1, 2, text="The user lives in a flat in Berlin."))
    first, second = result.decisions
    assert (first.event, first.target, first.decided_by) == ("UPDATE", "paris", "model")
    assert first.text == "The user lives in a flat in Berlin."
    assert (second.event, second.target, second.decided_by) == ("DELETE", "flat", "model")


def test_a_contradiction_is_never_only_a_delete() -> None:
    """The old memory may carry no relation; the new value must not be lost with it."""
    home = Relation("user", "lives_in", "Berlin", single_valued=True)
    known = [near("paris", "The user lives in Paris.")]
    plan = consolidation.plan([fact("The user moved to Berlin.", home)], [known])
    (decision,) = read(plan, verdict("DELETE", 1)).decisions
    assert (decision.event, decision.target) == ("UPDATE", "paris")
    assert decision.text == "The user moved to Berlin."


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=8,
)
almost = st.fixed_dictionaries(
    {
        "fact": st.sampled_from(["F1", "F2", "F3", 1, "2"]) | json_values,
        "event": st.sampled_from(["ADD", "UPDATE", "DELETE", "NONE"]) | json_values,
        "memories": st.lists(st.integers(-1, 7) | json_values, max_size=8) | json_values,
    },
    optional={"text": json_values, "reason": json_values},
)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(data=st.fixed_dictionaries({"decisions": st.lists(almost | json_values, max_size=6)}))
def test_whatever_the_answer_no_id_is_invented_and_no_fact_is_lost(data: Mapping[str, Any]) -> None:
    facts = [fact("Rex has died."), fact("Ann moved.", said=MARCH), fact("Ann sings.")]
    known = [near(f"m{n}", f"Ann owns {n}.") for n in range(4)]
    plan = consolidation.plan(facts, [known[:3], known[1:], []])
    try:
        result = consolidation.read(Answer(data=data), plan)
    except ExtractionError:
        return
    assert {decision.fact for decision in result.decisions} == {0, 1, 2}
    ended = [d.target for d in result.decisions if d.closes_at is not None]
    assert len(ended) == len(set(ended))
    for decision in result.decisions:
        ids = {found.id for found in plan.neighbours[decision.fact]}
        assert decision.target is None or decision.target in ids
        assert bool(decision.text) == (decision.event in {"ADD", "UPDATE"})
        assert (decision.closes_at is not None) == (decision.event in {"UPDATE", "DELETE"})
