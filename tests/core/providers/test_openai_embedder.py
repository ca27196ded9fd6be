"""Remote embeddings, with the real client, over loopback HTTP."""

from __future__ import annotations

import asyncio
import gc
import json

import openai
import pytest
from blockbuster import blockbuster_ctx
from holdfast import errors
from holdfast.providers.openai import OpenAIEmbedder
from support.openai_server import EMBEDDINGS, OpenAIServer, Reply, dropped, failed, said

KEY = "sk-very-secret"
TEXT = "a text nobody else may read"

FACES = {
    "sync": lambda embedder, texts: embedder.embed(texts),
    "async": lambda embedder, texts: asyncio.run(embedder.aembed(texts)),
}


def make(server: OpenAIServer, **arguments: object) -> OpenAIEmbedder:
    return OpenAIEmbedder("embed-1", base_url=server.url, api_key=KEY, **arguments)


def items(*vectors: object) -> Reply:
    data = [
        {"object": "embedding", "index": index, "embedding": vector}
        for index, vector in enumerate(vectors)
    ]
    return Reply(body={"object": "list", "data": data, "model": "embed-1", "usage": {}})


def test_the_server_decides_the_dimension(openai_server: OpenAIServer) -> None:
    vectors = make(openai_server).embed(["one", "two"])
    assert vectors == openai_server.embedder.embed(["one", "two"])


def test_texts_go_out_in_batches_and_come_back_in_order(openai_server: OpenAIServer) -> None:
    texts = [f"text {number}" for number in range(7)]
    vectors = make(openai_server, batch_size=3).embed(texts)
    assert vectors == openai_server.embedder.embed(texts)
    assert [len(body["input"]) for body in openai_server.bodies(EMBEDDINGS)] == [3, 3, 1]


def test_vectors_are_ordered_by_their_index(openai_server: OpenAIServer) -> None:
    data = [{"index": 1, "embedding": [2.0]}, {"index": 0, "embedding": [1.0]}]
    openai_server.script(Reply(body={"data": data}), path=EMBEDDINGS)
    assert make(openai_server).embed(["a", "b"]) == [[1.0], [2.0]]


def test_no_texts_make_no_request(openai_server: OpenAIServer) -> None:
    assert make(openai_server).embed([]) == []
    assert openai_server.requests == []


def test_shorter_vectors_are_asked_for(openai_server: OpenAIServer) -> None:
    embedder = make(openai_server, dimensions=8)
    assert len(embedder.embed(["one"])[0]) == 8
    assert embedder.fingerprint == "127.0.0.1/embed-1/8"


@pytest.mark.slow
def test_the_async_twin_gives_the_same_in_many_event_loops(openai_server: OpenAIServer) -> None:
    embedder = make(openai_server)
    expected = openai_server.embedder.embed(["one"])
    assert [asyncio.run(embedder.aembed(["one"])) for _ in range(3)] == [expected] * 3
    # Connections that outlived their loop would warn now, and warnings are errors.
    gc.collect()


def test_a_client_lives_as_long_as_its_loop(openai_server: OpenAIServer) -> None:
    embedder = make(openai_server)

    async def scenario() -> None:
        await asyncio.gather(*(embedder.aembed(["one"]) for _ in range(5)))
        await embedder.aembed(["two"])

    asyncio.run(scenario())
    assert len(openai_server.bodies(EMBEDDINGS)) == 6
    gc.collect()


def test_the_async_face_never_blocks_the_loop(openai_server: OpenAIServer) -> None:
    async def scenario() -> None:
        with blockbuster_ctx():
            await make(openai_server).aembed(["one"])

    asyncio.run(scenario())


def test_lone_surrogates_are_replaced(openai_server: OpenAIServer) -> None:
    make(openai_server).embed(["broken \ud800"])
    assert openai_server.bodies(EMBEDDINGS)[0]["input"] == ["broken ?"]


