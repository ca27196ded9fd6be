"""Any number of moves, in any order and any batches: one home at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from holdfast.pipeline import consolidation
from holdfast.pipeline.consolidation import Neighbour
from holdfast.pipeline.facts import Fact
from holdfast.pipeline.relations import Relation
from hypothesis import given, settings
from hypothesis import strategies as st

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
DAYS = 30

said = st.tuples(st.integers(0, DAYS - 1), st.sampled_from(["Paris", "Berlin", "Rome", "Oslo"]))
moves = st.lists(said, min_size=1, max_size=8, unique_by=lambda move: move[0])


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def home(number: int, place: str) -> Fact:
    lives = Relation("user", "lives_in", place, single_valued=True)
    text = f"The user lives in {place}."
    return Fact(text, "user", (0,), day(number), day(number), relations=(lives,))


def ingest(memory: list[Neighbour], batch: Sequence[Fact]) -> None:
    """Apply one batch as a store would."""
    plan = consolidation.plan(batch, [memory] * len(batch))
    assert plan.open == ()
    for decision in consolidation.decide(plan):
        if decision.closes_at is not None:
            at = next(i for i, found in enumerate(memory) if found.id == decision.target)
            assert decision.closes_at >= memory[at].valid_from
            memory[at] = replace(memory[at], valid_to=decision.closes_at)
        if decision.text:
            fact = batch[decision.fact]
            memory.append(
                Neighbour(
                    str(len(memory)),
                    decision.text,
                    fact.holds_from,
                    fact.said_at,
                    decision.valid_to,
                    fact.relations,
                )
            )


def homes(memory: list[Neighbour], number: int) -> set[str]:
    return {
        found.text
        for found in memory
        if found.valid_from <= day(number) and (not found.valid_to or day(number) < found.valid_to)
    }


@settings(max_examples=150, deadline=None)
@given(moves, st.integers(1, 4))
def test_in_any_order_there_is_never_more_than_one_home(
    moves: list[tuple[int, str]], size: int
) -> None:
    memory: list[Neighbour] = []
    facts = [home(*move) for move in moves]
    for start in range(0, len(facts), size):
        ingest(memory, facts[start : start + size])
    assert all(len(homes(memory, number)) <= 1 for number in range(DAYS + 1))


@settings(max_examples=100, deadline=None)
@given(moves.map(sorted), st.integers(1, 4))
def test_in_order_every_day_shows_what_was_said_last(
    moves: list[tuple[int, str]], size: int
) -> None:
    memory: list[Neighbour] = []
    facts = [home(*move) for move in moves]
    for start in range(0, len(facts), size):
        ingest(memory, facts[start : start + size])
    for number in range(DAYS + 1):
        heard = [place for told, place in moves if told <= number]
        assert homes(memory, number) == {f"The user lives in {place}." for place in heard[-1:]}
