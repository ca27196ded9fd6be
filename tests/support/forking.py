"""Forked children for tests: each does its work, says what came of it, and ends at once."""

from __future__ import annotations

import os
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SECONDS = 60  # after which a child that hangs is ended, which fails its test


@contextmanager
def child(work: Callable[[], object]) -> Iterator[Callable[[], str]]:
    """Fork; the child does some work. Lends a function that waits for it: what it returned."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other threads at the fork: so it is
        pid = os.fork()
    if pid == 0:
        _do(work, writing)
    os.close(writing)

    def result() -> str:
        with os.fdopen(os.dup(reading)) as pipe:
            return pipe.read()

    try:
        yield result
    finally:
        os.close(reading)
        _, status = os.waitpid(pid, 0)
    assert status == 0, f"the child ended with {status}"


def in_child(work: Callable[[], object]) -> str:
    """Return what some work returns in a forked child, as text."""
    with child(work) as result:
        return result()


def _do(work: Callable[[], object], pipe: int) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(SECONDS)
    try:
        said = str(work())
    except BaseException as error:  # noqa: BLE001 - it ends here, whatever it is
        said = f"{type(error).__name__}: {error}"
        if isinstance(error, AssertionError):
            said = traceback.format_exc()
    os.write(pipe, said.encode())
    os._exit(0)
