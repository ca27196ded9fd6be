"""Deletes what has expired, now and then, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Any

from holdfast.forking import renewed
from holdfast.providers.failures import tolerated

logger = logging.getLogger(__name__)


class Sweeping(Future[None]):
    """Done when the sweeper has stopped; cancelling it stops the sweeper.

    It can be awaited, as LangGraph's async store has it; that only says that it has begun.
    """

    def __await__(self) -> Generator[Any, None, Sweeping]:
        yield from ()
        return self


class Sweeper:
    """A thread that sweeps at an interval, once started.

    Args:
        sweep: Deletes what has expired; returns how many.
    """

    def __init__(self, sweep: Callable[[], int]) -> None:
        self._sweep = sweep
        self.renew()
        renewed(self)

    def renew(self) -> None:
        """Begin without a thread, as a forked child does: the parent goes on sweeping the file."""
        self._thread: threading.Thread | None = None
        self._future: Sweeping = Sweeping()
        self._stopped = threading.Event()
        self._lock = threading.Lock()

    def start(self, minutes: float) -> Sweeping:
        """Start, or return the future of the thread that runs."""
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return self._future
            self._stopped = stopped = threading.Event()
            self._future = future = Sweeping()
            future.add_done_callback(lambda _: stopped.set())
            self._thread = threading.Thread(
                target=self._run,
                args=(minutes * 60, stopped, future),
                name="holdfast-ttl-sweeper",
                daemon=True,
            )
            self._thread.start()
            return future

    def stop(self, timeout: float | None = None) -> bool:
        """Stop, and wait so many seconds; return whether it has stopped."""
        self.tell()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)
            return not thread.is_alive()
        return True

    def tell(self) -> None:
        """Ask it to stop, without waiting."""
        self._stopped.set()

    def _run(self, seconds: float, stopped: threading.Event, future: Sweeping) -> None:
        while not stopped.wait(seconds):
            with tolerated(logger, "a sweep of expired items failed; it is tried again"):
                logger.debug("swept %d expired items", self._sweep())
        if future.set_running_or_notify_cancel():
            future.set_result(None)
