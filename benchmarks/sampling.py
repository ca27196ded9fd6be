"""A sampling profiler that costs nothing between samples: where in the code does time pass.

A timer interrupts at random moments; the innermost frame of the package at hand is noted. Time in
C (SQLite, FAISS, numpy) counts for the line that called it.
"""

from __future__ import annotations

import linecache
import random
import re
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

INTERVAL = 0.0005  # seconds, on average
_ENDS = re.compile(r"\"(BEGIN|COMMIT|SAVEPOINT|RELEASE|ROLLBACK)\b|execute\(begin\)")
_SQL = re.compile(r"\.(execute|executemany|fetchone|fetchall)\(|\bin rows\b|\bin cursor\b")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sample was taken.

    Attributes:
        module: Below the package.
        function: Its name.
        sql: Whether SQLite ran.
        ends: Whether it began or ended a transaction.
    """

    module: str
    function: str
    sql: bool = False
    ends: bool = False


@dataclass
class Samples:
    """How often each place was met."""

    counts: Counter[Place] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """All samples."""
        return sum(self.counts.values())


@contextmanager
def sampling(folder: Path) -> Iterator[Samples]:
    """Sample this thread while the block runs; `folder` holds the package that is of interest."""
    samples, dice, root, over = Samples(), random.Random(5), f"{folder}/", False

    def again() -> None:
        signal.setitimer(signal.ITIMER_REAL, dice.uniform(0.2, 1.8) * INTERVAL)

    def note(_: int, frame: FrameType | None) -> None:
        if not over:
            samples.counts[_place(frame, root)] += 1
            again()

    before = signal.signal(signal.SIGALRM, note)
    signal.siginterrupt(signal.SIGALRM, False)
    again()
    try:
        yield samples
    finally:
        over = True  # a signal may still be on its way
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _place(frame: FrameType | None, root: str) -> Place:
    while frame is not None and not frame.f_code.co_filename.startswith(root):
        frame = frame.f_back
    if frame is None:
        return Place("outside", "")
    name = frame.f_code.co_filename
    line = linecache.getline(name, frame.f_lineno or 0)
    module = name.removeprefix(root).removesuffix(".py").replace("/", ".")
    return Place(module, frame.f_code.co_name, bool(_SQL.search(line)), bool(_ENDS.search(line)))
