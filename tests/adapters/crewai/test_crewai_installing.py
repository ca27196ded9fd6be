"""`install`: what CrewAI makes by itself lies in a Holdfast file; legacy arguments are named."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from crewai import Agent, Crew
from crewai.flow.flow import Flow
from crewai.flow.persistence.factory import default_flow_persistence
from crewai.memory.storage import factory
from crewai.memory.storage.backend import StorageBackend
from crewai.memory.unified_memory import Memory
from holdfast.testing import HashEmbedder
from holdfast_crewai import (
    HoldfastFlowPersistence,
    HoldfastMemory,
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


def test_memory_true_needs_no_key(path: str) -> None:
    install(path)
    crew_of(answering("The vault opens at noon."), "When does it open?", memory=True).kickoff()

    asked = answering("noon")
    crew_of(asked, "When does the vault open?", memory=True).kickoff()

    assert any("The vault opens at noon." in prompt for prompt in asked.prompts)


def test_an_agents_own_memory_needs_no_key(path: str) -> None:
    install(path)
    agent: Any = Agent(role="x", goal="y", backstory="z", llm=answering("done"), memory=True)
    agent.memory.remember("The vault opens at noon.")
    assert len(agent.memory.recall("When does the vault open?")) == 1


def test_a_memory_written_as_a_mapping_lies_in_the_file_and_needs_no_key(path: str) -> None:
    install(path)
    spec: Any = {"storage": f"holdfast:{path}?user_id=ada", "root_scope": "/team"}
    memory: Any = crew_of(answering("x"), "y", memory=spec)._memory
    memory.remember("The vault opens at noon.", scope="/a", categories=[], importance=0.5)
    (match,) = memory.recall("When does the vault open?", depth="shallow")
    assert (memory._storage.spec.ids, match.record.scope) == ({"user_id": "ada"}, "/team/a")


def test_a_query_is_found_by_its_words_under_memory_true(path: str) -> None:
    install(path)
    memory: Any = Memory()
    vector = memory._embedder(["when does the vault open"])[0]
    assert memory._storage._text_of(vector) == "when does the vault open"


def test_the_embedder_may_be_named(path: str) -> None:
    install(path, embedder=HashEmbedder())
    memory: Any = Memory()
    memory.remember("alpha", scope="/", categories=[], importance=0.5)
    assert len(memory._storage.list_records()) == 1
    with HoldfastMemory(storage=path, embedder=HashEmbedder()).file as file:
        assert file.stats().embedder == HashEmbedder().fingerprint


def test_an_embedder_of_a_memorys_own_is_left_to_it(path: str) -> None:
    install(path)
    memory: Any = Memory(embedder=embed)
    assert memory._embedder is embed


def test_a_memory_in_another_storage_keeps_crewais_embedder(path: str, tmp_path: Path) -> None:
    install(path)
    memory: Any = Memory(storage=HoldfastStorage(tmp_path / "mine.db"))
    assert memory._embedder_instance is None


def test_without_a_local_embedder_a_warning_says_who_is_asked(path: str) -> None:
    script = (
        "import sys; sys.modules['onnxruntime'] = None;"
        "from holdfast_crewai import NoEmbedderWarning, install; import warnings;"
        "warnings.simplefilter('error', NoEmbedderWarning); install(sys.argv[1])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, path],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert "NoEmbedderWarning" in done.stderr
    assert "OpenAI" in done.stderr


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
    before, prepared = Crew.__init__, Memory.model_post_init
    install(path)
    install(path)
    uninstall()
    assert Crew.__init__ is before
    assert Memory.model_post_init is prepared
    assert factory._factory is None


def test_lancedb_is_never_imported(path: str) -> None:
    script = (
        "import sys; from holdfast_crewai import install; install(sys.argv[1]);"
        "from crewai.memory.unified_memory import Memory; Memory();"
        "assert 'lancedb' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", script, path], check=True, timeout=110)
