"""Memory for LangChain's agents: recalled before the model is asked, captured as it is said."""

from __future__ import annotations

import logging
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from holdfast import InvalidInputError, Memory, Message
from holdfast.forking import Lock
from holdfast.providers.failures import tolerated
from langchain.agents.middleware import (
    AgentMiddleware,
    AgentState,
    ExtendedModelResponse,
    ModelRequest,
    ModelResponse,
)
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, SystemMessage

from holdfast_langgraph.scopes import current_config, known

logger = logging.getLogger(__name__)

T = TypeVar("T")
Ids: TypeAlias = Mapping[str, str]
Request: TypeAlias = ModelRequest[Any]
Response: TypeAlias = ModelResponse[Any] | AIMessage | ExtendedModelResponse[Any]

USER_NAMES = ("user_id", "langgraph_user_id")
RECALLED = 256  # turns whose recall is kept at hand

_NOBODY = (
    "the run names no user_id, so it has no memory (an async run on Python 3.10 is not told its "
    "configuration: name the user in its context)"
)


@dataclass(frozen=True, slots=True)
class _Turn:
    """What one model call is about.

    Attributes:
        reads, writes: Ids of the scopes it reads and writes, as arguments of `Memory`'s verbs.
        messages: The user's message and what followed it.
    """

    reads: Mapping[str, Any]
    writes: Mapping[str, Any]
    messages: tuple[AnyMessage, ...]

    @property
    def key(self) -> tuple[Any, ...]:
        """The same for every model call of the turn."""
        first = self.messages[0]
        return (*sorted(self.reads.items()), *sorted(self.writes.items()), first.id, first.text)


class MemoryMiddleware(AgentMiddleware[AgentState[Any], Any, Any]):
    """Gives an agent the user's memories, and remembers what is said.

        agent = create_agent(model, tools, middleware=[MemoryMiddleware(memory)])
        agent.invoke({"messages": [...]}, context={"user_id": "ada"})

    Once a turn, what memory knows about the user's message is added to the system message of the
    request, quoted as data; it never enters the state or a checkpoint. The user's message is
    stored before the model is asked, the model's answer as soon as it is there: neither a tool
    that raises nor an interrupt loses them. A message is stored once, by its id, however often a
    run is resumed or replayed.

    Memory must not stop an agent: if it fails, that is logged, and the agent goes on without it.
    A run that names no user has no memory.

    Args:
        memory: The user's long-term memory, or any part of it (`Memory.scoped`).
        scope: Returns the ids of a run, such as ``{"user_id": "ada", "agent_id": "coach"}``,
            from the request. By default ``user_id``, ``agent_id`` and ``app_id`` of the run's
            context or of ``config["configurable"]`` (where ``langgraph_user_id`` counts, too);
            on Python 3.10 LangGraph shows an async run its context alone.
        max_tokens: What recalled memories may cost.
        recall: Add memories to the request.
        capture: Remember what is said, under these ids and the thread's as ``run_id``.
        infer: Let the memory's LLM, if it has one, derive facts from it.
        wait: Let the agent wait for that.
    """

    def __init__(
        self,
        memory: Memory,
        *,
        scope: Callable[[Request], Ids] | None = None,
        max_tokens: int = 1_000,
        recall: bool = True,
        capture: bool = True,
        infer: bool = True,
        wait: bool = False,
    ) -> None:
        super().__init__()
        if not isinstance(memory, Memory):
            raise InvalidInputError(
                f"the middleware takes a holdfast.Memory, not {type(memory).__name__!r}: open one "
                "and hand it on, MemoryMiddleware(Memory(path))"
            )
        self._memory = memory
        self._scope = scope or ids_of_run
        self._max_tokens = max_tokens
        self._recall = recall
        self._capture = capture
        self._infer = infer
        self._wait = wait or not memory.derives
        self._recalled = _Recalled()

    # -- the hook and its twin ------------------------------------------------------------------

    def wrap_model_call(
        self, request: Request, handler: Callable[[Request], ModelResponse[Any]]
    ) -> Response:
        """Recall, capture the user's message, ask the model, capture its answer."""
        turn = self._turn(request)
        if turn is None:
            return handler(request)
        text = self._recalled.get(turn.key)
        if text is None:
            text = self._remember(turn, request)
        self._store(turn, turn.messages)
        response = handler(_with(request, text))
        self._store(turn, _said(response))
        return response

    async def awrap_model_call(
        self, request: Request, handler: Callable[[Request], Awaitable[ModelResponse[Any]]]
    ) -> Response:
        """Async twin of `wrap_model_call`."""
        turn = self._turn(request)
        if turn is None:
            return await handler(request)
        text = self._recalled.get(turn.key)
        if text is None:
            text = await self._aremember(turn, request)
        await self._astore(turn, turn.messages)
        response = await handler(_with(request, text))
        await self._astore(turn, _said(response))
        return response

    def _turn(self, request: Request) -> _Turn | None:
        """Return the turn a request belongs to; None if nobody is to be remembered."""
        reads = {name: value for name, value in self._scope(request).items() if value}
        if not reads:
            logger.warning(_NOBODY)
            return None
        about = getattr(request.runtime, "execution_info", None)
        thread = known("thread_id", about, current_config())
        writes = {"run_id": thread, **reads} if thread else reads
        starts = [
            place
            for place, message in enumerate(request.messages)
            if isinstance(message, HumanMessage)
        ]
        return _Turn(reads, writes, tuple(request.messages[starts[-1] :])) if starts else None

    # -- recalling ------------------------------------------------------------------------------

    def _remember(self, turn: _Turn, request: Request) -> str:
        if not self._recall:
            return ""
        with tolerated(logger, "memory could not be recalled"):
            found = self._memory.context(**self._question(turn, request))
            return self._recalled.put(turn.key, found.text)
        return ""

    async def _aremember(self, turn: _Turn, request: Request) -> str:
        if not self._recall:
            return ""
        with tolerated(logger, "memory could not be recalled"):
            found = await self._memory.acontext(**self._question(turn, request))
            return self._recalled.put(turn.key, found.text)
        return ""

    def _question(self, turn: _Turn, request: Request) -> dict[str, Any]:
        return {
            "query": turn.messages[0].text,
            "messages": [
                {"role": _role(message), "content": message.text} for message in request.messages
            ],
            "max_tokens": self._max_tokens,
            **turn.reads,
        }

    # -- capturing ------------------------------------------------------------------------------

    def _store(self, turn: _Turn, messages: Sequence[BaseMessage]) -> None:
        fresh = self._fresh(turn, messages)
        if not fresh:
            return
        with tolerated(logger, "what was said could not be remembered"):
            self._memory.add(fresh, infer=self._infer, wait=self._wait, **turn.writes)
            self._recalled.note(turn.key, fresh)

    async def _astore(self, turn: _Turn, messages: Sequence[BaseMessage]) -> None:
        fresh = self._fresh(turn, messages)
        if not fresh:
            return
        with tolerated(logger, "what was said could not be remembered"):
            await self._memory.aadd(fresh, infer=self._infer, wait=self._wait, **turn.writes)
            self._recalled.note(turn.key, fresh)

    def _fresh(self, turn: _Turn, messages: Sequence[BaseMessage]) -> list[Message]:
        if not self._capture:
            return []
        stored = self._recalled.stored(turn.key)
        return [
            Message(message.text, _role(message), id=message.id)
            for message in messages
            if isinstance(message, HumanMessage | AIMessage)
            and message.text.strip()
            and message.id not in stored
        ]


