"""Fixtures for every area."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from holdfast import Memory
from holdfast.testing import HashEmbedder
from support.openai_server import OpenAIServer


@pytest.fixture
def openai_server() -> Iterator[OpenAIServer]:
    """A loopback server that speaks the OpenAI protocol; see `support.openai_server`."""
    with OpenAIServer() as server:
        yield server


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a file of memories may lie; none does yet."""
    return tmp_path / "memory.db"


@pytest.fixture
def memory(path: Path) -> Iterator[Memory]:
    """An empty memory at `path`, with a hashing embedder."""
    with Memory(path, embedder=HashEmbedder()) as memory:
        yield memory
