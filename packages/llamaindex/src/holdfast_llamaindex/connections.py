"""The open files of this process: whoever names a path gets the memory that is open there.

So a memory, a block, a chat store and a vector store on one path share one `holdfast.Memory`,
and a serialised memory, which carries its path and no secrets, finds its file again.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from holdfast import LLM, Embedder
from holdfast.adapters import connections

from holdfast_llamaindex.embedder import as_embedder
from holdfast_llamaindex.llm import as_llm

if TYPE_CHECKING:
    from holdfast import Memory
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.llms import LLM as ChatModel


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
        InvalidInputError: The file is open already with another embedder or key, or without an
            LLM; or the memory open on it was made elsewhere, and it is not known with what.
        StorageError, ProviderError: As of `holdfast.Memory`.
    """
    made, model = as_embedder(embedder), as_llm(llm)
    return connections.connect(
        path, embedder=made, llm=model, key=key, background=model is not None
    )


def share(memory: Memory) -> Memory:
    """Let everything that names this memory's file by its path use this memory.

    Raises:
        ScopeError: It is a bound handle, which does not reach the whole file.
    """
    connections.offer(memory)
    return memory
