"""A LlamaIndex agent that remembers across processes. No key, no network.

    python examples/llamaindex_agent.py

runs two processes, one after the other, on one file: the first is told something, the second
is asked for it. The model is a stand-in that answers from what it is shown; put any LlamaIndex
LLM in its place.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

from holdfast_llamaindex import HoldfastMemory, HoldfastToolSpec
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, LLMMetadata
from llama_index.core.llms import MockLLM
from llama_index.core.llms.function_calling import FunctionCallingLLM


class StandIn(MockLLM, FunctionCallingLLM):
    """Says what it reads about the dog in the messages it is shown, memory included."""

    @property
    def metadata(self) -> LLMMetadata:
        """Say that it calls functions, as an agent's model must."""
        return LLMMetadata(is_function_calling_model=True, is_chat_model=True)

    async def astream_chat_with_tools(
        self, tools: Sequence[Any], chat_history: list[ChatMessage] | None = None, **kwargs: Any
    ) -> AsyncGenerator[ChatResponse, None]:
        """Answer in one piece."""
        seen = "\n".join(message.content or "" for message in chat_history or [])
        known = re.search(r"My dog is called (\w+)", seen)
        said = f"I know a dog called {known[1]}." if known else "I know no dog."
        reply = ChatMessage(role="assistant", content=said)

        async def pieces() -> AsyncGenerator[ChatResponse, None]:
            yield ChatResponse(message=reply, delta=said)

        return pieces()

    def _prepare_chat_with_tools(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {}

    def get_tool_calls_from_response(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Call no tool."""
        return []


async def converse(path: str, session: str, words: str) -> None:
    """Have one turn of conversation."""
    memory = HoldfastMemory.from_defaults(path=path, user_id="ada", session_id=session)
    tools = HoldfastToolSpec(path, user_id="ada").to_tool_list()
    agent = FunctionAgent(llm=StandIn(), tools=tools, system_prompt="You are kind.")
    print(f"{session}> {words}")
    print(f"{session}< {await agent.run(words, memory=memory)}")


if __name__ == "__main__":
    if len(sys.argv) == 4:
        asyncio.run(converse(*sys.argv[1:]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            file = str(Path(folder) / "memory.db")
            for session, words in (
                ("monday", "My dog is called Rex."),
                ("tuesday", "What is my dog called?"),
            ):
                subprocess.run([sys.executable, __file__, file, session, words], check=True)
