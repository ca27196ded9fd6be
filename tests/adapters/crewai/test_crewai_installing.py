"""`install`: what CrewAI makes by itself lies in a Holdfast file; legacy arguments are named."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from crewai import Crew
from crewai.flow.flow import Flow
from crewai.flow.persistence.factory import default_flow_persistence
from crewai.memory.storage import factory
from crewai.memory.storage.backend import StorageBackend
from crewai.memory.unified_memory import Memory
from holdfast_crewai import (
    HoldfastFlowPersistence,
    HoldfastStorage,
    LegacyArgumentWarning,
    install,
    uninstall,
)
from support.crewai_doubles import answering, crew_of, embed


def test_memory_true_lies_in_the_file(path: str) -> None:
    install(path)
    crew: Any = crew_of(answering("x"), "y", memory=True, name="Sales Team")
    assert isinstance(crew._memory._storage, HoldfastStorage)
    assert crew._memory._storage.spec.path == path
    assert crew._memory.root_scope == "/crew/sales-team"


def test_flows_and_specifications_lie_in_it_too(path: str, tmp_path: Path) -> None:
    install(path)

    class Office(Flow[Any]):
        pass

    memories: list[Any] = [Office().memory, Memory(storage="lancedb")]
    assert all(memory._storage.spec.path == path for memory in memories)
    other = tmp_path / "other.db"
    named: Any = Memory(storage=f"holdfast:{other}?user_id=ada")
    assert str(named._storage.spec) == f"holdfast:{other}?user_id=ada"


def test_memories_of_one_file_share_it(path: str) -> None:
    install(path)
    first: Any = Memory(embedder=embed)
    second: Any = Memory(embedder=embed)
    assert first._storage is second._storage
    first.remember("shared", scope="/", categories=[], importance=0.5)
    assert [match.record.content for match in second.recall("shared", depth="shallow")] == [
        "shared"
    ]


def test_a_tenant_may_be_installed(path: str) -> None:
    install(f"holdfast:{path}?user_id=ada")
    memory: Any = Memory(embedder=embed)
    memory.remember("secret", scope="/", categories=[], importance=0.5)
    install(f"holdfast:{path}?user_id=bob")
    other: Any = Memory(embedder=embed)
    assert other.recall("secret", depth="shallow") == []


def test_a_folder_of_lancedb_is_left_to_crewai(path: str, tmp_path: Path) -> None:
    install(path)
    assert factory.resolve_memory_storage(str(tmp_path)) is None
    assert factory.resolve_memory_storage("qdrant-edge") is None


def test_states_of_flows_lie_in_the_file(path: str) -> None:
    install(path)
    states: Any = default_flow_persistence()
    assert isinstance(states, HoldfastFlowPersistence)
    assert states.path == path


def test_a_factory_from_before_is_asked_and_put_back(path: str, tmp_path: Path) -> None:
    mine: Any = HoldfastStorage(tmp_path / "mine.db")

    def before(spec: str) -> StorageBackend | None:
        return mine if spec == "qdrant-edge" else None

    factory.set_memory_storage_factory(before)
    try:
        install(path)
        assert factory.resolve_memory_storage("qdrant-edge") is mine
        uninstall()
        assert factory._factory is before
    finally:
        factory.set_memory_storage_factory(None)


@pytest.mark.parametrize("name", ["external_memory", "memory_config", "long_term_memory"])
def test_an_argument_that_crewai_ignores_is_named(path: str, name: str) -> None:
    install(path)
    given: dict[str, Any] = {name: {"provider": "mem0"}}
    made = crew_of(answering("x"), "y")
    with pytest.warns(LegacyArgumentWarning, match=rf"{name}=.*HoldfastMemory"):
        crew = Crew(agents=made.agents, tasks=made.tasks, **given)
    assert crew.memory is False


def test_an_ordinary_crew_is_not_warned_of(path: str) -> None:
    install(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", LegacyArgumentWarning)
        crew_of(answering("x"), "y")


def test_uninstalling_leaves_no_trace(path: str) -> None:
    before = Crew.__init__
    install(path)
    install(path)
    uninstall()
    assert Crew.__init__ is before
    assert factory._factory is None


def test_lancedb_is_never_imported(path: str) -> None:
    script = (
        "import sys; from holdfast_crewai import install; install(sys.argv[1]);"
        "from crewai.memory.unified_memory import Memory; Memory();"
        "assert 'lancedb' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", script, path], check=True, timeout=110)
