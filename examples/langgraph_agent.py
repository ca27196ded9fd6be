"""A LangGraph agent that learns in one process and thread, and knows it in another. Offline.

    python examples/langgraph_agent.py

The model is a stand-in that calls the tools when it is told to; put a real one in its place.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from holdfast.testing import HashEmbedder
from holdfast_langgraph import (
    HoldfastSaver,
    HoldfastStore,
    create_manage_memory_tool,
    create_search_memory_tool,
)
from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult

PLACE = ("memories", "{user_id}")


class StandIn(BaseChatModel):
    """Saves what begins with "Remember", and looks up everything else."""

    @property
    def _llm_type(self) -> str:
        return "stand-in"

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Any:
        """Take note of the tools; this one knows them by name."""
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        last = messages[-1]
        if isinstance(last, ToolMessage):
            answer = AIMessage(last.text)
        elif last.text.startswith("Remember "):
            answer = call("manage_memory", content=last.text.removeprefix("Remember "))
        else:
            answer = call("search_memory", query=last.text, limit=1)
        return ChatResult(generations=[ChatGeneration(message=answer)])


def call(name: str, **arguments: Any) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": name, "args": arguments, "id": uuid.uuid4().hex}])


def say(path: str, text: str, thread: str, user: str) -> str:
    """Say something to the agent in a thread; its memory and its checkpoints are one file."""
    # In earnest: index={"embed": "openai:text-embedding-3-small", "fields": ["content"]}
    index: Any = {"embed": HashEmbedder(), "fields": ["content"]}
    with (
        HoldfastStore(path, index=index) as store,
        HoldfastSaver.from_conn_string(path) as saver,
    ):
        tools = [create_manage_memory_tool(PLACE), create_search_memory_tool(PLACE)]
        agent = create_agent(StandIn(), tools, store=store, checkpointer=saver)
        config: Any = {"configurable": {"thread_id": thread, "user_id": user}}
        answered = agent.invoke({"messages": [HumanMessage(text)]}, config)
        return str(answered["messages"][-1].text)


def main() -> None:
    """Teach the agent here, and ask it in a second process."""
    if len(sys.argv) > 1:
        print(say(*sys.argv[1:]))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "agent.db")
        print("thread 1, ann:", say(path, "Remember I drink green tea", "1", "ann@example.com"))
        for user in ("ann@example.com", "bob"):
            asked = [sys.executable, __file__, path, "Which tea do I drink?", "2", user]
            answer = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
            print(f"another process, thread 2, {user}:", answer.strip())


if __name__ == "__main__":
    main()
