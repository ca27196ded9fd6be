"""The checkpointer beside LangGraph's own `SqliteSaver`: time of a call, of a turn, size on disk.

    python benchmarks/langgraph_checkpoint.py        (see langgraph.py for the environment)
    python benchmarks/langgraph_checkpoint.py --cpu  (what a busy machine does not change)

Every contestant does the same work in turn, so a busy machine slows all alike. Durability is equal
within a group: in "normal" a commit survives the death of the process (WAL, synchronous NORMAL,
set by hand in the stock saver), in "full" also of the machine (WAL, synchronous FULL, which is how
`SqliteSaver` ships).
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from holdfast_langgraph import HoldfastSaver
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.base import BaseCheckpointSaver, empty_checkpoint
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, MessagesState, StateGraph

Saver = BaseCheckpointSaver[Any]
clock = time.perf_counter
Rows = dict[str, dict[str, float]]
Step = Callable[[str, Saver, int], None]
CONTESTANTS = ("holdfast normal", "sqlite normal", "holdfast full", "sqlite full")
MESSAGE_CHARACTERS = 240  # 400 of them: the 96 kB chat of the research page
SIZES = (5, 20, 100, 200, 400)
PUTS = 300  # too few for our log to be moved into the file once; stock's is, after 1,000 pages
GROWTH = 20  # puts of one thread: a conversation of 20 messages becomes one of 40


def open_saver(name: str, folder: Path, stack: ExitStack) -> Saver:
    """Return a saver on a file of its own."""
    kind, durability = name.split()
    path = str(folder / f"{name.replace(' ', '-')}.db")
    if kind == "holdfast":
        full = durability == "full"
        return stack.enter_context(
            HoldfastSaver.from_conn_string(path, durability="full" if full else "normal")
        )
    saver = stack.enter_context(SqliteSaver.from_conn_string(path))
    saver.setup()
    if durability == "normal":
        saver.conn.execute("PRAGMA synchronous = NORMAL")
    return saver


def interleave(
    savers: dict[str, Saver], rounds: int, step: Step, before: Step | None = None
) -> dict[str, list[float]]:
    """Run a step for every contestant in every round, in changing order; return milliseconds.

    What comes before a step is not timed.
    """
    times: dict[str, list[float]] = {name: [] for name in savers}
    order = list(savers)
    shuffle = random.Random(7)
    for at in range(rounds):
        shuffle.shuffle(order)
        for name in order:
            if before is not None:
                before(name, savers[name], at)
            begin = clock()
            step(name, savers[name], at)
            times[name].append(1000 * (clock() - begin))
    return times


def small_put() -> Step:
    """Put checkpoints of a few small channels, each the child of the one before."""
    last: dict[str, Any] = {}

    def step(name: str, saver: Saver, at: int) -> None:
        checkpoint = empty_checkpoint()
        checkpoint["id"] = str(uuid6(clock_seq=at))
        checkpoint["channel_values"] = {"count": at, "note": "a short note", "flag": True}
        checkpoint["channel_versions"] = {"count": at + 1, "note": 1, "flag": 1}
        config = last.get(name) or {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
        metadata = {"source": "loop", "step": at, "parents": {}}
        last[name] = saver.put(config, checkpoint, metadata, {"count": at + 1})

    return step


class LongPut:
    """Puts checkpoints of a conversation that is `length` messages long and grows by one a put.

    After `GROWTH` puts another thread begins; its first put, of all messages at once, is not timed.
    """

    def __init__(self, length: int) -> None:
        words = random.Random(1)
        self._length = length
        self._said = [HumanMessage(sentence(words), id=str(at)) for at in range(length + GROWTH)]
        self._last: dict[str, Any] = {}

    def begin(self, name: str, saver: Saver, at: int) -> None:
        """Put the first state of a thread where one begins."""
        if at % GROWTH == 0:
            config = {"configurable": {"thread_id": f"l{at}", "checkpoint_ns": ""}}
            self._put(name, saver, config, 0, at)

    def step(self, name: str, saver: Saver, at: int) -> None:
        """Put the next state."""
        self._put(name, saver, self._last[name], 1 + at % GROWTH, at)

    def _put(self, name: str, saver: Saver, config: Any, more: int, at: int) -> None:
        checkpoint = empty_checkpoint()
        checkpoint["id"] = str(uuid6(clock_seq=at))
        checkpoint["channel_values"] = {"messages": self._said[: self._length + more]}
        checkpoint["channel_versions"] = {"messages": more + 1}
        metadata: Any = {"source": "loop", "step": more, "parents": {}}
        self._last[name] = saver.put(config, checkpoint, metadata, {"messages": more + 1})


class TaskWrites:
    """Puts what a task of a graph writes: some messages, and which node comes next.

    Each task writes after a checkpoint of its own, whose put is not timed.
    """

    def __init__(self, messages: int, characters: int = MESSAGE_CHARACTERS) -> None:
        words = random.Random(3)
        self._said = [sentence(words, characters) for _ in range(messages)]
        self._put = small_put()
        self._last: dict[str, Any] = {}

    def begin(self, name: str, saver: Saver, at: int) -> None:
        """Put the checkpoint."""
        self._put(name, saver, at)
        thread = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
        found = saver.get_tuple(thread)  # type: ignore[arg-type]
        assert found is not None
        self._last[name] = found.config

    def step(self, name: str, saver: Saver, at: int) -> None:
        """Put the writes."""
        writes: list[tuple[str, Any]] = [("branch:to:answer", None)]
        if self._said:
            said = [AIMessage(text, id=f"{at}-{number}") for number, text in enumerate(self._said)]
            writes.insert(0, ("messages", said))
        saver.put_writes(self._last[name], writes, f"task-{at:032}", "~__pregel_pull, answer")


def sentence(words: random.Random, characters: int = MESSAGE_CHARACTERS) -> str:
    """Return made-up words, so many characters long."""
    letters = "etaoinshrdlu"
    text = ""
    while len(text) < characters:
        text += "".join(words.choices(letters, k=words.randint(2, 9))) + " "
    return text[:characters]


def chat_turn(savers: dict[str, Saver]) -> Step:
    """Run a turn of a graph: a person speaks, the assistant answers."""
    words = random.Random(2)
    graph = StateGraph(MessagesState)
    graph.add_node("answer", lambda state: {"messages": [AIMessage(sentence(words))]})
    graph.add_edge(START, "answer")
    graph.add_edge("answer", END)
    compiled = {name: graph.compile(checkpointer=saver) for name, saver in savers.items()}

    def step(name: str, saver: Saver, at: int) -> None:
        said = {"messages": [HumanMessage(sentence(words))]}
        compiled[name].invoke(said, {"configurable": {"thread_id": "chat"}})

    return step


def read_latest(name: str, saver: Saver, at: int) -> None:
    """Read the chat's latest checkpoint."""
    assert saver.get_tuple({"configurable": {"thread_id": "chat"}})


