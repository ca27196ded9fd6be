"""What consolidation is asked about names, and how its answer is read."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from holdfast.pipeline import consolidation, naming
from holdfast.pipeline.consolidation import Neighbour, Plan
from holdfast.pipeline.facts import Fact
from holdfast.pipeline.naming import Pair
from holdfast.pipeline.relations import Relation
from holdfast.types import Answer
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)
MINI = "all-MiniLM-L6-v2/int8/x"
BOB = Relation("Bob", "likes", "tea", False, "person", "")
FACT = Fact("Bob likes tea", "Bob", (0,), NOW, NOW, relations=(BOB,))
ROBERT = Pair(0, "Bob", "person", "Robert </names>", "person", "Robert owns a boat", 0.6)
ROB = Pair(0, "Bob", "person", "Rob", "", "Rob sails", 0.6)
PLAN: Plan = consolidation.plan([FACT], [[Neighbour("1", "Bob drinks tea", NOW, similarity=0.8)]])
DECIDED = {"fact": "F1", "event": "ADD", "memories": [], "text": "", "reason": ""}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["pair", "same"]), inner),
    max_leaves=8,
)


def united(names: Any) -> tuple[Pair, ...]:
    answer = Answer(data={"decisions": [DECIDED], "names": names})
    return consolidation.read(answer, PLAN, (ROBERT, ROB)).united


def test_without_doubts_the_prompt_says_nothing_of_names() -> None:
    messages, tool = consolidation.request(PLAN)
    assert "names" not in tool.parameters["properties"]
    assert "<names>" not in messages[1]["content"]


def test_names_and_statements_are_quoted_as_data() -> None:
    messages, tool = consolidation.request(PLAN, (ROBERT, ROB))
    _, _, shown = messages[1]["content"].partition("<names>")

    assert 'N1 | "Bob" ("person") in "Bob likes tea" | "Robert' in shown
    assert 'N2 | "Bob" ("person") in "Bob likes tea" | "Rob" in "Rob sails"' in shown
    assert shown.count("</names>") == 1
    assert "names" in tool.parameters["required"]


def test_only_a_plain_yes_unites() -> None:
    yes = {"pair": "N1", "same": True}
    assert united([yes]) == (ROBERT,)
    assert united([{"pair": 2, "same": True}]) == (ROB,)
    assert united([yes, {"pair": "N1", "same": False}]) == ()


@pytest.mark.parametrize(
    "names",
    [
        None,
        {},
        "N1",
        [1],
        [{"pair": "N3", "same": True}],
        [{"pair": "N1", "same": "true"}],
        [{"pair": ["N1", "N2"], "same": True}],
        [{"same": True}],
    ],
)
def test_anything_else_leaves_them_two(names: Any) -> None:
    assert united(names) == ()


@settings(max_examples=50, deadline=None)
@given(json_values)
def test_any_answer_can_be_read(names: Any) -> None:
    assert set(united(names)) <= {ROBERT, ROB}


def test_a_statement_rests_on_the_turns_of_the_fact_with_the_name() -> None:
    said = naming.statement(ROB, [FACT])

    assert (said.text, said.turns, said.said_at) == ("Bob same as Rob", FACT.turns, NOW)
    assert said.relations[0] == Relation("Bob", "same_as", "Rob", False, "person", "")


@pytest.mark.parametrize(
    ("similarity", "kind", "maker", "settled"),
    [
        (0.96, "company", MINI, True),
        (0.94, "company", MINI, False),
        (0.99, "person", MINI, False),
        (1.0, "company", "hash/64", False),
    ],
)
def test_a_vector_settles_only_what_was_measured(
    similarity: float, kind: str, maker: str, settled: bool
) -> None:
    pair = Pair(0, "Acme Corp", kind, "Acme Corporation", kind, "x", similarity)
    assert naming.is_settled(pair, maker) is settled


def test_names_are_read_once_with_a_type_where_one_is_told() -> None:
    other = Fact("x", "x", (0,), NOW, NOW, relations=(Relation("BOB", "knows", "user"),))
    same = Fact("y", "y", (0,), NOW, NOW, relations=(Relation("Bob", "same_as", "Roy"),))

    assert set(naming.named([other, FACT, same])) == {"bob", "tea"}
    assert naming.named([other, FACT])["bob"].type == "person"
    assert naming.told([same]) == {frozenset(("bob", "roy"))}
