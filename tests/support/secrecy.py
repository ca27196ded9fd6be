"""What becomes of the words of a foreign model that fails: they stay in our error's cause.

They may quote a key, an address or a prompt. A test file of each package gives its wrappers to the
contracts, and each of its faces that goes on without memory to `unsaid`::

    class TestLlamaIndexLLM(LLMSecrecy):
        @pytest.fixture
        def llm(self) -> LLM:
            return LlamaIndexLLM(a model that calls `blab` when it is asked)
"""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from holdfast import LLM, Changes, Embedder, Memory, ProviderError
from holdfast.testing import HashEmbedder

SECRET = "sk-SECRET-4f9a27"
WORDS = f"HTTP 401 from https://models.test/v1?key={SECRET}, asked 'Where does Ada sail?'"
MESSAGES = [{"role": "user", "content": "Where does Ada sail?"}]

SYNC, ASYNC = "sync", "async"


class BlabbedError(Exception):
    """What a foreign client raises, key and prompt and all."""


def blab(*_: Any, **__: Any) -> NoReturn:
    raise BlabbedError(WORDS)


def unsaid(caplog: pytest.LogCaptureFixture) -> bool:
    """Say whether we logged something, tracebacks included, and nothing of the secret."""
    ours = [record for record in caplog.records if record.name.startswith("holdfast")]
    lines = [logging.Formatter().format(record) for record in ours]
    return bool(lines) and not any(SECRET in line for line in lines)


def unwritten(folder: Path) -> bool:
    """Say whether the files of a folder do not hold the secret."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return bool(files) and not any(SECRET.encode() in path.read_bytes() for path in files)


def causes(error: BaseException) -> Iterator[BaseException]:
    while error.__cause__ is not None:
        error = error.__cause__
        yield error


def ask(llm: LLM, face: str) -> object:
    return asyncio.run(llm.acomplete(MESSAGES)) if face == ASYNC else llm.complete(MESSAGES)


async def aextract(memory: Memory) -> Changes:
    with pytest.raises(ProviderError):
        await memory.aadd("I sail", user_id="ada")
    return await memory.aflush(retry=True)


def extract(memory: Memory) -> Changes:
    with pytest.raises(ProviderError):
        memory.add("I sail", user_id="ada")
    return memory.flush(retry=True)


class Secrecy:
    """The faces a wrapper has; an async-only one overrides this."""

    @pytest.fixture(params=[SYNC, ASYNC])
    def face(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)


def betrayed(caught: pytest.ExceptionInfo[ProviderError]) -> bool:
    """Say whether an error holds the secret, or its cause does not."""
    known = any(SECRET in str(cause) for cause in causes(caught.value))
    return SECRET in str(caught.value) or not known


class LLMSecrecy(Secrecy):
    """Of a chat model that fails."""

    def test_an_error_of_the_model_is_told_by_its_type_and_kept_as_the_cause(
        self, llm: LLM, face: str
    ) -> None:
        with pytest.raises(ProviderError) as caught:
            ask(llm, face)
        assert not betrayed(caught)

    def test_neither_the_file_nor_the_problems_hold_what_the_model_said(
        self, llm: LLM, face: str, tmp_path: Path
    ) -> None:
        with Memory(tmp_path / "secrecy.db", embedder=HashEmbedder(), llm=llm) as memory:
            found = asyncio.run(aextract(memory)) if face == ASYNC else extract(memory)
            assert found.problems
            assert SECRET not in "".join(found.problems)
            assert "ProviderError" in (memory.stats().error or "")
            assert unwritten(tmp_path)
        assert unwritten(tmp_path)


class EmbedderSecrecy(Secrecy):
    """Of an embedder that fails."""

    def test_an_error_at_a_document_is_told_by_its_type_and_kept_as_the_cause(
        self, embedder: Embedder, face: str
    ) -> None:
        with pytest.raises(ProviderError) as caught:
            asyncio.run(embedder.aembed(["x"])) if face == ASYNC else embedder.embed(["x"])
        assert not betrayed(caught)

    def test_an_error_at_a_question_is_told_by_its_type_and_kept_as_the_cause(
        self, embedder: Embedder, face: str
    ) -> None:
        with pytest.raises(ProviderError) as caught:
            asyncio.run(embedder.aembed_query("x")) if face == ASYNC else embedder.embed_query("x")
        assert not betrayed(caught)

    def test_the_file_does_not_hold_what_the_embedder_said(
        self, embedder: Embedder, face: str, tmp_path: Path
    ) -> None:
        with Memory(tmp_path / "secrecy.db", embedder=embedder) as memory:
            with pytest.raises(ProviderError) as caught:
                if face == ASYNC:
                    asyncio.run(memory.aadd("I sail", user_id="ada"))
                else:
                    memory.add("I sail", user_id="ada")
            assert not betrayed(caught)
            assert unwritten(tmp_path)
        assert unwritten(tmp_path)
