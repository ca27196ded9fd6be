"""The open files of this process: whoever names a path gets the memory that is open there.

So a memory, a model context and tools on one path share one `holdfast.Memory`, and a dumped
component, which carries its path and no secret, finds its file again.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, TypeAlias

from holdfast import InvalidInputError
from holdfast.adapters import connections
from holdfast.adapters.connections import IN_MEMORY, Opened, give_back, name_of, offer, take
from holdfast.forking import Lock

if TYPE_CHECKING:
    from holdfast import LLM, Embedder, Memory

Place: TypeAlias = "Memory | str | os.PathLike[str] | Handle"
"""An open memory, the path of its file, or a handle to share."""


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
        InvalidInputError: The file is open already with another embedder or key, or without an
            LLM; or the memory open on it was made elsewhere, and it is not known with what.
        StorageError, ProviderError: As of `holdfast.Memory`.
    """
    return connections.connect(path, embedder=embedder, llm=llm, key=key)


class Handle:
    """A memory by its path, opened when first needed; or one that is open, and stays open.

    Args:
        place: The memory or the path.

    Raises:
        ScopeError: A memory bound to a scope was given; it does not reach the whole file.
    """

    def __init__(self, place: Memory | str | os.PathLike[str]) -> None:
        self._opened: Opened | None = None
        self._lock = Lock()
        if isinstance(place, str | os.PathLike):
            self._path = IN_MEMORY if str(place) == IN_MEMORY else name_of(place)
            return
        self._path = IN_MEMORY if place.path == IN_MEMORY else name_of(place.path)
        self._opened = offer(place)

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
                self._opened = take(self._path)
            return self._opened.memory

    async def memory(self) -> Memory:
        """Return the memory; if the file must be opened, in a thread."""
        opened = self._opened
        return await asyncio.to_thread(self.open) if opened is None else opened.memory

    def close(self) -> None:
        """Give the file back: the last handle closes what handles opened. Nothing is deleted."""
        with self._lock:
            if self._opened is None or self._opened.borrowed:
                return
            opened, self._opened = self._opened, None
            give_back(opened)
