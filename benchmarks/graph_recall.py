"""Whether a graph channel helps a search: turns alone against turns lifted by relations.

    uv run python benchmarks/graph_recall.py --data locomo.json

The `observation` facts of LoCoMo become relations by simple rules: the person a fact is about is
related to every other name and every rarer word in it ("mentions"); nobody's model is asked. Two
channels, alone and together:

* entity: the entities that a question names are looked up in the graph, and the turns that their
  relations rest on are lifted, by `weight` times how much of the question's entities a relation
  joins, further hops half as much;
* triplet: the question's vector against those of the relations' texts; the turns behind the
  nearest are lifted, by `weight` times how near, from 1 for the nearest to 0 for the twentieth.

The same records, matches and token budgets on both sides. Two pools: turns alone, to which facts
lend only their relations; and turns with the facts beside them, as `search` finds them where an
LLM stored both (a fact counts as the turns it rests on). A row's weight is chosen on the very
questions it is measured on, which flatters it; the rows "chosen" take for each conversation the
setting that was best (recall@10) on all questions of the others. "gain" is in recall@10 over the
same pool with the channel off, question by question, with its 95 % interval.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from holdfast import Embedder, Match, Memory
from holdfast.graph import Graph, Triple
from holdfast.language.names import bare
from holdfast.language.stopwords import ENGLISH
from holdfast.language.wording import words
from holdfast.providers.local import LocalEmbedder
from holdfast.readers import Conversation, Observation, Question, read_conversations
from holdfast.testing import HashEmbedder
from holdfast.types import Kind
from measures import Shown, counter, interval, means, measured, rendered
from retrieval import Remembering, answerable, once, stored, turns_of

POOL = 200
NEAREST = 20
WEIGHTS = (0.02, 0.05, 0.1, 0.2, 0.4)
OFF = "off"
POOLS: dict[str, tuple[Kind, ...]] = {"turns": ("turn",), "turns and facts": ("turn", "fact")}
SHOWN = ("recall@10", "recall@20", "within 500", "within 1000")
Lift = dict[str, float]
Setting = tuple[str, str, float]  # pool, channel, weight
Rows = dict[Setting, list[dict[str, float]]]


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--conversations", type=int, default=100, help="only the first so many")
    given = parser.parse_args()
    embedder = Remembering(LocalEmbedder())
    rows: Rows = defaultdict(list)
    asked: list[tuple[str, str]] = []
    for conversation in read_conversations(given.data)[: given.conversations]:
        with (
            stored(conversation, embedder, facts=True) as memory,
            Memory(":memory:", embedder=HashEmbedder(8)) as network,
        ):
            network.add_relations(list(triples(conversation)), user_id=conversation.name)
            graph = network.graph(user_id=conversation.name)
            nearest = Triplets(conversation.observations, embedder)
            for question in answerable(conversation):
                asked.append((conversation.name, question.category))
                lifts = channels(graph, nearest, question)
                measure(memory, conversation.name, question, lifts, rows)
    report(rows, asked)


def channels(graph: Graph, nearest: Triplets, question: Question) -> dict[str, Lift]:
    """Return what each channel, and both together, lift for a question."""
    one, two = (lifted(graph, question, depth) for depth in (1, 2))
    said = nearest.lifted(question)
    both = {turn: one.get(turn, 0.0) / 2 + said.get(turn, 0.0) / 2 for turn in {*one, *said}}
    return {"entity, 1 hop": one, "entity, 2 hops": two, "triplet": said, "both": both}


def measure(
    memory: Memory, user: str, question: Question, lifts: dict[str, Lift], rows: Rows
) -> None:
    """Ask one question and measure its matches under every setting."""
    for pool, kinds in POOLS.items():
        matches = memory.search(question.text, user_id=user, limit=POOL, kinds=kinds)
        rows[pool, OFF, 0.0].append(ranked(matches, {}, 0.0, question))
        for name, lift in lifts.items():
            for weight in WEIGHTS:
                rows[pool, name, weight].append(ranked(matches, lift, weight, question))


_counted: dict[str, int] = {}


def tokens_of(match: Match) -> int:
    """Return how many tokens a match takes in a prompt."""
    text = rendered(match)
    if text not in _counted:
        _counted[text] = counter()[0](text)
    return _counted[text]


class Triplets:
    """The texts of relations, embedded."""

    def __init__(self, observations: Sequence[Observation], embedder: Embedder) -> None:
        self._said = [one for one in observations if one.sources]
        self._embedder = embedder
        self._vectors = np.array(embedder.embed([one.text for one in self._said]))

    def lifted(self, question: Question) -> Lift:
        """Return by how much each turn is lifted, 0 to 1."""
        near = self._vectors @ np.array(self._embedder.embed([question.text])[0])
        best = np.argsort(-near)[:NEAREST]
        least, span = near[best[-1]], near[best[0]] - near[best[-1]]
        lift: Lift = {}
        for place in best:
            for turn in self._said[place].sources:
                lift[turn] = max(lift.get(turn, 0.0), float((near[place] - least) / span))
        return lift


def triples(conversation: Conversation) -> Sequence[Triple]:
    """Turn facts into relations by rules: whom it is about, and each telling word in it."""
    said = [(one, tokens(one.text)) for one in conversation.observations if one.sources]
    often = Counter(word for _, found in said for word in found)
    return [
        Triple(one.about, "mentions", word, f"{one.about} mentions {word}: {' '.join(one.sources)}")
        for one, found in said
        for word in sorted(found - {bare(one.about)})
        if often[word] <= max(3, len(said) // 20)
    ]


def tokens(text: str) -> set[str]:
    """Return the telling words of a text, plurals and forms cut short by rule."""
    plain = (bare(word).removesuffix(" s") for word in words(text))
    kept = {word for word in plain if len(word) > 2 and word not in ENGLISH}
    return {word[:-1] if word.endswith("s") and len(word) > 4 else word for word in kept}


def lifted(graph: Graph, question: Question, depth: int) -> Lift:
    """Return by how much each turn is lifted, 0 to 1, for the entities a question names."""
    named = [name for name in sorted(tokens(question.text)) if graph.neighbours(name, limit=1)]
    lift: Lift = defaultdict(float)
    for name in named:
        near = graph.neighbours(name, depth, limit=300)
        for one in near:
            joins = 1.0 if tokens(one.entity.name) & set(named) else 0.25
            share = joins / math.log2(2 + one.entity.relations) / 2 ** (one.distance - 1)
            for relation in one.relations:
                for turn in relation.text.rpartition(": ")[2].split():
                    lift[turn] += share
    most = max(lift.values(), default=1.0)
    return {turn: value / most for turn, value in lift.items()}


def ranked(
    matches: Sequence[Match], lift: Lift, weight: float, question: Question
) -> dict[str, float]:
    """Return the measures of a question, its matches lifted and put in order again."""
    gains = [max((lift.get(t, 0.0) for t in turns_of(one.record)), default=0.0) for one in matches]
    scored = [
        replace(one, score=one.score + weight * gain)
        for one, gain in zip(matches, gains, strict=True)
    ]
    scored.sort(key=lambda one: -one.score)
    shown = [Shown(turns_of(one.record), tokens_of(one)) for one in islice(once(scored), 60)]
    return measured(shown, question.evidence)


def report(rows: Rows, asked: Sequence[tuple[str, str]]) -> None:
    """Print all questions and the multi-hop ones, a line a setting."""
    rows = rows | chosen(rows, [name for name, _ in asked])
    for kind in ("multi-hop", "all"):
        picked = [n for n, (_, own) in enumerate(asked) if kind in ("all", own)]
        print(f"\n{kind}: {len(picked)} questions\n")
        print(f"| pool | channel | weight | {' | '.join(SHOWN)} | gain |")
        print("|---" * (len(SHOWN) + 4) + "|")
        for (pool, name, weight), every in rows.items():
            mean = means([every[n] for n in picked])
            cells = [f"{100 * mean[shown]:.1f}" for shown in SHOWN]
            gain = gained(every, rows[pool, OFF, 0.0], picked) if name != OFF else ""
            print(f"| {pool} | {name} | {weight or ''} | {' | '.join(cells)} | {gain} |")


def gained(
    every: Sequence[dict[str, float]], off: Sequence[dict[str, float]], picked: Sequence[int]
) -> str:
    """Return the mean gain in recall@10 and its interval, in points."""
    gains = [100 * (every[n]["recall@10"] - off[n]["recall@10"]) for n in picked]
    low, high = interval(gains)
    return f"{sum(gains) / len(gains):+.1f} [{low:+.1f}, {high:+.1f}]"


def chosen(rows: Rows, owners: Sequence[str]) -> Rows:
    """Return, for each channel, every question under the setting chosen on other conversations."""
    made: Rows = {}
    for pool, channel in dict.fromkeys((pool, name) for pool, name, weight in rows if weight):
        settings = [(pool, OFF, 0.0), *((pool, channel, weight) for weight in WEIGHTS)]
        best = {}
        for owner in set(owners):
            others = [n for n, name in enumerate(owners) if name != owner]
            scores = {one: sum(rows[one][n]["recall@10"] for n in others) for one in settings}
            best[owner] = max(scores, key=scores.__getitem__)
        made[pool, f"{channel}, chosen", 0.0] = [
            rows[best[owner]][n] for n, owner in enumerate(owners)
        ]
    return made


if __name__ == "__main__":
    main()
