"""Holdfast: long-term memory for LLM agents, in one file.

    from holdfast import Memory

    memory = Memory("memory.db")
    ada = memory.scoped(user_id="ada")  # a handle that reaches no other user
    ada.add("I moved to Berlin")
    ada.search("Where does Ada live?")

Everything public is here, and loaded when first used: importing Holdfast imports no database,
no index and no model.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from holdfast.errors import (
    DamagedFileError,
    EmbedderMismatchError,
    ExtractionError,
    FilterError,
    HoldfastError,
    InvalidInputError,
    ProviderError,
    RecordNotFoundError,
    SchemaVersionError,
    ScopeError,
    StorageClosedError,
    StorageError,
    WrongKeyError,
)
from holdfast.types import (
    Answer,
    Change,
    Changes,
    Context,
    Match,
    Message,
    Page,
    Record,
    Scope,
    Tool,
    Usage,
    Within,
)

if TYPE_CHECKING:
    from holdfast.chatlog import ChatLog
    from holdfast.context.compiling import compose
    from holdfast.documents import Documents
    from holdfast.graph import Graph
    from holdfast.language.quoting import quote
    from holdfast.maintenance.conductor import Stats
    from holdfast.memory import Memory
    from holdfast.pipeline.extraction import Guidance
    from holdfast.providers import default_embedder
    from holdfast.providers.base import LLM, Embedder, Reranker

__version__ = "0.1.0"

__all__ = [
    "LLM",
    "Answer",
    "Change",
    "Changes",
    "ChatLog",
    "Context",
    "DamagedFileError",
    "Documents",
    "Embedder",
    "EmbedderMismatchError",
    "ExtractionError",
    "FilterError",
    "Graph",
    "Guidance",
    "HoldfastError",
    "InvalidInputError",
    "Match",
    "Memory",
    "Message",
    "Page",
    "ProviderError",
    "Record",
    "RecordNotFoundError",
    "Reranker",
    "SchemaVersionError",
    "Scope",
    "ScopeError",
    "Stats",
    "StorageClosedError",
    "StorageError",
    "Tool",
    "Usage",
    "Within",
    "WrongKeyError",
    "compose",
    "default_embedder",
    "quote",
]

_LAZY = {
    "ChatLog": "holdfast.chatlog",
    "compose": "holdfast.context.compiling",
    "quote": "holdfast.language.quoting",
    "Embedder": "holdfast.providers.base",
    "Graph": "holdfast.graph",
    "Guidance": "holdfast.pipeline.extraction",
    "Documents": "holdfast.documents",
    "LLM": "holdfast.providers.base",
    "Memory": "holdfast.memory",
    "Reranker": "holdfast.providers.base",
    "Stats": "holdfast.maintenance.conductor",
    "default_embedder": "holdfast.providers",
}


def __getattr__(name: str) -> Any:
    """Load a heavy name on first use (PEP 562)."""
    if name not in _LAZY:
        raise AttributeError(f"module 'holdfast' has no attribute {name!r}")
    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
