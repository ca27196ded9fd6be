"""One rule for what a foreign model raises: our error names its type, its cause has its words."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openai
import pytest
from holdfast import LLM, Embedder, InvalidInputError, Memory, ProviderError
from holdfast.openai import wrap
from holdfast.providers.failures import described, failures_of, tolerated, traced
from holdfast.providers.openai import OpenAIEmbedder, OpenAILLM
from holdfast.testing import HashEmbedder, ScriptedLLM
from support.openai_server import EMBEDDINGS, OpenAIServer, failed, said
from support.secrecy import (
    SECRET,
    WORDS,
    BlabbedError,
    EmbedderSecrecy,
    LLMSecrecy,
    blab,
    unsaid,
    unwritten,
)


class TestOpenAILLM(LLMSecrecy):
    @pytest.fixture
    def llm(self, openai_server: OpenAIServer) -> LLM:
        openai_server.default = failed(400, WORDS)
        return OpenAILLM("chat-1", base_url=openai_server.url, api_key=SECRET, retries=0)


class TestOpenAIEmbedder(EmbedderSecrecy):
    @pytest.fixture
    def embedder(self, openai_server: OpenAIServer) -> Embedder:
        openai_server.script(*[failed(401, WORDS)] * 4, path=EMBEDDINGS)
        return OpenAIEmbedder("embed-1", base_url=openai_server.url, api_key=SECRET, retries=0)


class Careless(HashEmbedder):
    """Lets a client's error through as it is."""

    def embed(self, texts: Sequence[str]) -> Any:
        blab()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_what_is_no_failure_passes(kind: type[BaseException]) -> None:
    with pytest.raises(kind), failures_of("Model"):
        raise kind


def test_a_cancelled_call_is_cancelled() -> None:
    async def forever() -> None:
        with failures_of("Model"):
            await asyncio.Event().wait()

    async def scenario() -> None:
        task = asyncio.create_task(forever())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())


def test_our_own_errors_pass_as_they_are() -> None:
    with pytest.raises(InvalidInputError, match="three numbers"), failures_of("Model"):
        raise InvalidInputError("three numbers")


def test_what_a_framework_waits_for_passes() -> None:
    with pytest.raises(LookupError), failures_of("Model", but=(LookupError,)):
        raise KeyError("not this")


def test_a_status_says_what_to_do() -> None:
    refused = ConnectionError(WORDS)
    refused.status_code = 401  # type: ignore[attr-defined]
    with (
        pytest.raises(ProviderError, match=r"Model failed with ConnectionError \(HTTP 401: check"),
        failures_of("Model"),
    ):
        raise refused


def test_a_log_tells_where_a_foreign_error_came_from_and_nothing_of_what_it_said() -> None:
    try:
        blab()
    except BlabbedError as error:
        told = traced(error)
    assert told.startswith("BlabbedError\n")
    assert "in blab" in told
    assert SECRET not in told


def test_an_error_of_ours_is_told_with_its_words() -> None:
    assert described(InvalidInputError("k is 0")) == traced(InvalidInputError("k is 0"))
    assert described(InvalidInputError("k is 0")) == "InvalidInputError: k is 0"


def test_what_is_tolerated_is_logged_where_it_happened(caplog: pytest.LogCaptureFixture) -> None:
    with tolerated(logging.getLogger("holdfast.test"), "nothing was recalled"):
        raise ProviderError("no model")
    (record,) = caplog.records
    assert record.getMessage() == "nothing was recalled: ProviderError: no model"
    assert record.funcName == "test_what_is_tolerated_is_logged_where_it_happened"


def test_what_is_not_tolerated_is_raised(caplog: pytest.LogCaptureFixture) -> None:
    with (
        pytest.raises(BlabbedError),
        tolerated(logging.getLogger("holdfast.test"), "nothing was recalled"),
    ):
        blab()
    assert not caplog.records


def test_the_background_worker_logs_nothing_a_model_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked = threading.Event()

    def fail(*_: Any) -> Any:
        asked.set()
        blab()

    with Memory(
        tmp_path / "a.db", embedder=HashEmbedder(), llm=ScriptedLLM([fail]), background=True
    ) as memory:
        memory.add("I sail", user_id="ada", wait=False)
        assert asked.wait(30)
    assert unsaid(caplog)
    assert unwritten(tmp_path)


def test_a_wrapped_client_logs_nothing_an_embedder_said(
    openai_server: OpenAIServer, caplog: pytest.LogCaptureFixture
) -> None:
    openai_server.script(said("Hello."))
    with (
        Memory(":memory:", embedder=Careless()) as memory,
        openai.OpenAI(base_url=openai_server.url, api_key="any") as client,
    ):
        answer = wrap(client, memory, user_id="ada").chat.completions.create(
            model="test", messages=[{"role": "user", "content": "Hello"}]
        )
    assert answer.choices[0].message.content == "Hello."
    assert unsaid(caplog)
