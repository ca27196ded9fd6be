"""Whether relations help a search: `Memory.search` with ``graph=True`` against without.

    uv run python benchmarks/graph_recall.py --data locomo.json

The `observation` facts of LoCoMo become relations by simple rules: the person a fact is about is
related to every other name and every rarer word in it ("mentions"); nobody's model is asked. What
is measured is the shipped channel (`graph_boost`), whole, and each half of it alone.

The same records, matches and token budgets on both sides. Two pools: turns alone, to which facts
lend only their relations; and turns with the facts beside them, as `search` finds them where an
LLM stored both (a fact counts as the turns it rests on). A row's weight is chosen on the very
questions it is measured on, which flatters it; the rows "chosen" take for each conversation the
weight that was best (recall@10) on all questions of the others. "gain" is in recall@10 over the
same pool with the channel off, question by question, with its 95 % interval. Last comes what one
search costs, in CPU time, embedding excluded.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path

from holdfast import Embedder, Match, Memory
from holdfast.language.names import bare
from holdfast.language.stopwords import ENGLISH
from holdfast.language.wording import words
from holdfast.maintenance.conversations import Conversation, Question, read_conversations
from holdfast.providers.local import LocalEmbedder
from holdfast.retrieval.ranking import DEFAULT
from holdfast.storage.index import graph_boost
from holdfast.types import Kind, Metadata
from measures import Shown, counter, interval, means, measured, rendered
from retrieval import answerable, once
from stores import Remembering, remember, remember_facts, turns_of

POOL = 200
WEIGHTS = (0.05, 0.1, 0.2, 0.4)
OFF = "off"
HALVES = {"entity": (1.0, 0.0), "triplet": (0.0, 1.0), "both": graph_boost.SHARES}
POOLS: dict[str, tuple[Kind, ...]] = {"turns": ("turn",), "turns and facts": ("turn", "fact")}
SHOWN = ("recall@10", "recall@20", "within 500", "within 1000")
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
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for conversation in read_conversations(given.data)[: given.conversations]:
        with stored(conversation, embedder) as memory:
            for question in answerable(conversation):
                asked.append((conversation.name, question.category))
                measure(memory, conversation.name, question, rows)
                for graph, taken in seconds.items():
                    taken.append(timed(memory, conversation.name, question, graph=graph))
    report(rows, asked)
    without, with_it = (1000 * statistics.median(taken) for taken in seconds.values())
    print(f"\na search: {without:.2f} ms, with graph=True {with_it:.2f} (median)")


@contextmanager
def stored(conversation: Conversation, embedder: Embedder) -> Iterator[Memory]:
    """Give a store of one conversation: turns, facts, and what these state."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Memory(Path(folder) / "memory.db", embedder=embedder) as memory,
    ):
        turns = remember(memory, conversation)
        remember_facts(memory, embedder, conversation, turns, relations(conversation))
        yield memory


def relations(conversation: Conversation) -> Mapping[str, Sequence[Metadata]]:
    """Turn facts into relations by rules: whom it is about, and each telling word in it."""
    said = [(one, tokens(one.text)) for one in conversation.observations if one.sources]
    often = Counter(word for _, found in said for word in found)
    return {
        one.text: [
            {"subject": one.about, "relation": "mentions", "object": word}
            for word in sorted(found - {bare(one.about)})
            if often[word] <= max(3, len(said) // 20)
        ]
        for one, found in said
    }


def tokens(text: str) -> set[str]:
    """Return the telling words of a text."""
    plain = (bare(word).removesuffix(" s") for word in words(text))
    return {word for word in plain if len(word) > 2 and word not in ENGLISH}


def measure(memory: Memory, user: str, question: Question, rows: Rows) -> None:
    """Ask one question under every setting, and measure its matches."""
    for pool, kinds in POOLS.items():
        asked = {"user_id": user, "limit": 10_000, "kinds": kinds}
        matches = memory.search(question.text, **asked)  # type: ignore[arg-type]
        rows[pool, OFF, 0.0].append(ranked(matches, question))
        for name, shares in HALVES.items():
            with sharing(shares):
                matches = memory.search(question.text, **asked, graph=True, explain=True)  # type: ignore[arg-type]
            for weight in WEIGHTS:
                rows[pool, name, weight].append(ranked(weighed(matches, weight), question))


def timed(memory: Memory, user: str, question: Question, *, graph: bool) -> float:
    """Return the seconds of CPU time of one search."""
    begun = time.process_time()
    memory.search(question.text, user_id=user, graph=graph)
    return time.process_time() - begun


@contextmanager
def sharing(shares: tuple[float, float]) -> Iterator[None]:
    """Give the halves of the channel other shares meanwhile."""
    graph_boost.SHARES = shares
    try:
        yield
    finally:
        graph_boost.SHARES = HALVES["both"]


def weighed(matches: Sequence[Match], weight: float) -> list[Match]:
    """Return matches in the order that another weight of the channel gives them."""
    more = weight / DEFAULT.graph - 1
    scored = [replace(one, score=one.score + more * one.parts["graph"]) for one in matches]
    return sorted(scored, key=lambda one: -one.score)


@cache
def count(text: str) -> int:
    """Return how many tokens a text takes."""
    return counter()[0](text)


def ranked(matches: Sequence[Match], question: Question) -> dict[str, float]:
    """Return the measures of a question."""
    shown = [Shown(turns_of(one.record), count(rendered(one))) for one in islice(once(matches), 60)]
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
