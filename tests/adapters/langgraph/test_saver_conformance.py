"""LangGraph's own conformance suite, driven through both faces and three kinds of file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from holdfast_langgraph import HoldfastSaver
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.conformance import validate
from langgraph.checkpoint.conformance.capabilities import ALL_CAPABILITIES
from langgraph.checkpoint.conformance.initializer import RegisteredCheckpointer
from langgraph.checkpoint.conformance.report import CapabilityReport
from support.checkpoints import SyncShell, encrypted
from support.drivers import needs_encryption

KINDS = (
    "memory",
    "file",
    pytest.param("encrypted file", marks=needs_encryption),
    "encrypting serializer",
)
TESTS = {  # of langgraph-checkpoint-conformance 0.0.2
    "put": 17,
    "put_writes": 10,
    "get_tuple": 10,
    "list": 16,
    "delete_thread": 5,
    "delete_for_runs": 7,
    "copy_thread": 8,
    "prune": 8,
}


def make(kind: str, folder: Path) -> HoldfastSaver:
    """Return a saver of one kind, on a new file each time."""
    path = str(folder / f"{len(list(folder.iterdir()))}.db")
    if kind == "memory":
        return HoldfastSaver(":memory:")
    if kind == "encrypted file":
        return HoldfastSaver(path, key=bytes(range(32)))
    return HoldfastSaver(path, serde=encrypted() if kind == "encrypting serializer" else None)


def run_suite(factory: Callable[[], BaseCheckpointSaver[Any]]) -> CapabilityReport:
    async def savers() -> AsyncIterator[BaseCheckpointSaver[Any]]:
        saver = factory()
        yield saver
        inner = getattr(saver, "inner", saver)
        inner.close()

    registered = RegisteredCheckpointer(name="HoldfastSaver", factory=savers)  # type: ignore[arg-type]
    return asyncio.run(validate(registered))


def assert_all_passed(report: CapabilityReport) -> None:
    results = report.results
    assert {name: results[name].failures for name in results if results[name].failures} == {}
    passed = {name: result.tests_passed for name, result in results.items()}
    assert passed.keys() == {capability.value for capability in ALL_CAPABILITIES}
    assert all(passed[name] >= TESTS.get(name, 1) for name in passed), passed


@pytest.mark.parametrize("kind", KINDS)
def test_every_test_of_every_capability_passes(kind: str, tmp_path: Path) -> None:
    assert_all_passed(run_suite(lambda: make(kind, tmp_path)))


@pytest.mark.parametrize("kind", KINDS)
def test_the_sync_methods_pass_the_same_suite(kind: str, tmp_path: Path) -> None:
    shells: list[SyncShell] = []

    def factory() -> SyncShell:
        shells.append(SyncShell(make(kind, tmp_path)))
        return shells[-1]

    assert_all_passed(run_suite(factory))
    assert set().union(*(shell.called for shell in shells)) == TESTS.keys()
