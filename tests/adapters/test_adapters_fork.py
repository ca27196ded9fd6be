"""Adapters whose parts have threads, loops or clients of their own go on in a forked child."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from holdfast.providers.endpoint import Endpoint
from holdfast_autogen.owner_loop import OwnerLoop
from holdfast_langgraph import HoldfastSaver, HoldfastStore
from langgraph.checkpoint.base import empty_checkpoint
from support.forking import in_child

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")

CONFIG = {"configurable": {"thread_id": "1", "checkpoint_ns": ""}}


def test_a_saver_that_was_awaited_is_awaited_in_a_child_as_well(tmp_path: Path) -> None:
    async def put() -> None:
        await saver.aput(CONFIG, empty_checkpoint(), {}, {})  # type: ignore[arg-type]

    async def count() -> int:
        return len([found async for found in saver.alist(CONFIG)])  # type: ignore[arg-type]

    with HoldfastSaver(tmp_path / "m.db") as saver:
        asyncio.run(put())
        assert in_child(lambda: asyncio.run(put())) == "None"
        assert asyncio.run(count()) == 2


def test_a_store_is_used_and_sweeps_in_a_child(tmp_path: Path) -> None:
    with HoldfastStore(tmp_path / "m.db", ttl={"sweep_interval_minutes": 60}) as store:
        store.put(("a",), "key", {"n": 1})

        def sweep() -> tuple[bool, object]:
            store.start_ttl_sweeper()
            return store.stop_ttl_sweeper(30), store.get(("a",), "key").value["n"]  # type: ignore[union-attr]

        assert in_child(sweep) == "(True, 1)"


def test_an_async_client_has_a_new_home_in_a_child() -> None:
    async def said() -> str:
        return "here"

    async def main() -> str:
        await home.run(said())
        return in_child(lambda: asyncio.run(home.run(said())))

    home = OwnerLoop()
    assert asyncio.run(main()) == "here"


def test_a_child_talks_to_its_model_on_connections_of_its_own() -> None:
    endpoint = Endpoint("ollama")
    before = endpoint.open()
    assert in_child(lambda: endpoint.open() is before) == "False"
    assert endpoint.open() is before
