import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from holdfast import Answer, Memory, ProviderError, Tool, Usage
from holdfast_langgraph import (
    HoldfastChatMessageHistory,
    HoldfastRetriever,
    LangChainEmbedder,
    LangChainLLM,
)
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableLambda
from langchain_core.runnables.history import RunnableWithMessageHistory
from pydantic import Field
from support.word_embeddings import WordEmbeddings

# -- the retriever --------------------------------------------------------------------------------


def test_a_retriever_gives_a_users_memories_as_documents(memory: Memory) -> None:
    memory.add("Ada drinks green tea", user_id="ada", metadata={"topic": "food"})
    memory.add("Ada moved to Berlin", user_id="ada")
    memory.add("Bob drinks tea", user_id="bob")
    retriever = HoldfastRetriever(memory=memory, user_id="ada", k=1)

    found = retriever.invoke("tea")

    assert [document.page_content for document in found] == ["Ada drinks green tea"]
    assert found[0].metadata["topic"] == "food"
    assert found[0].metadata["score"] > 0
    assert asyncio.run(retriever.ainvoke("tea")) == found


# -- the history ----------------------------------------------------------------------------------

CALL = {"name": "ring", "args": {"n": 1}, "id": "c1"}
SAID: list[BaseMessage] = [
    SystemMessage("Be kind.", id="1"),
    HumanMessage([{"type": "text", "text": "Ring the bell"}], id="2", name="Ada"),
    AIMessage("", tool_calls=[CALL], id="3"),
    ToolMessage("rang", tool_call_id="c1", id="4", artifact={"bell": 1}),
    AIMessage("It rang.", id="5"),
]


def test_a_session_comes_back_whole_and_in_order(memory: Memory) -> None:
    history = HoldfastChatMessageHistory(memory, session_id="s1", user_id="ada")
    history.add_messages(SAID[:2])
    asyncio.run(history.aadd_messages(SAID[2:]))
    history.add_messages(SAID)

    assert history.messages == SAID
    assert asyncio.run(history.aget_messages()) == SAID
    assert memory.search("bell", user_id="ada")[0].record.text == "Ring the bell"


def test_sessions_and_users_are_apart(memory: Memory) -> None:
    first = HoldfastChatMessageHistory(memory, session_id="s1", user_id="ada")
    second = HoldfastChatMessageHistory(memory, session_id="s2", user_id="ada")
    other = HoldfastChatMessageHistory(memory, session_id="s1", user_id="bob")
    first.add_user_message("one")
    second.add_user_message("two")
    other.add_user_message("three")

    first.clear()
    asyncio.run(other.aclear())

    assert (first.messages, other.messages) == ([], [])
    assert [message.text for message in second.messages] == ["two"]


def test_a_long_session_is_read_to_its_end(memory: Memory) -> None:
    history = HoldfastChatMessageHistory(memory, session_id="s1", user_id="ada")
    history.add_messages([HumanMessage(f"message {number}") for number in range(1_001)])

    assert [message.text for message in history.messages][-1] == "message 1000"
    assert len(asyncio.run(history.aget_messages())) == 1_001


def test_it_serves_runnable_with_message_history(memory: Memory) -> None:
    with pytest.warns(DeprecationWarning, match="RunnableWithMessageHistory"):
        chain = RunnableWithMessageHistory(
            RunnableLambda(lambda messages: AIMessage(f"{len(messages)} messages")),
            lambda session_id: HoldfastChatMessageHistory(
                memory, session_id=session_id, user_id="ada"
            ),
        )
    config: Any = {"configurable": {"session_id": "s1"}}

    chain.invoke([HumanMessage("hello")], config)
    answer = chain.invoke([HumanMessage("again")], config)

    assert answer.text == "3 messages"


# -- the user's own models ------------------------------------------------------------------------

TOOL = Tool("save", "Save facts.", {"type": "object", "properties": {"facts": {"type": "array"}}})
ASKED = [{"role": "system", "content": "Extract."}, {"role": "user", "content": "I love tea"}]


