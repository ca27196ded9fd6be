"""Holdfast for LlamaIndex: memory that lasts beyond the chat, in one file.

    from holdfast_llamaindex import HoldfastMemory

    memory = HoldfastMemory.from_defaults(path="memory.db", user_id="ada", session_id="monday")
    await agent.run("My dog is called Rex.", memory=memory)

Everything public is here, and loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast_llamaindex.block import HoldfastMemoryBlock
    from holdfast_llamaindex.chat_store import HoldfastChatStore
    from holdfast_llamaindex.connections import connect, share
    from holdfast_llamaindex.embedder import LlamaIndexEmbedder
    from holdfast_llamaindex.llm import LlamaIndexLLM
    from holdfast_llamaindex.memory import HoldfastMemory
    from holdfast_llamaindex.tools import HoldfastToolSpec
    from holdfast_llamaindex.vector_store import HoldfastVectorStore

__version__ = "0.1.0"

__all__ = [
    "HoldfastChatStore",
    "HoldfastMemory",
    "HoldfastMemoryBlock",
    "HoldfastToolSpec",
    "HoldfastVectorStore",
    "LlamaIndexEmbedder",
    "LlamaIndexLLM",
    "connect",
    "share",
]

_LAZY = {
    "HoldfastChatStore": "chat_store",
    "HoldfastMemory": "memory",
    "HoldfastMemoryBlock": "block",
    "HoldfastToolSpec": "tools",
    "HoldfastVectorStore": "vector_store",
    "LlamaIndexEmbedder": "embedder",
    "LlamaIndexLLM": "llm",
    "connect": "connections",
    "share": "connections",
}


def __getattr__(name: str) -> Any:
    """Load a name on first use (PEP 562)."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
