"""A file that is opened when it is first used, and again when it is used after closing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from holdfast.forking import Lock

T = TypeVar("T")


class OnFirstUse(Generic[T]):
    """What one of many threads opens, once for all of them.

    Args:
        opening: Opens it.
    """

    def __init__(self, opening: Callable[[], T]) -> None:
        self._opening = opening
        self._lock = Lock()
        self._opened: T | None = None

    def get(self) -> T:
        """Return it; open it if it is not open."""
        with self._lock:
            if self._opened is None:
                self._opened = self._opening()
            return self._opened

    def release(self) -> T | None:
        """Hand it over to be closed, if it is open; the next use opens it anew."""
        with self._lock:
            opened, self._opened = self._opened, None
            return opened
