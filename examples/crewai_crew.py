"""Two kickoffs in two processes: the second knows what the first learnt. No key, no network.

    uv run --all-packages python examples/crewai_crew.py

The crew's own model is played by a few lines of Python; put any CrewAI ``LLM`` in its place.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ |= {"CREWAI_DISABLE_TELEMETRY": "true", "CREWAI_TRACING_ENABLED": "false"}

from crewai import Agent, Crew, Task
from crewai.llms.base_llm import BaseLLM
from holdfast_crewai import HoldfastMemory

LEARNT = "The customer Bob moved to Porto and wants his invoices in Portuguese."


class PlayedLLM(BaseLLM):
    """Reports the news the first time; later it looks into what it is told to remember."""

    def call(self, messages: Any, *args: Any, **kwargs: Any) -> str:
        """Answer the last message."""
        prompt = "\n".join(message["content"] for message in messages)
        task, _, memories = prompt.partition("Relevant memories:")
        if "Read today's mail" in task:
            return f"Thought: I have read it.\nFinal Answer: {LEARNT}"
        language = re.search(r"invoices in (\w+)", memories)
        answer = f"Write to Bob in {language[1]}." if language else "I do not know Bob."
        return f"Thought: I look into my memory.\nFinal Answer: {answer}"


def kickoff(folder: Path, user: str, task: str) -> str:
    """Run a crew of one clerk on a user's memory."""
    memory = HoldfastMemory(storage=folder / "memory.db", user_id=user, root_scope="/crew/office")
    clerk = Agent(role="Clerk", goal="Serve customers", backstory="", llm=PlayedLLM(model="played"))
    job = Task(description=task, expected_output="One sentence.", agent=clerk)
    result = Crew(agents=[clerk], tasks=[job], memory=memory).kickoff()
    memory.close()
    return str(result.raw)


def main() -> None:
    """Let another process learn, then ask in this one."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    learn = [sys.executable, "-W", "ignore", __file__, str(folder), "--learn"]
    subprocess.run(learn, check=True, stdout=subprocess.DEVNULL)
    question = "In which language do we write Bob's invoices?"
    print("Second kickoff:", kickoff(folder, "acme", question))
    print("Another tenant:", kickoff(folder, "globex", question))


if __name__ == "__main__":
    if sys.argv[2:] == ["--learn"]:
        kickoff(Path(sys.argv[1]), "acme", "Read today's mail.")
    else:
        main()
