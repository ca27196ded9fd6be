"""AutoGen's chat models as Holdfast's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
from holdfast.adapters.models import read_answer, spell_out
from holdfast.providers.failures import failures_of

from holdfast_autogen.owner_loop import OwnerLoop, needs_loop

Messages = Sequence[Mapping[str, str]]


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
        self._owner_loop = OwnerLoop()

    def complete(self, messages: Messages, *, tool: Tool | None = None) -> Answer:
        """Refuse: an AutoGen client cannot be asked without its event loop.

        Raises:
            ProviderError: Always; it names the verbs that work.
        """
        raise ProviderError(needs_loop(self._client))

    async def acomplete(self, messages: Messages, *, tool: Tool | None = None) -> Answer:
        """Answer a conversation, in the client's own event loop; see `holdfast.LLM`.

        Raises:
            ProviderError: The model failed.
        """
        with failures_of(type(self._client).__name__):
            return await self._owner_loop.run(self._ask(messages, tool))

    async def _ask(self, messages: Messages, tool: Tool | None) -> Answer:
        calling = tool is not None and self._client.model_info["function_calling"]
        if tool is not None and calling:
            reply = await self._client.create(
                _chat(messages), tools=[_schema(tool)], tool_choice="required"
            )
        else:
            as_json = tool is not None and self._client.model_info["json_output"]
            reply = await self._client.create(
                _chat(spell_out(messages, tool)), json_output=as_json or None
            )
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
