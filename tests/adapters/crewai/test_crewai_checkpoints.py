"""A crew with our memory writes checkpoints, is restored from them, and gets its memory back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from crewai import Crew
from crewai.memory.memory_scope import MemoryScope
from crewai.state.checkpoint_config import CheckpointConfig
from holdfast.testing import HashEmbedder
from holdfast_crewai import HoldfastMemory, HoldfastStorage, install, rebind
from support.crewai_doubles import answering, crew_of


def memory_at(path: str, **options: Any) -> HoldfastMemory:
    return HoldfastMemory(
        storage=path,
        user_id="ada",
        root_scope="/crew/office",
        embedder=HashEmbedder(),
        **options,
    )


def written(path: str, folder: Path) -> list[Path]:
    """Run a crew with a memory and checkpoints; return the checkpoints.

    CrewAI loses one now and then: its serializer gives up when an event arrives meanwhile.
    """
    for _ in range(5):
        if found := attempted(path, folder):
            break
    return found


def attempted(path: str, folder: Path) -> list[Path]:
    memory = memory_at(path)
    crew = crew_of(
        answering("Bob lives in Porto"),
        "Find Bob",
        memory=memory,
        checkpoint=CheckpointConfig(location=str(folder), on_events=["task_completed"]),
    )
    crew.kickoff()
    memory.close()
    return sorted(folder.rglob("*.json"))


def test_a_crew_with_this_memory_writes_checkpoints(path: str, tmp_path: Path) -> None:
    (checkpoint, *_) = written(path, tmp_path / "checkpoints")
    text = checkpoint.read_text()
    assert f"holdfast:{path}?user_id=ada" in text


def test_a_restored_crew_gets_its_memory_back(path: str, tmp_path: Path) -> None:
    (checkpoint, *_) = written(path, tmp_path / "checkpoints")
    install(path)
    crew = Crew.from_checkpoint(CheckpointConfig(restore_from=str(checkpoint)))
    memory = memory_at(path)
    rebind(crew, memory)
    assert crew._memory is memory
    assert crew.memory is memory
    assert crew._memory.recall("Where does Bob live?")[0].record.content.endswith("Porto")


def test_a_restored_memory_is_fenced_even_before(path: str, tmp_path: Path) -> None:
    (checkpoint, *_) = written(path, tmp_path / "checkpoints")
    install(path)
    crew: Any = Crew.from_checkpoint(CheckpointConfig(restore_from=str(checkpoint)))
    assert isinstance(crew._memory._storage, HoldfastStorage)
    assert crew._memory._storage.spec.ids == {"user_id": "ada"}
    assert crew._memory.root_scope == "/crew/office"


def test_another_tenants_memory_is_refused(path: str, tmp_path: Path) -> None:
    (checkpoint, *_) = written(path, tmp_path / "checkpoints")
    install(path)
    crew = Crew.from_checkpoint(CheckpointConfig(restore_from=str(checkpoint)))
    other = HoldfastMemory(
        storage=path, user_id="eve", root_scope="/crew/office", embedder=HashEmbedder()
    )
    with pytest.raises(ValueError, match="user_id=ada"):
        rebind(crew, other)


def test_agents_and_scopes_are_bound_too(path: str) -> None:
    memory = memory_at(path)
    crew = crew_of(answering("x"), "y")
    scope = MemoryScope(root_path="/notes")
    crew.agents[0].memory = scope
    rebind(crew, memory)
    assert scope._require_memory() is memory
