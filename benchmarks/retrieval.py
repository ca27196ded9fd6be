"""How much of the evidence a search finds: Holdfast beside three plainer ways, on the same store.

    uv run python benchmarks/retrieval.py --data locomo.json beam.json --ablate --json out.json

One store per conversation, through the public API; the local embedder unless the extra flags say
otherwise; no LLM. A match counts for the turn it is (or, of a fact, for its source turns). The
plain ways see the question as it stands: `dense` (what a vector store returns), `keywords` (BM25
over the turns), `lifted` (the cosine, lifted by BM25: hybrid search of items). `--ablate` switches
every cue off in turn.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from holdfast import Embedder, Match, Memory
from holdfast.language import cues
from holdfast.maintenance.conversations import Conversation, Question, Said, read_conversations
from holdfast.providers.local import LocalEmbedder
from holdfast.retrieval.conductor import ranking
from holdfast.retrieval.ranking import DEFAULT, Weights
from holdfast.storage.index import keywords
from holdfast.types import Kind
from measures import Result, Shown, counter, measured, rendered
from stores import Remembering, remember, remember_facts, turns_of
from tables import ALONE, ablated, by_category, plot, summary, table

FOUND = 60  # matches asked for; the largest cut is 50


@dataclass(frozen=True)
class Way:
    """One way to search: how a question is read, candidates are ranked, neighbours lend words."""

    name: str
    weights: Weights = DEFAULT
    rank: Callable[..., Any] | None = None
    change: Callable[[cues.Cues, str], cues.Cues] | None = None
    names: bool = True
    lent: tuple[float, ...] = keywords.NEIGHBOUR_WEIGHTS
    kinds: tuple[Kind, ...] = ("turn", "fact")


def plain(found: cues.Cues, query: str) -> cues.Cues:
    """Keep nothing but the words of a question."""
    return cues.Cues(dense=query, groups=found.groups)


OWN = (1.0, 0.0, 0.0, 0.0)  # no words but a turn's own
PLAIN = {"change": plain, "names": False, "lent": OWN}
WAYS = (
    Way("holdfast"),
    Way("dense", rank=ranking.documents["vector"], **PLAIN),  # type: ignore[arg-type]
    Way("keywords", rank=ranking.documents["keyword"], **PLAIN),  # type: ignore[arg-type]
    Way("lifted", rank=ranking.documents["hybrid"], **PLAIN),  # type: ignore[arg-type]
)


def ablations() -> Iterator[Way]:
    """Yield the recipe without each of its parts; `graph_recall.py` measures that of relations."""
    for one in fields(Weights):
        if getattr(DEFAULT, one.name) and not one.name.endswith(("_range", "graph")):
            yield Way(ALONE + one.name, replace(DEFAULT, **{one.name: 0.0}))
    yield Way(ALONE + "name as I", change=lambda found, query: replace(found, dense=query))
    yield Way(ALONE + "names", names=False)
    yield Way(ALONE + "neighbours' words", lent=OWN)
    yield Way(ALONE + "pairs", change=lambda found, query: replace(found, pairs=()))


def main() -> None:
    """Measure, print tables, write JSON and a plot."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--ablate", action="store_true", help="switch off each cue in turn")
    parser.add_argument("--facts", choices=["observation"], help="store given facts beside turns")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--plot", type=Path, help="draw recall over tokens here, as .png and .svg")
    asked = parser.parse_args()
    embedder = Remembering(LocalEmbedder())
    ways = [*WAYS, *(ablations() if asked.ablate else ())]
    if asked.facts:
        ways = [Way("turns and facts"), Way("turns only", kinds=("turn",))]
    figures: dict[str, Any] = {}
    for path in asked.data:
        results = measure(read_conversations(path), ways, embedder, facts=bool(asked.facts))
        print(f"\n{path.stem}, {len(results[0].rows)} questions, tokens by {counter()[1]}\n")
        print(f"{table(results)}\n\n{by_category(results)}")
        if asked.ablate:
            print(f"\n{ablated(results)}")
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
        turns = remember(memory, conversation)
        if facts:
            remember_facts(memory, embedder, conversation, turns)
        yield memory


def ask_all(memory: Memory, conversation: Conversation, way: Way, result: Result) -> None:
    """Ask every question, ablations apart twice: then, its vector at hand, to take the time."""
    count, _ = counter()
    full = sum(count(spoken(said)) for said in conversation.turns)
    for question in answerable(conversation):
        asked = {"user_id": conversation.name, "limit": FOUND, "kinds": way.kinds}
        if not way.name.startswith(ALONE):
            memory.search(question.text, **asked)
        begun = time.perf_counter()
        matches = memory.search(question.text, **asked)
        result.seconds.append(time.perf_counter() - begun)
        shown = [Shown(turns_of(match.record), count(rendered(match))) for match in once(matches)]
        result.rows.append(measured(shown, question.evidence, full))
        result.categories.append(question.category)
        result.conversations.append(conversation.name)


def spoken(said: Said) -> str:
    """Return a turn as a prompt that holds the whole history shows it."""
    return f"{said.message.name or said.message.role}: {said.message.content}"


def answerable(conversation: Conversation) -> Iterator[Question]:
    """Yield the questions whose answer was said."""
    for question in conversation.questions:
        if question.evidence and question.category != "adversarial":
            yield question


def once(matches: Sequence[Match]) -> Iterator[Match]:
    """Leave out what says again what a better match said: a fact and its turns count once."""
    seen: set[str] = set()
    for match in matches:
        if turns_of(match.record) - seen:
            seen |= turns_of(match.record)
            yield match


@contextmanager
def searching(way: Way) -> Iterator[None]:
    """Search another way meanwhile."""
    read, rank, lent = cues.read, ranking.rank, keywords.NEIGHBOUR_WEIGHTS

    def reading(query: str, speakers: Any, now: datetime) -> cues.Cues:
        found = read(query, speakers if way.names else (), now)
        return way.change(found, query) if way.change else found

    def ranking_it(candidates: Any, cues: cues.Cues) -> Any:
        return way.rank(candidates) if way.rank else rank(candidates, cues, way.weights)

    cues.read, ranking.rank, keywords.NEIGHBOUR_WEIGHTS = reading, ranking_it, way.lent  # type: ignore[assignment]
    try:
        yield
    finally:
        cues.read, ranking.rank, keywords.NEIGHBOUR_WEIGHTS = read, rank, lent  # type: ignore[misc]


if __name__ == "__main__":
    main()
