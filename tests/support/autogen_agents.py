"""AutoGen agents whose models answer from a script, or from what they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autogen_agentchat.agents import AssistantAgent
from autogen_core.models import CreateResult, LLMMessage, ModelInfo, RequestUsage
from autogen_ext.models.replay import ReplayChatCompletionClient

INFO = ModelInfo(
    vision=False,
    function_calling=True,
    json_output=True,
    family="unknown",
    structured_output=False,
    multiple_system_messages=False,
)


class Witness(ReplayChatCompletionClient):
    """Answers ``"noted"``, or a fact if it is shown it; keeps what it was shown.

    Args:
        facts: Words, and what is answered when a prompt has them.
    """

    def __init__(self, facts: Mapping[str, str] | None = None) -> None:
        super().__init__([], model_info=INFO)
        self.facts = dict(facts or {})
        self.prompts: list[list[LLMMessage]] = []

    async def create(self, messages: Sequence[LLMMessage], **options: Any) -> CreateResult:
        self.prompts.append(list(messages))
        shown = "\n".join(str(message.content) for message in messages)
        answers = [answer for words, answer in self.facts.items() if words in shown]
        return CreateResult(
            finish_reason="stop",
            content=answers[0] if answers else "noted",
            usage=RequestUsage(prompt_tokens=7, completion_tokens=1),
            cached=False,
        )


def agent(
    client: ReplayChatCompletionClient, name: str = "helper", **options: Any
) -> AssistantAgent:
    return AssistantAgent(name, client, **options)


def texts(messages: Sequence[LLMMessage]) -> list[str]:
    return [str(message.content) for message in messages]
