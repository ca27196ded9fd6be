"""A Microsoft Agent Framework agent: one session in two processes, then another session. Offline.

Needs holdfast-autogen[agent-framework]. The model is a stand-in that answers from what it is
shown; put any chat client in its place.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent_framework import (
    Agent,
    AgentSession,
    BaseChatClient,
    ChatResponse,
    FunctionInvocationLayer,
    Message,
)
from holdfast_autogen.agent_framework import HoldfastContextProvider, HoldfastHistoryProvider


class StandIn(FunctionInvocationLayer[Any], BaseChatClient[Any]):
    """Knows only what stands in its prompt."""

    async def _inner_get_response(  # type: ignore[override]
        self,
        *,
        messages: Sequence[Message],
        stream: bool,
        options: Mapping[str, Any],
        **kwargs: Any,
    ) -> ChatResponse:
        known = re.search(r"dog is called (\w+)", "\n".join(message.text for message in messages))
        answer = f"Your dog is {known[1]}." if known else "I do not know."
        shown = f"{answer} (I was shown {len(messages)} messages.)"
        return ChatResponse(messages=[Message("assistant", [shown])])


async def talk(path: str, words: str, session: AgentSession | None = None) -> AgentSession:
    history = HoldfastHistoryProvider(path)
    memory = HoldfastContextProvider(path)
    agent = Agent(StandIn(), context_providers=[history, memory])
    if session is None:
        session = agent.create_session()
        session.state["user_id"] = "ada"
    print(f"  ada: {words}\n  agent: {(await agent.run(words, session=session)).text}")
    await memory.close()
    await history.close()
    return session


def first(path: str, saved: Path) -> None:
    session = asyncio.run(talk(path, "My dog is called Rex."))
    saved.write_text(json.dumps(session.to_dict()))


def second(path: str, saved: Path) -> None:
    session = AgentSession.from_dict(json.loads(saved.read_text()))
    print("  the session of the first process:")
    asyncio.run(talk(path, "What did I just say?", session))
    print("  another session:")
    asyncio.run(talk(path, "Do you remember my dog?"))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for process in ("first", "second"):
            print(f"{process} process:", flush=True)
            subprocess.run([sys.executable, __file__, process, folder], check=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        {"first": first, "second": second}[sys.argv[1]](
            str(Path(sys.argv[2]) / "memory.db"), Path(sys.argv[2]) / "session.json"
        )
    else:
        main()
