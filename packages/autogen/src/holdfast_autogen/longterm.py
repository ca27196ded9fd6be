"""Long-term memory as a conversation uses it: recall before the model answers, then remember."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from holdfast import Context, Message, ProviderError, StorageError
from holdfast.providers.failures import tolerated

from holdfast_autogen.connections import Handle
from holdfast_autogen.scopes import Ids

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LongTerm:
    """How a conversation uses a file.

    Attributes:
        handle: The file.
        max_tokens: Budget of what is recalled.
        wait: Derive facts before going on, instead of leaving them, and the vectors of what was
            said, to ``flush``. A memory without an LLM embeds at once.
        strict: Raise when a model or the file fails; otherwise a warning is logged and the
            conversation goes on without memory. A missing scope always raises.
    """

    handle: Handle
    max_tokens: int = 1_000
    wait: bool = False
    strict: bool = False

    async def recall(
        self, ids: Ids, live: Sequence[Mapping[str, str]], query: str | None = None
    ) -> Context:
        """Return what matters now: what answers the last user message and is not in `live`."""
        with self.tolerance("recall"):
            memory = await self.handle.memory()
            return await memory.acontext(query, messages=live, max_tokens=self.max_tokens, **ids)
        return Context()

    async def remember(self, ids: Ids, messages: Sequence[Message]) -> bool:
        """Write messages down, those already known left out; return whether it was done."""
        if not messages:
            return True
        with self.tolerance("remember"):
            memory = await self.handle.memory()
            await memory.aadd(messages, **ids, wait=self.wait or not memory.derives)
            return True
        return False

    def tolerance(self, doing: str) -> AbstractContextManager[None]:
        """Let a failing model or file cost memory, not the conversation; unless strict."""
        if self.strict:
            return nullcontext()
        return tolerated(logger, f"memory could not {doing}", (ProviderError, StorageError))
