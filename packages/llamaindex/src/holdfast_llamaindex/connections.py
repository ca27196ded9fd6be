"""The open files of this process: whoever names a path gets the memory that is open there.

So a memory, a block, a chat store and a vector store on one path share one `holdfast.Memory`,
and a serialised memory, which carries its path and no secrets, finds its file again.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast import LLM, Embedder, InvalidInputError
from holdfast.connections import Opened, claim, offer

from holdfast_llamaindex.embedder import as_embedder
from holdfast_llamaindex.llm import as_llm

if TYPE_CHECKING:
    from holdfast import Memory
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.llms import LLM as ChatModel


@dataclass(frozen=True, slots=True)
class _Options:
    """What a memory was opened with, as far as that is known."""

    fingerprint: str | None = None
    reasons: bool | None = None
    key: str | bytes | None = None


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
    opened = claim(path, lambda: _opened(path, made, model, key))
    _check(opened, made, model, key)
    opened.borrowed = True
    return opened.memory


def share(memory: Memory) -> Memory:
    """Let everything that names this memory's file by its path use this memory.

    Raises:
        ScopeError: It is a bound handle, which does not reach the whole file.
    """
    offer(Opened(memory, borrowed=True))
    return memory


def _opened(
    path: str | os.PathLike[str],
    embedder: Embedder | None,
    llm: LLM | None,
    key: str | bytes | None,
) -> Opened:
    # Here, for the front door loads the database and the index: this module must stay light.
    from holdfast import Memory

    memory = Memory(path, embedder=embedder, llm=llm, key=key, background=llm is not None)
    fingerprint = None if embedder is None else embedder.fingerprint
    return Opened(memory, _Options(fingerprint, llm is not None, key), borrowed=True)


def _check(
    opened: Opened, embedder: Embedder | None, llm: LLM | None, key: str | bytes | None
) -> None:
    """Refuse options that an open memory does not have: they would have no effect."""
    known = opened.options if isinstance(opened.options, _Options) else _Options()
    other = embedder is not None and known.fingerprint not in (None, embedder.fingerprint)
    if other or (llm is not None and known.reasons is False) or key not in (None, known.key):
        raise InvalidInputError(
            f"{opened.memory.database.path} is open in this process with another embedder or key, "
            "or without an LLM: give them where it is opened first, or hand on that memory"
        )
