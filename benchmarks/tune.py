"""Refit the weights of ranking on given conversations, and say what that would change.

    uv run python benchmarks/tune.py --data locomo.json beam.json --leave-one-out

Coordinate ascent on the mean of recall@10, recall@20 and nDCG@10, each file counting alike: a
weight is halved, cut, raised and doubled, and keeps what gains more than `LEAST` points. With
``--leave-one-out`` each conversation is also ranked with the weights fitted on all the others.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from holdfast import Embedder, Memory
from holdfast.language.cues import Cues
from holdfast.maintenance.conversations import Conversation, read_conversations
from holdfast.providers.local import LocalEmbedder
from holdfast.retrieval.conductor import ranking
from holdfast.retrieval.ranking import DEFAULT, Weights
from holdfast.storage.contract.search import Candidates
from measures import Shown, measured
from numpy.typing import NDArray
from retrieval import answerable, stored
from stores import Remembering

STEPS = (0.5, 0.7, 1.4, 2.0)
LEAST = 0.05  # points; less is noise even on the same questions
AIMS = ("recall@10", "recall@20", "ndcg@10")

Scores = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Asked:
    """One question, ready to be ranked with any weights."""

    file: str
    conversation: str
    candidates: Candidates
    cues: Cues
    turns: NDArray[np.object_]  # the message id of each candidate
    evidence: tuple[str, ...]


def main() -> None:
    """Fit, and print the weights and the figures before and after."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--leave-one-out", action="store_true")
    parser.add_argument("--steps", type=float, nargs="+", default=STEPS)
    parser.add_argument("--rounds", type=int, default=2, help="how often each weight is tried")
    asked = parser.parse_args()
    embedder = Remembering(LocalEmbedder())
    questions = [
        question
        for path in asked.data
        for conversation in read_conversations(path)
        for question in record(path.stem, conversation, embedder)
    ]
    bench = Bench(questions, asked.steps, asked.rounds)
    fitted = bench.fit()
    print(line("as it is ", bench.figures(bench.scores(DEFAULT))))
    print(line("refitted ", bench.figures(bench.scores(fitted))))
    for one in fields(Weights):
        old, new = getattr(DEFAULT, one.name), getattr(fitted, one.name)
        if old != new:
            print(f"  {one.name}: {old} -> {new:.3g}")
    if asked.leave_one_out:
        print(line("left out ", bench.figures(bench.leave_one_out())))


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
    matches = memory.search("everything", user_id=user_id, limit=10_000)
    candidates, cues = seen[-1]
    order = ranking.rank(candidates, cues).order
    rows = candidates.rows["id"][order].tolist()
    return {row: match.record.message_id or "" for row, match in zip(rows, matches, strict=True)}


class Bench:
    """Scores of all questions under any weights, each set of weights ranked once."""

    def __init__(self, questions: Sequence[Asked], steps: Sequence[float], rounds: int) -> None:
        self.questions = questions
        self._steps = steps
        self._rounds = rounds
        self._known: dict[Weights, Scores] = {}

    def scores(self, weights: Weights) -> Scores:
        """Return the aims of every question, in per cent. Shape (questions, aims)."""
        if weights not in self._known:
            self._known[weights] = np.array([score(one, weights) for one in self.questions])
        return self._known[weights]

    def figures(self, scores: Scores, among: Mask | None = None) -> dict[str, Scores]:
        """Return the mean of each file's questions, or of some of them."""
        files = np.array([one.file for one in self.questions])
        kept = np.ones(len(files), bool) if among is None else among
        return {
            file: scores[kept & (files == file)].mean(axis=0)
            for file in dict.fromkeys(files[kept].tolist())
        }

    def fit(self, among: Mask | None = None) -> Weights:
        """Return weights that no single step improves, on all questions or some of them."""

        def aim(weights: Weights) -> float:
            return float(np.mean(list(self.figures(self.scores(weights), among).values())))

        weights, best = DEFAULT, aim(DEFAULT)
        for _ in range(self._rounds):
            for one in fields(Weights):
                for step in self._steps:
                    value = getattr(DEFAULT, one.name) * step
                    tried = replace(weights, **{one.name: value})
                    if (reached := aim(tried)) > best + LEAST:
                        weights, best = tried, reached
        return weights

    def leave_one_out(self) -> Scores:
        """Return the scores when no conversation helps to fit its own weights."""
        names = np.array([one.conversation for one in self.questions])
        scores = np.zeros((len(names), len(AIMS)))
        for name in dict.fromkeys(names.tolist()):
            scores[names == name] = self.scores(self.fit(names != name))[names == name]
        return scores


def score(question: Asked, weights: Weights) -> list[float]:
    """Rank one question with some weights."""
    order = ranking.rank(question.candidates, question.cues, weights).order[:20]
    shown = [Shown(frozenset([turn]), 0) for turn in question.turns[order]]
    found = measured(shown, question.evidence)
    return [100 * found[aim] for aim in AIMS]


def line(title: str, figures: Mapping[str, Scores]) -> str:
    """Return figures in words."""
    said = (
        f"{file}: "
        + ", ".join(f"{aim} {value:.1f}" for aim, value in zip(AIMS, means, strict=True))
        for file, means in figures.items()
    )
    return f"{title}  {'; '.join(said)}"


if __name__ == "__main__":
    main()