@pytest.mark.parametrize(
    "first",
    [failed(429, retry_after=0.01), failed(500, retry_after=0.01), dropped()],
    ids=["429", "500", "dropped"],
)
def test_a_passing_failure_is_tried_again(openai_server: OpenAIServer, first: Reply) -> None:
    openai_server.script(first, path=EMBEDDINGS)
    assert len(make(openai_server).embed(["one"])) == 1
    assert len(openai_server.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
@pytest.mark.parametrize("face", FACES)
def test_an_http_error_is_a_provider_error_without_key_or_text(
    openai_server: OpenAIServer, status: int, face: str
) -> None:
    openai_server.script(failed(status, f"bad {KEY}: {TEXT}"), path=EMBEDDINGS)
    embedder = make(openai_server, retries=0)
    with pytest.raises(errors.ProviderError, match=f"HTTP {status}") as caught:
        FACES[face](embedder, [TEXT])
    assert KEY not in str(caught.value)
    assert TEXT not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_slow_server_runs_into_the_timeout(openai_server: OpenAIServer) -> None:
    openai_server.script(said("late", delay=30), path=EMBEDDINGS)
    with pytest.raises(errors.ProviderError, match="in time"):
        make(openai_server, timeout=0.05, retries=0).embed(["one"])


def test_a_server_that_is_not_there_is_a_provider_error() -> None:
    embedder = OpenAIEmbedder("m", base_url="http://127.0.0.1:1/v1", retries=0)
    with pytest.raises(errors.ProviderError, match="cannot be reached"):
        embedder.embed(["one"])


@pytest.mark.parametrize(
    "reply",
    [
        items([1.0]),
        items([1.0], [1.0], [1.0]),
        items([1.0, 2.0], [1.0]),
        items([1.0], [float("nan")]),
        items([1.0], [float("inf")]),
        items([1.0], []),
        items([1.0], ["x"]),
        items([1.0], None),
        Reply(body={"error": {"message": "in a reply of 200"}}),
        Reply(body={"data": None}),
        Reply(body=[]),
        Reply(body=b"<html>a proxy speaks</html>"),
    ],
    ids=lambda reply: json.dumps(reply.body)[:40] if not isinstance(reply.body, bytes) else "html",
)
def test_a_wrong_answer_is_a_provider_error(openai_server: OpenAIServer, reply: Reply) -> None:
    openai_server.script(reply, path=EMBEDDINGS)
    with pytest.raises(errors.ProviderError):
        make(openai_server).embed(["one", "two"])


def test_vectors_of_one_call_have_one_dimension(openai_server: OpenAIServer) -> None:
    openai_server.script(items([1.0]), items([1.0, 2.0]), path=EMBEDDINGS)
    with pytest.raises(errors.ProviderError, match="different dimensions"):
        make(openai_server, batch_size=1).embed(["one", "two"])


def test_a_client_of_ones_own_serves_both_faces(openai_server: OpenAIServer) -> None:
    with openai.OpenAI(base_url=openai_server.url, api_key=KEY) as client:
        embedder = OpenAIEmbedder("embed-1", client=client)
        assert asyncio.run(embedder.aembed(["one"])) == embedder.embed(["one"])
        assert embedder.fingerprint == "127.0.0.1/embed-1"


def test_an_async_client_alone_is_no_use_to_the_sync_face(openai_server: OpenAIServer) -> None:
    async def scenario() -> None:
        async with openai.AsyncOpenAI(base_url=openai_server.url, api_key=KEY) as client:
            embedder = OpenAIEmbedder("embed-1", async_client=client)
            assert len(await embedder.aembed(["one"])) == 1
            with pytest.raises(errors.ProviderError, match="only async_client"):
                embedder.embed(["one"])

    asyncio.run(scenario())


def test_presets_have_names_of_their_own() -> None:
    embedder = OpenAIEmbedder("text-embedding-3-small", api_key=KEY)
    assert embedder.fingerprint == "openai/text-embedding-3-small"
    assert OpenAIEmbedder("nomic-embed-text", preset="ollama").fingerprint.startswith("ollama/")


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(errors.InvalidInputError, match="openai, anthropic, gemini, ollama"):
        OpenAIEmbedder("m", preset="other")


@pytest.mark.parametrize("address", ["", "localhost:8000/v1", "http://[bad", "ftp://host/v1"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(errors.InvalidInputError, match="base_url"):
        OpenAIEmbedder("m", base_url=address)


def test_a_batch_below_one_is_refused() -> None:
    with pytest.raises(errors.InvalidInputError):
        OpenAIEmbedder("m", api_key=KEY, batch_size=0)
