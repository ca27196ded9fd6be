"""`Memory(..., reranker=...)`: a model that reads the best matches again."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from holdfast import Memory, Message, ProviderError, Reranker
from holdfast.testing import HashEmbedder, WordReranker
from support.faces import Face


class Backwards(Reranker):
    """Likes best what search likes least."""

    def rerank(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        return list(range(len(texts)))


def texts(face: Face, query: str, **options: object) -> list[str]:
    return [match.record.text for match in face.search(query, user_id="ada", **options)]


def test_the_reranker_puts_matches_in_order(opened: Callable[..., Face]) -> None:
    said = ["tea with milk", "tea", "a kettle for the tea"]
    plain, turned = opened("plain.db"), opened("turned.db", reranker=Backwards())
    for face in (plain, turned):
        face.add(said, user_id="ada")
    assert texts(turned, "tea with milk") == texts(plain, "tea with milk")[::-1]


def test_the_reranker_sees_the_question_and_who_said_what(opened: Callable[..., Face]) -> None:
    reranker = WordReranker()
    face = opened(reranker=reranker)
    face.add([Message("I drink tea", name="Ada"), "I drink beer"], user_id="ada")
    [best] = face.search("What does Ada drink?", user_id="ada", limit=1)
    assert best.record.text == "I drink tea"
    [(query, shown)] = reranker.calls
    assert query == "What does Ada drink?"
    assert set(shown) == {"Ada: I drink tea", "I drink beer"}


def test_a_match_beyond_the_limit_can_come_first(opened: Callable[..., Face]) -> None:
    face = opened(reranker=Backwards())
    face.add([f"tea number {n}" for n in range(30)], user_id="ada")
    assert texts(face, "tea number 7", limit=1) == texts(face, "tea number 7", limit=30)[:1]


def test_only_the_fifty_best_are_read_again(opened: Callable[..., Face]) -> None:
    reranker = WordReranker()
    plain, face = opened("plain.db"), opened("turned.db", reranker=reranker)
    for one in (plain, face):
        one.add([f"tea number {n}" for n in range(70)], user_id="ada")
    found = texts(face, "tea number 7", limit=70)
    assert len(reranker.calls[0][1]) == 50
    assert found[50:] == texts(plain, "tea number 7", limit=70)[50:]


def test_scores_fall_whatever_the_rerankers_scale(opened: Callable[..., Face]) -> None:
    face = opened(reranker=Backwards())
    face.add([f"tea number {n}" for n in range(70)], user_id="ada")
    found = face.search("tea number 7", user_id="ada", limit=70, explain=True)
    scores = [match.score for match in found]
    assert scores == sorted(scores, reverse=True)
    assert [match.parts.get("reranker") for match in found[:2]] == [49.0, 48.0]
    assert "reranker" not in found[60].parts


@pytest.mark.parametrize(
    "scores", [[1.0], [1.0, 2.0, 3.0], [1.0, math.nan], [1.0, math.inf], [1.0, "x"], 7]
)
def test_scores_that_make_no_order_are_refused(opened: Callable[..., Face], scores: object) -> None:
    face = opened(reranker=WordReranker(scores))  # type: ignore[arg-type]
    face.add(["tea", "beer"], user_id="ada")
    with pytest.raises(ProviderError, match="reranker"):
        face.search("tea", user_id="ada")


def test_an_empty_memory_asks_no_reranker(opened: Callable[..., Face]) -> None:
    reranker = WordReranker()
    assert opened(reranker=reranker).search("tea", user_id="ada") == []
    assert reranker.calls == []


def test_a_context_is_filled_in_the_rerankers_order(tmp_path: Path) -> None:
    with Memory(tmp_path / "m.db", embedder=HashEmbedder(), reranker=Backwards()) as memory:
        memory.add([f"the tea of day {n} was quite good" for n in range(20)], user_id="ada")
        query = "the tea of day 7"
        matches = memory.search(query, user_id="ada", limit=20)
        context = memory.context(query, max_tokens=60, user_id="ada")
    assert matches[0].record in context.records
    assert matches[-1].record not in context.records


def test_a_sync_reranker_does_not_hold_the_event_loop(tmp_path: Path) -> None:
    async def flow() -> list[str]:
        memory = Memory(tmp_path / "m.db", embedder=HashEmbedder(), reranker=Backwards())
        async with memory:
            await memory.aadd(["tea", "beer"], user_id="ada")
            return [match.record.text for match in await memory.asearch("tea", user_id="ada")]

    assert asyncio.run(flow()) == ["beer", "tea"]
