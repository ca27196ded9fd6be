"""Fixtures for the LlamaIndex adapter: a file, its embedder, messages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from holdfast import Memory
from holdfast_llamaindex import connect
from support.llama_models import CountingEmbedder


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def embedder() -> CountingEmbedder:
    return CountingEmbedder()


@pytest.fixture
def opened(path: Path, embedder: CountingEmbedder) -> Iterator[Memory]:
    """The memory open on `path`; every object that names the path shares it."""
    with connect(path, embedder=embedder) as memory:
        yield memory
