import asyncio
from pathlib import Path

import openai
import pytest
from holdfast import Memory
from holdfast.openai import wrap
from holdfast.testing import HashEmbedder
from support.openai_server import OpenAIServer, dropped, said

TOLD = {"role": "user", "content": "My sister likes green tea."}
ASK = {"role": "user", "content": "Which tea does my sister like?"}


def test_a_second_session_knows_what_the_first_said(
    tmp_path: Path, openai_server: OpenAIServer
) -> None:
    openai_server.script(said("Nice to hear."), said("Green."))
    for run_id, message in [("monday", TOLD), ("tuesday", ASK)]:
        with (
            Memory(tmp_path / "memory.db", embedder=HashEmbedder()) as memory,
            openai.OpenAI(base_url=openai_server.url, api_key="any") as client,
        ):
            wrapped = wrap(client, memory, user_id="ann", run_id=run_id)
            wrapped.chat.completions.create(model="test", messages=[message])
    told, question = openai_server.bodies()[-1]["messages"]
    assert '"My sister likes green tea."' in told["content"]
    assert question == ASK


async def two_sessions(path: Path, url: str) -> None:
    for run_id, message in [("monday", TOLD), ("tuesday", ASK)]:
        async with (
            Memory(path, embedder=HashEmbedder()) as memory,
            openai.AsyncOpenAI(base_url=url, api_key="any") as client,
        ):
            wrapped = wrap(client, memory, user_id="ann", run_id=run_id)
            stream = await wrapped.chat.completions.create(
                model="test", messages=[message], stream=True
            )
            assert [chunk async for chunk in stream]


def test_a_second_async_streaming_session_knows_what_the_first_said(
    tmp_path: Path, openai_server: OpenAIServer
) -> None:
    asyncio.run(two_sessions(tmp_path / "memory.db", openai_server.url))
    assert '"My sister likes green tea."' in openai_server.bodies()[-1]["messages"][0]["content"]


def test_a_conversation_sent_again_and_again_is_stored_once(
    tmp_path: Path, openai_server: OpenAIServer
) -> None:
    openai_server.default = said("I see.")
    with (
        Memory(tmp_path / "memory.db", embedder=HashEmbedder()) as memory,
        openai.OpenAI(base_url=openai_server.url, api_key="any") as client,
    ):
        wrapped = wrap(client, memory, user_id="ann", run_id="one")
        history = []
        for number in range(3):
            history.append({"role": "user", "content": f"Fact number {number}"})
            for _ in range(2):  # the caller tries twice
                answer = wrapped.chat.completions.create(model="test", messages=history)
            history.append(answer.choices[0].message)
        stored = memory.list(user_id="ann", order="occurred_at").records
    assert sorted(record.text for record in stored) == sorted(
        text for number in range(3) for text in (f"Fact number {number}", "I see.")
    )


def test_a_memory_that_is_closed_in_the_middle_of_a_stream_is_logged_not_raised(
    tmp_path: Path, openai_server: OpenAIServer, caplog: pytest.LogCaptureFixture
) -> None:
    memory = Memory(tmp_path / "memory.db", embedder=HashEmbedder())
    with openai.OpenAI(base_url=openai_server.url, api_key="any") as client:
        stream = wrap(client, memory, user_id="ann").chat.completions.create(
            model="test", messages=[ASK], stream=True
        )
        next(stream)
        memory.close()
        assert list(stream)
    assert [record.name for record in caplog.records if record.levelname == "ERROR"] == [
        "holdfast.openai.turns"
    ]


def test_a_stream_that_breaks_leaves_the_question_in_memory(
    tmp_path: Path, openai_server: OpenAIServer
) -> None:
    openai_server.script(dropped("middle"))
    with (
        Memory(tmp_path / "memory.db", embedder=HashEmbedder()) as memory,
        openai.OpenAI(base_url=openai_server.url, api_key="any") as client,
    ):
        stream = wrap(client, memory, user_id="ann").chat.completions.create(
            model="test", messages=[ASK], stream=True
        )
        with pytest.raises(Exception, match=r"incomplete|Connection"):
            list(stream)
        assert [record.text for record in memory.list(user_id="ann")] == [ASK["content"]]
