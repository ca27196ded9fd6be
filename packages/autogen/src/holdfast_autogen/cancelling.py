"""AutoGen's cancellation tokens, honoured."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from autogen_core import CancellationToken

T = TypeVar("T")


async def cancellable(work: Coroutine[Any, Any, T], token: CancellationToken | None) -> T:
    """Await a piece of work that a token may cancel, also before it has begun.

    Raises:
        asyncio.CancelledError: It was.
    """
    if token is None:
        return await work
    task = asyncio.ensure_future(work)
    token.link_future(task)
    return await task
