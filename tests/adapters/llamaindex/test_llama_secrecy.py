"""LlamaIndex's models, when they fail: their words are in the cause, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from holdfast import LLM, Embedder, Memory
from holdfast_llamaindex import HoldfastMemoryBlock, LlamaIndexEmbedder, LlamaIndexLLM
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.llms import LLM as ChatModel
from llama_index.core.llms.mock import MockLLM
from support.llama_models import OfflineLLM, said
from support.secrecy import EmbedderSecrecy, LLMSecrecy, blab, unsaid, unwritten


class Talker(MockLLM):
    """Only talks, and blabs when it should."""

    def chat(self, messages: Any, **kwargs: Any) -> Any:
        blab()

    async def achat(self, messages: Any, **kwargs: Any) -> Any:
        blab()


class BlabbingEmbedding(BaseEmbedding):
    def _get_text_embedding(self, text: str) -> list[float]:
        blab()

    def _get_query_embedding(self, query: str) -> list[float]:
        blab()

    async def _aget_query_embedding(self, query: str) -> list[float]:
        blab()


@pytest.mark.parametrize("model", [OfflineLLM(blab), Talker()], ids=["calls tools", "talks"])
class TestLlamaIndexLLM(LLMSecrecy):
    @pytest.fixture
    def llm(self, model: ChatModel) -> LLM:
        return LlamaIndexLLM(model)


class TestLlamaIndexEmbedder(EmbedderSecrecy):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return LlamaIndexEmbedder(BlabbingEmbedding())


@pytest.mark.anyio
async def test_an_empty_block_logs_nothing_an_embedder_said(
    path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Memory(path, embedder=LlamaIndexEmbedder(BlabbingEmbedding())) as memory:
        block = HoldfastMemoryBlock(memory=memory, user_id="ada")
        assert await block.aget([said("user", "I sail.")], session_id="monday") == ""
    assert unsaid(caplog)
    assert unwritten(tmp_path)
