"""Fixtures for every area."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.openai_server import OpenAIServer


@pytest.fixture
def openai_server() -> Iterator[OpenAIServer]:
    """A loopback server that speaks the OpenAI protocol; see `support.openai_server`."""
    with OpenAIServer() as server:
        yield server
