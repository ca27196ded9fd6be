"""What an owner may wish for: guidance, categories, redaction; metadata; summaries; procedures."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from holdfast import Guidance, InvalidInputError, ProviderError
from holdfast.testing import HashEmbedder, ScriptedLLM
from support.flows import fact, facts, of, only, opened, texts


def hide(text: str) -> str:
    return re.sub(r"\d{4,}", "[number]", text)


class Listening(HashEmbedder):
    """Remembers what it was given to embed."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.heard += texts
        return super().embed(texts)


def test_guidance_reaches_the_prompt_and_its_categories_the_facts(tmp_path: Path) -> None:
    llm = ScriptedLLM([facts(fact("User sails", category="hobby"))])
    wishes = Guidance("boats", "no salaries", {"hobby": "what one does for fun"})
    with opened(tmp_path, llm, guidance=wishes) as memory:
        (derived,) = of(memory.add("I sail", user_id="ada"))
        assert derived.after.metadata == {"category": "hobby"}
        found = memory.search("sails", user_id="ada", filters={"category": "hobby"})
        assert [match.record.id for match in found] == [derived.id]
    system = llm.calls[0].messages[0]["content"]
    assert all(words in system for words in ("boats", "no salaries", "hobby: what one does"))


def test_a_category_that_was_not_offered_is_left_out_and_said_so(tmp_path: Path) -> None:
    with opened(tmp_path, ScriptedLLM([facts(fact("User sails", category="war"))])) as memory:
        changes = memory.add("I sail", user_id="ada")
        assert only(memory).metadata == {}
        assert changes.problems == ("fact 1: has a category that is not listed; left empty",)


def test_a_fact_has_the_metadata_its_turns_share(tmp_path: Path) -> None:
    said: list[dict[str, Any]] = [
        {"role": "user", "content": "I sail", "metadata": {"page": 1}},
        {"role": "user", "content": "A lot", "metadata": {"page": 2}},
    ]
    with opened(tmp_path, ScriptedLLM([facts(fact("User sails a lot", 1, 2))])) as memory:
        memory.add(said, user_id="ada", metadata={"topic": "sea"})
        assert only(memory).metadata == {"category": "profile", "topic": "sea"}
        filters = {"topic": "sea"}
        assert len(memory.search("sails", user_id="ada", filters=filters)) == 3


def test_redaction_comes_before_storage_and_before_every_model(tmp_path: Path) -> None:
    steps = {"title": "T", "goal": "G", "outcome": "O", "steps": ["A"]}
    llm, embedder = ScriptedLLM([facts("User has a card"), steps]), Listening()
    with opened(tmp_path, llm, embedder=embedder, redact=hide) as memory:
        turn, _ = memory.add("My card is 12345678", user_id="ada")
        assert turn.after.text == "My card is [number]"
        memory.update(turn.id, "My card is 87654321", user_id="ada")
        assert memory.get(turn.id, user_id="ada").text == "My card is [number]"
        memory.search("whose card is 12345678?", user_id="ada")
        memory.context("whose card is 12345678?", user_id="ada")
        memory.context(messages=[{"role": "user", "content": "12345678?"}], user_id="ada")
        memory.add_procedure("pay with 12345678", user_id="ada")
    everything = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not re.search(rb"12345678|87654321", everything)
    assert not re.search(r"12345678|87654321", repr(llm.calls) + repr(embedder.heard))


def test_importance_decides_between_facts_that_fit_alike(tmp_path: Path) -> None:
    given = facts(
        fact("Ada likes green tea", importance=0.1), fact("Ada likes black tea", importance=0.9)
    )
    with opened(tmp_path, ScriptedLLM([given])) as memory:
        memory.add("I like green and black tea", user_id="ada")
        first, second = memory.search("likes tea", user_id="ada", kinds=["fact"], explain=True)
        assert first.record.text == "Ada likes black tea"
        assert first.parts["importance"] > second.parts["importance"]


# -- summaries ----------------------------------------------------------------------------------


def summaries() -> Any:
    """An endless script: no facts, and summaries that count themselves."""
    numbers = itertools.count(1)

    def answer(messages: Any, tool: Any) -> dict[str, Any]:
        return facts() if tool.name == "record_facts" else {"summary": f"Part {next(numbers)}."}

    return itertools.repeat(answer)


