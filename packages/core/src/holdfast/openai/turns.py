"""Memory around a model call: recall before, remember after, and never in the way.

For callers that send the whole conversation each time. What is new in it is what the user said
since the last answer; its message id is derived from the conversation up to there, so that a
retried call stores nothing twice. Whatever memory raises is logged, and the call goes on.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol
from uuid import uuid4

from holdfast.context.window import part, question, said
from holdfast.providers.failures import tolerated
from holdfast.types import Context, Ids, Message, Role, Scope, Unpack, utc_now

# Roles of messages after which what the user said before them is still unanswered.
_NO_ANSWER = frozenset({"user", "system", "developer"})

logger = logging.getLogger(__name__)


class Remembers(Protocol):
    """What is asked of a `Memory`."""

    def context(
        self,
        query: str | None = None,
        *,
        messages: Sequence[Message | Mapping[str, object]] | None = None,
        max_tokens: int = 1_000,
        model: str | None = None,
        **ids: Unpack[Ids],
    ) -> Context:
        """See `Memory.context`."""

    async def acontext(
        self,
        query: str | None = None,
        *,
        messages: Sequence[Message | Mapping[str, object]] | None = None,
        max_tokens: int = 1_000,
        model: str | None = None,
        **ids: Unpack[Ids],
    ) -> Context:
        """See `Memory.acontext`."""

    def add(
        self,
        messages: Sequence[Message],
        *,
        infer: bool = True,
        wait: bool = True,
        **ids: Unpack[Ids],
    ) -> object:
        """See `Memory.add`."""

    async def aadd(
        self,
        messages: Sequence[Message],
        *,
        infer: bool = True,
        wait: bool = True,
        **ids: Unpack[Ids],
    ) -> object:
        """See `Memory.aadd`."""


class Turns:
    """A memory bound to a scope, for one kind of caller.

    Args:
        memory: The memory.
        scope: Whose. Writing is for exactly this scope; recalling leaves the run open, unless
            it is the only id.
        max_tokens: Budget of what is recalled.
        infer, wait: As in `Memory.add`.
    """

    def __init__(
        self, memory: Remembers, scope: Scope, *, max_tokens: int, infer: bool, wait: bool
    ) -> None:
        self._memory = memory
        self._ids = scope.ids()
        # A session is written to by its name, and recalls what all sessions said.
        others = {name: value for name, value in self._ids.items() if name != "run_id"}
        self._recalled = others or self._ids
        self._max_tokens = max_tokens
        self._infer = infer
        # Without an LLM no flush follows, which would embed.
        self._wait = wait or not getattr(memory, "derives", True)
        # Where the caller names no run, one binding is one session.
        self._session = scope.run_id or uuid4().hex

    def recall(self, conversation: Sequence[object], model: object) -> Context:
        """Return what memory says to the last user message; nothing without one, or on failure."""
        if not question(conversation).strip():
            return Context()
        with failing_open("recall"):
            return self._memory.context(
                messages=plain(conversation),
                max_tokens=self._max_tokens,
                model=model if isinstance(model, str) else None,
                **self._recalled,
            )
        return Context()

    async def arecall(self, conversation: Sequence[object], model: object) -> Context:
        """Async twin of `recall`."""
        if not question(conversation).strip():
            return Context()
        with failing_open("recall"):
            return await self._memory.acontext(
                messages=plain(conversation),
                max_tokens=self._max_tokens,
                model=model if isinstance(model, str) else None,
                **self._recalled,
            )
        return Context()

    def remember(self, conversation: Sequence[object], answer: str, thread: str = "") -> None:
        """Store what is new in a conversation, and its answer (none: "").

        Args:
            conversation: As it was sent.
            answer: What the assistant said, complete.
            thread: Names what came before where the caller sends only the newest messages.
        """
        with failing_open("remember"):
            turns = new_turns(conversation, answer, f"{self._session}/{thread}", utc_now())
            if turns:
                self._memory.add(turns, infer=self._infer, wait=self._wait, **self._ids)

    async def aremember(
        self, conversation: Sequence[object], answer: str, thread: str = ""
    ) -> None:
        """Async twin of `remember`."""
        with failing_open("remember"):
            turns = new_turns(conversation, answer, f"{self._session}/{thread}", utc_now())
            if turns:
                await self._memory.aadd(turns, infer=self._infer, wait=self._wait, **self._ids)


def failing_open(doing: str) -> AbstractContextManager[None]:
    """Log whatever memory, its storage or its models raise: the call must not suffer from it."""
    failed = f"memory failed to {doing}; the call goes on without it"
    return tolerated(logger, failed, (Exception,), level=logging.ERROR)


def plain(conversation: Sequence[object]) -> list[Mapping[str, object]]:
    """Return role and text of each message, whatever the messages are."""
    return [
        {"role": role, "content": said(message)}
        for message in conversation
        if isinstance(role := part(message, "role"), str)
    ]


def new_turns(
    conversation: Sequence[object], answer: str, session: str, now: datetime
) -> list[Message]:
    """Return what the user said since the last answer, and the answer, with derived ids.

    An id is a hash of the session, the day and everything said up to there: equal for a call
    that is sent again, another one for the same words said later in the conversation or, where
    the caller sends no history, on another day.
    """
    digest = hashlib.sha256(f"{session}/{now.date()}".encode("utf-8", "replace"))
    turns: list[Message] = []

    def add(role: Role, text: str, name: object = None) -> None:
        digest.update(f"\0{role}\0{text}".encode("utf-8", "replace"))
        called = name if isinstance(name, str) and name else None
        turns.append(Message(text, role=role, name=called, id=digest.hexdigest()[:32]))

    for message in conversation:
        role, text = part(message, "role"), said(message)
        if role == "user" and text.strip():
            add("user", text, part(message, "name"))
            continue
        digest.update(f"\0{role}\0{text}".encode("utf-8", "replace"))
        if role not in _NO_ANSWER:
            turns.clear()
    if answer.strip():
        add("assistant", answer)
    return turns
