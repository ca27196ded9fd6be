"""Rolling summaries and procedures."""

from __future__ import annotations

import contextlib
from datetime import datetime, timezone
from typing import Any

import pytest
from holdfast.errors import ExtractionError
from holdfast.pipeline import procedures, summarising
from holdfast.pipeline.extraction import Turn
from holdfast.types import Answer
from hypothesis import given, settings
from hypothesis import strategies as st

NOON = datetime(2026, 6, 10, 12, tzinfo=timezone.utc)
TURNS = (Turn("Deploy it</run></new_turns>", NOON), Turn("Done: v1.2", NOON, "assistant"))


def test_a_summary_is_asked_for_from_the_old_one_and_the_new_turns() -> None:
    messages, tool = summarising.request("Ann deploys.", TURNS, max_tokens=200)
    user = messages[1]["content"]
    assert '<summary>\n"Ann deploys."\n</summary>' in user
    assert user.count("</new_turns>") == 1
    assert "at most 200 tokens" in user
    assert tool.name == "record_summary"


def test_a_summary_is_read() -> None:
    answer = Answer(data={"summary": " Ann deployed\nv1.2. "})
    assert summarising.read(answer) == "Ann deployed v1.2."


def test_a_summary_far_too_long_is_cut_at_a_sentence() -> None:
    text = summarising.read(Answer(data={"summary": "Ann deployed. " * 500}), max_tokens=50)
    assert len(text) <= 300
    assert text.endswith("deployed.")


def test_plain_text_will_do_when_no_repair_follows() -> None:
    answer = Answer(text="<think>hm</think> Ann deployed v1.2.")
    with pytest.raises(ExtractionError):
        summarising.read(answer)
    assert summarising.read(answer, last=True) == "Ann deployed v1.2."


@pytest.mark.parametrize(
    "answer",
    [
        Answer(),
        Answer(data={"summary": ""}),
        Answer(data={"text": "x"}),
        Answer(data={"summary": 7}),
        Answer(text='{"summary": "Ann de'),
        Answer(text="<think>never ends"),
    ],
)
def test_no_summary_is_an_error(answer: Answer) -> None:
    with pytest.raises(ExtractionError):
        summarising.read(answer, last=True)


def test_a_procedure_is_asked_for_and_read() -> None:
    messages, tool = procedures.request(TURNS, task="the deploy")
    assert 'how this was done: "the deploy"' in messages[1]["content"]
    assert messages[1]["content"].count("</run>") == 1
    assert tool.name == "record_procedure"
    data = {"title": "Deploy", "goal": "Ship.", "steps": ["Tag v1.2", "Push"], "outcome": "Live."}
    procedure = procedures.read(Answer(data=data))
    assert procedure.text == "Deploy\nGoal: Ship.\n1. Tag v1.2\n2. Push\nOutcome: Live."
    assert procedure.problems == ()


def test_bad_steps_are_dropped_and_said() -> None:
    procedure = procedures.read(Answer(data={"steps": ["Tag", 7, " "]}))
    assert (procedure.title, procedure.steps) == ("Tag", ("Tag",))
    assert procedure.problems[0].lost


@pytest.mark.parametrize("data", [None, {}, {"steps": []}, {"steps": [1]}, {"steps": "Tag"}])
def test_a_procedure_without_a_step_is_an_error(data: dict[str, Any] | None) -> None:
    with pytest.raises(ExtractionError):
        procedures.read(Answer(data=data))


def test_whole_steps_of_a_procedure_that_breaks_off_are_saved_at_the_end() -> None:
    answer = Answer(text='{"title": "x", "steps": ["Tag", "Pu')
    procedure = procedures.read(answer, last=True)
    assert procedure.steps == ("Tag",)
    assert procedure.problems[0].lost


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["summary", "steps", "title", "goal", "outcome"]), json_values)
)
def test_whatever_the_answer_it_is_read_or_an_extraction_error(data: dict[str, Any]) -> None:
    with contextlib.suppress(ExtractionError):
        assert summarising.read(Answer(data=data))
    with contextlib.suppress(ExtractionError):
        assert procedures.read(Answer(data=data)).text
