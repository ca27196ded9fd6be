"""Agent Framework's chat clients as Holdfast's models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from agent_framework import ChatResponse
from agent_framework import Message as ChatMessage
from holdfast import LLM, Answer, ProviderError, Tool, Usage
from holdfast.adapters.models import read_answer, spell_out
from holdfast.providers.failures import failures_of

from holdfast_autogen.owner_loop import OwnerLoop, needs_loop

if TYPE_CHECKING:
    from agent_framework import SupportsChatGetResponse


class AgentFrameworkLLM(LLM):
    """A model that an Agent Framework chat client reaches; the answer's shape is asked in words.

    The clients are async only, and belong to the event loop they were first used in; see
    `holdfast_autogen.AutoGenLLM`.

    Args:
        client: Any chat client, such as ``OpenAIChatClient()``.
    """

    def __init__(self, client: SupportsChatGetResponse) -> None:
        self._client = client
        self._owner_loop = OwnerLoop()

    def complete(
        self, messages: Sequence[Mapping[str, str]], *, tool: Tool | None = None
    ) -> Answer:
        """Refuse: the client cannot be asked without its event loop.

        Raises:
            ProviderError: Always; it names the verbs that work.
        """
        raise ProviderError(needs_loop(self._client))

    async def acomplete(
        self, messages: Sequence[Mapping[str, str]], *, tool: Tool | None = None
    ) -> Answer:
        """Answer a conversation, in the client's own event loop; see `holdfast.LLM`.

        Raises:
            ProviderError: The model failed.
        """
        asked = [
            ChatMessage(message["role"], [message["content"]])
            for message in spell_out(messages, tool)
        ]
        with failures_of(type(self._client).__name__):
            reply = await self._owner_loop.run(self._ask(asked))
        return read_answer(reply.text, tool, _usage(reply))

    async def _ask(self, messages: list[ChatMessage]) -> ChatResponse:
        return await self._client.get_response(messages)


def _usage(reply: ChatResponse) -> Usage:
    spent = reply.usage_details or {}
    return Usage(1, spent.get("input_token_count") or 0, spent.get("output_token_count") or 0)
