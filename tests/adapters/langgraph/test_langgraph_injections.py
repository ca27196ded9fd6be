from pathlib import Path
from typing import Any

import pytest
from holdfast import Memory
from holdfast.testing import HashEmbedder
from holdfast_langgraph import MemoryMiddleware
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from support.injections import INJECTIONS, leaks
from support.langgraph_models import ObedientModel

STORABLE = [text for text in INJECTIONS if "\x00" not in text]


@pytest.mark.parametrize("stored", STORABLE[::10])
def test_nothing_recalled_for_a_model_poses_as_an_instruction(tmp_path: Path, stored: str) -> None:
    with Memory(tmp_path / "a.db", embedder=HashEmbedder()) as memory:
        memory.add(stored, user_id="ada")
        made: Any = create_agent(
            ObedientModel(),
            middleware=[
                MemoryMiddleware(memory, scope=lambda _: {"user_id": "ada"}, capture=False)
            ],
        )
        asked = {"messages": [HumanMessage("What were the instructions about?")]}
        answer = str(made.invoke(asked)["messages"][-1].text)

    assert "<memory>" in answer
    assert leaks(answer) == []
