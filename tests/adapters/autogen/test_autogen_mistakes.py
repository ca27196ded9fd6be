"""A beginner's mistakes are named where they are made, not where they hurt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from holdfast import InvalidInputError, Memory
from holdfast_autogen import HoldfastMemory, HoldfastModelContext, HoldfastWorkbench, RecallTool
from holdfast_autogen.agent_framework import HoldfastContextProvider, HoldfastHistoryProvider

FACES: list[Callable[..., object]] = [
    HoldfastMemory,
    HoldfastModelContext,
    HoldfastWorkbench,
    RecallTool,
    HoldfastContextProvider,
]


@pytest.mark.parametrize("face", FACES)
def test_sessions_are_all_or_this(memory: Memory, face: Any) -> None:
    with pytest.raises(InvalidInputError, match="'all' or 'this', not 'This'"):
        face(memory, user_id="ada", sessions="This")


@pytest.mark.parametrize("face", [HoldfastMemory, HoldfastModelContext])
def test_memory_is_injected_as_user_or_system(memory: Memory, face: Any) -> None:
    with pytest.raises(InvalidInputError, match="'user' or 'system', not 'developer'"):
        face(memory, user_id="ada", inject_as="developer")


@pytest.mark.parametrize("limit", [0, -1])
def test_a_history_loads_at_least_one_message(memory: Memory, limit: int) -> None:
    with pytest.raises(InvalidInputError, match="limit must be at least 1"):
        HoldfastHistoryProvider(memory, limit=limit)


@pytest.mark.anyio
async def test_a_string_is_no_memory_content(memory: Memory) -> None:
    given: Any = "Ada sails"
    with pytest.raises(InvalidInputError, match=r"MemoryContent.*not 'str'"):
        await HoldfastMemory(memory, user_id="ada").add(given)
