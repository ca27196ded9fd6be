"""What is left of a story's file after a kill or a loss of power at any of its file operations."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from shutil import rmtree
from tempfile import TemporaryDirectory, mkdtemp
from typing import Final, TypeVar

from faults.disk import LOSSES, Disk, Volatile
from faults.parts import Counts, Report, quiet
from faults.recording import Recording, record
from faults.stories import variants
from faults.world import EXPORTED, Story, World, state
from holdfast import WrongKeyError
from holdfast.storage.sqlite.database import Durability

T = TypeVar("T")
SHARED_MEMORY: Final = Path("/dev/shm")  # there syncing costs nothing


@contextmanager
def folders() -> Iterator[Path]:
    """Lend a folder in memory where the system has one."""
    place = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with TemporaryDirectory(prefix="faults", dir=place) as name:
        yield Path(name)


def spread(things: Sequence[T], count: int) -> list[T]:
    """Choose so many of them, evenly, the first and the last among them."""
    if count >= len(things):
        return list(things)
    step = (len(things) - 1) / max(count - 1, 1)
    return [things[round(number * step)] for number in range(count)]


@dataclass(frozen=True)
class Image:
    """What a crash may leave, and what is right then.

    Attributes:
        disk: The files.
        at: Which operation was the last, or the one torn in two.
        states: Digests that the file may have.
        exports: Digests of the export that may lie beside it; None: there may be none.
        keys: Keys of which one opens it, in the order in which they are tried.
    """

    disk: Disk
    at: int
    states: set[str]
    exports: set[str | None]
    keys: Sequence[bytes | None]


@dataclass
class Judge:
    """Looks at images of one recording.

    Args:
        recording: What happened.
        folder: Where images are put, one after another.
    """

    recording: Recording
    folder: Path

    def __post_init__(self) -> None:
        self._exports = _exports(self.recording)

    # -- which images there are -----------------------------------------------------------------

    def kills(self, count: int) -> Iterator[Image]:
        """Yield what kills leave before, within and after operations."""
        events = self.recording.events
        points = [
            (at, torn)
            for at in range(len(events) + 1)
            for torn in (False, True)
            if not torn or (at < len(events) and events[at].kind == "write")
        ]
        disk, done = Disk(), 0
        for at, torn in spread(points, count):
            for event in events[done:at]:
                disk.apply(event)
            done = at
            left = disk
            if torn:
                left = disk.copy()
                left.apply(events[at].torn())
            commit = self.recording.last_commit(at)
            states = self.recording.states(commit, commit + 1)
            yield Image(left, at, states, self._whole(at, lost=False), self._keys(at, lost=False))

    def losses(self, count: int, seed: int) -> Iterator[Image]:
        """Yield what losses of power leave after operations."""
        events = self.recording.events
        rounds = -(-count // (len(events) * len(LOSSES)))
        points = [
            (at, how, again)
            for at in range(1, len(events) + 1)
            for how in LOSSES
            for again in range(max(rounds, 1))
        ]
        disk, done = Volatile(), 0
        for at, how, again in spread(points, count):
            for event in events[done:at]:
                disk.apply(event)
            done = at
            left = disk.lost(how, Random(f"{seed} {at} {how} {again}"))
            first = max(self.recording.steps_before(at), default=0)
            if self.recording.durability == "normal":
                first = 0
            states = self.recording.states(first, self.recording.last_commit(at) + 1)
            yield Image(left, at, states, self._whole(at, lost=True), self._keys(at, lost=True))

    def _whole(self, at: int, *, lost: bool) -> set[str | None]:
        """Return which exports may be there: the last acknowledged one and the one in hand."""
        before = [digest for seen, digest in self._exports if seen <= at]
        following = [digest for seen, digest in self._exports if seen > at][:1]
        return {*(before if lost else before[-1:]), *following}

    def _keys(self, at: int, *, lost: bool) -> list[bytes | None]:
        """Return the keys that may open the file, in either order."""
        if self.recording.key is None:
            return [None]
        begun = [key for seen, _, key in self.recording.keys if seen <= at]
        done = [key for _, seen, key in self.recording.keys if seen <= at]
        kept = begun[len(done) - 1 :]
        if lost and self.recording.durability == "normal":
            kept = begun[max(len(done) - 2, 0) :]
        return [*kept] if at % 2 else [*reversed(kept)]

    # -- what is wrong with one -----------------------------------------------------------------

    def complaint(self, image: Image) -> str | None:
        """Return what is wrong; None if nothing is."""
        image.disk.put(self.folder)
        world = World(self.folder, durability=self.recording.durability)
        try:
            self._examine(world, image)
        except Exception as error:  # noqa: BLE001 - whatever is raised is a finding
            where = traceback.extract_tb(error.__traceback__)[-1]
            return f"{type(error).__name__}: {error} ({where.name}, line {where.lineno})"
        finally:
            world.close()
        return None

    def _examine(self, world: World, image: Image) -> None:
        target = self.folder / EXPORTED
        found = _digest(target.read_bytes()) if target.exists() else None
        assert found in image.exports, "the export is neither the old one nor the new one"
        self._open(world, image.keys)
        problems = world.memory.stats(check=True).problems
        assert problems == (), f"check says {problems}"
        assert state(world.memory) in image.states, self._where(world, image)
        self.recording.story.look(world)
        self.recording.story.go_on(world)

    def _open(self, world: World, keys: Sequence[bytes | None]) -> None:
        for number, key in enumerate(keys, 1):
            world.key = key
            try:
                known = world.memory.stats().embedder
            except WrongKeyError:
                world.close()
                if number == len(keys):
                    raise
                continue
            name = (known or "hash/").rpartition("/")[0]
            if name != world.embedder:
                world.close()
                world.embedder = name
            return

    def _where(self, world: World, image: Image) -> str:
        """Say which state was found instead of the right ones."""
        found = state(world.memory)
        known = [no for no, (_, digest) in enumerate(self.recording.commits) if digest == found]
        right = [
            no for no, (_, digest) in enumerate(self.recording.commits) if digest in image.states
        ]
        return f"the state is that of commit {known or 'none'}, not one of {right[0]}..{right[-1]}"


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=12).hexdigest()


def _exports(recording: Recording) -> list[tuple[int, str | None]]:
    """Return the export that lies beside the file after each step."""
    disk, done = Disk(), 0
    found: list[tuple[int, str | None]] = [(0, None)]
    for at, _ in recording.acknowledged:
        for event in recording.events[done:at]:
            disk.apply(event)
        done = at
        number = disk.names.get(EXPORTED)
        found.append((at, None if number is None else _digest(bytes(disk.files[number]))))
    return found


# -- a part of the suite ------------------------------------------------------------------------

KILLS: Final = 1_400  # a story, in all its variants
LOSSES_OF_POWER: Final = 1_400


def crash(story: Story, seed: int, scale: float, report: Report = quiet) -> Counts:
    """Look at kill points and losses of power of a story, evenly over its variants."""
    counts, ways = Counts(), variants(story)
    kills, losses = (max(round(most * scale / len(ways)), 1) for most in (KILLS, LOSSES_OF_POWER))
    with folders() as root:
        for durability, key in ways:
            judge = _recorded(story, root, durability, key)
            way = f"{durability}{', encrypted' if key else ''}"
            name = f"{story.name} ({way})"
            _look(judge, counts, f"{name}: kill", "kill points", judge.kills(kills))
            _look(judge, counts, f"{name}: power loss", "power losses", judge.losses(losses, seed))
            report(
                f"{way}: {counts['kill points']} kill points, {counts['power losses']} losses"
                f" of power, {counts['failures']} failures"
            )
    return counts


def _recorded(story: Story, root: Path, durability: Durability, key: bytes | None) -> Judge:
    folder, images = Path(mkdtemp(dir=root)), Path(mkdtemp(dir=root))
    recording = record(story, folder, durability, key)
    rmtree(folder)
    return Judge(recording, images)


def _look(judge: Judge, counts: Counts, name: str, kind: str, images: Iterator[Image]) -> None:
    for image in images:
        counts[kind] += 1
        counts["acknowledged"] += len(judge.recording.steps_before(image.at))
        wrong = judge.complaint(image)
        if wrong is not None:
            counts.fail(f"{name} at operation {image.at}: {wrong}")
