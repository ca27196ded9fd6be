"""The open files of this process: whoever names a path gets the memory that is open there.

So a memory, a block, a chat store and a vector store on one path share one `holdfast.Memory`,
and a serialised memory, which carries its path and no secrets, finds its file again.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from holdfast import LLM, Embedder, InvalidInputError, StorageClosedError

from holdfast_llamaindex.embedder import as_embedder
from holdfast_llamaindex.llm import as_llm

if TYPE_CHECKING:
    from holdfast import Memory
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.llms import LLM as ChatModel

IN_MEMORY = ":memory:"


@dataclass(frozen=True, slots=True)
class _Opened:
    """A memory, and what it was opened with, as far as that is known."""

    memory: Memory
    fingerprint: str | None = None
    reasons: bool | None = None
    key: str | bytes | None = None


_open: dict[str, _Opened] = {}
_lock = Lock()


def connect(
    path: str | os.PathLike[str],
    *,
    embedder: Embedder | BaseEmbedding | None = None,
    llm: LLM | ChatModel | None = None,
    key: str | bytes | None = None,
) -> Memory:
    """Open a file, or return the memory that is open on it in this process.

    Call it before a serialised `HoldfastMemory` is restored in a new process if the file needs
    an embedder of its own, an LLM or a key. It stays open until its ``close()``.

    Args:
        path: The file, made when missing. ``":memory:"`` is a new one each time.
        embedder: Holdfast's or LlamaIndex's; by default Holdfast's local one.
        llm: Derives facts from what is said, in the background; Holdfast's or LlamaIndex's.
        key: Encrypts the whole file.

    Raises:
        InvalidInputError: The file is open already with another embedder or key, or without the
            LLM that is given now.
        StorageError, ProviderError: As of `holdfast.Memory`.
    """
    made, model = as_embedder(embedder), as_llm(llm)
    with _lock:
        known = None if str(path) == IN_MEMORY else _alive(_name(path))
        if known is None:
            known = _opened(path, made, model, key)
            _keep(known)
    _check(known, made, model, key)
    return known.memory


def share(memory: Memory) -> Memory:
    """Let everything that names this memory's file by its path use this memory.

    Raises:
        ScopeError: It is a bound handle, which does not reach the whole file.
    """
    with _lock:
        if memory.database.in_memory or _alive(_name(memory.database.path)) is None:
            _keep(_Opened(memory))
    return memory


def _keep(opened: _Opened) -> None:
    if not opened.memory.database.in_memory:
        _open[_name(opened.memory.database.path)] = opened


def _alive(name: str) -> _Opened | None:
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


def _opened(
    path: str | os.PathLike[str],
    embedder: Embedder | None,
    llm: LLM | None,
    key: str | bytes | None,
) -> _Opened:
    # Here, for the front door loads the database and the index: this module must stay light.
    from holdfast import Memory

    memory = Memory(path, embedder=embedder, llm=llm, key=key, background=llm is not None)
    fingerprint = None if embedder is None else embedder.fingerprint
    return _Opened(memory, fingerprint, llm is not None, key)


def _check(
    opened: _Opened, embedder: Embedder | None, llm: LLM | None, key: str | bytes | None
) -> None:
    """Refuse options that an open memory does not have: they would have no effect."""
    other = embedder is not None and opened.fingerprint not in (None, embedder.fingerprint)
    if other or (llm is not None and opened.reasons is False) or key not in (None, opened.key):
        raise InvalidInputError(
            f"{opened.memory.database.path} is open in this process with another embedder or key, "
            "or without an LLM: give them where it is opened first, or hand on that memory"
        )


def _name(path: str | os.PathLike[str]) -> str:
    return str(Path(path).resolve())
