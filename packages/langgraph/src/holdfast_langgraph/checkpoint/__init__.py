"""Checkpoints: `HoldfastSaver`, a LangGraph checkpointer on one Holdfast file."""

from __future__ import annotations

from holdfast_langgraph.checkpoint.pruning import Retention
from holdfast_langgraph.checkpoint.saver import HoldfastSaver

__all__ = ["HoldfastSaver", "Retention"]
