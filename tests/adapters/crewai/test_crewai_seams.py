"""The private seams of CrewAI that the package stands on: a test that says which one moved."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest
from crewai import Crew
from crewai.flow.persistence.base import FlowPersistence, _persistence_registry
from crewai.memory.storage.backend import StorageBackend
from crewai.memory.types import MemoryConfig
from crewai.memory.unified_memory import Memory
from holdfast_crewai import HoldfastMemory, HoldfastStorage
from holdfast_crewai.backend import Backend
from holdfast_crewai.records import RecordStorage


def parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


@pytest.mark.parametrize(
    "name",
    [
        "_encode_batch",
        "recall",
        "arecall",
        "extract_memories",
        "aextract_memories",
        "aremember",
        "update",
        "drain_writes",
        "close",
        "reset_all",
    ],
)
def test_what_we_override_still_has_its_parameters(name: str) -> None:
    theirs, ours = parameters(getattr(Memory, name)), parameters(getattr(HoldfastMemory, name))
    assert theirs == ours, f"Memory.{name} changed in CrewAI: {theirs}"


@pytest.mark.parametrize(
    "name",
    ["_storage", "_config", "_save_pool", "_pending_saves", "_reset_lock", "_embedder_instance"],
)
def test_the_private_attributes_we_set_or_inherit_are_there(name: str) -> None:
    assert name in Memory.__private_attributes__, f"Memory.{name} is gone from CrewAI"


@pytest.mark.parametrize("name", ["_submit_save", "_on_save_done", "_background_encode_batch"])
def test_the_private_methods_we_call_or_inherit_are_there(name: str) -> None:
    assert callable(getattr(Memory, name, None)), f"Memory.{name} is gone from CrewAI"


def test_a_memorys_embedder_is_the_one_set_while_it_is_made() -> None:
    assert "model_post_init" in vars(Memory), "Memory is prepared elsewhere now: see setup.install"
    assert parameters(Memory.model_post_init)[0] == "self"
    memory = Memory(storage=HoldfastStorage(":memory:"))
    memory._embedder_instance = marker = object()
    assert memory._embedder is marker, "Memory no longer uses _embedder_instance where it is set"


def test_every_write_goes_through_the_batch_we_override() -> None:
    for name in ("remember", "_background_encode_batch"):
        assert "_encode_batch" in inspect.getsource(getattr(Memory, name)), (
            f"Memory.{name} no longer writes through _encode_batch"
        )


def test_the_discriminator_is_still_memory() -> None:
    assert Memory.model_fields["memory_kind"].default == "memory"
    assert "memory" in Crew.model_fields


def test_the_weights_are_still_fields_of_the_memory() -> None:
    missing = MemoryConfig.model_fields.keys() - Memory.model_fields.keys()
    assert missing == {"batch_dedup_threshold", "recall_oversample_factor"}


@pytest.mark.parametrize("storage", [HoldfastStorage, RecordStorage])
def test_the_storage_protocol_is_the_one_we_keep(storage: type[Backend]) -> None:
    for name, method in inspect.getmembers(StorageBackend, inspect.isfunction):
        if not name.startswith("_"):
            theirs, ours = parameters(method), parameters(getattr(storage, name))
            assert theirs == ours, f"StorageBackend.{name} changed in CrewAI: {theirs}"


@pytest.mark.parametrize(
    "module", ["crewai.memory.storage.factory", "crewai.flow.persistence.factory"]
)
def test_the_factories_keep_what_was_registered(module: str) -> None:
    assert hasattr(importlib.import_module(module), "_factory"), f"{module}._factory is gone"


def test_flow_persistences_are_registered_by_name() -> None:
    assert "HoldfastFlowPersistence" in _persistence_registry
    assert FlowPersistence.__abstractmethods__ == {"init_db", "load_state", "save_state"}
