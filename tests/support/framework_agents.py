"""Agent Framework agents whose models answer from what they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agent_framework import Agent, AgentSession, BaseChatClient, ChatResponse, Message


class Witness(BaseChatClient[Any]):
    """Answers ``"noted"``, or a fact if it is shown it; keeps what it was shown.

    Args:
        facts: Words, and what is answered when a prompt has them.
    """

    def __init__(self, facts: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.facts = dict(facts or {})
        self.prompts: list[list[Message]] = []
        self.options: list[Mapping[str, Any]] = []

    async def _inner_get_response(  # type: ignore[override]
        self,
        *,
        messages: Sequence[Message],
        stream: bool,
        options: Mapping[str, Any],
        **kwargs: Any,
    ) -> ChatResponse:
        self.prompts.append(list(messages))
        self.options.append(options)
        shown = "\n".join(message.text for message in messages)
        answers = [answer for words, answer in self.facts.items() if words in shown]
        return ChatResponse(
            messages=[Message("assistant", [answers[0] if answers else "noted"])],
            usage_details={"input_token_count": 7, "output_token_count": 1},
        )


def session_of(user_id: str | None, session_id: str | None = None) -> AgentSession:
    session = AgentSession(session_id=session_id)
    if user_id is not None:
        session.state["user_id"] = user_id
    return session


def agent(client: Witness, *providers: Any) -> Agent[Any]:
    return Agent(client, context_providers=list(providers))
