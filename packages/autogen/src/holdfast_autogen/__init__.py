"""Holdfast for AutoGen: memory that lasts beyond the conversation, in one file.

    from holdfast_autogen import HoldfastMemory

    agent = AssistantAgent("assistant", client, memory=[HoldfastMemory("memory.db", user_id="ada")])

`holdfast_autogen.agent_framework` serves Microsoft Agent Framework from the same file. Everything
public is loaded when first used, so that neither framework is imported for the other.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast_autogen.connections import connect
    from holdfast_autogen.llm import AutoGenLLM
    from holdfast_autogen.memory import HoldfastMemory, HoldfastMemoryConfig
    from holdfast_autogen.model_context import HoldfastModelContext, HoldfastModelContextConfig
    from holdfast_autogen.scopes import serving
    from holdfast_autogen.tools import ForgetTool, RecallTool, RememberTool
    from holdfast_autogen.workbench import HoldfastWorkbench

__version__ = "0.1.0"

__all__ = [
    "AutoGenLLM",
    "ForgetTool",
    "HoldfastMemory",
    "HoldfastMemoryConfig",
    "HoldfastModelContext",
    "HoldfastModelContextConfig",
    "HoldfastWorkbench",
    "RecallTool",
    "RememberTool",
    "connect",
    "serving",
]

_LAZY = {
    "AutoGenLLM": "llm",
    "ForgetTool": "tools",
    "HoldfastMemory": "memory",
    "HoldfastMemoryConfig": "memory",
    "HoldfastModelContext": "model_context",
    "HoldfastModelContextConfig": "model_context",
    "HoldfastWorkbench": "workbench",
    "RecallTool": "tools",
    "RememberTool": "tools",
    "connect": "connections",
    "serving": "scopes",
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
