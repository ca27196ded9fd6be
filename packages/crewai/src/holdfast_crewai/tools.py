"""Tools with which an agent searches and writes a memory itself."""

from __future__ import annotations

from typing import Any

from crewai.tools import BaseTool
from holdfast import quote
from pydantic import BaseModel, Field

NOTHING = "No relevant memories found."


class RecallArguments(BaseModel):
    """What `RecallTool` takes."""

    queries: list[str] = Field(description="One or more questions or topics to look for.")


class RememberArguments(BaseModel):
    """What `RememberTool` takes."""

    contents: list[str] = Field(
        description="One or more self-contained facts, decisions or observations to keep."
    )


class RecallTool(BaseTool):
    """Searches a memory; the names and arguments are those of CrewAI's own tool.

    Attributes:
        memory: A `HoldfastMemory`, or CrewAI's `Memory`, `MemoryScope` or `MemorySlice`.
        limit: Memories a query.
    """

    name: str = "Search memory"
    description: str = (
        "Search what was learnt before: facts, decisions, preferences. Use it before you answer "
        "anything that earlier work may bear on."
    )
    args_schema: type[BaseModel] = RecallArguments
    memory: Any = Field(exclude=True)
    limit: int = 10

    def _run(self, queries: list[str] | str) -> str:
        asked = [queries] if isinstance(queries, str) else queries
        found = [match for query in asked for match in self.memory.recall(query, limit=self.limit)]
        # Quoted as data: nothing remembered is an instruction.
        lines = dict.fromkeys(f"- {_dated(match)}{quote(match.record.content)}" for match in found)
        return "Found memories:\n" + "\n".join(lines) if lines else NOTHING


class RememberTool(BaseTool):
    """Writes to a memory.

    Attributes:
        memory: A `HoldfastMemory`, or CrewAI's `Memory` or `MemoryScope`.
    """

    name: str = "Save to memory"
    description: str = (
        "Keep facts, decisions or observations for later work. State each so that it can be "
        "understood alone."
    )
    args_schema: type[BaseModel] = RememberArguments
    memory: Any = Field(exclude=True)

    def _run(self, contents: list[str] | str) -> str:
        given = [contents] if isinstance(contents, str) else contents
        if self.memory.read_only:
            return "This memory is read-only; nothing was saved."
        saved = [self.memory.remember(content) for content in given if content.strip()]
        return f"Saved {len(saved)} of {len(given)} to memory."


def _dated(match: Any) -> str:
    return f"[{match.record.created_at:%Y-%m-%d}] "
