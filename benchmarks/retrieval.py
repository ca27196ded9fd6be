"""How much of the evidence a search finds: Holdfast beside three plainer ways, on the same store.

    uv run python benchmarks/retrieval.py --data locomo.json beam.json --ablate --json out.json

One store per conversation, through the public API; the local embedder unless the extra flags say
otherwise; no LLM. A match counts for the turn it is (or, of a fact, for its source turns). The
plain ways see the question as it stands: `dense` (what a vector store returns), `keywords` (BM25
over the turns), `convex` (half of each). `--ablate` switches every cue off in turn.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from holdfast import Embedder, Match, Memory, Message, ranking
from holdfast.language import cues
from holdfast.providers.local import LocalEmbedder
from holdfast.ranking import DEFAULT, Weights
from holdfast.readers import Conversation, Question, read_conversations
from holdfast.storage import keywords
from holdfast.types import Kind
from measures import Shown, counter, interval, means, measured, rendered

SHOWN = ("recall@5", "recall@10", "recall@20", "recall@50", "ndcg@10", "within 500", "within 1000")
FOUND = 60  # matches asked for; the largest cut is 50


@dataclass(frozen=True)
class Way:
    """One way to search: how a question is read, candidates are ranked, neighbours lend words."""

    name: str
    weights: Weights = DEFAULT
    rank: Callable[..., Any] | None = None
    change: Callable[[cues.Cues, str], cues.Cues] | None = None
    names: bool = True
    lent: tuple[float, ...] = keywords.LENT
    kinds: tuple[Kind, ...] = ("turn", "fact")


class Remembering(Embedder):
    """An embedder that keeps what it has embedded, so that ways and timings do not repeat it."""

    def __init__(self, inner: Embedder) -> None:
        self._inner = inner
        self._known: dict[str, Sequence[float]] = {}

    @property
    def fingerprint(self) -> str:
        """That of the embedder inside."""
        return self._inner.fingerprint

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Embed what is new."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known.update(zip(new, self._inner.embed(new), strict=True) if new else ())
        return [self._known[text] for text in texts]


@dataclass
class Result:
    """Figures of one way on one file: a row a question, and the times of its searches."""

    way: str
    rows: list[dict[str, float]] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    conversations: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def plain(found: cues.Cues, query: str) -> cues.Cues:
    """Keep nothing but the words of a question."""
    return cues.Cues(dense=query, groups=found.groups)


PLAIN = {"change": plain, "names": False, "lent": (0.0, 0.0, 0.0)}
WAYS = (
    Way("holdfast"),
    Way("dense", rank=ranking.items["vector"], **PLAIN),  # type: ignore[arg-type]
    Way("keywords", rank=ranking.items["keyword"], **PLAIN),  # type: ignore[arg-type]
    Way("convex", rank=ranking.items["hybrid"], **PLAIN),  # type: ignore[arg-type]
)


def ablations() -> Iterator[Way]:
    """Yield the recipe without each of its parts."""
    for one in fields(Weights):
        if getattr(DEFAULT, one.name) and not one.name.endswith("_range"):
            yield Way(f"without {one.name}", replace(DEFAULT, **{one.name: 0.0}))
    yield Way("without name as I", change=lambda found, query: replace(found, dense=query))
    yield Way("without names", names=False)
    yield Way("without neighbours' words", lent=(0.0, 0.0, 0.0))
    yield Way("without pairs", change=lambda found, query: replace(found, pairs=()))


def main() -> None:
    """Measure, print tables, write JSON and a plot."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--ablate", action="store_true", help="switch off each cue in turn")
    parser.add_argument("--facts", choices=["observation"], help="store given facts beside turns")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--plot", type=Path, help="draw recall over tokens here (.svg)")
    asked = parser.parse_args()
    embedder = Remembering(LocalEmbedder())
    ways = [*WAYS, *(ablations() if asked.ablate else ())]
    if asked.facts:
        ways = [Way("turns and facts"), Way("turns only", kinds=("turn",))]
    figures: dict[str, Any] = {}
    for path in asked.data:
        results = measure(read_conversations(path), ways, embedder, facts=bool(asked.facts))
        print(f"\n{path.stem}, {len(results[0].rows)} questions, tokens by {counter()[1]}\n")
        print(table(results))
        figures[path.stem] = {result.way: summary(result) for result in results}
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1) + "\n")
    if asked.plot:
        plot(figures, asked.plot)


def measure(
    conversations: Sequence[Conversation],
    ways: Sequence[Way],
    embedder: Embedder,
    *,
    facts: bool = False,
) -> list[Result]:
    """Return the figures of every way over every question that has evidence."""
    results = [Result(way.name) for way in ways]
    for conversation in conversations:
        with stored(conversation, embedder, facts=facts) as memory:
            for way, result in zip(ways, results, strict=True):
                with searching(way):
                    ask_all(memory, conversation, way, result)
    return results