class Calling(BaseChatModel):
    """Answers with prepared messages, and notes what it was asked and bound to."""

    answers: list[AIMessage] = Field(default_factory=list)
    asked: list[list[BaseMessage]] = Field(default_factory=list)
    bound: list[Any] = Field(default_factory=list)
    can_call: bool = True

    @property
    def _llm_type(self) -> str:
        return "calling"

    def bind_tools(self, tools: Sequence[Any], *, tool_choice: Any = None, **_: Any) -> Any:
        if not self.can_call:
            raise NotImplementedError
        self.bound.append((tools, tool_choice))
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        self.asked.append(messages)
        return ChatResult(generations=[ChatGeneration(message=self.answers.pop(0))])


def call(**arguments: Any) -> dict[str, Any]:
    return {"name": "save", "args": arguments, "id": "1"}


def both(make: Any, tool: Tool | None) -> Answer:
    """Ask a new model on the sync face, another on the async one; return their one answer."""
    answer = LangChainLLM(make()).complete(ASKED, tool=tool)
    assert asyncio.run(LangChainLLM(make()).acomplete(ASKED, tool=tool)) == answer
    return answer


def test_a_chat_model_answers_in_words() -> None:
    usage = UsageMetadata(input_tokens=7, output_tokens=2, total_tokens=9)

    answer = both(lambda: Calling(answers=[AIMessage("Hello.", usage_metadata=usage)]), None)

    assert answer == Answer("Hello.", None, Usage(1, 7, 2))


def test_a_chat_model_is_made_to_call_the_tool() -> None:
    calls = [call(facts=["tea"]), call(facts=["mate"])]
    model = Calling(answers=[AIMessage("", tool_calls=calls)])

    answer = LangChainLLM(model).complete(ASKED, tool=TOOL)

    assert answer.data == {"facts": ["tea", "mate"]}
    assert model.bound[0][1] == "save"
    assert model.bound[0][0][0]["function"]["parameters"] == TOOL.parameters


def test_a_chat_model_without_tools_is_given_the_schema() -> None:
    model = Calling(answers=[AIMessage('```json\n{"facts": ["tea"]}\n```')], can_call=False)

    answer = LangChainLLM(model).complete(ASKED, tool=TOOL)

    assert answer.data == {"facts": ["tea"]}
    assert '"facts"' in model.asked[0][0].text
    assert model.asked[0][0].text.startswith("Extract.")


def test_a_chat_model_that_answers_in_prose_is_asked_once_more() -> None:
    def make() -> Calling:
        return Calling(answers=[AIMessage("Sure!"), AIMessage('{"facts": []}')])

    answer = both(make, TOOL)

    assert (answer.data, answer.usage.calls) == ({"facts": []}, 2)


def test_an_answer_nobody_can_read_has_no_data() -> None:
    answer = both(lambda: Calling(answers=[AIMessage("no"), AIMessage("no!")]), TOOL)

    assert (answer.data, answer.text) == (None, "no!")


def test_a_chat_model_that_fails_is_a_provider_error() -> None:
    model = LangChainLLM(GenericFakeChatModel(messages=iter(())))

    with pytest.raises(ProviderError, match="GenericFakeChatModel failed"):
        model.complete(ASKED)
    with pytest.raises(ProviderError, match="GenericFakeChatModel failed"):
        asyncio.run(model.acomplete(ASKED))


def test_a_memory_runs_on_langchains_embeddings(tmp_path: Path) -> None:
    embeddings = WordEmbeddings()
    embedder = LangChainEmbedder(embeddings, dims=64)

    with Memory(tmp_path / "a.db", embedder=embedder) as memory:
        memory.add("Ada drinks green tea", user_id="ada")
        assert memory.search("tea", user_id="ada")

    assert embedder.fingerprint == "langchain/WordEmbeddings/64"
    assert embeddings.queries == ["tea"]


def test_embedders_are_told_apart_by_class_model_and_length() -> None:
    class Modelled(WordEmbeddings):
        model = "small-3"

    assert LangChainEmbedder(Modelled()).fingerprint == "langchain/Modelled/small-3"
    assert LangChainEmbedder(lambda texts: [], dims=3).fingerprint == "langchain/function/3"
    assert LangChainEmbedder(lambda texts: [], name="mine").fingerprint == "langchain/mine"