def list_newest(thread: str) -> Step:
    """List one checkpoint of a thread: its newest."""

    def step(name: str, saver: Saver, at: int) -> None:
        config: Any = {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}
        assert len(list(saver.list(config, limit=1))) == 1

    return step


def measure_chat(turns: int, rows: Rows) -> None:
    """Hold a chat, read its end, and weigh the closed files."""
    with tempfile.TemporaryDirectory() as given:
        folder = Path(given)
        with ExitStack() as stack:
            savers = {name: open_saver(name, folder, stack) for name in CONTESTANTS}
            chat = interleave(savers, turns, chat_turn(savers))
            reads = interleave(savers, 40, read_latest)
            lists = interleave(savers, 40, list_newest("chat"))
        for name in CONTESTANTS:
            rows[name]["turn, first 20"] = statistics.median(chat[name][:20])
            rows[name]["turn, last 20"] = statistics.median(chat[name][-20:])
            rows[name]["read at the end"] = statistics.median(reads[name])
            rows[name]["list(limit=1) at the end"] = statistics.median(lists[name])
            files = folder.glob(f"{name.replace(' ', '-')}.db*")
            rows[name]["file, kB"] = sum(path.stat().st_size for path in files) / 1000


def measure_puts(rows: Rows, puts: int) -> None:
    """Put small and large checkpoints, each kind on new files."""
    kinds: dict[str, tuple[Step, Step | None]] = {"put, no message": (small_put(), None)}
    for length in SIZES:
        long = LongPut(length)
        kinds[f"put, {length} messages"] = long.step, long.begin
    for title, (step, before) in kinds.items():
        with tempfile.TemporaryDirectory() as given, ExitStack() as stack:
            savers = {name: open_saver(name, Path(given), stack) for name in CONTESTANTS}
            times = interleave(savers, puts, step, before)
        for name in CONTESTANTS:
            rows[name][title] = statistics.median(times[name])
            rows[name][title + ", mean"] = statistics.mean(times[name])


def measure_writes(rows: Rows, puts: int) -> None:
    """Put what tasks write, each kind on new files; then list a checkpoint of a few numbers."""
    kinds = {
        "put_writes, no message": TaskWrites(0),
        "put_writes, 1 message": TaskWrites(1),
        "put_writes, 5 messages": TaskWrites(5),
        "put_writes, 1 of 3,000 chars": TaskWrites(1, 3_000),
    }
    for title, writes in kinds.items():
        with tempfile.TemporaryDirectory() as given, ExitStack() as stack:
            savers = {name: open_saver(name, Path(given), stack) for name in CONTESTANTS}
            times = interleave(savers, puts, writes.step, writes.begin)
            lists = interleave(savers, 300, list_newest("t"))
        for name in CONTESTANTS:
            rows[name][title] = statistics.median(times[name])
            rows[name][title + ", mean"] = statistics.mean(times[name])
            if title == "put_writes, no message":
                rows[name]["list(limit=1), no message"] = statistics.median(lists[name])


def measured(turns: int, puts: int = PUTS) -> Rows:
    """Return every figure of every contestant, milliseconds but for the files."""
    rows: Rows = {name: {} for name in CONTESTANTS}
    measure_chat(turns, rows)
    measure_puts(rows, puts)
    measure_writes(rows, puts)
    return rows


def show(rows: Rows, turns: int) -> None:
    """Print a table."""
    text = 2 * turns * MESSAGE_CHARACTERS / 1000
    print(f"checkpoints: median ms; a chat of {turns} turns, {text:.0f} kB of text")
    print(f"{'':36}" + "".join(f"{name:>18}" for name in CONTESTANTS))
    for title in rows[CONTESTANTS[0]]:
        print(f"{title:36}" + "".join(f"{rows[name][title]:18.3f}" for name in CONTESTANTS))


def main() -> None:
    """Print a table, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--puts", type=int, default=PUTS, help="and put_writes, of each kind")
    parser.add_argument("--cpu", action="store_true", help="CPU time of the process, not wall time")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    if arguments.cpu:
        global clock
        clock = time.process_time
    rows = measured(arguments.turns, arguments.puts)
    show(rows, arguments.turns)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
