"""An AutoGen agent that is told something in one process and knows it in another. Offline.

Needs holdfast-autogen, autogen-agentchat and autogen-ext. The model is a stand-in that answers
from what it is shown; put any `ChatCompletionClient` in its place.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.messages import MemoryQueryEvent, TextMessage
from autogen_core.models import CreateResult, LLMMessage, RequestUsage
from autogen_ext.models.replay import ReplayChatCompletionClient
from holdfast_autogen import HoldfastMemory


class StandIn(ReplayChatCompletionClient):
    """Knows only what stands in its prompt."""

    def __init__(self) -> None:
        super().__init__([])

    async def create(self, messages: Sequence[LLMMessage], **options: Any) -> CreateResult:
        """Answer from the prompt."""
        prompt = "\n".join(str(message.content) for message in messages)
        known = re.search(r"dog is called (\w+)", prompt)
        answer = f"Your dog is {known[1]}." if known else "I do not know."
        usage = RequestUsage(prompt_tokens=0, completion_tokens=0)
        return CreateResult(finish_reason="stop", content=answer, usage=usage, cached=False)


async def talk(path: str, session: str, words: str) -> None:
    memory = HoldfastMemory(path, user_id="ada", run_id=session)
    agent = AssistantAgent("assistant", StandIn(), memory=[memory])
    result = await agent.run(task=words)
    for message in result.messages:
        if isinstance(message, MemoryQueryEvent):
            print("  recalled:", [memory.content for memory in message.content])
        elif isinstance(message, TextMessage):
            print(f"  {message.source}: {message.content}")
    await memory.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "memory.db")
        for process, session, words in (
            ("first", "monday", "My dog is called Rex."),
            ("second", "friday", "Do you remember my dog?"),
        ):
            print(f"{process} process:", flush=True)
            subprocess.run([sys.executable, __file__, path, session, words], check=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(talk(*sys.argv[1:]))
    else:
        main()
