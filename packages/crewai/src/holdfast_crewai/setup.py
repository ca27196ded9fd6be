"""`install`: one line, and what CrewAI makes by itself uses Holdfast."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from crewai import Crew
from crewai.flow.persistence import factory as flows
from crewai.memory.storage import factory as storages

from holdfast_crewai.flows import HoldfastFlowPersistence
from holdfast_crewai.paths import PREFIX, Spec
from holdfast_crewai.storage import HoldfastStorage

# Specifications that CrewAI itself understands; any other is the path of a file.
LANCEDB = "lancedb"
OTHERS = frozenset({"qdrant-edge"})
LEGACY = {
    "external_memory": "memory=HoldfastMemory(storage=...)",
    "memory_config": "memory=HoldfastMemory(storage=..., user_id=..., llm=...)",
    "short_term_memory": "memory=HoldfastMemory(storage=...)",
    "long_term_memory": "memory=HoldfastMemory(storage=...)",
    "entity_memory": "memory=HoldfastMemory(storage=...)",
}

_lock = threading.Lock()
_undo: list[Callable[[], None]] = []


class LegacyArgumentWarning(UserWarning):
    """An argument of old CrewAI versions was given; CrewAI ignores it without a word."""


def install(path: str = "holdfast.db", *, flow_states: bool = True) -> None:
    """Let memories that CrewAI makes by itself lie in a Holdfast file.

    From now on ``Crew(memory=True)``, ``Agent(memory=True)``, every `Flow`, and
    ``Memory(storage="lancedb")`` use it, ``storage="holdfast:/other.db?user_id=ada"`` names
    another file or tenant, and LanceDB is not even imported. CrewAI's own analysis stays: it
    calls its LLM and embedder. `Crew` warns of arguments that it would swallow in silence.

    Args:
        path: The file, or ``holdfast:path?user_id=ada``.
        flow_states: Also keep the states of flows there.

    Calling it again moves to another file; `uninstall` undoes it.
    """
    uninstall()
    with _lock:
        opened: dict[str, HoldfastStorage] = {}
        before_storage, before_flow = storages._factory, flows._factory
        storages.set_memory_storage_factory(_storage_factory(path, opened, before_storage))
        _undo.append(lambda: storages.set_memory_storage_factory(before_storage))
        if flow_states:
            kept = HoldfastFlowPersistence(path=Spec.read(path).path)
            flows.set_flow_persistence_factory(lambda: kept)
            _undo.append(lambda: flows.set_flow_persistence_factory(before_flow))
        original = Crew.__init__
        Crew.__init__ = _warning(original)  # type: ignore[method-assign]
        _undo.append(lambda: setattr(Crew, "__init__", original))


def uninstall() -> None:
    """Undo `install`."""
    with _lock:
        while _undo:
            _undo.pop()()


def _storage_factory(
    path: str, opened: dict[str, HoldfastStorage], before: storages.MemoryStorageFactory | None
) -> storages.MemoryStorageFactory:
    def make(spec: str) -> Any:
        own = spec == LANCEDB or spec.startswith(PREFIX)
        if spec in OTHERS or (not own and Path(spec).is_dir()):  # a LanceDB folder is not ours
            return before(spec) if before is not None else None
        found = str(Spec.read(path if spec == LANCEDB else spec))
        with _lock:
            return opened.setdefault(found, HoldfastStorage(found))

    return make


def _warning(original: Callable[..., None]) -> Callable[..., None]:
    """Return `Crew.__init__` with a warning of what CrewAI has not known since 1.10."""

    @wraps(original)
    def __init__(self: Crew, **data: Any) -> None:
        for name in sorted(data.keys() & LEGACY.keys()):
            warnings.warn(
                f"CrewAI ignores {name}= since 1.10: this crew would have no memory of that kind; "
                f"give {LEGACY[name]}",
                LegacyArgumentWarning,
                stacklevel=2,
            )
        original(self, **data)

    return __init__
