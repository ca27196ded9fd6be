"""Holdfast for LangGraph: its own interfaces, on one Holdfast file.

Everything public is here, and loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast_langgraph.checkpoint import HoldfastSaver, Retention

__version__ = "0.1.0"

__all__ = [
    "HoldfastSaver",
    "Retention",
]

_LAZY = {
    "HoldfastSaver": "holdfast_langgraph.checkpoint",
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
