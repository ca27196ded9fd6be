"""Holdfast for LangGraph: its own interfaces, on one Holdfast file.

Everything public is here, and loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast_langgraph.checkpoint import HoldfastSaver, Retention
    from holdfast_langgraph.embeddings import LangChainEmbedder
    from holdfast_langgraph.labels import escape_label, namespace, unescape_label
    from holdfast_langgraph.langchain import HoldfastChatMessageHistory, HoldfastRetriever
    from holdfast_langgraph.llms import LangChainLLM
    from holdfast_langgraph.middleware import MemoryMiddleware
    from holdfast_langgraph.store import HoldfastStore
    from holdfast_langgraph.tools import create_manage_memory_tool, create_search_memory_tool

__version__ = "0.1.0"

__all__ = [
    "HoldfastChatMessageHistory",
    "HoldfastRetriever",
    "HoldfastSaver",
    "HoldfastStore",
    "LangChainEmbedder",
    "LangChainLLM",
    "MemoryMiddleware",
    "Retention",
    "create_manage_memory_tool",
    "create_search_memory_tool",
    "escape_label",
    "namespace",
    "unescape_label",
]

_LAZY = {
    "HoldfastChatMessageHistory": "holdfast_langgraph.langchain",
    "HoldfastRetriever": "holdfast_langgraph.langchain",
    "HoldfastSaver": "holdfast_langgraph.checkpoint",
    "HoldfastStore": "holdfast_langgraph.store",
    "LangChainEmbedder": "holdfast_langgraph.embeddings",
    "LangChainLLM": "holdfast_langgraph.llms",
    "MemoryMiddleware": "holdfast_langgraph.middleware",
    "create_manage_memory_tool": "holdfast_langgraph.tools",
    "create_search_memory_tool": "holdfast_langgraph.tools",
    "escape_label": "holdfast_langgraph.labels",
    "namespace": "holdfast_langgraph.labels",
    "unescape_label": "holdfast_langgraph.labels",
    "Retention": "holdfast_langgraph.checkpoint",
}


def __getattr__(name: str) -> Any:
    """Load a name on first use (PEP 562)."""
    if name not in _LAZY:
        raise AttributeError(f"module 'holdfast_langgraph' has no attribute {name!r}")
    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
