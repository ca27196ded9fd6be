"""What lies on a disk after some file operations: after a kill, and after a loss of power.

A killed process leaves all that it wrote. A loss of power leaves what was synced, and of the rest
anything: nothing, all, the first part, some writes, or some sectors of some writes. A creation, a
removal or a renaming is durable with the next sync of any file, and in the order in which they
came, as ext4 and XFS have it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final, Literal

SECTOR: Final = 512
LOSSES: Final = ("nothing", "all", "prefix", "subset", "sectors")
"""What may become of writes that were not synced."""

Kind = Literal["create", "write", "truncate", "sync", "remove", "rename"]
_OF_NAMES: Final = ("create", "remove", "rename")


@dataclass(frozen=True, slots=True)
class Event:
    """One file operation.

    Attributes:
        kind: What was done.
        file: The file's number, which a renaming leaves as it is; -1 for a sync of the folder.
        name: Its name, where the operation gives or takes one.
        at: Where it was written; or the size to which it was cut.
        data: What was written.
        to: The name after a renaming.
    """

    kind: Kind
    file: int
    name: str = ""
    at: int = 0
    data: bytes = b""
    to: str = ""

    def torn(self) -> Event:
        """Return the first half of a write."""
        return Event(self.kind, self.file, self.name, self.at, self.data[: len(self.data) // 2])


@dataclass
class Disk:
    """Files by number, and the names they have."""

    names: dict[str, int] = field(default_factory=dict)
    files: dict[int, bytearray] = field(default_factory=dict)

    def apply(self, event: Event) -> None:
        """Do one operation."""
        content = self.files.setdefault(event.file, bytearray())
        if event.kind == "create":
            self.names[event.name] = event.file
        elif event.kind == "remove":
            self.names.pop(event.name, None)
        elif event.kind == "rename":
            self.names.pop(event.name, None)
            self.names[event.to] = event.file
        elif event.kind == "write":
            _write(content, event.at, event.data)
        elif event.kind == "truncate":
            _resize(content, event.at)

    def copy(self) -> Disk:
        """Return a disk of its own with the same content."""
        return Disk(dict(self.names), {no: bytearray(data) for no, data in self.files.items()})

    def put(self, folder: Path) -> None:
        """Make a folder look like this disk."""
        for old in folder.iterdir():
            if old.name not in self.names:
                old.unlink()
        for name, number in self.names.items():
            (folder / name).write_bytes(self.files[number])


def _resize(content: bytearray, size: int) -> None:
    del content[size:]
    content.extend(bytes(size - len(content)))


def _write(content: bytearray, at: int, data: bytes) -> None:
    if len(content) < at:
        _resize(content, at)
    content[at : at + len(data)] = data


@dataclass
class Volatile:
    """A disk with a cache that a loss of power empties."""

    durable: Disk = field(default_factory=Disk)
    pending: list[Event] = field(default_factory=list)

    def apply(self, event: Event) -> None:
        """Do one operation; a sync makes earlier ones durable."""
        if event.kind != "sync":
            self.pending.append(event)
            return
        left = []
        for old in self.pending:
            if old.kind in _OF_NAMES or old.file == event.file:
                self.durable.apply(old)
            else:
                left.append(old)
        self.pending = left

    def lost(self, how: str, random: Random) -> Disk:
        """Return the disk after a loss of power."""
        disk = self.durable.copy()
        for event in _kept(self.pending, how, random):
            disk.apply(event)
        return disk


def _kept(pending: list[Event], how: str, random: Random) -> list[Event]:
    """Choose what reached the disk of operations that were not synced."""
    if how in ("nothing", "all"):
        return pending if how == "all" else []
    upto = random.randint(0, len(pending))
    if how == "prefix":
        return pending[:upto]
    # Names change in order; contents reach the disk in any.
    named = [number for number, event in enumerate(pending) if event.kind in _OF_NAMES]
    durable = set(named[: random.randint(0, len(named))])
    kept: list[Event] = []
    for number, event in enumerate(pending):
        if event.kind in _OF_NAMES:
            kept += [event] if number in durable else []
        elif how == "sectors" and event.kind == "write":
            kept += [piece for piece in _sectors(event) if random.random() < 0.5]
        elif random.random() < 0.5:
            kept.append(event)
    return kept


def _sectors(event: Event) -> list[Event]:
    """Cut a write where the sectors of the file end."""
    pieces, start, end = [], event.at, event.at + len(event.data)
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        data = event.data[start - event.at : stop - event.at]
        pieces.append(Event("write", event.file, event.name, start, data))
        start = stop
    return pieces
