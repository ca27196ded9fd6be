from __future__ import annotations

from typing import Any

import pytest
from holdfast import Answer, Memory, Tool, Usage
from holdfast_llamaindex import LlamaIndexEmbedder, LlamaIndexLLM
from llama_index.core.base.llms.types import ChatMessage, ChatResponse
from llama_index.core.embeddings import BaseEmbedding, MockEmbedding
from llama_index.core.llms.mock import MockLLM
from support.llama_models import OfflineLLM, said

pytestmark = pytest.mark.anyio

TOOL = Tool("note", "Note a name.", {"type": "object", "properties": {"name": {"type": "string"}}})
MESSAGES = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "I am Ada."}]


class Letters(BaseEmbedding):
    """Counts a, b and c; questions are told apart."""

    def _get_text_embedding(self, text: str) -> list[float]:
        return [float(text.count(letter)) for letter in "abc"]

    def _get_query_embedding(self, query: str) -> list[float]:
        return [*self._get_text_embedding(query)[:2], 9.0]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)


def test_an_embedding_model_of_llama_index_embeds() -> None:
    embedder = LlamaIndexEmbedder(Letters(model_name="letters"))

    assert embedder.fingerprint.endswith("/letters")
    assert embedder.embed(["aab", "c"]) == [[2.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    assert embedder.embed_query("a") == [1.0, 0.0, 9.0]


async def test_its_async_face_embeds_the_same() -> None:
    embedder = LlamaIndexEmbedder(Letters())

    assert await embedder.aembed(["aab"]) == [[2.0, 1.0, 0.0]]
    assert await embedder.aembed_query("a") == [1.0, 0.0, 9.0]


def test_a_memory_embeds_with_llama_indexs_model() -> None:
    with Memory(":memory:", embedder=LlamaIndexEmbedder(MockEmbedding(embed_dim=7))) as memory:
        memory.add("My dog is called Rex.", user_id="ada")

        assert memory.search("dog", user_id="ada")[0].record.text == "My dog is called Rex."


def calls(name: str) -> OfflineLLM:
    def answer(messages: Any) -> ChatMessage:
        message = said("assistant", "")
        message.additional_kwargs["calls"] = [("note", {"name": name})]
        return message

    return OfflineLLM(answer)


async def test_a_function_calling_model_is_made_to_call() -> None:
    model = calls("Ada")
    llm = LlamaIndexLLM(model)

    assert llm.complete(MESSAGES, tool=TOOL) == Answer("", {"name": "Ada"}, Usage(1))
    assert (await llm.acomplete(MESSAGES, tool=TOOL)).data == {"name": "Ada"}
    schema = model.tools[0].metadata.to_openai_tool()["function"]
    assert (schema["name"], schema["parameters"]) == ("note", TOOL.parameters)


async def test_a_model_that_only_talks_is_asked_in_words() -> None:
    llm = LlamaIndexLLM(Talker('Here: {"name": "Ada"}'))

    assert llm.complete(MESSAGES, tool=TOOL).data == {"name": "Ada"}
    assert (await llm.acomplete(MESSAGES, tool=TOOL)).data == {"name": "Ada"}


def test_without_a_tool_a_model_answers_in_words() -> None:
    assert LlamaIndexLLM(Talker("Hello.")).complete(MESSAGES).text == "Hello."


def test_an_answer_that_is_no_data_comes_back_as_text() -> None:
    answer = LlamaIndexLLM(OfflineLLM(lambda messages: said("assistant", "No."))).complete(
        MESSAGES, tool=TOOL
    )

    assert (answer.text, answer.data) == ("No.", None)


class Talker(MockLLM):
    """Says one thing."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self._words = words

    def chat(self, messages: Any, **kwargs: Any) -> ChatResponse:
        """Say it."""
        return ChatResponse(message=said("assistant", self._words))

    async def achat(self, messages: Any, **kwargs: Any) -> ChatResponse:
        """Say it."""
        return self.chat(messages)
