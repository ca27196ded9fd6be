"""CrewAI's models without a network: an agent that answers from its prompt, an embedder."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from crewai import Agent, Crew, Task
from crewai.llms.base_llm import BaseLLM
from holdfast.testing import HashEmbedder
from pydantic import PrivateAttr

Reply = Callable[[str], str]
DONE = "Thought: done\nFinal Answer: done"


def embed(input: list[str]) -> list[list[float]]:
    """Embed texts as CrewAI's callables do."""
    return HashEmbedder().embed(input)


class FakeLLM(BaseLLM):
    """Answers each prompt by a function of its words; keeps the prompts."""

    _prompts: list[str] = PrivateAttr(default_factory=list)
    _replies: list[Reply] = PrivateAttr(default_factory=list)

    @classmethod
    def that(cls, reply: Reply) -> FakeLLM:
        llm = cls(model="fake")
        llm._replies.append(reply)
        return llm

    @property
    def prompts(self) -> list[str]:
        return self._prompts

    def call(self, messages: Any, *args: Any, **kwargs: Any) -> str:
        words = messages if isinstance(messages, str) else "\n".join(m["content"] for m in messages)
        self._prompts.append(words)
        return self._replies[0](words) if self._replies else DONE

    def supports_function_calling(self) -> bool:
        return False


def answering(answer: str) -> FakeLLM:
    """Return an agent's model that always gives this answer."""
    return FakeLLM.that(lambda prompt: f"Thought: I know.\nFinal Answer: {answer}")


def recalling(pattern: str) -> FakeLLM:
    """Return a model that answers with what a pattern finds in its prompt."""

    def reply(prompt: str) -> str:
        found = re.search(pattern, prompt)
        return f"Thought: I know.\nFinal Answer: {found.group(0) if found else 'no idea'}"

    return FakeLLM.that(reply)


def extracting(*facts: str) -> FakeLLM:
    """Return a model that reads these facts out of everything it is shown."""
    said = {"facts": [{"text": fact, "turns": [1]} for fact in facts]}
    return FakeLLM.that(lambda prompt: json.dumps(said))


def crew_of(llm: BaseLLM, task: str, **options: Any) -> Crew:
    """Return a crew of one agent with one task."""
    agent = Agent(role="Clerk", goal="Answer", backstory="Brief.", llm=llm)
    job = Task(description=task, expected_output="One line", agent=agent)
    return Crew(agents=[agent], tasks=[job], **options)
