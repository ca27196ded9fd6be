"""Whatever is given where something else was meant: an error of ours, short, and nothing done."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from datetime import datetime, timezone, tzinfo
from pathlib import Path
from typing import Any

import pytest
from holdfast import Answer, HoldfastError, Memory, ProviderError, StorageError
from holdfast.documents import Put
from holdfast.errors import shown
from holdfast.graph import Triple
from holdfast.testing import HashEmbedder, ScriptedLLM, WordReranker

DEEP: list[Any] = []
for _ in range(3_000):
    DEEP = [DEEP]


class Nowhere(tzinfo):
    """A time zone that tells nothing."""


class Unspeakable:
    """A value that cannot be told."""

    def __repr__(self) -> str:
        raise RuntimeError


ODD: list[Any] = [
    None,
    5,
    -1,
    10**5_000,
    math.nan,
    True,
    b"\xff",
    "a\x00b",
    "a\ud800",
    "x" * 600_000,
    [None],
    {"a": object()},
    {None: 1},
    object(),
    Unspeakable(),
    DEEP,
    datetime(2020, 1, 1),
    datetime(2020, 1, 1, tzinfo=Nowhere()),
    datetime.max.replace(tzinfo=timezone.utc),
]
CALLS: dict[str, Callable[[Memory, Any], Any]] = {
    "messages": lambda memory, odd: memory.add(odd, user_id="u"),
    "metadata": lambda memory, odd: memory.add("x", user_id="u", metadata=odd),
    "occurred_at": lambda memory, odd: memory.add("x", user_id="u", occurred_at=odd),
    "kind": lambda memory, odd: memory.add("x", user_id="u", kind=odd),
    "query": lambda memory, odd: memory.search(odd, user_id="u"),
    "limit": lambda memory, odd: memory.search("x", user_id="u", limit=odd),
    "min_score": lambda memory, odd: memory.search("x", user_id="u", min_score=odd),
    "filters": lambda memory, odd: memory.search("x", user_id="u", filters=odd),
    "context": lambda memory, odd: memory.context(odd, user_id="u"),
    "conversation": lambda memory, odd: memory.context(messages=odd, user_id="u"),
    "max_tokens": lambda memory, odd: memory.context("x", user_id="u", max_tokens=odd),
    "compress": lambda memory, odd: memory.compress(odd, 10, user_id="u"),
    "order": lambda memory, odd: memory.list(user_id="u", order=odd),
    "cursor": lambda memory, odd: memory.list(user_id="u", cursor=odd),
    "kinds": lambda memory, odd: memory.list(user_id="u", kinds=odd),
    "id": lambda memory, odd: memory.get(odd, user_id="u"),
    "undo": lambda memory, odd: memory.undo(odd, user_id="u"),
    "relations": lambda memory, odd: memory.add_relations(odd, user_id="u"),
    "relation": lambda memory, odd: memory.add_relations([("a", odd, "b")], user_id="u"),
    "type": lambda memory, odd: memory.add_relations([Triple("a", "b", "c", odd)], user_id="u"),
    "sources": lambda memory, odd: memory.add_relations(
        [Triple("a", "b", "c", sources=odd)], user_id="u"
    ),
    "name": lambda memory, odd: memory.graph(user_id="u").neighbours(odd),
    "path": lambda memory, odd: memory.graph(user_id="u").paths(odd, "b"),
    "lifetime": lambda memory, odd: memory.documents.put(("n",), "k", 1, lifetime=odd),
    "texts": lambda memory, odd: memory.documents.put(("n",), "k", 1, texts=odd),
    "operations": lambda memory, odd: memory.documents.batch([odd], strict=True),
    "item query": lambda memory, odd: memory.documents.search(("n",), odd),
    "mode": lambda memory, odd: memory.documents.search(("n",), "x", mode=odd),
    "item": lambda memory, odd: memory.documents.batch([Put(odd, odd, odd)], strict=True),
    "indexed": lambda _, odd: Memory(":memory:", embedder=HashEmbedder(16), indexed=odd).close(),
    "budget": lambda _, odd: Memory(":memory:", embedder=HashEmbedder(16), view_budget=odd).close(),
}


@pytest.mark.parametrize("call", CALLS)
def test_an_odd_argument_is_an_error_of_ours_or_none(call: str) -> None:
    with Memory(":memory:", embedder=HashEmbedder(16), graph=True) as memory:
        told = [_error(lambda odd=odd: CALLS[call](memory, odd)) for odd in ODD]
    assert all(
        10 < len(text) < 1_000 for error in told if error for text in (f"{error}", f"{error!r}")
    )


def _error(work: Callable[[], Any]) -> HoldfastError | None:
    try:
        work()
    except HoldfastError as error:
        return error
    return None


@pytest.mark.parametrize("odd", [5, b"x", "", "a\x00b", "a\ud800", object()], ids=shown)
def test_what_is_no_path_is_an_error(tmp_path: Path, odd: Any) -> None:
    with Memory(":memory:", embedder=HashEmbedder(16)) as memory:
        for call in (
            lambda: Memory(odd, embedder=HashEmbedder(16)),
            lambda: memory.export(odd),
            lambda: memory.import_(odd),
            lambda: memory.graph(user_id="u").to_html(odd),
        ):
            with pytest.raises(HoldfastError, match="path"):
                call()
        with pytest.raises(StorageError, match="cannot be written"):
            memory.graph(user_id="u").to_html(tmp_path)


def test_a_cursor_of_brackets_is_an_error() -> None:
    with Memory(":memory:", embedder=HashEmbedder(16)) as memory:
        cursor = base64.urlsafe_b64encode(b"[" * 100_000).decode()
        with pytest.raises(HoldfastError, match="no cursor"):
            memory.list(user_id="u", cursor=cursor)


def test_a_half_made_memory_can_be_shown() -> None:
    assert repr(Memory.__new__(Memory)) == "Memory()"


@pytest.mark.parametrize("value", ODD, ids=lambda value: type(value).__name__)
def test_any_value_can_be_shown_in_a_message(value: Any) -> None:
    assert 0 < len(shown(value)) <= 120


# -- what models and functions of the caller's give back ----------------------------------------


@pytest.mark.parametrize(
    "given",
    [None, "words", 5, Answer(None), Answer("", [1]), Answer("", {}, None)],  # type: ignore[arg-type]
    ids=repr,
)
def test_a_model_that_gives_no_answer_leaves_its_turns_waiting(given: Any) -> None:
    class Odd(ScriptedLLM):
        def complete(self, *_: Any, **__: Any) -> Any:
            return given

    with Memory(":memory:", embedder=HashEmbedder(16), llm=Odd()) as memory:
        with pytest.raises(ProviderError, match="Odd"):
            memory.add("tea", user_id="u")
        assert len(memory.list(user_id="u")) == memory.stats().waiting == 1


@pytest.mark.parametrize("given", [None, 5.0, [], [math.nan] * 16, ["x"] * 16, [[1.0]]], ids=repr)
def test_an_embedder_that_gives_no_vector_of_a_question_is_named(given: Any) -> None:
    class Odd(HashEmbedder):
        answers = True

        def embed_query(self, text: str) -> Any:
            return super().embed_query(text) if self.answers else given

    embedder = Odd(16)
    with Memory(":memory:", embedder=embedder) as memory:
        memory.add("tea", user_id="u")
        embedder.answers = False
        with pytest.raises(ProviderError, match="Odd"):
            memory.search("tea", user_id="u")
        embedder.answers = True  # what was no vector is not kept for the next time
        assert len(memory.search("tea", user_id="u")) == 1


@pytest.mark.parametrize("given", [None, 5, {}, [None]], ids=repr)
def test_an_embedder_that_gives_no_vectors_is_named(given: Any) -> None:
    class Odd(HashEmbedder):
        def embed(self, texts: Sequence[str]) -> Any:
            return given

    with Memory(":memory:", embedder=Odd(16)) as memory:
        for call in (memory.add, memory.search):
            with pytest.raises(ProviderError, match="Odd"):
                call("tea", user_id="u")


@pytest.mark.parametrize("given", [None, 5, ["x"], [math.inf], [10**400]], ids=shown)
def test_a_reranker_that_gives_no_scores_is_named(given: Any) -> None:
    class Odd(WordReranker):
        def rerank(self, query: str, texts: Sequence[str]) -> Any:
            return given

    with Memory(":memory:", embedder=HashEmbedder(16), reranker=Odd()) as memory:
        memory.add("tea", user_id="u")
        with pytest.raises(ProviderError, match="Odd"):
            memory.search("tea", user_id="u")


@pytest.mark.parametrize("given", [None, 5, b"x"], ids=repr)
def test_a_redactor_that_gives_no_text_is_an_error(given: Any) -> None:
    with Memory(":memory:", embedder=HashEmbedder(16), redact=lambda text: given) as memory:
        for call in (
            lambda: memory.add("tea", user_id="u"),
            lambda: memory.search("tea", user_id="u"),
            lambda: memory.add_relations([("a", "b", "c")], user_id="u"),
        ):
            with pytest.raises(HoldfastError):
                call()


def test_a_counter_that_gives_no_number_is_an_error() -> None:
    with Memory(":memory:", embedder=HashEmbedder(16)) as memory:
        memory.add("tea", user_id="u")
        with pytest.raises(HoldfastError, match="counts tokens"):
            memory.context("tea", user_id="u", model=lambda text: None)  # type: ignore[arg-type,return-value]


# -- what is stored when something fails --------------------------------------------------------


def test_an_add_whose_facts_cannot_be_stored_says_that_the_turns_are(tmp_path: Path) -> None:
    def answer(*_: Any) -> Any:
        memory.close()
        return {"facts": []}

    path = tmp_path / "m.db"
    memory = Memory(path, embedder=HashEmbedder(16), llm=ScriptedLLM([answer]))
    with pytest.raises(StorageError, match=r"turns are stored.*flush") as caught:
        memory.add("tea", user_id="u")
    with Memory(path, embedder=HashEmbedder(16)) as again:
        (record,) = again.list(user_id="u")
        assert record.id in str(caught.value)