@contextmanager
def stored(conversation: Conversation, embedder: Embedder, *, facts: bool) -> Iterator[Memory]:
    """Give a store of one conversation."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Memory(Path(folder) / "memory.db", embedder=embedder) as memory,
    ):
        remember(memory, conversation, facts=facts)
        yield memory


def remember(memory: Memory, conversation: Conversation, *, facts: bool) -> None:
    """Store a conversation, run by run, and on request the facts given with it."""
    for run in dict.fromkeys(said.run_id for said in conversation.turns):
        messages = [said.message for said in conversation.turns if said.run_id == run]
        memory.add(messages, user_id=conversation.name, run_id=run)
        for fact in conversation.observations if facts else ():
            if fact.run_id == run and fact.sources:
                memory.add(
                    Message(fact.text, name=fact.about),
                    user_id=conversation.name,
                    run_id=run,
                    kind="fact",
                    occurred_at=messages[0].occurred_at,
                    metadata={"sources": list(fact.sources)},
                )


def ask_all(memory: Memory, conversation: Conversation, way: Way, result: Result) -> None:
    """Ask every question twice: to find, and then, its vector at hand, to take the time."""
    count, _ = counter()
    for question in answerable(conversation):
        asked = {"user_id": conversation.name, "limit": FOUND, "kinds": way.kinds}
        memory.search(question.text, **asked)
        begun = time.perf_counter()
        matches = memory.search(question.text, **asked)
        result.seconds.append(time.perf_counter() - begun)
        shown = [Shown(turns_of(match), count(rendered(match))) for match in once(matches)]
        result.rows.append(measured(shown, question.evidence))
        result.categories.append(question.category)
        result.conversations.append(conversation.name)


def answerable(conversation: Conversation) -> Iterator[Question]:
    """Yield the questions whose answer was said."""
    for question in conversation.questions:
        if question.evidence and question.category != "adversarial":
            yield question


def once(matches: Sequence[Match]) -> Iterator[Match]:
    """Leave out what says again what a better match said: a fact and its turns count once."""
    seen: set[str] = set()
    for match in matches:
        if turns_of(match) - seen:
            seen |= turns_of(match)
            yield match


def turns_of(match: Match) -> frozenset[str]:
    """Return the ids of the turns a match stands for."""
    record = match.record
    if record.kind == "fact":
        return frozenset(record.metadata.get("sources", ()))
    return frozenset([record.message_id] if record.message_id else ())


@contextmanager
def searching(way: Way) -> Iterator[None]:
    """Search another way meanwhile."""
    read, rank, lent = cues.read, ranking.rank, keywords.LENT

    def reading(query: str, speakers: Any, now: datetime) -> cues.Cues:
        found = read(query, speakers if way.names else (), now)
        return way.change(found, query) if way.change else found

    def ranking_it(candidates: Any, cues: cues.Cues) -> Any:
        return way.rank(candidates) if way.rank else rank(candidates, cues, way.weights)

    cues.read, ranking.rank, keywords.LENT = reading, ranking_it, way.lent  # type: ignore[assignment]
    try:
        yield
    finally:
        cues.read, ranking.rank, keywords.LENT = read, rank, lent  # type: ignore[misc]


def table(results: Sequence[Result]) -> str:
    """Return the results as a Markdown table, in per cent."""
    head = f"| way | {' | '.join(SHOWN)} | ms p50 | p95 |"
    lines = [head, "|---" * (len(SHOWN) + 3) + "|"]
    for result in results:
        mean = means(result.rows)
        low, high = interval([row["recall@10"] for row in result.rows])
        cells = [f"{100 * mean[name]:.1f}" for name in SHOWN]
        cells[1] += f" [{100 * low:.1f}, {100 * high:.1f}]"
        times = [1_000 * value for value in sorted(result.seconds)]
        cells += [f"{statistics.median(times):.2f}", f"{times[int(0.95 * len(times))]:.2f}"]
        lines.append(f"| {result.way} | {' | '.join(cells)} |")
    return "\n".join(lines)


def summary(result: Result) -> Mapping[str, Any]:
    """Return the figures of one way: overall with intervals, by category, by conversation."""
    times = sorted(result.seconds)

    def by(labels: Sequence[str]) -> dict[str, dict[str, float]]:
        return {
            label: means(
                [row for row, own in zip(result.rows, labels, strict=True) if own == label]
            )
            for label in sorted(set(labels))
        }

    return {
        "questions": len(result.rows),
        "mean": means(result.rows),
        "interval": {n: interval([row[n] for row in result.rows]) for n in result.rows[0]},
        "by category": by(result.categories),
        "by conversation": by(result.conversations),
        "ms": {
            "p50": 1_000 * statistics.median(times),
            "p95": 1_000 * times[int(0.95 * len(times))],
        },
    }


def plot(figures: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Draw recall over tokens, one panel a file."""
    import matplotlib  # only here: the table needs no drawing

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(
        1, len(figures), figsize=(5.2 * len(figures), 3.8), layout="constrained", squeeze=False
    )
    for axes, (name, ways) in zip(panels[0], figures.items(), strict=True):
        for way, found in ways.items():
            if way.startswith("without"):
                continue
            mean = found["mean"]
            points = [(int(key[7:]), mean[key]) for key in mean if key.startswith("within")]
            axes.plot(*zip(*points, strict=True), marker="o", label=way)
        axes.set(title=name, xscale="log", ylim=(0, 1), xlabel="tokens", ylabel="evidence recall")
        axes.grid(visible=True, alpha=0.3)
    panels[0][0].legend(loc="lower right")
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
