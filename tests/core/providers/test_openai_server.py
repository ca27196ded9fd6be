"""The loopback server keeps its word to the real client; other areas' tests stand on it."""

from __future__ import annotations

import openai
import pytest
from support.openai_server import EMBEDDINGS, RESPONSES, OpenAIServer, called, dropped, said

MESSAGES = [{"role": "user", "content": "Hello?"}]
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]


@pytest.fixture
def client(openai_server: OpenAIServer):
    with openai.OpenAI(base_url=openai_server.url, api_key="any", max_retries=0) as client:
        yield client


def test_a_text_is_streamed_in_parts_with_its_usage(
    openai_server: OpenAIServer, client: openai.OpenAI
) -> None:
    openai_server.script(said("one two three"))
    chunks = list(
        client.chat.completions.create(
            model="m", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
    )
    parts = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert [part for part in parts if part] == ["one ", "two ", "three"]
    assert chunks[-1].usage.total_tokens == 18


def test_a_tool_call_is_streamed(openai_server: OpenAIServer, client: openai.OpenAI) -> None:
    openai_server.script(called({"at": "sky"}))
    chunks = list(
        client.chat.completions.create(model="m", messages=MESSAGES, tools=TOOLS, stream=True)
    )
    (call,) = [chunk.choices[0].delta.tool_calls for chunk in chunks][1]
    assert (call.function.name, call.function.arguments) == ("look", '{"at": "sky"}')
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_a_stream_can_break_off(openai_server: OpenAIServer, client: openai.OpenAI) -> None:
    openai_server.script(dropped("middle"))
    stream = client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
    with pytest.raises(Exception, match=r"incomplete chunked read|Connection error"):
        list(stream)


def test_a_response_is_text_or_a_call(openai_server: OpenAIServer, client: openai.OpenAI) -> None:
    openai_server.script(said("hello"), called({"at": "sky"}), path=RESPONSES)
    assert client.responses.create(model="m", input="Hello?").output_text == "hello"
    tools = [{"type": "function", "name": "look", "parameters": {}, "strict": False}]
    (call,) = client.responses.create(model="m", input="Hello?", tools=tools).output
    assert (call.name, call.arguments) == ("look", '{"at": "sky"}')


def test_a_response_is_streamed(openai_server: OpenAIServer, client: openai.OpenAI) -> None:
    openai_server.script(said("one two"), path=RESPONSES)
    events = list(client.responses.create(model="m", input="Hello?", stream=True))
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert deltas == ["one ", "two"]
    assert events[-1].response.output_text == "one two"


def test_embeddings_come_as_base64_where_asked(
    openai_server: OpenAIServer, client: openai.OpenAI
) -> None:
    (item,) = client.embeddings.create(model="m", input="one").data
    assert item.embedding == pytest.approx(openai_server.embedder.embed(["one"])[0], abs=1e-6)
    assert openai_server.bodies(EMBEDDINGS)[0]["encoding_format"] == "base64"


def test_models_are_listed(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["test"]
