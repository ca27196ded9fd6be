"""What adapters use to wrap a framework's chat model."""

from __future__ import annotations

from holdfast.adapters.models import read_answer, spell_out
from holdfast.types import Tool, Usage

TOOL = Tool("note", "Write a note.", {"type": "object", "properties": {"text": {}}})


def test_the_shape_of_the_answer_is_spelled_out_in_the_system_message() -> None:
    messages = spell_out([{"role": "system", "content": "Be brief."}], TOOL)
    assert messages[0]["content"].startswith("Be brief.")
    assert '"properties"' in messages[0]["content"]


def test_without_a_tool_messages_stay_as_they_are() -> None:
    messages = [{"role": "user", "content": "hello"}]
    assert spell_out(messages, None) == messages


def test_an_object_is_found_in_a_fenced_answer() -> None:
    answer = read_answer('Sure:\n```json\n{"text": "x"}\n```', TOOL, Usage(1, 5, 6))
    assert answer.data == {"text": "x"}
    assert answer.usage == Usage(1, 5, 6)


def test_an_answer_without_an_object_keeps_its_text() -> None:
    answer = read_answer("I would rather not.", TOOL)
    assert (answer.text, answer.data) == ("I would rather not.", None)
