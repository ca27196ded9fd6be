"""After a checkpoint: the framework restores settings and drops live objects."""

from __future__ import annotations

from typing import Any

from crewai.memory.memory_scope import MemoryScope, MemorySlice
from crewai.memory.unified_memory import Memory

from holdfast_crewai.memory import HoldfastMemory


def rebind(restored: Any, memory: HoldfastMemory) -> None:
    """Give a crew, agent or flow restored from a checkpoint its live memory back.

        crew = Crew.from_checkpoint(config)
        rebind(crew, HoldfastMemory(storage="memory.db", llm=llm))

    A checkpoint names file, tenant and root, but holds neither class, model nor embedder: CrewAI
    restores a plain `Memory`. Every memory of the crew and of its agents is replaced by
    this one, and scopes and slices are bound to it.

    Args:
        restored: What was restored.
        memory: The memory it had; its file, tenant and root must be those of the checkpoint.

    Raises:
        ValueError: The restored memory is of another file, tenant or root.
    """
    for holder in (restored, *(getattr(restored, "agents", None) or ())):
        for name in ("memory", "_memory"):
            held = getattr(holder, name, None)
            if isinstance(held, MemoryScope | MemorySlice):
                held.bind(memory)
            elif isinstance(held, Memory) and held is not memory:
                _check_same(held, memory)
                setattr(holder, name, memory)


def _check_same(held: Memory, memory: HoldfastMemory) -> None:
    ours = memory.model_dump(include={"storage", "root_scope"})
    theirs = {"storage": held.storage, "root_scope": held.root_scope}
    if isinstance(held.storage, str) and theirs != ours:
        raise ValueError(f"the checkpoint's memory is {theirs}, the one given is {ours}")
