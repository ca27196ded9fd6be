"""For adapters: the open files of this process, by path.

A framework's components name their file by its path, also when they were dumped and loaded again.
Whatever names a path gets the memory that is open there, whichever adapter opened it; so a chat
store, a block, tools and agents of two frameworks stand on one `holdfast.Memory`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from holdfast.errors import StorageClosedError

if TYPE_CHECKING:
    from holdfast.memory import Memory

IN_MEMORY = ":memory:"


@dataclass(slots=True)
class Opened:
    """A memory that is open in this process.

    Attributes:
        memory: The memory.
        options: What it was opened with, as its opener wrote it down; None: it was handed over.
        borrowed: Somebody holds it, so handles never close it.
        handles: How many of them use it.
    """

    memory: Memory
    options: object = None
    borrowed: bool = False
    handles: int = 0


_open: dict[str, Opened] = {}
_lock = Lock()


def name_of(path: str | os.PathLike[str]) -> str:
    """Return the one spelling of a path."""
    return str(Path(path).resolve())


def claim(path: str | os.PathLike[str], opening: Callable[[], Opened]) -> Opened:
    """Return what is open on a path, or open it; a memory in RAM is a new one each time."""
    with _lock:
        return _claim(path, opening)


def _claim(path: str | os.PathLike[str], opening: Callable[[], Opened]) -> Opened:
    if str(path) == IN_MEMORY:
        return opening()
    return _alive(name_of(path)) or _open.setdefault(name_of(path), opening())


def offer(opened: Opened) -> None:
    """Let those who name its path find a memory, unless another one is open there.

    Raises:
        ScopeError: It is a bound handle, which does not reach the whole file.
    """
    database = opened.memory.database
    with _lock:
        if not database.in_memory and _alive(name_of(database.path)) is None:
            _open[name_of(database.path)] = opened


def take(path: str | os.PathLike[str], opening: Callable[[], Opened]) -> Opened:
    """Claim a path for a handle, which `give_back`s it."""
    with _lock:  # once, or the last handle might close the memory in between
        opened = _claim(path, opening)
        opened.handles += 1
        return opened


def give_back(opened: Opened) -> None:
    """End a handle's use; the last one closes what handles opened."""
    with _lock:
        if opened.borrowed:
            return
        opened.handles -= 1
        if opened.handles == 0:
            name = name_of(opened.memory.database.path)
            if _open.get(name) is opened:
                del _open[name]
            opened.memory.close()


def _alive(name: str) -> Opened | None:
    """Return what is open under a name; forget it if it was closed."""
    opened = _open.get(name)
    if opened is None:
        return None
    try:
        with opened.memory.database.read():
            return opened
    except StorageClosedError:
        del _open[name]
        return None
