"""Byte search after erasure: what was erased is in no file, no export, no log line, no repr.

Every plant stores words that occur nowhere else, in every place that words can lie: texts, names,
metadata, ids of messages, facts, relations, reasons, summaries, procedures, documents, chats,
vectors, hashes of terms and of texts. Some plants are erased, each in one of the ways there are;
their neighbours stay, and are found by the same search.

Watches the repairs of erasure: digests that could be guessed, names of emptied namespaces, chats
left in the write-ahead log, and what a session's erasure takes along.
"""

from __future__ import annotations

import hashlib
import logging
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

from faults.parts import Counts, Report, quiet
from faults.planting import PLANTS, Ground, Plant
from faults.talker import answer, opened
from holdfast import Memory, Scope
from holdfast.testing import ScriptedLLM

KEY = bytes(range(32))
WHOLE = 60  # rounds of each kind of file


def reply(messages: Any, tool: Any) -> Any:
    """Answer as ever, with the words of the fact in the reason, too."""
    said = answer(messages, tool)
    if tool is not None and tool.name == "decide":
        rows = [row for row in messages[1]["content"].splitlines() if row.startswith("F")]
        for one in said["decisions"]:
            one["reason"] = next(row for row in rows if row.startswith(one["fact"] + " "))[-60:]
    return said


class Listening(logging.Handler):
    """Keeps every line that is logged, tracebacks included."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(logging.Formatter().format(record))


@contextmanager
def listening() -> Iterator[Listening]:
    """Hear what is logged, at every level."""
    ear, root = Listening(), logging.getLogger("holdfast")
    level = root.level
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    try:
        yield ear
    finally:
        root.removeHandler(ear)
        root.setLevel(level)


@dataclass
class Garden:
    """What grows in one file: what is to go and what is to stay."""

    gone: list[Plant]
    kept: list[Plant]


def one_round(seed: int, key: bytes | None = None, durability: str = "normal") -> Counts:
    """Plant everything twice, erase one of each, and look for it everywhere."""
    counts, folder = Counts(), Path(tempfile.mkdtemp(prefix="holdfast-needles-"))
    path = folder / "m.db"
    try:
        with listening() as ear:
            llm = ScriptedLLM(repeat(reply))
            memory = opened(path, llm, key=key, durability=durability)
            garden = _plant(memory, folder, random.Random(seed))
            said = [repr(plant.erase()) for plant in garden.gone]
            memory.purge()
            told = [*said, repr(memory), repr(memory.stats()), repr(memory.documents)]
            if memory.stats().erasure_pending:
                counts.fail(f"seed {seed}: an erasure is still pending after purge()")
            problems = memory.stats(check=True).problems
            if problems:
                counts.fail(f"seed {seed}: check says {problems}")
            where = _places(memory, folder, key is not None)
            where |= {"log output": "\n".join(ear.lines), "repr": "\n".join(told)}
            _look(counts, seed, garden, where, "open")
            for plant in [*garden.gone, *garden.kept]:
                plant.close()
            memory.close()
            _look(counts, seed, garden, _files(folder) if key is None else {}, "closed")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return counts


def _plant(memory: Memory, folder: Path, rng: random.Random) -> Garden:
    ground = Ground(memory, folder, rng)
    makers = list(PLANTS.items())
    rng.shuffle(makers)
    garden = Garden([], [])
    for name, maker in makers:
        for plants in rng.sample([garden.gone, garden.kept], 2):
            plant = maker(ground)
            plant.name = name
            plants.append(plant)
    rng.shuffle(garden.gone)
    return garden


# -- where to look ---------------------------------------------------------------------------------


def _places(memory: Memory, folder: Path, encrypted: bool) -> dict[str, Any]:
    """Return all that can be read: every verb's words, and every file's bytes if it is plain."""
    memory.export(folder / "out.jsonl")
    found: dict[str, Any] = {"export": (folder / "out.jsonl").read_text()}
    (folder / "out.jsonl").unlink()
    read: list[Any] = [memory.documents.namespaces(), memory.documents.search((), limit=1_000)]
    for scope in _scopes(memory):
        ids = scope.ids()
        listed = memory.list(limit=1_000, **ids)
        read += [listed, memory.search("tea", limit=1_000, **ids), memory.context("tea", **ids)]
        read += [memory.history(record.id, **ids) for record in listed]
        read += [memory.graph(**ids).entities(), memory.graph(**ids).relations()]
    found["reads"] = repr(read)
    return found if encrypted else found | _files(folder)


def _files(folder: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()}


def _scopes(memory: Memory) -> list[Scope]:
    with memory._storage.database.read() as connection:
        rows = connection.execute(
            "SELECT user_id, agent_id, run_id, app_id FROM namespaces WHERE coalesce(user_id,"
            " agent_id, run_id, app_id) IS NOT NULL"
        ).fetchall()
    return [Scope(*row) for row in rows]


def _look(counts: Counts, seed: int, garden: Garden, where: dict[str, Any], when: str) -> None:
    as_bytes = {
        name: one if isinstance(one, bytes) else one.encode() for name, one in where.items()
    }
    for plant in garden.gone:
        for needle in _needles(plant):
            counts["needles"] += 1
            for name, hay in as_bytes.items():
                if needle in hay:
                    shown = needle if needle.isascii() else needle.hex()
                    counts.fail(f"seed {seed}: {plant.name}: {shown!r} in {name} while {when}")
    everything = b"".join(as_bytes.values())
    plain = any(name.endswith(".db") for name in where)
    for plant in garden.kept if where else []:
        if not (plain or plant.told):
            continue
        counts["kept"] += 1
        missing = [word for word in plant.words if word.encode() not in everything]
        if missing:
            counts.fail(f"seed {seed}: {plant.name} was to stay, and {missing} are gone ({when})")


def _needles(plant: Plant) -> Iterator[bytes]:
    """Yield words and vectors as they lie in a file, and digests by which words can be guessed."""
    yield from plant.raw
    for word in [*plant.words, *plant.forgotten]:
        yield word.encode()
    for text in plant.whole:
        yield from _digests(text, plant.keys)


def _digests(text: str, keys: list[str]) -> Iterator[bytes]:
    data = text.encode()
    for name in ("md5", "sha1", "sha256"):
        yield hashlib.new(name, data, usedforsecurity=False).digest()
    for size in (8, 16, 20, 32, 64):
        for key in [b"", *(one.encode()[:64] for one in keys)]:
            yield hashlib.blake2b(data, digest_size=size, key=key).digest()


# -- the part --------------------------------------------------------------------------------------

KINDS: tuple[tuple[bytes | None, str], ...] = ((None, "normal"), (None, "full"), (KEY, "normal"))


def whole(seed: int, scale: float = 1.0, report: Report = quiet) -> Counts:
    """Plant and erase in 60 files of each kind: plain, written through, encrypted."""
    counts = Counts()
    ground: Callable[..., Counts] = one_round
    for number in range(max(1, int(WHOLE * scale))):
        for key, durability in KINDS:
            counts.take(ground(seed * 1_000 + number, key, durability))
        report(f"needles: round {number + 1}, {counts['failures']} failures")
    return counts
