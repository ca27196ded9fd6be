"""AutoGen's chat models as Holdfast's."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Literal, TypeVar

from autogen_core.models import (
    AssistantMessage,
    ChatCompletionClient,
    CreateResult,
    LLMMessage,
    SystemMessage,
    UserMessage,
)
from autogen_core.tools import ParametersSchema, ToolSchema
from holdfast import LLM, Answer, ProviderError, Tool, Usage
from holdfast.wrapping import read_answer, spell_out

Messages = Sequence[Mapping[str, str]]
T = TypeVar("T")


class AutoGenLLM(LLM):
    """A model that an AutoGen `ChatCompletionClient` reaches.

    AutoGen's clients are async only, and belong to the event loop they were first used in. So
    use the async verbs (``aadd``, ``aflush``), and neither the sync ones nor a memory with
    ``background=True``, which extracts in a thread.

    Args:
        client: Any client; a model that calls functions is made to call one, of any other the
            shape of the answer is asked in words.
    """

    def __init__(self, client: ChatCompletionClient) -> None:
        self._client = client
        self._home: asyncio.AbstractEventLoop | None = None

    def complete(self, messages: Messages, *, tool: Tool | None = None) -> Answer:
        """Refuse: an AutoGen client cannot be asked without its event loop.

        Raises:
            ProviderError: Always; it names the verbs that work.
        """
        raise ProviderError(
            f"{type(self._client).__name__} is async only: await Memory.aadd, aflush, adistil "
            "instead of add, flush, distil, and open the memory without background=True"
        )

    async def acomplete(self, messages: Messages, *, tool: Tool | None = None) -> Answer:
        """Answer a conversation, in the client's own event loop; see `holdfast.LLM`.

        Raises:
            ProviderError: The model failed.
        """
        return await self._at_home(self._ask(messages, tool))

    async def _at_home(self, work: Coroutine[Any, Any, T]) -> T:
        """Await work in the loop of the first call, as long as that runs."""
        here = asyncio.get_running_loop()
        if self._home is None or not self._home.is_running():
            self._home = here
        if self._home is here:
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._home))

    async def _ask(self, messages: Messages, tool: Tool | None) -> Answer:
        calling = tool is not None and self._client.model_info["function_calling"]
        try:
            if tool is not None and calling:
                choice: Literal["required"] = "required"
                reply = await self._client.create(
                    _chat(messages), tools=[_schema(tool)], tool_choice=choice
                )
            else:
                as_json = tool is not None and self._client.model_info["json_output"]
                reply = await self._client.create(
                    _chat(spell_out(messages, tool)), json_output=as_json or None
                )
        except Exception as error:  # whatever a client raises
            raise ProviderError(f"{type(self._client).__name__} failed: {error}") from error
        return _read(reply, tool)


def _chat(messages: Messages) -> list[LLMMessage]:
    return [_message(message["role"], message["content"]) for message in messages]


def _message(role: str, content: str) -> LLMMessage:
    if role == "system":
        return SystemMessage(content=content)
    if role == "assistant":
        return AssistantMessage(content=content, source="assistant")
    return UserMessage(content=content, source="user")


def _schema(tool: Tool) -> ToolSchema:
    given = dict(tool.parameters)
    parameters = ParametersSchema(
        type="object",
        properties=given.get("properties", {}),
        required=given.get("required", []),
        additionalProperties=given.get("additionalProperties", False),
    )
    return ToolSchema(name=tool.name, description=tool.description, parameters=parameters)


def _read(reply: CreateResult, tool: Tool | None) -> Answer:
    usage = Usage(1, reply.usage.prompt_tokens, reply.usage.completion_tokens)
    if isinstance(reply.content, str):
        return read_answer(reply.content, tool, usage)
    called = [call.arguments for call in reply.content]
    return read_answer(called[0] if called else "", tool, usage)
