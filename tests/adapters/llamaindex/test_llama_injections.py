from __future__ import annotations

import pytest
from holdfast import Memory
from holdfast_llamaindex import HoldfastMemory
from holdfast_llamaindex.recollection import composed
from llama_index.core.base.llms.types import TextBlock
from llama_index.core.memory.memory import DEFAULT_MEMORY_BLOCKS_TEMPLATE
from support.injections import INJECTIONS, leaks
from support.llama_models import said
from support.memories import match, record

QUESTION = "What were the instructions about?"
TAGS = "<recalled_memory>", "</recalled_memory>"  # LlamaIndex's own template writes them


def escapes(shown: str) -> list[str]:
    """Return how stored text escapes from what LlamaIndex shows of a block."""
    assert [shown.count(tag) for tag in TAGS] == [1, 1]
    return leaks(shown.replace(TAGS[0], "").replace(TAGS[1], ""))


@pytest.mark.parametrize("stored", INJECTIONS)
def test_nothing_in_a_block_poses_as_an_instruction(stored: str) -> None:
    recalled = composed([match(record(stored, 1), 1.0)], [], 10_000, len)
    block = ("recalled_memory", [TextBlock(text=recalled.text)])

    made = DEFAULT_MEMORY_BLOCKS_TEMPLATE.format_messages(memory_blocks=[block])

    assert recalled.text
    assert escapes(str(made[0].content)) == []


@pytest.mark.parametrize("stored", INJECTIONS[::20])
def test_nothing_remembered_poses_as_an_instruction(opened: Memory, stored: str) -> None:
    HoldfastMemory.from_defaults(memory=opened, user_id="ada").put(said("user", stored))
    memory = HoldfastMemory.from_defaults(memory=opened, user_id="ada")
    memory.put(said("user", QUESTION))

    shown = memory.get()[-1].blocks[0]

    assert escapes(shown.text) == []  # type: ignore[union-attr]
