"""Fixtures of the tests of graphs."""

from __future__ import annotations

import pytest
from holdfast import Memory
from holdfast.graph import Graph


@pytest.fixture
def graph(memory: Memory) -> Graph:
    return memory.graph(user_id="ann")
