"""Memory for plain ``openai`` code, in one line.

    from holdfast.openai import wrap

    client = wrap(OpenAI(), memory, user_id="ann")

The wrapped client is a copy of the user's own: same class, same settings, same connections. Its
``chat.completions`` (``create``, ``parse``, ``stream``) and ``responses`` (the same) recall
before the call and remember after it. Everything else is as it was; ``beta`` is not wrapped.

Where memory goes, for the sake of prompt caches: right before the last user message, as a system
message (a developer message where the caller uses those). All that comes before it is as in the
turn before. Where the server keeps the conversation, or it only begins (``input`` is a string),
memory goes to the end of ``instructions``, which the server does not carry over.

What is remembered: what the user said since the last answer, and the answer's text. The answer
of a stream is remembered once it is complete; of one that was closed early or broke, only the
user's words: half an answer may say the opposite of the whole. Behind ``with_raw_response`` an
answer is remembered, behind ``with_streaming_response`` (its body is not ours to read) only the
question.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeVar, cast, get_args

from openai import AsyncOpenAI, AsyncStream, OpenAI, Stream
from openai.resources.chat import AsyncChat, Chat
from openai.resources.chat.completions import AsyncCompletions, Completions
from openai.resources.responses import AsyncResponses, Responses

from holdfast.context.compiling import check_budget
from holdfast.context.window import part
from holdfast.errors import InvalidInputError, shown
from holdfast.openai.exchanges import ChatExchange, Exchange, Place, ResponseExchange
from holdfast.openai.turns import Remembers, Turns, failing_open
from holdfast.types import Ids, Scope, Unpack, given_ids

Client = TypeVar("Client", bound=OpenAI | AsyncOpenAI)

__all__ = ["wrap"]


def wrap(
    client: Client,
    memory: Remembers,
    *,
    max_tokens: int = 1_000,
    place: Place = "before_question",
    infer: bool = True,
    wait: bool = False,
    **ids: Unpack[Ids],
) -> Client:
    """Return a copy of the client that remembers.

    Args:
        client: An ``OpenAI`` or ``AsyncOpenAI`` client, or a subclass (Azure); it stays as it is.
        memory: Where to remember.
        user_id: The user whose memory it is; at least one of the four ids is needed.
        agent_id: The agent.
        run_id: The session that is written; what is recalled comes from all sessions of the
            other ids, or from this one if it is the only id.
        app_id: The application.
        max_tokens: Most tokens that memory adds to a call.
        place: ``after_system`` puts memory right after the leading system messages, for
            endpoints that take system messages only there.
        infer: Derive facts from what was said, if the memory has an LLM.
        wait: Wait for those facts before the answer is returned.

    Raises:
        ScopeError: No id was given, or a malformed one.
        InvalidInputError: The budget is no whole number, or negative; `memory` is none, or `place`
            is not one of the two.
    """
    check_budget(max_tokens)
    if not hasattr(memory, "acontext"):
        raise InvalidInputError(
            f"wrap takes an open holdfast.Memory, not {type(memory).__name__!r}: Memory(path)"
        )
    if place not in get_args(Place):
        raise InvalidInputError(f"place must be {' or '.join(get_args(Place))}, not {shown(place)}")
    scope = Scope(**given_ids(ids))
    turns = Turns(memory, scope, max_tokens=max_tokens, infer=infer, wait=wait)
    return _attached(cast(Client, client.with_options()), turns, place)


def _attached(client: Client, turns: Turns, place: Place) -> Client:
    """Put memory into a client of ours. Its resources are cached properties: filled, not made."""
    if isinstance(client, OpenAI):
        vars(client)["chat"] = Chat(client)
        vars(client.chat)["completions"] = _Completions(client, turns, place)
        vars(client)["responses"] = _Responses(client, turns, place)
    elif isinstance(client, AsyncOpenAI):
        vars(client)["chat"] = AsyncChat(client)
        vars(client.chat)["completions"] = _AsyncCompletions(client, turns, place)
        vars(client)["responses"] = _AsyncResponses(client, turns, place)
    copied = client.copy

    def copy(*args: Any, **options: Any) -> Client:
        return _attached(cast(Client, copied(*args, **options)), turns, place)

    vars(client).update(copy=copy, with_options=copy)
    return client


class _Remembering:
    """What the resources share: a call with memory around it."""

    def __init__(self, turns: Turns, place: Place) -> None:
        self.turns = turns
        self.place = place

    def call(self, send: Callable[..., object], exchange: Exchange) -> object:
        """Recall, send, remember."""
        context = self.turns.recall(exchange.conversation, exchange.model)
        result = send(**exchange.asked(context, self.place))
        if isinstance(result, Stream):
            return _HeardStream(result, exchange, self.turns)
        _read(exchange, result)
        self.turns.remember(exchange.conversation, exchange.answer, exchange.thread)
        return result

    async def acall(self, send: Callable[..., Awaitable[object]], exchange: Exchange) -> object:
        """Async twin of `call`."""
        context = await self.turns.arecall(exchange.conversation, exchange.model)
        result = await send(**exchange.asked(context, self.place))
        if isinstance(result, AsyncStream):
            return _AsyncHeardStream(result, exchange, self.turns)
        _read(exchange, result)
        await self.turns.aremember(exchange.conversation, exchange.answer, exchange.thread)
        return result


def _read(exchange: Exchange, result: object) -> None:
    """Read the answer; of a raw response only if its body has been read already."""
    with failing_open("read the answer"):
        raw = part(result, "http_response")
        if raw is None:
            exchange.read(result)
        elif part(raw, "is_closed"):
            exchange.read(result.parse())  # type: ignore[attr-defined]


class _Completions(Completions):
    """``chat.completions``; its ``stream`` goes through ``create``."""

    def __init__(self, client: OpenAI, turns: Turns, place: Place) -> None:
        super().__init__(client)
        self._remembering = _Remembering(turns, place)

    def create(self, **arguments: Any) -> Any:
        return self._remembering.call(super().create, ChatExchange(arguments))

    def parse(self, **arguments: Any) -> Any:
        return self._remembering.call(super().parse, ChatExchange(arguments))


class _AsyncCompletions(AsyncCompletions):
    def __init__(self, client: AsyncOpenAI, turns: Turns, place: Place) -> None:
        super().__init__(client)
        self._remembering = _Remembering(turns, place)

    async def create(self, **arguments: Any) -> Any:
        return await self._remembering.acall(super().create, ChatExchange(arguments))

    async def parse(self, **arguments: Any) -> Any:
        return await self._remembering.acall(super().parse, ChatExchange(arguments))


class _Responses(Responses):
    """``responses``; its ``stream`` goes through ``create``."""

    def __init__(self, client: OpenAI, turns: Turns, place: Place) -> None:
        super().__init__(client)
        self._remembering = _Remembering(turns, place)

    def create(self, **arguments: Any) -> Any:
        return self._remembering.call(super().create, ResponseExchange(arguments))

    def parse(self, **arguments: Any) -> Any:
        return self._remembering.call(super().parse, ResponseExchange(arguments))


class _AsyncResponses(AsyncResponses):
    def __init__(self, client: AsyncOpenAI, turns: Turns, place: Place) -> None:
        super().__init__(client)
        self._remembering = _Remembering(turns, place)

    async def create(self, **arguments: Any) -> Any:
        return await self._remembering.acall(super().create, ResponseExchange(arguments))

    async def parse(self, **arguments: Any) -> Any:
        return await self._remembering.acall(super().parse, ResponseExchange(arguments))


class _HeardStream(Stream[Any]):
    """A stream that is listened to, and remembered once when it ends, however it does."""

    def __init__(self, stream: Stream[Any], exchange: Exchange, turns: Turns) -> None:
        self.response = stream.response
        self._stream = stream
        self._exchange = exchange
        self._turns: Turns | None = turns

    def __next__(self) -> Any:
        ended = True
        try:
            chunk = next(self._stream)
            ended = False
        finally:
            if ended:
                self._end()
        self._hear(chunk)
        return chunk

    def __iter__(self) -> Iterator[Any]:
        try:
            for chunk in self._stream:
                self._hear(chunk)
                yield chunk
        finally:
            self._end()

    def close(self) -> None:
        self._stream.close()
        self._end()

    def _hear(self, chunk: object) -> None:
        with failing_open("hear the answer"):
            self._exchange.hear(chunk)

    def _end(self) -> None:
        turns, self._turns = self._turns, None
        if turns is not None:
            heard = self._exchange
            turns.remember(heard.conversation, heard.answer, heard.thread)


class _AsyncHeardStream(AsyncStream[Any]):
    """Async twin of `_HeardStream`."""

    def __init__(self, stream: AsyncStream[Any], exchange: Exchange, turns: Turns) -> None:
        self.response = stream.response
        self._stream = stream
        self._exchange = exchange
        self._turns: Turns | None = turns

    async def __anext__(self) -> Any:
        ended = True
        try:
            chunk = await anext(self._stream)
            ended = False
        finally:
            if ended:
                await self._end()
        self._hear(chunk)
        return chunk

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            async for chunk in self._stream:
                self._hear(chunk)
                yield chunk
        finally:
            await self._end()

    async def close(self) -> None:
        await self._stream.close()
        await self._end()

    def _hear(self, chunk: object) -> None:
        with failing_open("hear the answer"):
            self._exchange.hear(chunk)

    async def _end(self) -> None:
        turns, self._turns = self._turns, None
        if turns is not None:
            heard = self._exchange
            await turns.aremember(heard.conversation, heard.answer, heard.thread)
