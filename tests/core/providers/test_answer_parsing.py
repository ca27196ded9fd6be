"""Finding the JSON in what a model said."""

from __future__ import annotations

import json

import pytest
from holdfast.providers.parsing import merge, read_object
from holdfast.types import Tool
from hypothesis import given, settings
from hypothesis import strategies as st

TOOL = Tool("record", "Record.", {"type": "object", "properties": {"facts": {"type": "array"}}})
FACTS = {"facts": [{"text": 'a {brace} and "quote"'}]}
WRITTEN = json.dumps(FACTS)


@pytest.mark.parametrize(
    "text",
    [
        WRITTEN,
        f"\n {WRITTEN}\n",
        f"```json\n{WRITTEN}\n```",
        f"Here {{is}} what I found: {WRITTEN} I hope it helps {{you}}.",
        f'<think>Maybe {{"facts": [1]}}?</think>{WRITTEN}',
        f'Maybe {{"facts": [1]}}?\n</think>\n```\n{WRITTEN}\n```',
        f'For example {{"facts": []}}. So: {WRITTEN}',
        json.dumps({"name": "record", "arguments": FACTS}),
        json.dumps({"name": "record", "parameters": WRITTEN}),
        f'```\n{{"name": "record", "arguments": {WRITTEN}}}\n```',
        f"<think>{WRITTEN}",
    ],
)
def test_the_object_is_found(text: str) -> None:
    assert read_object(text, TOOL) == FACTS


def test_line_breaks_inside_strings_are_read() -> None:
    assert read_object('{"facts": ["a\nb"]}', TOOL) == {"facts": ["a\nb"]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no facts",
        "[1, 2]",
        "null",
        WRITTEN[:-1],
        '{"facts": [{"text": "a"}, {"text": "b"}, {"te',
        'so: {"other": 1}',
        "{" * 100_000,
        '{"a":' * 100_000,
        "<think>",
    ],
)
def test_what_is_no_whole_answer_is_none(text: str) -> None:
    assert read_object(text, TOOL) is None


def test_an_object_alone_needs_no_known_property() -> None:
    assert read_object('{"other": 1}', TOOL) == {"other": 1}
    assert read_object("{}", TOOL) == {}


def test_lists_of_parallel_calls_are_chained() -> None:
    calls = [{"facts": [1], "note": "a"}, {"facts": [2], "note": "b"}, {"facts": [3]}]
    assert merge(calls) == {"facts": [1, 2, 3], "note": "a"}


@settings(max_examples=100)
@given(st.text(alphabet='{}[]":,\\ab1 \n<think>/', max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    found = read_object(text, TOOL)
    assert found is None or isinstance(found, dict)
