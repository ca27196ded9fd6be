"""One flow, two faces: under the sync face a coroutine calls everything in place.

LlamaIndex runs its own sync face in an event loop made for one call. Clients that live in
another loop break there; so within `run` Holdfast's sync verbs are called, and nothing is
awaited but what others brought (their memory blocks, their chat stores).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_blocking: ContextVar[bool] = ContextVar("holdfast_llamaindex_blocking", default=False)


def run(flow: Coroutine[Any, Any, T]) -> T:
    """Run a flow to its end from sync code, inside or outside a running loop."""
    context = copy_context()
    context.run(_blocking.set, True)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return context.run(asyncio.run, flow)
    with ThreadPoolExecutor(1, thread_name_prefix="holdfast-llamaindex") as pool:
        return pool.submit(context.run, asyncio.run, flow).result()


async def sync_or_async(
    sync: Callable[P, T], twin: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Call a verb, or await its async twin, whichever the face is."""
    return sync(*args, **kwargs) if _blocking.get() else await twin(*args, **kwargs)
