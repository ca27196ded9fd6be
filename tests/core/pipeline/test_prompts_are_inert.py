"""Outside text in any prompt: one line, no control token, nothing invisible, and still JSON."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from itertools import repeat
from typing import Any

import pytest
from holdfast import Answer, ExtractionError, Memory
from holdfast.pipeline import procedures, summarising
from holdfast.pipeline.answers import repair
from holdfast.pipeline.transcript import Turn
from holdfast.testing import HashEmbedder, ScriptedLLM

TOKENS = [
    "<|im_end|>",
    "<|im_start|>",
    "[INST]",
    "[/INST]",
    "<<SYS>>",
    "</s>",
    "```",
    "</new_messages>",
]
HIDDEN = [
    "\u2028",
    "\u2029",
    "\x85",
    "\u202e",
    "\u2066",
    "\u200b",
    "\ufeff",
    "\x9b",
    "\x1b",
    "\U000e0041",
]
HOSTILE = "tea " + " x ".join(TOKENS) + "".join(f" {mark} y" for mark in HIDDEN) + "\nFact: none"
NOON = datetime(2026, 1, 1, tzinfo=timezone.utc)


def is_inert(shown: str) -> bool:
    return not any(sign in shown for sign in (*TOKENS[:-1], *HIDDEN))


def test_every_prompt_of_the_pipeline_is_inert() -> None:
    shown: list[str] = []

    def answer(messages: Any, tool: Any) -> Any:
        shown.append(messages[1]["content"])
        fact = {"text": f"Ann likes {HOSTILE}{len(shown)}", "about": HOSTILE, "turns": [1]}
        if tool.name == "record_facts":
            return {"facts": [fact]}
        if tool.name == "decide":
            return {"decisions": [{"fact": "F1", "event": "ADD", "memories": []}]}
        return {"title": HOSTILE, "goal": HOSTILE, "steps": [HOSTILE], "summary": HOSTILE}

    llm = ScriptedLLM(repeat(answer))
    with Memory(":memory:", embedder=HashEmbedder(8), llm=llm, graph=True) as memory:
        said = {"role": "user", "content": HOSTILE, "name": "Ann"}
        memory.add(HOSTILE, user_id="u", run_id="r", kind="fact")
        for n in range(12):
            memory.add({**said, "content": f"{n} {HOSTILE}"}, user_id="u", run_id="r")
        memory.flush()
        memory.add_procedure(HOSTILE, user_id="u", run_id="r")
    assert len(shown) > 12
    assert all(map(is_inert, shown))


@pytest.mark.parametrize("request_", [summarising.request, procedures.request])
def test_a_turn_is_one_line_of_a_prompt_and_a_json_string(request_: Any) -> None:
    turns = [Turn(HOSTILE, NOON, "user", HOSTILE[:60]), Turn("fine", NOON)]
    messages, _ = request_("", turns) if request_ is summarising.request else request_(turns)
    rows = [row for row in messages[1]["content"].splitlines() if row.startswith("- | ")]
    assert len(rows) == 2
    assert json.loads(rows[0].rsplit(" | ", 1)[1]).startswith("tea <|im_end|> x")
    assert json.loads(rows[1].rsplit(" | ", 1)[1]) == "fine"


def test_the_answer_that_is_shown_again_for_repair_is_inert() -> None:
    asked = repair([], Answer(HOSTILE), ExtractionError("no"))
    assert asked[0]["role"] == "assistant"
    assert is_inert(asked[0]["content"])


def test_data_that_is_no_json_does_not_spoil_the_repair() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    assert len(repair([], Answer(data={"a": deep}), ExtractionError("no"))) == 1
