"""How much of the answer is left in how few tokens: `context` against three other ways.

    uv run --group bench python benchmarks/tokens.py locomo.json --json out.json --plot out

For each question the turns that answer it are known. Recall is the share of them that a way
puts into the prompt (a fact counts for the turns it came from); tokens are those of the whole
text. No LLM takes part. The other ways:

* full: the whole history;
* last: its newest turns, as many as the budget holds;
* summary: the turns that together say the most different things per token, chosen once, whatever
  is asked (a maximum-coverage extract, Gillick & Favre 2009): what a summary without an LLM is.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections import Counter as Tally
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

from holdfast import Memory
from holdfast.context.redundancy import words
from holdfast.context.rendering import day, fenced, line
from holdfast.context.tokens import Counter, counter, estimate
from holdfast.maintenance.conversations import Conversation, Question, read_conversations
from holdfast.providers.local import LocalEmbedder
from holdfast.types import Record
from stores import Remembering, remember, remember_facts, turns_of
from tables import save

BUDGETS = (250, 500, 1_000, 1_500, 2_000, 4_000)


@dataclass(frozen=True)
class Point:
    """What one way gives at one budget, averaged over questions."""

    way: str
    budget: int | None
    recall: float
    tokens: float
    saving: float
    milliseconds: float
    by_category: Mapping[str, float]


@dataclass(frozen=True)
class Shown:
    """What one question got."""

    ids: frozenset[str]
    tokens: int
    seconds: float = 0.0


def main() -> None:
    """Measure, print a table, write JSON and plots."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("conversations", type=Path)
    parser.add_argument("--model", default="gpt-4o", help="whose tokenizer counts")
    parser.add_argument("--budgets", type=int, nargs="+", default=BUDGETS)
    parser.add_argument("--facts", choices=["observation"], help="store given facts beside turns")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--plot", type=Path, help="write a plot here, as .png and .svg")
    asked = parser.parse_args()
    count = counter(asked.model)
    if count is estimate:
        print(f"no tokenizer of {asked.model} at hand: tokens are estimated, about 10 % high")
    conversations = read_conversations(asked.conversations)
    points = measure(conversations, asked.budgets, count, facts=bool(asked.facts))
    print(table(points))
    if asked.json:
        asked.json.write_text(json.dumps([asdict(point) for point in points], indent=1) + "\n")
    if asked.plot:
        plot(points, asked.plot)


def measure(
    conversations: Sequence[Conversation],
    budgets: Sequence[int],
    count: Counter,
    *,
    facts: bool = False,
) -> list[Point]:
    """Return the points of all ways over all questions."""
    shown: dict[tuple[str, int | None], list[tuple[Question, Shown, int]]] = {}
    embedder = Remembering(LocalEmbedder())
    for conversation in conversations:
        with (
            tempfile.TemporaryDirectory() as folder,
            Memory(Path(folder) / "memory.db", embedder=embedder) as memory,
        ):
            records = remember(memory, conversation)
            embedder.embed([question.text for question in answerable(conversation)])
            if facts:
                remember_facts(memory, embedder, conversation, records)
            full = text_tokens(records, count)
            for budget in budgets:
                last = newest(records, budget, count)
                best = extract(records, budget, count)
                for question in answerable(conversation):
                    found = recall(memory, conversation, question, budget, count)
                    for way, what in (("context", found), ("last", last), ("summary", best)):
                        shown.setdefault((way, budget), []).append((question, what, full))
            everything = Shown(told(records), full)
            for question in answerable(conversation):
                shown.setdefault(("full", None), []).append((question, everything, full))
    return [_point(way, budget, rows) for (way, budget), rows in shown.items()]


def answerable(conversation: Conversation) -> list[Question]:
    """Return the questions that turns of the conversation answer."""
    return [
        question
        for question in conversation.questions
        if question.evidence and question.category != "adversarial"
    ]


def recall(
    memory: Memory, conversation: Conversation, question: Question, budget: int, count: Counter
) -> Shown:
    """Ask for a context."""
    begun = time.perf_counter()
    context = memory.context(
        question.text, max_tokens=budget, model=count, user_id=conversation.name
    )
    seconds = time.perf_counter() - begun
    ids = told(context.records)
    return Shown(ids, context.tokens, seconds)


