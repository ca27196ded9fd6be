"""`HoldfastModelContext`: a model context that recalls, and writes down what it is told."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from autogen_core import Component, ComponentModel
from autogen_core.model_context import ChatCompletionContext, UnboundedChatCompletionContext
from autogen_core.models import LLMMessage, UserMessage
from holdfast import Message
from pydantic import BaseModel, ConfigDict
from typing_extensions import Self

from holdfast_autogen.connections import Handle, Place
from holdfast_autogen.injection import DEFAULT_NAME, InjectAs, Injection
from holdfast_autogen.longterm import LongTerm
from holdfast_autogen.message_ids import with_ids
from holdfast_autogen.scopes import Ids, Owner, Sessions
from holdfast_autogen.turns import live, said


class HoldfastModelContextConfig(BaseModel):
    """What finds a model context's memory again: no message, no key, no model."""

    model_config = ConfigDict(extra="forbid")

    path: str
    inner: ComponentModel
    user_id: str | None = None
    agent_id: str | None = None
    run_id: str | None = None
    app_id: str | None = None
    sessions: Sessions = "all"
    name: str = DEFAULT_NAME
    inject_as: InjectAs = "user"
    max_tokens: int = 1_000
    wait: bool = False
    strict: bool = False


class State(BaseModel):
    """What `save_state` gives: the window, and where its conversation stands.

    Attributes:
        inner: The wrapped context's state.
        last: Id of the last thing said; what comes next is numbered from it.
    """

    inner: dict[str, Any]
    last: str | None = None


class HoldfastModelContext(ChatCompletionContext, Component[HoldfastModelContextConfig]):
    """A model context whose agent remembers: for every agent that takes a ``model_context``.

    What is added is written down, the answers too; what `get_messages` returns has one memory
    message in it, which is never stored. A bounded window around it forgets nothing: what
    leaves the window is recalled.

    Args:
        place: The file's path, or an open `holdfast.Memory`.
        user_id, agent_id, run_id, app_id: Whose memory; what is missing comes from `serving`.
        inner: Keeps the window, such as a `BufferedChatCompletionContext`; by default all of it.
        sessions: ``"all"``: recall what the owner said in any session; or ``"this"``.
        name, inject_as, max_tokens, wait, strict: As of `HoldfastMemory`.
    """

    component_type = "chat_completion_context"
    component_config_schema = HoldfastModelContextConfig
    component_provider_override = "holdfast_autogen.HoldfastModelContext"

    def __init__(
        self,
        place: Place,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        inner: ChatCompletionContext | None = None,
        sessions: Sessions = "all",
        name: str = DEFAULT_NAME,
        inject_as: InjectAs = "user",
        max_tokens: int = 1_000,
        wait: bool = False,
        strict: bool = False,
    ) -> None:
        super().__init__()
        self._inner = inner or UnboundedChatCompletionContext()
        self._handle = Handle.of(place)
        self._owner = Owner(user_id, agent_id, run_id, app_id, sessions)
        self._injection = Injection(name, inject_as)
        self._long_term = LongTerm(self._handle, max_tokens, wait, strict)
        self._begin()

    def _begin(self, last: str | None = None) -> None:
        self._last = last
        self._whose: Ids | None = None
        self._waiting: list[Message] = []
        self._recalled: tuple[Ids, str] | None = None

    # -- the window -------------------------------------------------------------------------------

    async def add_message(self, message: LLMMessage) -> None:
        """Add a message to the window, and write down what it says.

        What could not be written down (a model or the file failed) is tried again with the next.

        Raises:
            ScopeError: It is not said whose memory.
            ProviderError, StorageError: With ``strict=True``.
        """
        ids = self._owner.writing()
        await self._inner.add_message(message)
        if isinstance(message, UserMessage):
            self._recalled = None
        await self._write_down(message, ids)

    async def _write_down(self, message: LLMMessage, ids: Ids) -> None:
        told = said(message)
        if told is None or self._injection.is_mine(message):
            return
        if self._whose not in (None, ids):
            self._begin()  # it serves another now, who does not inherit what waits
        self._whose = ids
        if self._last is None:
            # Agents of a team tell one run the same things; elsewhere a conversation is its own.
            self._last = "" if "run_id" in ids else uuid.uuid4().hex
        self._waiting += with_ids([told], self._last)
        self._last = self._waiting[-1].id
        fresh = tuple(self._waiting)
        if await self._long_term.remember(ids, fresh):
            self._waiting = self._waiting[len(fresh) :]

    async def get_messages(self) -> list[LLMMessage]:
        """Return the window with memory in it: recalled once for each message of the user.

        Raises:
            ScopeError: It is not said whose memory.
            ProviderError, StorageError: With ``strict=True``.
        """
        ids = self._owner.reading(self._owner.writing())
        window = await self._inner.get_messages()
        if self._recalled is None or self._recalled[0] != ids:
            found = await self._long_term.recall(ids, live(window, self._injection))
            self._recalled = ids, found.text
        return self._injection.placed(window, self._recalled[1])

    async def clear(self) -> None:
        """Empty the window and begin another conversation; long-term memory stays."""
        await self._inner.clear()
        self._begin()

    async def flush(self) -> None:
        """Derive facts from all that waits of what this context recalls, in any of its sessions.

        Raises:
            ScopeError: It is not said whose memory.
            InvalidInputError: The file's memory has no LLM.
        """
        memory = await self._handle.memory()
        await memory.aflush(**self._owner.reading(self._owner.writing()))

    async def close(self) -> None:
        """Let the file go; nothing is deleted, and a later use opens it again."""
        self._handle.close()

    async def save_state(self) -> Mapping[str, Any]:
        """Return the window's state, and where its conversation stands."""
        inner = dict(await self._inner.save_state())
        return State(inner=inner, last=self._last).model_dump()

    async def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on where a state was saved, by this class or by the wrapped context's."""
        if "inner" not in state:
            await self._inner.load_state(state)
            self._begin()
            return
        read = State.model_validate(state)
        await self._inner.load_state(read.inner)
        self._begin(read.last)

    # -- as a component ---------------------------------------------------------------------------

    def _to_config(self) -> HoldfastModelContextConfig:
        long_term = self._long_term
        return HoldfastModelContextConfig(
            path=self._handle.path,
            inner=self._inner.dump_component(),
            **asdict(self._owner),
            name=self._injection.name,
            inject_as=self._injection.inject_as,
            max_tokens=long_term.max_tokens,
            wait=long_term.wait,
            strict=long_term.strict,
        )

    @classmethod
    def _from_config(cls, config: HoldfastModelContextConfig) -> Self:
        fields = config.model_dump(exclude={"inner"})
        inner = ChatCompletionContext.load_component(config.inner)
        return cls(fields.pop("path"), inner=inner, **fields)
