"""Deterministic doubles of the models, for tests of code that uses Holdfast.

They need no network, no key and no weights, and give the same answer on every machine.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from holdfast.errors import InvalidInputError, ProviderError
from holdfast.forking import Lock
from holdfast.providers.base import LLM, Embedder, Reranker
from holdfast.types import Answer, Tool, Usage

# Runs of kana and Han, which are written without spaces; else words.
_SPACELESS = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TERMS = re.compile(rf"(?P<spaceless>[{_SPACELESS}]+)|[^\W{_SPACELESS}]+")
_CHARACTERS_PER_TOKEN = 4

Script: TypeAlias = (
    Answer
    | Mapping[str, Any]
    | str
    | BaseException
    | Callable[[Sequence[Mapping[str, str]], Tool | None], "Answer | Mapping[str, Any] | str"]
)
"""One answer of a `ScriptedLLM`."""


class HashEmbedder(Embedder):
    """Embeds a text as its bag of words, hashed: texts that share words are near.

    Args:
        dimension: Width of the vectors.
        name: Part of the fingerprint; give two embedders two names to tell them apart.
        fail_at: Raise ProviderError at this text, counted from 1 over all calls.
    """

    def __init__(
        self, dimension: int = 64, *, name: str = "hash", fail_at: int | None = None
    ) -> None:
        if dimension < 1:
            raise InvalidInputError(f"dimension must be at least 1, not {dimension}")
        self._dimension = dimension
        self._name = name
        self._fail_at = fail_at
        self._texts = itertools.count(1)

    @property
    def fingerprint(self) -> str:
        """Name and dimension, e.g. ``"hash/64"``."""
        return f"{self._name}/{self._dimension}"

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one unit vector a text.

        Raises:
            ProviderError: It was the turn of text `fail_at`.
        """
        return [self._vector(text) for text in texts]

    async def aembed(self, texts: Sequence[str]) -> list[list[float]]:
        """Async twin of `embed`; never suspends."""
        return self.embed(texts)

    def _vector(self, text: str) -> list[float]:
        if next(self._texts) == self._fail_at:
            raise ProviderError(f"HashEmbedder was told to fail at text {self._fail_at}")
        vector = self._sum(Counter(_terms(text)))
        if not any(vector):
            # No word at all, or words that cancel each other out.
            vector = self._sum(Counter([text]))
        length = math.hypot(*vector)
        return [value / length for value in vector]

    def _sum(self, terms: Mapping[str, int]) -> list[float]:
        vector = [0.0] * self._dimension
        for term, count in terms.items():
            digest = hashlib.blake2b(term.encode("utf-8", "replace"), digest_size=8).digest()
            number = int.from_bytes(digest, "big")
            vector[number // 2 % self._dimension] += count if number % 2 else -count
        return vector


def _terms(text: str) -> Iterable[str]:
    for match in _TERMS.finditer(text.casefold()):
        term = match.group()
        if match.lastgroup == "spaceless" and len(term) > 1:
            yield from map("".join, itertools.pairwise(term))
        else:
            yield term


class WordReranker(Reranker):
    """Scores a text by how many of the question's words it has.

    Args:
        scores: Give these instead, whatever is asked; e.g. too few, or NaN.

    Attributes:
        calls: Every question so far and the texts beside it, in order.
    """

    def __init__(self, scores: Sequence[float] | None = None) -> None:
        self.calls: list[tuple[str, tuple[str, ...]]] = []
        self._scores = scores

    def rerank(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        """Return one score a text."""
        self.calls.append((query, tuple(texts)))
        if self._scores is not None:
            return self._scores
        asked = set(_terms(query))
        return [float(len(asked.intersection(_terms(text)))) for text in texts]

    async def arerank(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        """Async twin of `rerank`; never suspends."""
        return self.rerank(query, texts)


@dataclass(frozen=True, slots=True)
class Call:
    """What a `ScriptedLLM` was asked: the messages, and the tool if there was one."""

    messages: tuple[Mapping[str, str], ...]
    tool: Tool | None


class ScriptedLLM(LLM):
    """Gives prepared answers, one a call, and remembers what it was asked.

    An answer is a mapping (becomes `Answer.data`), a string (becomes `Answer.text`), an
    `Answer`, an exception (is raised), or a function of messages and tool that returns one of
    the first three or raises. For an endless script give an endless iterable, such as
    ``itertools.repeat(answer)``. Usage counts a call and a token every four characters. Safe
    to share between threads.

    Attributes:
        calls: Every call so far, in order.
    """

    def __init__(self, answers: Iterable[Script] = ()) -> None:
        self.calls: list[Call] = []
        self._answers = iter(answers)
        self._lock = Lock()

    def complete(
        self, messages: Sequence[Mapping[str, str]], *, tool: Tool | None = None
    ) -> Answer:
        """Give the next answer.

        Raises:
            AssertionError: There is none left.
        """
        answer = self._next(Call(tuple(dict(message) for message in messages), tool))
        if callable(answer):
            answer = answer(messages, tool)
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, Answer):
            return answer
        data = None if isinstance(answer, str) else dict(answer)
        text = answer if isinstance(answer, str) else json.dumps(data, ensure_ascii=False)
        return Answer(text, data, _rough_usage(messages, text))

    async def acomplete(
        self, messages: Sequence[Mapping[str, str]], *, tool: Tool | None = None
    ) -> Answer:
        """Async twin of `complete`; never suspends."""
        return self.complete(messages, tool=tool)

    def _next(self, call: Call) -> Script:
        with self._lock:
            self.calls.append(call)
            for answer in self._answers:
                return answer
        asked = call.tool.name if call.tool else "text"
        raise AssertionError(
            f"ScriptedLLM was asked for {asked} in call {len(self.calls)}, "
            f"but its script has only {len(self.calls) - 1} answers"
        )


def _rough_usage(messages: Sequence[Mapping[str, str]], text: str) -> Usage:
    prompt = sum(len(message["content"]) for message in messages)
    return Usage(
        1, math.ceil(prompt / _CHARACTERS_PER_TOKEN), math.ceil(len(text) / _CHARACTERS_PER_TOKEN)
    )
