"""Facts derived from what a memory stored, in a thread of their own."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from holdfast import Changes, ProviderError
from holdfast.forking import renewed
from holdfast.providers.failures import described


class ExtractionWarning(UserWarning):
    """Facts could not be derived; what was said is stored and waits to be tried again."""


class Deriving:
    """One flush after another, in the background.

    Args:
        flush: Derives facts from all that waits.
    """

    def __init__(self, flush: Callable[[], Changes]) -> None:
        self._derive = flush
        self.renew()
        renewed(self)

    def renew(self) -> None:
        """Begin with nothing under way and no thread, as a forked child does."""
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="memory-derive")
        self._lock = threading.Lock()
        self._under_way: list[Future[None]] = []

    def begin(self, done: Callable[[Future[None]], None]) -> None:
        """Derive what waits now; `done` is told how it went. After `close`, nothing is done."""
        try:
            future = self._pool.submit(self._flush)
        except RuntimeError:  # closed: the turns wait in the file's own queue
            return
        with self._lock:
            self._under_way.append(future)
        future.add_done_callback(done)

    def _flush(self) -> None:
        changes = self._derive()
        if changes.pending and changes.problems:
            raise ProviderError("; ".join(changes.problems))

    def wait(self) -> None:
        """Wait for what is under way; an `ExtractionWarning` says what failed."""
        with self._lock:
            waiting, self._under_way = self._under_way, []
        for future in waiting:
            error = future.exception()
            if error is not None:
                warnings.warn(
                    f"facts were not derived: {described(error)}. What was said is stored and "
                    "will be tried again",
                    ExtractionWarning,
                    stacklevel=3,
                )

    def close(self) -> None:
        """Let what is under way end, and begin nothing more."""
        self._pool.shutdown(wait=True)