def ids_of_run(request: Request) -> Ids:
    """Return the user, agent and app of a run, from its context or its configuration."""
    context = getattr(request.runtime, "context", None)
    config = current_config()
    users = (known(name, context, config) for name in USER_NAMES)
    user = next((user for user in users if user is not None), None)
    if user is None:
        return {}
    others = {name: known(name, context, config) for name in ("agent_id", "app_id")}
    return {"user_id": user} | {name: value for name, value in others.items() if value}


@dataclass(slots=True)
class _Entry:
    text: str | None = None
    stored: set[str] = field(default_factory=set)


class _Recalled:
    """What was recalled and stored in the latest turns; losing it only costs time."""

    def __init__(self) -> None:
        self._entries: OrderedDict[tuple[Any, ...], _Entry] = OrderedDict()
        self._lock = Lock()

    def _entry(self, key: tuple[Any, ...]) -> _Entry:
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
            if len(self._entries) > RECALLED:
                self._entries.popitem(last=False)
            return entry

    def get(self, key: tuple[Any, ...]) -> str | None:
        return self._entry(key).text

    def put(self, key: tuple[Any, ...], text: str) -> str:
        self._entry(key).text = text
        return text

    def stored(self, key: tuple[Any, ...]) -> set[str]:
        return self._entry(key).stored

    def note(self, key: tuple[Any, ...], messages: Sequence[Message]) -> None:
        self._entry(key).stored.update(message.id for message in messages if message.id)


def _role(message: BaseMessage) -> Any:
    return {"human": "user", "ai": "assistant", "system": "system"}.get(message.type, "tool")


def _said(response: Response) -> Sequence[BaseMessage]:
    """Return what the model said, each message with the id that the state will know it by."""
    if isinstance(response, ExtendedModelResponse):
        response = response.model_response
    messages = [response] if isinstance(response, AIMessage) else response.result
    for message in messages:
        if message.id is None:
            message.id = str(uuid.uuid4())
    return messages


def _with(request: Request, text: str) -> Request:
    """Return the request with memories at the end of its system message."""
    if not text:
        return request
    before = request.system_message
    if before is None:
        return request.override(system_message=SystemMessage(text))
    if isinstance(before.content, str):
        content: str | list[Any] = f"{before.content}\n\n{text}"
    else:
        content = [*before.content, {"type": "text", "text": text}]
    return request.override(system_message=before.model_copy(update={"content": content}))
