"""Refit the weights of ranking on given conversations, and say what that would change.

    uv run python benchmarks/tune.py --data locomo.json beam.json --leave-one-out

Coordinate ascent on the mean of recall@10, recall@20 and nDCG@10, each file counting alike: a
weight is halved, cut, raised and doubled, and keeps what gains more than `LEAST` points. With
``--leave-one-out`` each conversation is also ranked with the weights fitted on all the others.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from holdfast import Embedder, Memory, ranking
from holdfast.language.cues import Cues
from holdfast.providers.local import LocalEmbedder
from holdfast.ranking import DEFAULT, Weights
from holdfast.readers import Conversation, read_conversations
from holdfast.storage.searching import Candidates
from measures import Shown, measured
from retrieval import Remembering, answerable, stored

STEPS = (0.5, 0.7, 1.4, 2.0)
LEAST = 0.05  # points; less is noise even on the same questions
AIMS = ("recall@10", "recall@20", "ndcg@10")


@dataclass(frozen=True)
class Asked:
    """One question, ready to be ranked with any weights."""

    file: str
    conversation: str
    candidates: Candidates
    cues: Cues
    turns: np.ndarray[Any, np.dtype[np.object_]]  # the message id of each candidate
    evidence: tuple[str, ...]


def main() -> None:
    """Fit, and print the weights and the figures before and after."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--leave-one-out", action="store_true")
    asked = parser.parse_args()
    embedder = Remembering(LocalEmbedder())
    questions = [
        question
        for path in asked.data
        for conversation in read_conversations(path)
        for question in record(path.stem, conversation, embedder)
    ]
    fitted = fit(questions)
    print("as it is ", figures(questions, DEFAULT))
    print("refitted ", figures(questions, fitted))
    for one in fields(Weights):
        old, new = getattr(DEFAULT, one.name), getattr(fitted, one.name)
        if old != new:
            print(f"  {one.name}: {old} -> {new:.3g}")
    if asked.leave_one_out:
        print("left out ", leave_one_out(questions))


def record(file: str, conversation: Conversation, embedder: Embedder) -> Iterator[Asked]:
    """Yield the questions of a conversation with all that ranking sees of them."""
    seen: list[tuple[Candidates, Cues]] = []
    rank = ranking.rank

    def recording(candidates: Candidates, cues: Cues) -> Any:
        seen.append((candidates, cues))
        return rank(candidates, cues)

    ranking.rank = recording  # type: ignore[assignment]
    try:
        with stored(conversation, embedder, facts=False) as memory:
            known = message_ids(memory, conversation.name, seen)
            for question in answerable(conversation):
                memory.search(question.text, user_id=conversation.name)
                candidates, cues = seen[-1]
                turns = np.array([known[row] for row in candidates.rows["id"].tolist()], object)
                yield Asked(file, conversation.name, candidates, cues, turns, question.evidence)
    finally:
        ranking.rank = rank


def message_ids(
    memory: Memory, user_id: str, seen: Sequence[tuple[Candidates, Cues]]
) -> dict[int, str]:
    """Return the message id of every row: all of them are found, in the order they were ranked."""
    matches = memory.search("everything", user_id=user_id, limit=100_000)
    candidates, cues = seen[-1]
    order = ranking.rank(candidates, cues).order
    rows = candidates.rows["id"][order].tolist()
    return {row: match.record.message_id or "" for row, match in zip(rows, matches, strict=True)}


def fit(questions: Sequence[Asked]) -> Weights:
    """Return weights that no single step improves."""
    weights, best = DEFAULT, aim(questions, DEFAULT)
    for _ in range(2):
        for one in fields(Weights):
            for step in STEPS:
                tried = replace(weights, **{one.name: getattr(DEFAULT, one.name) * step})
                reached = aim(questions, tried) if tried != weights else best
                if reached > best + LEAST:
                    weights, best = tried, reached
    return weights


def leave_one_out(questions: Sequence[Asked]) -> dict[str, dict[str, float]]:
    """Return the figures when no conversation helps to fit its own weights."""
    rows: dict[str, list[dict[str, float]]] = {}
    for name in dict.fromkeys(question.conversation for question in questions):
        weights = fit([question for question in questions if question.conversation != name])
        for question in questions:
            if question.conversation == name:
                rows.setdefault(question.file, []).append(score(question, weights))
    return {file: _means(scored) for file, scored in rows.items()}


def figures(questions: Sequence[Asked], weights: Weights) -> dict[str, dict[str, float]]:
    """Return the figures of each file, in per cent."""
    rows: dict[str, list[dict[str, float]]] = {}
    for question in questions:
        rows.setdefault(question.file, []).append(score(question, weights))
    return {file: _means(scored) for file, scored in rows.items()}


def aim(questions: Sequence[Asked], weights: Weights) -> float:
    """Return what is to be raised: the mean of all figures of all files."""
    return float(np.mean([list(means.values()) for means in figures(questions, weights).values()]))


def score(question: Asked, weights: Weights) -> dict[str, float]:
    """Rank one question with some weights."""
    order = ranking.rank(question.candidates, question.cues, weights).order[:20]
    shown = [Shown(frozenset([turn]), 0) for turn in question.turns[order]]
    return measured(shown, question.evidence)


def _means(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: round(100 * float(np.mean([row[name] for row in rows])), 2) for name in AIMS}


if __name__ == "__main__":
    main()
