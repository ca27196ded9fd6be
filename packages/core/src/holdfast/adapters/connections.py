"""For adapters: the open files of this process, by path.

A framework's components name their file by its path, also when they were dumped and loaded again.
Whatever names a path gets the memory that is open there, whichever adapter opened it; so a chat
store, a block, tools and agents of two frameworks stand on one `holdfast.Memory`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.errors import InvalidInputError
from holdfast.forking import Lock

if TYPE_CHECKING:
    from holdfast.memory import Memory
    from holdfast.providers import LLM, Embedder

IN_MEMORY = ":memory:"


@dataclass(frozen=True, slots=True)
class Options:
    """What a file was opened with."""

    embedder: Embedder
    llm: LLM | None
    key: str | bytes | None = field(repr=False)


@dataclass(slots=True)
class Opened:
    """A memory that is open in this process.

    Attributes:
        memory: The memory.
        options: What it was opened with; None: it was handed over, so they are unknown.
        borrowed: A caller holds it, so handles never close it.
        handles: How many of them use it.
    """

    memory: Memory
    options: Options | None = None
    borrowed: bool = False
    handles: int = 0


_open: dict[str, Opened] = {}
_lock = Lock()


def name_of(path: str | os.PathLike[str]) -> str:
    """Return the one spelling of a path."""
    return str(Path(path).resolve())


# -- for users: a memory that stays open until its `close` ----------------------------------------


def connect(
    path: str | os.PathLike[str],
    *,
    embedder: Embedder | None = None,
    llm: LLM | None = None,
    key: str | bytes | None = None,
    background: bool = False,
) -> Memory:
    """Open a file for this process, or return the memory that is open on it.

    Args:
        path: The file, made when missing. ``":memory:"`` is a new one each time.
        embedder, key: If given, those of the memory that is open already.
        llm: Derives facts; a memory that is open already goes on with its own.
        background: See `Memory`; where the file is opened now.

    Raises:
        InvalidInputError: The file is open already, and not with these options.
        StorageError, ProviderError: As of `Memory`.
    """
    with _lock:
        opened = _claim(path, lambda: _opened(path, embedder, llm, key, background))
        _check(opened, embedder, llm, key)
        opened.borrowed = True
    return opened.memory


def offer(memory: Memory) -> Opened:
    """Let those who name its path find a memory, unless another one is open there.

    Raises:
        ScopeError: It is a bound handle, which does not reach the whole file.
    """
    opened = Opened(memory, borrowed=True)
    memory._need_whole_file("sharing a file by its path")
    with _lock:
        if memory.path != IN_MEMORY and _alive(name_of(memory.path)) is None:
            _open[name_of(memory.path)] = opened
    return opened


# -- for handles: a memory that is open as long as one of them uses it ----------------------------


def take(path: str | os.PathLike[str]) -> Opened:
    """Return what is open on a path, or open it, for a handle, which `give_back`s it."""
    with _lock:  # once, or the last handle might close the memory in between
        opened = _claim(path, lambda: _opened(path))
        opened.handles += 1
        return opened


def give_back(opened: Opened) -> None:
    """End a handle's use; the last one closes what handles opened."""
    with _lock:
        if opened.borrowed:
            return
        opened.handles -= 1
        if opened.handles == 0:
            name = name_of(opened.memory.path)
            if _open.get(name) is opened:
                del _open[name]
            opened.memory.close()


# -- what is open ---------------------------------------------------------------------------------


def _claim(path: str | os.PathLike[str], opening: Callable[[], Opened]) -> Opened:
    if str(path) == IN_MEMORY:
        return opening()
    return _alive(name_of(path)) or _open.setdefault(name_of(path), opening())


def _alive(name: str) -> Opened | None:
    """Return what is open under a name; forget it if it was closed."""
    opened = _open.get(name)
    if opened is None:
        return None
    if opened.memory.closed:
        del _open[name]
        return None
    return opened


def _opened(
    path: str | os.PathLike[str],
    embedder: Embedder | None = None,
    llm: LLM | None = None,
    key: str | bytes | None = None,
    background: bool = False,
) -> Opened:
    # Here, for they load the database and the index: this module must stay light.
    from holdfast.memory import Memory
    from holdfast.providers import default_embedder

    options = Options(embedder or default_embedder(), llm, key)
    memory = Memory(path, embedder=options.embedder, llm=llm, key=key, background=background)
    return Opened(memory, options)


def _check(
    opened: Opened, embedder: Embedder | None, llm: LLM | None, key: str | bytes | None
) -> None:
    """Refuse options that an open memory does not have: they would have no effect."""
    if embedder is None and llm is None and key is None:
        return
    known = opened.options
    fits = (
        known is not None
        and (embedder is None or embedder.fingerprint == known.embedder.fingerprint)
        and (llm is None or known.llm is not None)
        and key in (None, known.key)
    )
    if not fits:
        raise InvalidInputError(
            f"{opened.memory.path} is open in this process with another embedder or key, "
            "or without an LLM, or it was handed over: give them where it is opened first, or hand "
            "on the open memory"
        )
