"""The open files of this process: whoever names a path gets the memory that is open there.

So a memory, a model context and tools on one path share one `holdfast.Memory`, and a dumped
component, which carries its path and no secret, finds its file again.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias

from holdfast import InvalidInputError, StorageClosedError

if TYPE_CHECKING:
    from holdfast import LLM, Embedder, Memory

Place: TypeAlias = "Memory | str | os.PathLike[str] | Handle"
"""An open memory, the path of its file, or a handle to share."""

IN_MEMORY = ":memory:"


@dataclass(slots=True)
class _Opened:
    """A memory, who closes it, and how many handles use it."""

    memory: Memory
    options: tuple[object, ...] = ()
    borrowed: bool = False
    handles: int = 0


_open: dict[str, _Opened] = {}
_lock = Lock()


def connect(
    path: str | os.PathLike[str],
    *,
    embedder: Embedder | None = None,
    llm: LLM | None = None,
    key: str | bytes | None = None,
) -> Memory:
    """Open a file for this process, or return the memory that is open on it.

    Call it before a loaded component is first used, if its file needs an embedder of its own, an
    LLM or a key: no component carries them. The memory stays open until its ``close()``.

    Args:
        path: The file, made when missing.
        embedder: By default Holdfast's local one.
        llm: Derives facts from what is said; an AutoGen client goes into `AutoGenLLM`.
        key: Encrypts the whole file.

    Raises:
        InvalidInputError: The file is open already, and not with these options.
        StorageError, ProviderError: As of `holdfast.Memory`.
    """
    options = (embedder, llm, key)
    with _lock:
        opened = _find(path) or _begin(path, options)
    if any(given is not None for given in options) and opened.options != options:
        raise InvalidInputError(
            f"{path} is open in this process with other options: connect before the file's "
            "first use, or hand the open memory on"
        )
    opened.borrowed = True
    return opened.memory


def _begin(path: str | os.PathLike[str], options: tuple[object, ...] = ()) -> _Opened:
    # Here, for the front door loads the database and the index: this module must stay light.
    from holdfast import Memory

    embedder, llm, key = options or (None, None, None)
    opened = _Opened(Memory(path, embedder=embedder, llm=llm, key=key), options)  # type: ignore[arg-type]
    if str(path) != IN_MEMORY:
        _open[_name(path)] = opened
    return opened


def _find(path: str | os.PathLike[str]) -> _Opened | None:
    """Return what is open on a path; forget it if it was closed."""
    opened = _open.get(_name(path))
    if opened is None:
        return None
    try:
        with opened.memory.database.read():
            return opened
    except StorageClosedError:
        del _open[_name(path)]
        return None


def _name(path: str | os.PathLike[str]) -> str:
    return str(Path(path).resolve())


class Handle:
    """A memory by its path, opened when first needed; or one that is open, and stays open.

    Args:
        place: The memory or the path.

    Raises:
        ScopeError: A memory bound to a scope was given; it does not reach the whole file.
    """

    def __init__(self, place: Memory | str | os.PathLike[str]) -> None:
        self._opened: _Opened | None = None
        self._lock = Lock()
        if isinstance(place, str | os.PathLike):
            self._path = IN_MEMORY if str(place) == IN_MEMORY else _name(place)
            return
        in_memory = place.database.in_memory
        self._path = IN_MEMORY if in_memory else _name(place.database.path)
        self._opened = _Opened(place, borrowed=True)
        with _lock:
            if not in_memory and _find(self._path) is None:
                _open[self._path] = self._opened

    @classmethod
    def of(cls, place: Place) -> Handle:
        """Return a handle on a place; of a handle, itself."""
        return place if isinstance(place, Handle) else cls(place)

    @property
    def path(self) -> str:
        """The file's absolute path.

        Raises:
            ValueError: The memory lives in RAM: nothing could find it again.
        """
        if self._path == IN_MEMORY:
            raise InvalidInputError("this memory lives in RAM; give it a path to dump it")
        return self._path

    def open(self) -> Memory:
        """Return the memory; open the file if it is not open."""
        with self._lock:
            if self._opened is None:
                with _lock:
                    known = None if self._path == IN_MEMORY else _find(self._path)
                    self._opened = known or _begin(self._path)
                    self._opened.handles += 1
            return self._opened.memory

    async def memory(self) -> Memory:
        """Return the memory; if the file must be opened, in a thread."""
        opened = self._opened
        return await asyncio.to_thread(self.open) if opened is None else opened.memory

    def close(self) -> None:
        """Give the file back: the last handle closes what handles opened. Nothing is deleted."""
        with self._lock, _lock:
            opened = self._opened
            if opened is None or opened.borrowed:
                return
            self._opened = None
            opened.handles -= 1
            if opened.handles == 0:
                _open.pop(self._path, None)
                opened.memory.close()
