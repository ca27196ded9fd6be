"""AutoGen's and Agent Framework's clients, when they fail: their words are in the cause alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from agent_framework import BaseChatClient
from autogen_core.models import CreateResult, LLMMessage, ModelInfo, UserMessage
from autogen_ext.models.replay import ReplayChatCompletionClient
from holdfast import LLM, Memory
from holdfast.testing import HashEmbedder
from holdfast_autogen import AutoGenLLM, HoldfastModelContext
from holdfast_autogen.agent_framework import AgentFrameworkLLM
from support.autogen_agents import INFO
from support.secrecy import ASYNC, LLMSecrecy, blab, unsaid, unwritten


class Blabbing(ReplayChatCompletionClient):
    async def create(self, messages: Sequence[LLMMessage], **options: Any) -> CreateResult:
        blab()


class BlabbingClient(BaseChatClient[Any]):
    async def _inner_get_response(self, **_: Any) -> Any:
        blab()


PLAIN: ModelInfo = {**INFO, "function_calling": False}


@pytest.mark.parametrize(
    "wrapped",
    [
        AutoGenLLM(Blabbing([], model_info=INFO)),
        AutoGenLLM(Blabbing([], model_info=PLAIN)),
        AgentFrameworkLLM(BlabbingClient()),
    ],
    ids=["autogen calls tools", "autogen talks", "agent-framework"],
)
class TestAsyncClients(LLMSecrecy):
    @pytest.fixture(params=[ASYNC])
    def face(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def llm(self, wrapped: LLM) -> LLM:
        return wrapped


@pytest.mark.anyio
async def test_a_conversation_goes_on_and_logs_nothing_a_model_said(
    path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    llm = AutoGenLLM(Blabbing([], model_info=INFO))
    with Memory(path, embedder=HashEmbedder(), llm=llm) as memory:
        context = HoldfastModelContext(memory, user_id="ada", wait=True)
        await context.add_message(UserMessage(content="I sail.", source="user"))
        assert await context.get_messages()
    assert unsaid(caplog)
    assert unwritten(tmp_path)
