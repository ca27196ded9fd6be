"""Feeding what was said in a thread to a `Memory`.

The memory leaves out a message whose id its scope has stored before, so everything here may be
repeated; the ids seen last only spare it the asking.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from holdfast import Message, Scope
from holdfast.forking import Lock
from holdfast.providers.failures import tolerated
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import Checkpoint

if TYPE_CHECKING:
    from holdfast import Memory
    from holdfast.types import Ids

logger = logging.getLogger(__name__)

MESSAGES = "messages"
MOST_THREADS = 512

ScopeOf: TypeAlias = Callable[[RunnableConfig], "Scope | None"]
"""Says whose the messages of a config's thread are; None: capture nothing of it."""


def thread_scope(config: RunnableConfig) -> Scope:
    """Return the thread as the run, and the config's ``user_id`` where it has one."""
    given = config["configurable"]
    user_id = given.get("user_id")
    return Scope(user_id=str(user_id) if user_id else None, run_id=str(given["thread_id"]))


@dataclass(slots=True)
class Capture:
    """What a saver feeds, and to whom.

    Attributes:
        memory: Receives the messages.
        scope_of: Whose they are.
    """

    memory: Memory
    scope_of: ScopeOf = thread_scope
    _lock: Lock = field(default_factory=Lock)
    _seen: OrderedDict[str, frozenset[str]] = field(default_factory=OrderedDict)

    def feed(self, config: RunnableConfig, checkpoint: Checkpoint) -> None:
        """Store the messages a checkpoint adds. A failure is logged: the run goes on."""
        said = self._unseen(config, checkpoint)
        if not said:
            return
        with tolerated(logger, f"could not capture {len(said)} messages"):
            scope = self.scope_of(config)
            if scope is not None:
                self.memory.add(said, wait=not self.memory.derives, **cast("Ids", scope.ids()))
            self._mark(config, checkpoint)

    async def afeed(self, config: RunnableConfig, checkpoint: Checkpoint) -> None:
        """Async twin of `feed`."""
        said = self._unseen(config, checkpoint)
        if not said:
            return
        with tolerated(logger, f"could not capture {len(said)} messages"):
            scope = self.scope_of(config)
            if scope is not None:
                await self.memory.aadd(
                    said, wait=not self.memory.derives, **cast("Ids", scope.ids())
                )
            self._mark(config, checkpoint)

    def forget(self, thread_ids: Sequence[str]) -> None:
        """Ask the memory anew about threads that were deleted: their ids may come again."""
        with self._lock:
            for thread_id in thread_ids:
                self._seen.pop(thread_id, None)

    def _unseen(self, config: RunnableConfig, checkpoint: Checkpoint) -> list[Message]:
        if config["configurable"].get("checkpoint_ns"):
            return []  # a subgraph's thoughts are its own
        with self._lock:
            seen = self._seen.get(_thread(config), frozenset())
        return [message for message in _said(checkpoint) if message.id not in seen]

    def _mark(self, config: RunnableConfig, checkpoint: Checkpoint) -> None:
        ids = frozenset(message.id for message in _said(checkpoint) if message.id)
        with self._lock:
            self._seen[_thread(config)] = ids
            self._seen.move_to_end(_thread(config))
            if len(self._seen) > MOST_THREADS:
                self._seen.popitem(last=False)


def _thread(config: RunnableConfig) -> str:
    return str(config["configurable"]["thread_id"])


def _said(checkpoint: Checkpoint) -> Iterator[Message]:
    """Yield what people and the assistant said in words; only messages with an id."""
    messages: Any = checkpoint["channel_values"].get(MESSAGES)
    if not isinstance(messages, Sequence):
        return
    for message in messages:
        if isinstance(message, BaseMessage) and message.id and message.text.strip():
            if isinstance(message, HumanMessage):
                yield Message(message.text, "user", message.name, message.id)
            elif isinstance(message, AIMessage):
                yield Message(message.text, "assistant", message.name, message.id)
