"""An embedder is asked once for a question that is asked again."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from holdfast import Memory, ProviderError
from holdfast.runtime import SYNC, questions, run
from holdfast.testing import HashEmbedder


class Counting(HashEmbedder):
    """Notes which questions it was asked."""

    def __init__(self, name: str = "counting") -> None:
        super().__init__(name=name)
        self.asked: list[str] = []

    def embed_query(self, text: str) -> list[float]:
        self.asked.append(text)
        return list(super().embed([text])[0])


class Failing(Counting):
    def embed_query(self, text: str) -> list[float]:
        self.asked.append(text)
        raise RuntimeError("no answer")


def ask(embedder: Counting, *texts: str) -> list[Sequence[float]]:
    return [run(SYNC.embed_query(embedder, text)) for text in texts]


def test_the_same_question_is_embedded_once() -> None:
    embedder = Counting()
    with Memory(":memory:", embedder=embedder) as memory:
        memory.add("green tea", user_id="ada")
        memory.add("a cat", user_id="bob")
        for _ in range(3):
            memory.search("what tea?", user_id="ada")
        memory.search("what tea?", user_id="bob")
        asyncio.run(memory.asearch("what tea?", user_id="ada"))
        memory.documents.search((), "what tea?")
    assert embedder.asked == ["what tea?"]


def test_each_embedder_answers_for_itself() -> None:
    one, other = Counting(), Counting()
    ask(one, "tea")
    ask(other, "tea")
    assert one.asked == other.asked == ["tea"]


def test_an_embedder_of_another_fingerprint_is_asked_anew() -> None:
    class Exchangeable(Counting):
        model = "first"

        @property
        def fingerprint(self) -> str:
            return self.model

    embedder = Exchangeable()
    ask(embedder, "tea")
    embedder.model = "second"
    ask(embedder, "tea")
    assert embedder.asked == ["tea", "tea"]


def test_only_the_latest_questions_are_kept() -> None:
    embedder = Counting()
    ask(embedder, "first", *(f"question {number}" for number in range(questions.QUESTIONS - 1)))
    ask(embedder, "first", "one more", "first")
    assert embedder.asked.count("first") == 1
    ask(embedder, "question 0")
    assert embedder.asked.count("question 0") == 2


def test_a_very_long_question_is_not_kept() -> None:
    embedder = Counting()
    text = "tea " * questions.LONGEST_QUESTION
    ask(embedder, text, text)
    assert len(embedder.asked) == 2


def test_a_failure_is_not_kept() -> None:
    embedder = Failing()
    for _ in range(2):
        with pytest.raises(RuntimeError):
            ask(embedder, "tea")
    assert len(embedder.asked) == 2


class Mute(HashEmbedder):
    """Gives no vector."""

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return []


def test_a_question_without_a_vector_is_the_embedders_failure() -> None:
    with Memory(":memory:", embedder=Mute()) as memory:
        with pytest.raises(ProviderError, match="asked for 1 vector and gave 0"):
            memory.search("tea?", user_id="ada")
        with pytest.raises(ProviderError, match="asked for 1 vector and gave 0"):
            asyncio.run(memory.asearch("tea?", user_id="ada"))


def test_questions_go_with_their_embedder() -> None:
    embedder = Counting()
    ask(embedder, "tea")
    number = id(embedder)
    assert number in questions.ASKED._known
    del embedder
    gc.collect()
    assert number not in questions.ASKED._known


def test_many_threads_may_ask_at_once() -> None:
    embedder = Counting()
    texts = [f"question {number % 300}" for number in range(3_000)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: ask(embedder, text)[0], texts))
    plain = HashEmbedder().embed(texts)
    assert all(list(one) == list(other) for one, other in zip(found, plain, strict=True))
