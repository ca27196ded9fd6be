"""The two rooms in a row: somebody moves from Paris to Berlin."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from holdfast.pipeline import consolidation, extraction
from holdfast.pipeline.consolidation import Neighbour
from holdfast.pipeline.extraction import Conversation, Fact, Turn
from holdfast.types import Answer


def at(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=timezone.utc)


def extracted(said: str, day: str, text: str, when: str, *relation: str) -> Fact:
    conversation = Conversation((Turn(said, at(day), "user", "Ann"),))
    subject, name, object_ = relation
    triple = {"subject": subject, "relation": name, "object": object_, "single_valued": False}
    item: dict[str, Any] = {"text": text, "turns": [1], "when": when, "relations": [triple]}
    (fact,) = extraction.read(Answer(data={"facts": [item]}), conversation).facts
    return fact


@pytest.fixture
def paris() -> Neighbour:
    fact = extracted(
        "I live in Paris", "2026-01-15", "Ann lives in Paris.", "", "Ann", "lives in", "Paris"
    )
    return Neighbour(
        "paris", fact.text, fact.holds_from, fact.said_at, relations=fact.relations, similarity=0.7
    )


@pytest.fixture
def berlin() -> Fact:
    return extracted(
        "I moved to Berlin three weeks ago",
        "2026-06-10",
        "Ann moved to Berlin on 2026-05-20.",
        "2026-05-20",
        "I",
        "moved_to",
        "Berlin",
    )


def test_the_move_ends_paris_on_the_day_of_the_move(paris: Neighbour, berlin: Fact) -> None:
    plan = consolidation.plan([berlin], [[paris]])
    assert plan.open == ()
    (decision,) = consolidation.decide(plan)
    assert berlin.event_time == at("2026-05-20")
    assert (decision.event, decision.target) == ("UPDATE", "paris")
    assert (decision.text, decision.closes_at) == (berlin.text, at("2026-05-20"))


@pytest.mark.parametrize("event", ["ADD", "NONE", "DELETE", "UPDATE"])
def test_the_same_holds_whatever_the_model_says(event: str, paris: Neighbour, berlin: Fact) -> None:
    other = Neighbour("cafe", "Ann likes the cafés of Paris.", at("2026-01-16"), similarity=0.6)
    plan = consolidation.plan([berlin], [[paris, other]])
    verdict = {"fact": "F1", "event": event, "memories": [], "text": "", "reason": ""}
    decisions = consolidation.read(Answer(data={"decisions": [verdict]}), plan).decisions
    assert [(d.event, d.target, d.closes_at) for d in decisions] == [
        ("UPDATE", "paris", at("2026-05-20"))
    ]


def test_telling_it_again_is_already_known(berlin: Fact) -> None:
    stored = Neighbour(
        "berlin", berlin.text, berlin.holds_from, berlin.said_at, relations=berlin.relations
    )
    (decision,) = consolidation.decide(consolidation.plan([berlin], [[stored]]))
    assert (decision.event, decision.target) == ("NONE", "berlin")
