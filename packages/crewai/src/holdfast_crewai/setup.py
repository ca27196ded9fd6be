"""`install`: one line, and what CrewAI makes by itself uses Holdfast."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from crewai import Crew
from crewai.flow.persistence import factory as flows
from crewai.memory.storage import factory as storages
from crewai.memory.unified_memory import Memory
from holdfast import Embedder, ProviderError
from holdfast.forking import Lock

from holdfast_crewai.embedders import Given, as_embedder
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

_lock = Lock()
_undo: list[Callable[[], None]] = []


class LegacyArgumentWarning(UserWarning):
    """An argument of old CrewAI versions was given; CrewAI ignores it without a word."""


class NoEmbedderWarning(UserWarning):
    """There is no local embedder: a memory that names none asks OpenAI, as CrewAI has it."""


def install(path: str = "holdfast.db", *, embedder: Given = None, flow_states: bool = True) -> None:
    """Let memories that CrewAI makes by itself lie in a Holdfast file.

    From now on ``Crew(memory=True)``, ``Agent(memory=True)``, every `Flow`, and
    ``Memory(storage="lancedb")`` use it, ``storage="holdfast:/other.db?user_id=ada"`` names
    another file or tenant, and LanceDB is not even imported. A memory that names no embedder has
    this one instead of OpenAI's. CrewAI's own analysis stays: it calls its LLM. `Crew` warns of
    arguments that it would swallow in silence.

    Args:
        path: The file, or ``holdfast:path?user_id=ada``.
        embedder: A `holdfast.Embedder`, a callable, CrewAI's provider dictionary, or None for
            the local one, which needs neither key nor network.
        flow_states: Also keep the states of flows there.

    Calling it again moves to another file; `uninstall` undoes it.
    """
    uninstall()
    default = _default(embedder)
    with _lock:
        opened: dict[str, HoldfastStorage] = {}
        before_storage, before_flow = storages._factory, flows._factory
        storages.set_memory_storage_factory(_storage_factory(path, opened, default, before_storage))
        _undo.append(lambda: storages.set_memory_storage_factory(before_storage))
        unprepared = Memory.model_post_init
        Memory.model_post_init = _embedding(unprepared)  # type: ignore[method-assign,assignment]
        _undo.append(lambda: setattr(Memory, "model_post_init", unprepared))
        if flow_states:
            kept = HoldfastFlowPersistence(path=path)
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


def _default(given: Given) -> Embedder | None:
    try:
        return as_embedder(given)
    except ProviderError as error:
        warnings.warn(
            f"{error}. Until then a memory that names no embedder asks OpenAI for vectors, as "
            "CrewAI has it; or give install(embedder=...)",
            NoEmbedderWarning,
            stacklevel=3,
        )
        return None


def _storage_factory(
    path: str,
    opened: dict[str, HoldfastStorage],
    default: Embedder | None,
    before: storages.MemoryStorageFactory | None,
) -> storages.MemoryStorageFactory:
    def make(spec: str) -> Any:
        own = spec == LANCEDB or spec.startswith(PREFIX)
        if spec in OTHERS or (not own and Path(spec).is_dir()):  # a LanceDB folder is not ours
            return before(spec) if before is not None else None
        found = str(Spec.read(path if spec == LANCEDB else spec))
        with _lock:
            if found not in opened:
                opened[found] = HoldfastStorage(found)
                if default is not None:
                    opened[found].embedding(default)
            return opened[found]

    return make


def _embedding(original: Callable[[Memory, Any], None]) -> Callable[[Memory, Any], None]:
    """Return `Memory.model_post_init` that puts our embedder where CrewAI would ask OpenAI."""

    @wraps(original)
    def model_post_init(self: Memory, context: Any, /) -> None:
        original(self, context)
        storage = self._storage
        if self.embedder is None and isinstance(storage, HoldfastStorage):
            self._embedder_instance = storage.embedder

    return model_post_init


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