def test_the_rolling_summary_is_refreshed_by_flush_and_versioned(tmp_path: Path) -> None:
    llm = ScriptedLLM(summaries())
    with opened(tmp_path, llm) as memory:
        first = [f"line {number}" for number in range(20)]
        memory.add(first, user_id="ada", run_id="r")
        assert texts(memory, "summary") == []
        (change,) = memory.flush()
        assert (change.event, change.after.text, len(change.sources)) == ("ADD", "Part 1.", 20)
        memory.add([f"more {number}" for number in range(19)], user_id="ada", run_id="r")
        assert len(memory.flush()) == 0
        memory.add("the twentieth", user_id="ada", run_id="r")
        (change,) = memory.flush()
        assert (change.event, change.before.text, change.after.version) == ("UPDATE", "Part 1.", 2)
        past = memory.history(change.id, user_id="ada")
        assert [step.event for step in past] == ["ADD", "UPDATE"]
        assert memory.search("part", user_id="ada", kinds=["summary"])[0].record.text == "Part 2."
        assert "Part 2." in memory.context("line", user_id="ada", run_id="r").text
    prompt = llm.calls[-1].messages[1]["content"]
    assert "Part 1." in prompt
    assert "more 0" in prompt
    assert "line 3" not in prompt


def test_turns_told_while_a_summary_was_written_are_in_the_next(tmp_path: Path) -> None:
    def answer(messages: Any, tool: Any) -> dict[str, Any]:
        if len(llm.calls) == 2:
            memory.add("in between", user_id="ada", run_id="r", infer=False)
        return facts() if tool.name == "record_facts" else {"summary": "So far."}

    llm = ScriptedLLM(itertools.repeat(answer))
    with opened(tmp_path, llm) as memory:
        memory.add([f"line {number}" for number in range(20)], user_id="ada", run_id="r")
        memory.flush()
        memory.add([f"more {number}" for number in range(20)], user_id="ada", run_id="r")
        memory.flush()
    assert "in between" in llm.calls[-1].messages[1]["content"]


def test_a_long_run_is_summarised_in_parts_a_model_can_read(tmp_path: Path) -> None:
    llm = ScriptedLLM(summaries())
    with opened(tmp_path, llm) as memory:
        memory.add(["word " * 600] * 40, user_id="ada", run_id="r", wait=False)
        memory.flush()
    asked = [call for call in llm.calls if call.tool and call.tool.name != "record_facts"]
    assert len(asked) > 1
    assert all(len(call.messages[1]["content"]) < 40_000 for call in asked)


def test_a_summary_that_fails_is_told_and_costs_nothing_else(tmp_path: Path) -> None:
    llm = ScriptedLLM([facts("User sails"), ProviderError("the model is out")])
    with opened(tmp_path, llm) as memory:
        memory.add([f"line {number}" for number in range(20)], user_id="ada", wait=False)
        changes = memory.flush()
        assert [change.event for change in changes] == ["ADD"]
        assert changes.problems == ("summary: the model is out",)
        assert len(memory.flush()) == 0  # not again at once


# -- procedures ---------------------------------------------------------------------------------


def test_add_procedure_writes_down_a_run_step_by_step(tmp_path: Path) -> None:
    told = {
        "title": "Deploy",
        "goal": "Ship it",
        "steps": ["Run make: built"],
        "outcome": "shipped",
    }
    with opened(tmp_path, ScriptedLLM([told])) as memory:
        added = memory.add(["make", "built"], user_id="ada", run_id="r", infer=False)
        changes = memory.add_procedure("a release", user_id="ada", run_id="r")
        (change,) = changes
        assert change.after.kind == "procedure"
        assert change.after.sources == tuple(turn.id for turn in added)
        assert "Run make" in change.after.text
        assert changes.usage.calls == 1
        (match,) = memory.search("deploy", user_id="ada", kinds=["procedure"])
        assert match.record.id == change.id


def test_add_procedure_of_an_empty_run_says_so(tmp_path: Path) -> None:
    with (
        opened(tmp_path, ScriptedLLM()) as memory,
        pytest.raises(InvalidInputError, match="no turns"),
    ):
        memory.add_procedure(user_id="ada", run_id="r")
