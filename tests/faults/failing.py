"""A story on a disk that fails: clear errors, nothing half there, and in the end the same."""

from __future__ import annotations

import resource
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Final

from faults.crash import folders, spread
from faults.parts import Counts, Report, quiet
from faults.stories import variants
from faults.vfs import FULL, WRITE_FAILED, watching
from faults.world import EXPORTED, Step, Story, World, state
from holdfast import HoldfastError, Memory
from holdfast.storage.sqlite.database import Durability

FOR_EVER: Final = 1_000_000
PATIENCE: Final = 3  # failures of one step after which a disk that fails for ever is mended
MOST_TRIES: Final = 20


@dataclass(frozen=True)
class Fault:
    """How a disk fails.

    Attributes:
        first: The write that fails first, counted from 0.
        times: How many fail, one after another.
        code: What SQLite is told.
        short: The first half of the bytes is written all the same.
    """

    first: int
    times: int
    code: int
    short: bool = False


KINDS: Final = tuple(
    (times, code, short)
    for times, (code, short) in product(
        (1, 6, FOR_EVER), ((WRITE_FAILED, False), (FULL, False), (FULL, True))
    )
)


@dataclass
class FailingDisk:
    """Lets writes fail as a `Fault` says; without one it counts them."""

    folder: Path
    fault: Fault | None = None
    writes: int = 0
    failed: int = 0
    paused: bool = False

    @property
    def short(self) -> bool:
        """Whether a failing write writes its first half."""
        return self.fault is not None and self.fault.short

    def written(self, name: str, offset: int, data: bytes) -> int | None:
        """Count a write, and say how it fails."""
        if self.paused:
            return None
        number, self.writes = self.writes, self.writes + 1
        if self.fault is None or not 0 <= number - self.fault.first < self.fault.times:
            return None
        self.failed += 1
        return self.fault.code

    def opened(self, name: str) -> None:
        """Nothing fails here."""

    def truncated(self, name: str, size: int) -> None:
        """Nothing fails here."""

    def synced(self, name: str) -> None:
        """Nothing fails here."""

    def removed(self, name: str) -> None:
        """Nothing fails here."""

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Let nothing fail in this block."""
        self.paused = True
        try:
            yield
        finally:
            self.paused = False

    def mend(self) -> None:
        """Let nothing fail from now on."""
        self.fault = None


@dataclass
class Run:
    """One run of a story on such a disk.

    Args:
        story, durability, key: What is run, and how.
        folder: Empty.
        fault: How the disk fails; None: it does not.
    """

    story: Story
    durability: Durability
    key: bytes | None
    folder: Path
    fault: Fault | None = None
    steps: int = 0
    errors: int = 0
    writes: int = 0
    _last: str | None = field(default=None, init=False)

    def told(self) -> object:
        """Run the story, steps that fail again, and return what its file tells then.

        Raises:
            AssertionError: A failed step left a half, the file is unsound, or it never went on.
        """
        disk = FailingDisk(self.folder, self.fault)
        with watching(disk):
            world = World(self.folder, durability=self.durability, key=self.key, note=self._note)
            for step in self.story.steps(world):
                self._do(world, disk, step)
                self.steps += 1
            disk.mend()
            world.close()
        self.writes = disk.writes
        again = World(self.folder, durability=self.durability, key=world.key)
        again.embedder = world.embedder
        problems = again.memory.stats(check=True).problems
        assert problems == (), f"check says {problems}"
        told = self.story.look(again)
        self.story.go_on(again)
        again.close()
        return told

    def _note(self, memory: Memory) -> None:
        self._last = state(memory)

    def _do(self, world: World, disk: FailingDisk, step: Step) -> None:
        """Do a step until it succeeds, and look at what each failure leaves."""
        for tried in range(MOST_TRIES):
            try:
                step()
            except HoldfastError:
                self.errors += 1
                with disk.whole():
                    self._look(world)
                if tried + 1 >= PATIENCE and self.fault and self.fault.times == FOR_EVER:
                    disk.mend()
            else:
                if world.opened is not None:
                    with disk.whole():
                        self._note(world.memory)
                return
        raise AssertionError(f"step {self.steps} still fails when the disk does not")

    def _look(self, world: World) -> None:
        """Hold the file to the last commit that was acknowledged within the process."""
        if world.opened is not None and self._last is not None:
            assert state(world.memory) == self._last, f"step {self.steps} failed and left a half"


# -- a part of the suite ------------------------------------------------------------------------

RUNS: Final = 700  # a story, in all its variants


def failing(story: Story, seed: int, scale: float, report: Report = quiet) -> Counts:
    """Run a story on disks that fail at writes spread evenly over it."""
    counts = Counts()
    if story.name == "export":
        return _exports_on_a_full_disk(story, counts, max(round(RUNS * scale), 2), report)
    ways = variants(story)
    runs = max(round(RUNS * scale / len(ways)), 1)
    with folders() as root:
        for durability, key in ways:
            way = f"{durability}{', encrypted' if key else ''}"
            name = f"{story.name} ({way})"
            right = Run(story, durability, key, Path(mkdtemp(dir=root)))
            told = right.told()
            for number, fault in enumerate(_faults(right.writes, runs, seed)):
                folder = Path(mkdtemp(dir=root))
                run = Run(story, durability, key, folder, fault)
                counts["failing writes"] += 1
                wrong = _complaint(run, told)
                counts["errors"] += run.errors
                if wrong:
                    counts.fail(f"{name}: {fault}, run {number}: {wrong}")
                rmtree(folder)
            report(
                f"{way}: {counts['failing writes']} failing writes, {counts['failures']} failures"
            )
    return counts


def _faults(writes: int, runs: int, seed: int) -> Iterator[Fault]:
    for number, first in enumerate(spread(range(writes), runs)):
        times, code, short = KINDS[(number + seed) % len(KINDS)]
        yield Fault(first, times, code, short)


def _complaint(run: Run, right: object) -> str | None:
    try:
        told = run.told()
        assert told == right, f"after retries the file tells {_difference(told, right)}"
    except Exception as error:  # noqa: BLE001 - whatever is raised is a finding
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} ({where.name}, line {where.lineno})"
    return None


def _difference(told: object, right: object) -> str:
    def flat(value: object) -> list[str]:
        if isinstance(value, list | tuple):
            return [line for one in value for line in flat(one)]
        return [str(value)]

    more = sorted(set(flat(told)) - set(flat(right)))[:2]
    less = sorted(set(flat(right)) - set(flat(told)))[:2]
    return f"{more} more and {less} less than without a fault"[:600]


# -- export, whose file Python writes -----------------------------------------------------------


def _exports_on_a_full_disk(story: Story, counts: Counts, runs: int, report: Report) -> Counts:
    """Export where a file may grow to a certain size only, a limit of the operating system."""
    with folders() as root:
        world = World(root)
        for step in story.steps(world):
            step()
        before = (root / EXPORTED).read_bytes()
        world.memory.add("one more", user_id="ada", infer=False)
        for limit in spread(range(len(before)), runs):
            counts["failing writes"] += 1
            wrong = _cut_short(world, root, limit, before)
            if wrong:
                counts.fail(f"{story.name}, {limit} bytes left: {wrong}")
        world.memory.export(root / EXPORTED)
        assert (root / EXPORTED).read_bytes() != before
        world.close()
    report(f"{counts['failing writes']} failing writes, {counts['failures']} failures")
    return counts


def _cut_short(world: World, root: Path, limit: int, before: bytes) -> str | None:
    names = sorted(path.name for path in root.iterdir())
    try:
        with _limited(limit):
            world.memory.export(root / EXPORTED)
    except HoldfastError:
        pass
    except OSError as error:
        return f"a raw {error!r}"
    else:
        return "no error"
    if (root / EXPORTED).read_bytes() != before:
        return "the export before is no longer whole"
    if sorted(path.name for path in root.iterdir()) != names:
        return f"it left {sorted(path.name for path in root.iterdir())}"
    return None


@contextmanager
def _limited(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
