"""Remote chat models, with the real client, over loopback HTTP."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from holdfast.errors import ProviderError
from holdfast.providers.openai import OpenAILLM
from holdfast.types import Answer, Tool, Usage
from support.openai_server import OpenAIServer, Reply, called, dropped, failed, said

MESSAGES = [
    {"role": "system", "content": "You extract."},
    {"role": "user", "content": "I live in Paris."},
]
TOOL = Tool(
    "record_facts",
    "Record facts.",
    {"type": "object", "properties": {"facts": {"type": "array"}}, "required": ["facts"]},
)
FACTS = {"facts": [{"text": "lives in Paris"}]}
ONE_CALL = Usage(1, 11, 7)

Complete = Callable[..., Answer]


@pytest.fixture
def llm(openai_server: OpenAIServer) -> OpenAILLM:
    return OpenAILLM("chat-1", base_url=openai_server.url, api_key="sk-secret", retries=1)


@pytest.fixture(params=["sync", "async"])
def complete(request: pytest.FixtureRequest, llm: OpenAILLM) -> Complete:
    """The two faces of one model; the async one in a new event loop each time."""
    if request.param == "sync":
        return llm.complete
    return lambda *args, **named: asyncio.run(llm.acomplete(*args, **named))


def way_of(body: dict[str, Any]) -> str:
    return "tool" if "tools" in body else "schema" if "response_format" in body else "plain"


def ways(server: OpenAIServer) -> list[str]:
    return [way_of(body) for body in server.bodies()]


def without(*refused: str) -> Callable[[dict[str, Any]], Reply]:
    """An endpoint that knows nothing of tools, or of schemas, or of either."""
    words = {"tool": "model does not support tools", "schema": "unknown field response_format"}

    def answer(body: dict[str, Any]) -> Reply:
        way = way_of(body)
        return failed(400, words[way]) if way in refused else called(FACTS)

    return answer


def test_text_is_answered_with_its_cost(openai_server: OpenAIServer, complete: Complete) -> None:
    openai_server.script(said("Hello."))
    assert complete(MESSAGES) == Answer("Hello.", None, ONE_CALL)
    assert openai_server.bodies()[0]["messages"] == MESSAGES


def test_data_is_asked_for_by_a_forced_tool_call(
    openai_server: OpenAIServer, complete: Complete
) -> None:
    openai_server.script(called(FACTS))
    answer = complete(MESSAGES, tool=TOOL)
    assert (answer.data, answer.usage) == (FACTS, ONE_CALL)
    body = openai_server.bodies()[0]
    assert body["tools"][0]["function"]["parameters"] == TOOL.parameters
    assert body["tool_choice"]["function"]["name"] == TOOL.name


@pytest.mark.parametrize(
    ("refused", "expected"),
    [
        (["tool"], ["tool", "schema", "schema"]),
        (["tool", "schema"], ["tool", "schema", "plain", "plain"]),
    ],
)
def test_an_endpoint_that_refuses_a_way_is_asked_in_the_next_and_remembered(
    openai_server: OpenAIServer, complete: Complete, refused: list[str], expected: list[str]
) -> None:
    openai_server.default = without(*refused)
    assert [complete(MESSAGES, tool=TOOL).data for _ in range(2)] == [FACTS, FACTS]
    assert ways(openai_server) == expected


def test_schema_and_plain_ways_write_the_schema_into_the_system_message(
    openai_server: OpenAIServer, llm: OpenAILLM
) -> None:
    openai_server.default = without("tool", "schema")
    llm.complete(MESSAGES, tool=TOOL)
    for body in openai_server.bodies()[1:]:
        first, *rest = body["messages"]
        assert first["content"].startswith("You extract.\n\nRecord facts.")
        assert '"facts": {"type": "array"}' in first["content"]
        assert rest == MESSAGES[1:]


def test_a_model_that_ignores_the_tool_is_asked_in_the_next_way_and_both_calls_count(
    openai_server: OpenAIServer, complete: Complete
) -> None:
    openai_server.script(said("Sure, noted!"), called(FACTS), called(FACTS))
    answer = complete(MESSAGES, tool=TOOL)
    assert (answer.data, answer.usage) == (FACTS, Usage(2, 22, 14))
    assert complete(MESSAGES, tool=TOOL).data == FACTS
    assert ways(openai_server) == ["tool", "schema", "schema"]


def test_a_way_that_worked_is_kept_when_one_answer_fails(
    openai_server: OpenAIServer, llm: OpenAILLM
) -> None:
    openai_server.script(called(FACTS), said("Hm."), called(FACTS))
    answers = [llm.complete(MESSAGES, tool=TOOL) for _ in range(3)]
    assert [answer.data for answer in answers] == [FACTS, None, FACTS]
    assert answers[1].text == "Hm."
    assert ways(openai_server) == ["tool"] * 3


def test_data_written_as_text_saves_the_next_way(
    openai_server: OpenAIServer, llm: OpenAILLM
) -> None:
    openai_server.script(said('```json\n{"facts": []}\n```'))
    assert llm.complete(MESSAGES, tool=TOOL).data == {"facts": []}
    assert ways(openai_server) == ["tool"]


def test_parallel_calls_are_joined(openai_server: OpenAIServer, llm: OpenAILLM) -> None:
    openai_server.script(called({"facts": [1]}, {"facts": [2, 3]}))
    assert llm.complete(MESSAGES, tool=TOOL).data == {"facts": [1, 2, 3]}


def test_arguments_may_be_an_object_instead_of_a_string(
    openai_server: OpenAIServer, llm: OpenAILLM
) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "x", "arguments": FACTS}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    openai_server.script(Reply(body={"choices": [{"index": 0, "message": message}]}))
    answer = llm.complete(MESSAGES, tool=TOOL)
    assert (answer.data, answer.usage) == (FACTS, Usage(1, 0, 0))


@pytest.mark.parametrize("make", [called, said], ids=["call", "text"])
def test_a_truncated_answer_has_its_text_and_no_data(
    openai_server: OpenAIServer, llm: OpenAILLM, make: Callable[..., Reply]
) -> None:
    broken = '{"facts": [{"text": "a"}, {"te'
    openai_server.script(make(broken, finish_reason="length"))
    answer = llm.complete(MESSAGES, tool=TOOL)
    assert (answer.data, answer.text) == (None, broken)
    assert ways(openai_server) == ["tool"]


def test_a_truncated_answer_that_is_whole_has_data(
    openai_server: OpenAIServer, llm: OpenAILLM
) -> None:
    openai_server.script(called(FACTS, finish_reason="length"))
    assert llm.complete(MESSAGES, tool=TOOL).data == FACTS


def test_an_empty_answer_is_no_data(openai_server: OpenAIServer, llm: OpenAILLM) -> None:
    openai_server.default = said("")
    answer = llm.complete(MESSAGES, tool=TOOL)
    assert (answer.data, answer.text) == (None, "")


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body={"choices": []}),
        Reply(body={"error": {"message": "in a reply of 200"}}),
        Reply(body=b"<html>a proxy speaks</html>"),
        said("I cannot.", finish_reason="content_filter"),
        Reply(body={"choices": [{"index": 0, "message": {"refusal": "no", "content": None}}]}),
        Reply(body={"choices": [{"index": 0}]}),
    ],
    ids=["no choice", "error", "html", "filtered", "refusal", "no message"],
)
def test_a_reply_without_an_answer_is_a_provider_error(
    openai_server: OpenAIServer, complete: Complete, reply: Reply
) -> None:
    openai_server.script(reply)
    with pytest.raises(ProviderError):
        complete(MESSAGES, tool=TOOL)


def test_a_bad_key_is_said_without_the_key(openai_server: OpenAIServer, complete: Complete) -> None:
    openai_server.script(failed(401, "Incorrect API key: sk-secret"))
    with pytest.raises(ProviderError, match=r"HTTP 401.*check the API key") as caught:
        complete(MESSAGES)
    assert "sk-secret" not in str(caught.value)
    assert len(openai_server.requests) == 1


@pytest.mark.parametrize(
    "fault",
    [
        failed(429, retry_after=0.01),
        failed(500, retry_after=0.01),
        dropped("before"),
        dropped("middle"),
    ],
    ids=["429", "500", "dropped before", "dropped in the middle"],
)
def test_a_passing_fault_is_tried_again(
    openai_server: OpenAIServer, complete: Complete, fault: Reply
) -> None:
    openai_server.script(fault, said("Hello."))
    assert complete(MESSAGES).text == "Hello."
    assert openai_server.requests[1].headers["x-stainless-retry-count"] == "1"


def test_a_lasting_fault_is_a_provider_error(
    openai_server: OpenAIServer, complete: Complete
) -> None:
    openai_server.default = failed(503)
    with pytest.raises(ProviderError, match="HTTP 503"):
        complete(MESSAGES)
    assert len(openai_server.requests) == 2


def test_a_fault_while_a_way_is_sought_is_not_a_refusal(
    openai_server: OpenAIServer, llm: OpenAILLM
) -> None:
    openai_server.script(failed(400, "the context is too long"))
    with pytest.raises(ProviderError, match="HTTP 400"):
        llm.complete(MESSAGES, tool=TOOL)
    assert ways(openai_server) == ["tool"]


def test_options_are_sent_with_every_request(openai_server: OpenAIServer) -> None:
    options = {"temperature": 0, "reasoning_effort": "low"}
    OpenAILLM("chat-1", base_url=openai_server.url, options=options).complete(MESSAGES)
    assert openai_server.bodies()[0].items() >= options.items()


def test_no_key_of_the_environment_goes_to_another_address(openai_server: OpenAIServer) -> None:
    OpenAILLM("chat-1", base_url=openai_server.url).complete(MESSAGES)
    assert openai_server.requests[0].headers["authorization"] == "Bearer none"


@pytest.mark.slow
def test_a_hundred_calls_wait_together(openai_server: OpenAIServer, llm: OpenAILLM) -> None:
    # Each is answered when all have arrived: were they queued, this would never end.
    everybody = threading.Barrier(100)

    def answer(_: dict[str, Any]) -> Reply:
        everybody.wait()
        return said("Hello.")

    openai_server.default = answer

    async def scenario() -> list[Answer]:
        return await asyncio.gather(*(llm.acomplete(MESSAGES) for _ in range(100)))

    assert {answer.text for answer in asyncio.run(scenario())} == {"Hello."}


def test_both_faces_work_inside_one_running_loop(
    openai_server: OpenAIServer, llm: OpenAILLM
) -> None:
    async def scenario() -> list[str]:
        return [llm.complete(MESSAGES).text, (await llm.acomplete(MESSAGES)).text]

    assert asyncio.run(scenario()) == ["ok", "ok"]


@pytest.mark.parametrize(
    ("preset", "variable"),
    [
        (None, "OPENAI_API_KEY"),
        ("anthropic", "ANTHROPIC_API_KEY"),
        ("gemini", "GEMINI_API_KEY"),
    ],
)
def test_a_missing_key_is_named(preset: Any, variable: str, monkeypatch: Any) -> None:
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ProviderError, match=variable):
        OpenAILLM("m", preset=preset)


def test_the_key_is_in_no_repr() -> None:
    llm = OpenAILLM("m", api_key="sk-secret")
    assert "sk-secret" not in repr(llm) + repr(vars(llm))


def test_making_a_model_does_not_import_the_client() -> None:
    code = (
        "import sys; from holdfast.providers.openai import OpenAILLM; "
        "OpenAILLM('m', preset='ollama'); sys.exit('openai' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
