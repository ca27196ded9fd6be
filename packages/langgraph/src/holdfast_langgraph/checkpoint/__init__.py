"""Checkpoints: `HoldfastSaver`, a LangGraph checkpointer on one Holdfast file."""

from __future__ import annotations

from holdfast_langgraph.checkpoint.saver import HoldfastSaver
from holdfast_langgraph.checkpoint.threads import Retention

__all__ = ["HoldfastSaver", "Retention"]
