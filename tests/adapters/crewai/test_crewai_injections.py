import pytest
from holdfast.testing import HashEmbedder
from holdfast_crewai import HoldfastMemory, RecallTool
from support.injections import INJECTIONS, leaks

STORABLE = [text for text in INJECTIONS if "\x00" not in text]


@pytest.mark.parametrize("stored", STORABLE[::10])
def test_nothing_the_tool_recalls_poses_as_an_instruction(path: str, stored: str) -> None:
    memory = HoldfastMemory(storage=path, embedder=HashEmbedder(), root_scope="/crew/office")
    memory.remember(stored)

    shown = RecallTool(memory=memory).run(queries=["instructions"])

    assert "Found memories" in shown
    assert leaks(shown) == []
