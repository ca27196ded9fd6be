"""Whether a graph channel helps a search: turns alone against turns lifted by relations.

    uv run python benchmarks/graph_recall.py --data locomo.json

The `observation` facts of LoCoMo become relations by simple rules: the person a fact is about is
related to every other name and every rarer word in it ("mentions"); nobody's model is asked. For a
question, the entities it names are looked up in the graph, and the turns that their relations
rest on are lifted, by `weight` times how much of the question's entities a relation joins, further
hops half as much. The same turns, matches and token budgets on both sides; facts lend only
their relations. Best-case reading: the weight is chosen on the very questions it is measured on.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from holdfast import Match, Memory
from holdfast.graph import Graph, Triple
from holdfast.language.names import bare
from holdfast.language.stopwords import ENGLISH
from holdfast.language.wording import words
from holdfast.providers.local import LocalEmbedder
from holdfast.readers import Conversation, Question, read_conversations
from holdfast.testing import HashEmbedder
from measures import Shown, counter, interval, means, measured, rendered
from retrieval import Remembering, answerable, stored, turns_of

POOL = 200
WEIGHTS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
SHOWN = ("recall@10", "recall@20", "within 500", "within 1000")
Lift = dict[str, float]


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--conversations", type=int, default=100, help="only the first so many")
    given = parser.parse_args()
    embedder = Remembering(LocalEmbedder())
    rows: dict[tuple[int, float], list[dict[str, float]]] = defaultdict(list)
    kinds: list[str] = []
    for conversation in read_conversations(given.data)[: given.conversations]:
        with (
            stored(conversation, embedder, facts=False) as memory,
            Memory(":memory:", embedder=HashEmbedder(8)) as network,
        ):
            network.add_relations(list(triples(conversation)), user_id=conversation.name)
            graph = network.graph(user_id=conversation.name)
            for question in answerable(conversation):
                asked = {"user_id": conversation.name, "limit": POOL, "kinds": ("turn",)}
                matches = memory.search(question.text, **asked)
                kinds.append(question.category)
                for depth in (1, 2):
                    lift = lifted(graph, question, depth)
                    for weight in WEIGHTS:
                        found = ranked(matches, lift, weight, question)
                        rows[depth, weight].append(found)
    report(rows, kinds)


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
    count, _ = counter()
    gains = [max((lift.get(t, 0.0) for t in turns_of(one.record)), default=0.0) for one in matches]
    scored = [
        replace(one, score=one.score + weight * gain)
        for one, gain in zip(matches, gains, strict=True)
    ]
    scored.sort(key=lambda one: -one.score)
    shown = [Shown(turns_of(one.record), count(rendered(one))) for one in scored[:60]]
    return measured(shown, question.evidence)


def report(rows: dict[tuple[int, float], list[dict[str, float]]], kinds: Sequence[str]) -> None:
    """Print all questions and the multi-hop ones, a line a setting."""
    for kind in ("multi-hop", "all"):
        chosen = [n for n, own in enumerate(kinds) if kind in ("all", own)]
        print(f"\n{kind}: {len(chosen)} questions\n\n| hops | weight | " + " | ".join(SHOWN) + " |")
        print("|---" * (len(SHOWN) + 2) + "|")
        for (depth, weight), every in rows.items():
            if depth == 1 or weight:
                some = [every[n] for n in chosen]
                mean = means(some)
                low, high = interval([row["recall@10"] for row in some])
                cells = [f"{100 * mean[name]:.1f}" for name in SHOWN]
                cells[0] += f" [{100 * low:.1f}, {100 * high:.1f}]"
                hops = str(depth) if weight else "off"
                print(f"| {hops} | {weight} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
