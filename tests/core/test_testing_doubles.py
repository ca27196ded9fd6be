"""The public doubles."""

from __future__ import annotations

import asyncio
import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest
from holdfast.errors import InvalidInputError, ProviderError
from holdfast.testing import HashEmbedder, ScriptedLLM
from holdfast.types import Answer, Tool, Usage
from hypothesis import given, settings
from hypothesis import strategies as st

MESSAGES = [{"role": "user", "content": "12345678"}]
TOOL = Tool("record", "Record.", {"type": "object"})


def likeness(first: str, second: str) -> float:
    left, right = HashEmbedder(256).embed([first, second])
    return sum(a * b for a, b in zip(left, right, strict=True))


def test_texts_that_share_words_are_near() -> None:
    assert likeness("the grey cat sleeps", "the GREY cat, old") > 0.4
    assert abs(likeness("the grey cat sleeps", "invoice due friday")) < 0.2


def test_texts_without_spaces_are_near_by_shared_pairs() -> None:
    assert likeness("東京に住む", "東京に行く") > 0.4


@settings(max_examples=100)
@given(st.text())
def test_every_text_has_a_unit_vector(text: str) -> None:
    (vector,) = HashEmbedder(8).embed([text])
    assert sum(value * value for value in vector) == pytest.approx(1)


def test_vectors_are_the_same_on_every_machine() -> None:
    assert HashEmbedder(4).embed(["hello world"]) == HashEmbedder(4).embed(["World, hello!"])
    assert [round(value, 3) for value in HashEmbedder(4).embed(["three known words"])[0]] == [
        -0.577,
        0,
        -0.577,
        -0.577,
    ]


def test_the_fingerprint_tells_name_and_dimension() -> None:
    assert HashEmbedder(8, name="other").fingerprint == "other/8"


def test_it_fails_where_it_was_told_to() -> None:
    embedder = HashEmbedder(fail_at=3)
    embedder.embed(["one", "two"])
    with pytest.raises(ProviderError):
        embedder.embed(["three"])
    assert len(embedder.embed(["four"])) == 1


def test_a_dimension_below_one_is_refused() -> None:
    with pytest.raises(InvalidInputError):
        HashEmbedder(0)


def test_a_mapping_becomes_data_and_a_string_text() -> None:
    llm = ScriptedLLM([{"facts": []}, "hello"])
    assert llm.complete(MESSAGES, tool=TOOL) == Answer(
        '{"facts": []}', {"facts": []}, Usage(1, 2, 4)
    )
    assert llm.complete(MESSAGES) == Answer("hello", None, Usage(1, 2, 2))


def test_an_exception_is_raised_and_an_answer_given_as_it_is() -> None:
    ready = Answer("ready", None, Usage(3, 2, 1))
    llm = ScriptedLLM([ProviderError("down"), ready])
    with pytest.raises(ProviderError, match="down"):
        llm.complete(MESSAGES)
    assert llm.complete(MESSAGES) is ready


def test_a_function_sees_messages_and_tool() -> None:
    llm = ScriptedLLM([lambda messages, tool: {"said": messages[0]["content"], "by": tool.name}])
    assert llm.complete(MESSAGES, tool=TOOL).data == {"said": "12345678", "by": "record"}


def test_it_remembers_what_it_was_asked() -> None:
    llm = ScriptedLLM(["a", "b"])
    llm.complete(MESSAGES, tool=TOOL)
    asyncio.run(llm.acomplete(MESSAGES))
    assert [(call.messages, call.tool) for call in llm.calls] == [
        (tuple(MESSAGES), TOOL),
        (tuple(MESSAGES), None),
    ]


def test_an_exhausted_script_says_so() -> None:
    llm = ScriptedLLM(["a"])
    llm.complete(MESSAGES)
    with pytest.raises(AssertionError, match="record in call 2, but its script has only 1"):
        llm.complete(MESSAGES, tool=TOOL)


def test_threads_share_one_script() -> None:
    llm = ScriptedLLM(str(number) for number in itertools.count())
    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda _: llm.complete(MESSAGES).text, range(200)))
    assert sorted(texts, key=int) == [str(number) for number in range(200)]
