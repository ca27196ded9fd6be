"""What a prompt is given to answer a question about a conversation: memory, and three baselines.

* holdfast: `Memory.context` in a token budget;
* rag: the chunks nearest to the question by cosine, as many as the same budget holds. A chunk is
  consecutive turns of one session, of at most `CHUNK` tokens;
* last: the newest turns;
* full: all turns.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from holdfast import Embedder, Memory, Record
from holdfast.context.tokens import Counter
from holdfast.maintenance.conversations import Conversation, Said

CHUNK = 256
NAMES = ("holdfast", "rag", "last", "full")


@dataclass(frozen=True)
class Found:
    """What one way gives for one question: the text, its tokens, whose turns, and how long."""

    text: str
    tokens: int
    turns: frozenset[str]
    seconds: float


@dataclass(frozen=True)
class _Chunk:
    text: str
    tokens: int
    turns: frozenset[str]


class Ways:
    """All ways to look into one conversation.

    Args:
        conversation: What was said.
        memory: Holds it.
        embedder: For plain retrieval.
        count: Counts tokens.
        budget: Tokens for `holdfast` and `rag`.
        last: Turns for `last`.
    """

    def __init__(
        self,
        conversation: Conversation,
        memory: Memory,
        embedder: Embedder,
        count: Counter,
        *,
        budget: int,
        last: int,
    ) -> None:
        self._name = conversation.name
        self._memory = memory
        self._embedder = embedder
        self._count = count
        self._budget = budget
        self._full = _chunk(conversation.turns, count)
        self._last = _chunk(conversation.turns[-last:], count)
        self._chunks = list(_chunks(conversation.turns, count))
        self._vectors = _units(embedder.embed([chunk.text for chunk in self._chunks]))
        self._ids = {
            record.id: str(record.message_id)
            for record in _all_records(memory, conversation.name)
            if record.kind == "turn"
        }

    def find(self, way: str, question: str) -> Found:
        """Find what helps to answer a question, one way."""
        begun = time.perf_counter()
        chunk = getattr(self, f"_{way}_for")(question)
        return Found(chunk.text, chunk.tokens, chunk.turns, time.perf_counter() - begun)

    def _holdfast_for(self, question: str) -> _Chunk:
        context = self._memory.context(
            question, max_tokens=self._budget, model=self._count, user_id=self._name
        )
        turns = {turn for record in context.records for turn in (record.id, *record.sources)}
        known = frozenset(self._ids[turn] for turn in turns if turn in self._ids)
        return _Chunk(context.text, context.tokens, known)

    def _rag_for(self, question: str) -> _Chunk:
        nearest = np.argsort(-self._vectors @ _units([self._embedder.embed_query(question)])[0])
        taken: list[int] = []
        room = self._budget
        for place in nearest.tolist():
            room -= self._chunks[place].tokens + 1
            if room < 0:
                break
            taken.append(place)
        kept = [self._chunks[place] for place in sorted(taken)]
        text = "\n".join(chunk.text for chunk in kept)
        return _Chunk(text, self._count(text), frozenset().union(*(one.turns for one in kept)))

    def _last_for(self, question: str) -> _Chunk:
        return self._last

    def _full_for(self, question: str) -> _Chunk:
        return self._full


def _all_records(memory: Memory, user_id: str) -> Iterator[Record]:
    cursor = None
    while True:
        page = memory.list(user_id=user_id, limit=1_000, cursor=cursor)
        yield from page
        if (cursor := page.cursor) is None:
            return


def _chunks(turns: Sequence[Said], count: Counter) -> Iterator[_Chunk]:
    held: list[Said] = []
    used = 0
    for turn in turns:
        tokens = count(_line(turn)) + 1
        if held and (turn.run_id != held[-1].run_id or used + tokens > CHUNK):
            yield _chunk(held, count)
            held, used = [], 0
        held.append(turn)
        used += tokens
    if held:
        yield _chunk(held, count)


def _chunk(turns: Sequence[Said], count: Counter) -> _Chunk:
    text = "\n".join(map(_line, turns))
    return _Chunk(text, count(text), frozenset(str(turn.message.id) for turn in turns))


def _line(turn: Said) -> str:
    said = turn.message
    day = f"{said.occurred_at:%Y-%m-%d} " if said.occurred_at else ""
    return f"{day}{said.name or said.role}: {said.content}"


def _units(vectors: Sequence[Sequence[float]]) -> np.ndarray:
    found = np.asarray(vectors, dtype=np.float32)
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
