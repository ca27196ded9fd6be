"""`HoldfastStore`: LangGraph's long-term memory on one Holdfast file."""

from __future__ import annotations

from holdfast_langgraph.store.base import HoldfastStore

__all__ = ["HoldfastStore"]
