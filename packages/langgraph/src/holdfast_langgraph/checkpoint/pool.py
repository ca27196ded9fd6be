"""A few threads for storage, so that no event loop waits for a disk."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from holdfast.forking import renewed

P = ParamSpec("P")
T = TypeVar("T")

# A file has one writer at a time; more threads would only wait for each other.
THREADS = 4


class Pool:
    """Runs blocking calls for any number of event loops, one after another or at once."""

    def __init__(self) -> None:
        self.renew()
        renewed(self)

    def renew(self) -> None:
        """Begin with no threads, as a process does; a forked child inherits none."""
        self._executor: ThreadPoolExecutor | None = None

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call in the pool; a cancelled caller leaves it to finish."""
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(
            self._threads(), lambda: context.run(call, *args, **kwargs)
        )

    def _threads(self) -> ThreadPoolExecutor:
        if self._executor is None:
            self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="holdfast-saver")
        return self._executor

    def close(self) -> None:
        """Let the threads go once they have finished; a later call makes new ones."""
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False)
