"""Checkpoints: `HoldfastSaver`, a LangGraph checkpointer on one Holdfast file."""

from __future__ import annotations
