r"""LoCoMo from end to end: remember conversations, answer questions about them, judge the answers.

    uv run python benchmarks/locomo.py locomo.json                                  # no model
    uv run python benchmarks/locomo.py locomo.json --model gpt-4.1-mini --yes \
        --folder run --record run/traffic.jsonl --json run/figures.json
    uv run python benchmarks/locomo.py locomo.json --model gpt-4.1-mini --replay run/traffic.jsonl

Memory, plain retrieval, the newest turns and the whole conversation answer the same questions in
one run. With a model: F1, BLEU-1 and a strict judge's score by category (1 to 4; 5, what was never
said, apart). Without one: the share of the evidence each way shows, its tokens, its latency. An
estimate of calls and tokens comes first, and without --yes nothing else is asked of a model.
``--folder`` keeps memories and answers: run the same command again and it goes on where it
stopped. ``--keys`` takes corrected answers: a JSON list of ``{"conversation", "question",
"answer"}``, where ``null`` leaves a question out.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from grading import FIXED_TOKENS, UNKNOWN, answer, judge
from holdfast import LLM, Embedder, Memory, ProviderError
from holdfast.context.tokens import Counter, counter
from holdfast.maintenance.conversations import Conversation, Question, read_conversations
from holdfast.providers.local import LocalEmbedder
from holdfast.providers.openai import OpenAILLM
from holdfast.testing import HashEmbedder
from reporting import figures, tables
from scoring import bleu1, f1
from traffic import Recorded, Replayed
from ways import NAMES, Found, Ways

BATCH = 20  # turns one extraction reads
EXTRACTION, CONSOLIDATION = 1_100, 1_200  # prompt tokens of one call, the new turns aside
WRITTEN, ANSWERED = 900, 80  # completion tokens of one extraction, of one answer and verdict

Row = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """One question to be answered one way."""

    conversation: int
    number: int
    way: str


@dataclass(frozen=True)
class Setting:
    """All that a figure depends on, and where things are kept."""

    asked: argparse.Namespace
    conversations: Sequence[Conversation]
    embedder: Embedder
    count: Counter
    llm: LLM | None
    judge: LLM | None
    folder: Path

    @property
    def name(self) -> str:
        """Tells rows of other settings in the same folder apart."""
        names = ("model", "judge_model", "tokens", "last", "turns_only", "embedder", "keys")
        return json.dumps([str(getattr(self.asked, name)) for name in names])

    def memory(self, place: int) -> Path:
        """Where a conversation is remembered: elsewhere with other facts or vectors."""
        facts = "turns" if self.llm is None or self.asked.turns_only else self.asked.model
        made = hashlib.blake2b(f"{facts}, {self.asked.embedder}".encode(), digest_size=4)
        return self.folder / f"{place}-{made.hexdigest()}.db"

    @property
    def rows(self) -> Path:
        """Where answers are kept, one a line."""
        return self.folder / "answers.jsonl"


def main() -> None:
    """Estimate, then measure and report."""
    asked = arguments()
    with ExitStack() as stack:
        folder = asked.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        setting = set_up(asked, folder)
        known = kept(setting)
        left = list(tasks(setting, known))
        print(f"{len(left)} answers to make, {len(known)} at hand", file=sys.stderr)
        if setting.llm is not None:
            print(estimate(setting, left))
            if not (asked.yes or asked.replay):
                print("nothing was asked yet: add --yes to go on")
                return
        rows = known + asyncio.run(measure(setting, left))
    print(tables(rows))
    if asked.json:
        asked.json.write_text(json.dumps(figures(rows), indent=1) + "\n")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("conversations", type=Path)
    parser.add_argument("--model", help="the endpoint's name of the model that answers")
    parser.add_argument("--judge-model", help="by default the same")
    parser.add_argument("--preset", choices=["openai", "anthropic", "gemini", "ollama"])
    parser.add_argument("--base-url", help="address of any other OpenAI-compatible service")
    parser.add_argument("--key-variable", help="environment variable of its key")
    parser.add_argument("--turns-only", action="store_true", help="remember turns, derive no facts")
    parser.add_argument("--ways", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--tokens", type=int, default=1_000, help="budget of holdfast and rag")
    parser.add_argument("--last", type=int, default=50, help="turns of the way `last`")
    parser.add_argument("--keys", type=Path, help="corrected answers")
    parser.add_argument("--limit", type=int, help="questions a conversation")
    parser.add_argument("--parallel", type=int, default=8, help="questions asked at a time")
    parser.add_argument("--embedder", choices=["local", "hash"], default="local")
    parser.add_argument("--price", type=float, nargs=2, help="of a million tokens in, and out")
    parser.add_argument("--record", type=Path, help="write all model traffic here")
    parser.add_argument("--replay", type=Path, help="answer from such a file, ask nobody")
    parser.add_argument("--folder", type=Path, help="keep memories and answers here, to go on")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--yes", action="store_true", help="go on after the estimate")
    return parser.parse_args()


# -- setting up ---------------------------------------------------------------------------------


def set_up(asked: argparse.Namespace, folder: Path) -> Setting:
    """Read what was asked for."""
    conversations = [
        corrected(one, corrections(asked.keys)) for one in read_conversations(asked.conversations)
    ]
    llm = model(asked, asked.model)
    return Setting(
        asked=asked,
        conversations=conversations,
        embedder=LocalEmbedder() if asked.embedder == "local" else HashEmbedder(256),
        count=counter("gpt-4o"),
        llm=llm,
        judge=model(asked, asked.judge_model) if asked.judge_model else llm,
        folder=folder,
    )


def model(asked: argparse.Namespace, name: str | None) -> LLM | None:
    """Return the model, its traffic recorded or replayed if so asked."""
    if asked.replay:
        return Replayed(asked.replay)
    if name is None:
        return None
    key = os.environ.get(asked.key_variable) if asked.key_variable else None
    llm = OpenAILLM(
        name,
        preset=asked.preset,
        base_url=asked.base_url,
        api_key=key,
        options={"temperature": 0},
    )
    return Recorded(llm, asked.record) if asked.record else llm


def corrections(path: Path | None) -> Mapping[tuple[str, str], str | None]:
    """Return corrected answers by conversation and question."""
    listed = [] if path is None else json.loads(path.read_text(encoding="utf-8"))
    return {(one["conversation"], one["question"]): one["answer"] for one in listed}


def corrected(
    conversation: Conversation, keys: Mapping[tuple[str, str], str | None]
) -> Conversation:
    """Return a conversation with corrected answers, without questions that have none."""
    questions = []
    for question in conversation.questions:
        key = keys.get((conversation.name, question.text), question.answer)
        if key is not None:
            unknown = question.category == "adversarial" and not key
            questions.append(replace(question, answer=UNKNOWN if unknown else str(key)))
    return replace(conversation, questions=tuple(questions))


def kept(setting: Setting) -> list[Row]:
    """Return the answers of an earlier run of the same setting."""
    if not setting.rows.exists():
        return []
    with setting.rows.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.endswith("\n")]
    return [row for row in rows if row["setting"] == setting.name]


def tasks(setting: Setting, known: Sequence[Row]) -> Iterator[Task]:
    """Yield what is still to be answered."""
    done = {(row["conversation"], row["number"], row["way"]) for row in known}
    for place, conversation in enumerate(setting.conversations):
        for number, question in enumerate(conversation.questions[: setting.asked.limit]):
            if not question.answer and setting.llm is not None:
                continue
            for way in setting.asked.ways:
                if (place, number, way) not in done:
                    yield Task(place, number, way)


def estimate(setting: Setting, left: Sequence[Task]) -> str:
    """Return what the run is going to cost, in words."""
    said = [
        [setting.count(turn.message.content) for turn in conversation.turns]
        for conversation in setting.conversations
    ]
    calls = prompt = written = 0
    if not setting.asked.turns_only:
        for place in {task.conversation for task in left}:
            batches = sum(
                -(-sum(turn.run_id == run for turn in setting.conversations[place].turns) // BATCH)
                for run in {turn.run_id for turn in setting.conversations[place].turns}
            )
            calls += 2 * batches
            prompt += batches * (EXTRACTION + CONSOLIDATION) + sum(said[place])
            written += batches * WRITTEN
    for task in left:
        every = said[task.conversation]
        whole = {"full": sum(every), "last": sum(every[-setting.asked.last :])}
        calls += 2
        prompt += whole.get(task.way, setting.asked.tokens) + FIXED_TOKENS
        written += ANSWERED
    told = f"about {calls:,} calls, {prompt:,} tokens in, {written:,} out"
    if setting.asked.price:
        into, out = setting.asked.price
        told += f": {(prompt * into + written * out) / 1e6:,.2f} at most, without caching"
    return f"estimate: {told}"


# -- measuring ----------------------------------------------------------------------------------


async def measure(setting: Setting, left: Sequence[Task]) -> list[Row]:
    """Answer what is left; write each answer down as soon as it is there."""
    rows: list[Row] = []
    for place in sorted({task.conversation for task in left}):
        mine = [task for task in left if task.conversation == place]
        rows += await one_conversation(setting, place, mine)
    return rows


async def one_conversation(setting: Setting, place: int, mine: Sequence[Task]) -> list[Row]:
    """Remember a conversation, look for all answers one by one, then ask many at a time."""
    conversation = setting.conversations[place]
    async with Memory(
        setting.memory(place),
        embedder=setting.embedder,
        llm=None if setting.asked.turns_only else setting.llm,
    ) as memory:
        await remember(memory, conversation)
        ways = Ways(
            conversation,
            memory,
            setting.embedder,
            setting.count,
            budget=setting.asked.tokens,
            last=setting.asked.last,
        )
        asked = [conversation.questions[task.number] for task in mine]
        for question in asked[:1]:
            ways.find("holdfast", question.text)  # what is loaded once is nobody's latency
        found = [ways.find(task.way, one.text) for task, one in zip(mine, asked, strict=True)]
    gate = asyncio.Semaphore(setting.asked.parallel)
    made = await asyncio.gather(
        *(
            one_answer(setting, gate, task, one, notes)
            for task, one, notes in zip(mine, asked, found, strict=True)
        )
    )
    failed = made.count(None)
    if failed:
        print(f"{conversation.name}: {failed} answers failed; run again", file=sys.stderr)
    return [row for row in made if row is not None]


async def remember(memory: Memory, conversation: Conversation) -> None:
    """Add a conversation, session by session; what was added before costs nothing."""
    for run in dict.fromkeys(turn.run_id for turn in conversation.turns):
        said = [turn.message for turn in conversation.turns if turn.run_id == run]
        try:
            await memory.aadd(said, user_id=conversation.name, run_id=run)
        except ProviderError as error:
            print(f"{conversation.name}, {run}: {error}", file=sys.stderr)
    if memory.stats().waiting + memory.stats().parked:
        changes = await memory.aflush(retry=True)
        for problem in changes.problems:
            print(f"{conversation.name}: {problem}", file=sys.stderr)


async def one_answer(
    setting: Setting, gate: asyncio.Semaphore, task: Task, question: Question, found: Found
) -> Row | None:
    """Answer and judge one question; None if the model failed."""
    evidence = set(question.evidence)
    row: Row = {
        "setting": setting.name,
        "conversation": task.conversation,
        "number": task.number,
        "way": task.way,
        "category": question.category,
        "recall": len(evidence & found.turns) / len(evidence) if evidence else None,
        "tokens": found.tokens,
        "search": found.seconds,
    }
    try:
        async with gate:
            row |= await graded(setting, question, found)
    except ProviderError as error:
        print(f"question {task.number}, {task.way}: {error}", file=sys.stderr)
        return None
    with setting.rows.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return row


async def graded(setting: Setting, question: Question, found: Found) -> Row:
    """Return answer, scores and cost; nothing without a model."""
    if setting.llm is None or setting.judge is None:
        return {}
    begun = time.perf_counter()
    said, usage = await answer(setting.llm, found.text, question.text)
    seconds = time.perf_counter() - begun
    verdict = await judge(setting.judge, question.text, question.answer, said)
    usage += verdict.usage
    return {
        "answer": said,
        "f1": f1(said, question.answer, question.category),
        "bleu1": bleu1(said, question.answer, question.category),
        "judge": float(verdict.correct),
        "total": found.seconds + seconds,
        "usage": [usage.calls, usage.prompt_tokens, usage.completion_tokens],
    }


if __name__ == "__main__":
    main()