def told(records: Iterable[Record]) -> frozenset[str]:
    """Return the conversation's ids of all turns that records stand for."""
    return frozenset[str]().union(*map(turns_of, records))


def newest(records: Sequence[Record], budget: int, count: Counter) -> Shown:
    """Take the last turns that the budget holds."""
    return _within(list(reversed(records)), budget, count)


def extract(records: Sequence[Record], budget: int, count: Counter) -> Shown:
    """Take the turns that add the most unseen words per token, each word weighed by rarity.

    Greedy, with the gains computed anew only when a turn comes to the top (they only fall).
    """
    said = {record.id: frozenset(words(record.text)) for record in records}
    spread = Tally(word for some in said.values() for word in some)
    weight = {word: math.log(1 + number) for word, number in spread.items() if number > 1}
    costs = {record.id: count(line(record, record.text)) for record in records}
    left, seen, chosen = list(records), set[str](), []
    while left and sum(costs[record.id] for record in chosen) < budget:
        gains = (sum(weight.get(w, 0) for w in said[one.id] - seen) / costs[one.id] for one in left)
        best = max(zip(gains, range(len(left)), strict=True))[1]
        chosen.append(left.pop(best))
        seen |= said[chosen[-1].id]
    return _within(chosen, budget, count)


def _within(ordered: Sequence[Record], budget: int, count: Counter) -> Shown:
    """Take the first so many records whose text is in budget."""
    fewest, most = 0, len(ordered)
    while fewest < most:
        tried = (fewest + most + 1) // 2
        if text_tokens(ordered[:tried], count) <= budget:
            fewest = tried
        else:
            most = tried - 1
    taken = ordered[:fewest]
    return Shown(told(taken), text_tokens(taken, count) if taken else 0)


def text_tokens(records: Iterable[Record], count: Counter) -> int:
    """Return what records cost in the form `context` gives them."""
    rows: list[str] = []
    header = ""
    for record in sorted(records, key=lambda record: (record.occurred_at, record.id)):
        if header != (header := day(record.occurred_at)):
            rows.append(header)
        rows.append(line(record, record.text))
    return count(fenced(rows))


def _point(way: str, budget: int | None, rows: Sequence[tuple[Question, Shown, int]]) -> Point:
    found = [
        (q.category, len(set(q.evidence) & shown.ids) / len(q.evidence)) for q, shown, _ in rows
    ]
    categories = sorted({category for category, _ in found})
    return Point(
        way,
        budget,
        fmean(share for _, share in found),
        fmean(shown.tokens for _, shown, _ in rows),
        1 - sum(shown.tokens for _, shown, _ in rows) / sum(full for _, _, full in rows),
        1_000 * fmean(shown.seconds for _, shown, _ in rows),
        {
            name: fmean(share for category, share in found if category == name)
            for name in categories
        },
    )


def table(points: Sequence[Point]) -> str:
    """Return the points as a Markdown table."""
    head = ["| way | budget | recall | tokens | saved | ms |", "|---|---|---|---|---|---|"]
    rows = (
        f"| {point.way} | {point.budget or ''} | {point.recall:.1%} | {point.tokens:,.0f}"
        f" | {point.saving:.1%} | {point.milliseconds:.1f} |"
        for point in sorted(points, key=lambda point: (point.way, point.budget or 0))
    )
    return "\n".join((*head, *rows))


def plot(points: Sequence[Point], path: Path) -> None:
    """Draw recall over tokens, as PNG and SVG."""
    import matplotlib  # only here: the table needs no drawing

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    names = {"context": "Holdfast context", "last": "last turns", "summary": "extract"}
    for way, name in names.items():
        line_of = sorted((point.tokens, point.recall) for point in points if point.way == way)
        axes.plot(*zip(*line_of, strict=True), marker="o", label=name)
    for point in points:
        if point.way == "full":
            axes.plot(point.tokens, point.recall, "k*", markersize=10, label="full history")
    axes.set(xscale="log", ylim=(0, 1.03), xlabel="tokens in the prompt", ylabel="evidence recall")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="center right")
    save(figure, path)


if __name__ == "__main__":
    main()
