"""The background worker: one thread that drains the queue while its memory is open."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from holdfast.forking import renewed
from holdfast.providers.failures import tolerated
from holdfast.types import Changes

logger = logging.getLogger(__name__)

# How long an idle worker sleeps before it looks for what other processes have queued.
PATIENCE = 5.0


class Worker:
    """Calls `drain` whenever it is woken, and when a retry or another process's turn is due.

    Args:
        drain: Extracts what is due; asks after each batch whether it is to stop.
        next_due: Seconds until the next retry; None when nothing waits.
    """

    def __init__(
        self,
        drain: Callable[[Callable[[], bool]], Changes],
        next_due: Callable[[], float | None],
    ) -> None:
        self._drain = drain
        self._next_due = next_due
        self.renew()
        renewed(self)
        self._start()

    def renew(self) -> None:
        """Begin without a thread, as a forked child does: it may never queue anything."""
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._stopped.is_set():
                self._thread = threading.Thread(
                    target=self._run, name="holdfast-worker", daemon=True
                )
                self._thread.start()

    def wake(self) -> None:
        """Say that something was queued."""
        self._wake.set()
        self._start()

    def stop(self) -> None:
        """Finish the batch at hand, then end. What is left waits for the next process."""
        self._stopped.set()
        self._wake.set()
        if self._thread is not None and threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            due = self._turn()
            self._wake.wait(PATIENCE if due is None else min(max(due, 0.05), PATIENCE))
            self._wake.clear()

    def _turn(self) -> float | None:
        """Drain once; errors are logged, for no caller waits for this thread."""
        failed = "extraction in the background failed; it will be tried again"
        with tolerated(logger, failed, (Exception,), level=logging.ERROR):
            for problem in self._drain(self._stopped.is_set).problems:
                logger.warning("extraction in the background: %s", problem)
            return self._next_due()
        return None
