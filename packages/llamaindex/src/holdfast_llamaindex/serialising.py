"""A `HoldfastMemory` as JSON: what finds it again, no text and no secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from holdfast.adapters.connections import IN_MEMORY
from llama_index.core.memory import BaseMemoryBlock, InsertMethod, StaticMemoryBlock
from llama_index.core.prompts import RichPromptTemplate

from holdfast_llamaindex.chat_store import HoldfastChatStore

if TYPE_CHECKING:
    from holdfast_llamaindex.memory import HoldfastMemory

PLAIN = (
    "path",
    "table_name",
    "user_id",
    "agent_id",
    "app_id",
    "session_id",
    "token_limit",
    "token_flush_size",
    "chat_history_token_ratio",
    "max_recalled_tokens",
    "image_token_size_estimate",
    "audio_token_size_estimate",
    "video_token_size_estimate",
    "document_token_size_estimate",
)


def to_dict(memory: HoldfastMemory, others: Sequence[BaseMemoryBlock[Any]]) -> dict[str, Any]:
    """Return JSON that `fields` reads.

    Args:
        memory: The memory.
        others: Its blocks beside Holdfast's own.

    Raises:
        ValueError: It would not be found again.
    """
    if memory.path == IN_MEMORY:
        raise ValueError("this memory lives in RAM; give it a path to serialise it")
    if not isinstance(memory.sql_store, HoldfastChatStore):
        raise ValueError(  # noqa: TRY004 - as for every other reason
            "only a history in Holdfast's own chat store can be serialised"
        )
    foreign = [block.name for block in others if type(block) is not StaticMemoryBlock]
    if foreign:
        raise ValueError(f"these memory blocks cannot be serialised: {', '.join(foreign)}")
    return {
        **{name: getattr(memory, name) for name in PLAIN},
        "insert_method": memory.insert_method.value,
        "memory_blocks_template": memory.memory_blocks_template.template_str,
        "memory_blocks": [block.model_dump(mode="json") for block in others],
        "class_name": memory.class_name(),
    }


def fields(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a memory from JSON of `to_dict`."""
    return {
        **{name: data[name] for name in PLAIN if name in data},
        "insert_method": InsertMethod(data["insert_method"]),
        "memory_blocks_template": RichPromptTemplate(data["memory_blocks_template"]),
        "memory_blocks": [StaticMemoryBlock(**block) for block in data["memory_blocks"]],
    }
