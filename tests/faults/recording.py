"""Recording a story: every file operation, every commit, every acknowledged step, in order."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults.disk import Event
from faults.vfs import watching
from faults.world import EMPTY, NAME, Step, Story, World, state
from holdfast.storage.sqlite.database import Durability


@dataclass
class Recording:
    """What happened.

    Attributes:
        story, durability, key: What was run, and how.
        events: The file operations.
        commits: The number of operations before a state of the file was seen, and its digest. The
            first is the empty file.
        acknowledged: The same number where a step had returned, and the commit it saw.
        keys: The same number where a key began to count, and where it was acknowledged.
    """

    story: Story
    durability: Durability
    key: bytes | None
    events: list[Event] = field(default_factory=list)
    commits: list[tuple[int, str]] = field(default_factory=lambda: [(0, EMPTY)])
    acknowledged: list[tuple[int, int]] = field(default_factory=list)
    keys: list[tuple[int, int, bytes]] = field(default_factory=list)

    def commit(self, digest: str) -> None:
        """Note a state of the file."""
        if self.commits[-1][1] != digest:
            self.commits.append((len(self.events), digest))

    def acknowledge(self) -> None:
        """Note that a step has returned."""
        self.acknowledged.append((len(self.events), len(self.commits) - 1))

    def last_commit(self, at: int) -> int:
        """Return the last commit that was seen before operation `at`."""
        return max(number for number, (seen, _) in enumerate(self.commits) if seen <= at)

    def steps_before(self, at: int) -> list[int]:
        """Return the commits of the steps that had returned before operation `at`."""
        return [commit for seen, commit in self.acknowledged if seen <= at]

    def states(self, first: int, last: int) -> set[str]:
        """Return the digests of a range of commits."""
        return {digest for _, digest in self.commits[first : last + 1]}


class Recorder:
    """Turns what SQLite does, and what Python does to other files of the folder, into events."""

    short = False

    def __init__(self, folder: Path, recording: Recording) -> None:
        self.folder, self._recording = folder, recording
        self._numbers: dict[str, int] = {}
        self._made = 0
        self._others: dict[str, tuple[int, int, bytes]] = {}  # inode, number, content
        self._looking = False

    def _tell(self, *event: Any, **more: Any) -> None:
        self._recording.events.append(Event(*event, **more))

    # -- SQLite's files -------------------------------------------------------------------------

    def opened(self, name: str) -> None:
        """A file was opened, and made if it was not there."""
        if name not in self._numbers:
            self._numbers[name] = self._fresh()
            self._tell("create", self._numbers[name], name)

    def written(self, name: str, offset: int, data: bytes) -> None:
        """Bytes are written."""
        self._tell("write", self._numbers[name], name, offset, data)

    def truncated(self, name: str, size: int) -> None:
        """A file was cut."""
        self._tell("truncate", self._numbers[name], name, size)

    def synced(self, name: str) -> None:
        """A file, or the folder, has reached the disk."""
        self._tell("sync", self._numbers.get(name, -1), name)

    def removed(self, name: str) -> None:
        """A file was removed."""
        if name in self._numbers:
            self._tell("remove", self._numbers.pop(name), name)

    def _fresh(self) -> int:
        self._made += 1
        return self._made

    # -- files that Python writes ---------------------------------------------------------------

    def watch_folder(self, step: Step) -> None:
        """Run a step and see each change of other files, as soon as the call that made it ends."""
        fsync = os.fsync

        def synced(descriptor: int) -> None:
            fsync(descriptor)
            self._look()
            inode = os.fstat(descriptor).st_ino
            known = [number for node, number, _ in self._others.values() if node == inode]
            self._tell("sync", known[0] if known else -1)

        os.fsync = synced
        sys.setprofile(lambda frame, kind, function: self._look() if kind == "c_return" else None)
        try:
            step()
        finally:
            sys.setprofile(None)
            os.fsync = fsync

    def _look(self) -> None:
        if self._looking:
            return  # this call is one of its own
        self._looking = True
        try:
            self._look_once()
        finally:
            self._looking = False

    def _look_once(self) -> None:
        with os.scandir(self.folder) as entries:
            found = {
                entry.name: entry.stat() for entry in entries if not entry.name.startswith(NAME)
            }
        if found or self._others:
            self._compare({name: (stat.st_ino, stat.st_size) for name, stat in found.items()})

    def _compare(self, found: dict[str, tuple[int, int]]) -> None:
        before, self._others = self._others, {}
        inodes = {inode: name for name, (inode, _) in found.items()}
        for name, (inode, number, content) in before.items():
            now = inodes.get(inode)
            if now is None and name not in found:
                self._tell("remove", number, name)
            elif now is not None and now != name:
                self._tell("rename", number, name, to=now)
            if now is not None:
                self._others[now] = inode, number, content
        for name, (inode, size) in found.items():
            if name not in self._others or self._others[name][0] != inode:
                self._others[name] = inode, self._fresh(), b""
                self._tell("create", self._others[name][1], name)
            if len(self._others[name][2]) != size:
                self._changed(name)

    def _changed(self, name: str) -> None:
        """Tell what was written: these files are only begun anew, or appended to."""
        inode, number, old = self._others[name]
        content = (self.folder / name).read_bytes()
        if not content.startswith(old):
            self._tell("truncate", number, name, 0)
            old = b""
        if content != old:
            self._tell("write", number, name, len(old), content[len(old) :])
        self._others[name] = inode, number, content


def record(
    story: Story, folder: Path, durability: Durability = "normal", key: bytes | None = None
) -> Recording:
    """Run a story in an empty folder, and return what happened."""
    made = Recording(story, durability, key, keys=[] if key is None else [(0, 0, key)])
    recorder = Recorder(folder, made)
    with watching(recorder):
        world = World(
            folder, durability=durability, key=key, note=lambda memory: made.commit(state(memory))
        )
        world.watch_folder = recorder.watch_folder
        for step in story.steps(world):
            with _keys(made, world):
                step()
            if world.opened is not None:
                made.commit(state(world.opened))
            made.acknowledge()
        world.close()
    return made


@contextmanager
def _keys(made: Recording, world: World) -> Iterator[None]:
    """Note when a key began to count and when it was acknowledged."""
    begun: list[tuple[int, bytes]] = []
    world.rekeying = lambda key: begun.append((len(made.events), key))
    yield
    made.keys += [(at, len(made.events), key) for at, key in begun]
