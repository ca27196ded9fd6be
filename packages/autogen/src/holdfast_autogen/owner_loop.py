"""The event loop an async client belongs to."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from holdfast.forking import renewed

T = TypeVar("T")


class OwnerLoop:
    """Runs work in the event loop of the first call: a client's connections belong to it."""

    def __init__(self) -> None:
        self.renew()
        renewed(self)

    def renew(self) -> None:
        """Begin without a loop, as a forked child does: its parent's does not run there."""
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Await work in that loop, from whichever loop it is asked for."""
        here = asyncio.get_running_loop()
        if self._loop is None or not self._loop.is_running():
            self._loop = here
        if self._loop is here:
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))


def needs_loop(client: object) -> str:
    """Return the error message for sync use of an async client."""
    return (
        f"{type(client).__name__} is async only: await Memory.aadd, aflush, aadd_procedure instead "
        "of add, flush, add_procedure, and open the memory without background=True"
    )
