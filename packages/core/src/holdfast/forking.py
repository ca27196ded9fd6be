"""Forks: what of a process a forked child has to make anew.

A child has one thread, the one that forked. A lock that another thread held would be held for
ever, and a pool or a worker has no threads left. So this library's locks are of the classes here,
and whatever has threads says `renewed`. (Open files: `holdfast.storage.sqlite.pool`.)
"""

from __future__ import annotations

import os
import threading
from threading import get_ident
from types import TracebackType
from typing import Protocol
from weakref import WeakValueDictionary


class Renewed(Protocol):
    """What a forked child puts in order before it goes on."""

    def renew(self) -> None:
        """Put it in order, in the child; no other thread is there, and locks may yet be held."""


_things: WeakValueDictionary[int, Renewed] = WeakValueDictionary()
_locks: WeakValueDictionary[int, Lock] = WeakValueDictionary()


def renewed(thing: Renewed) -> None:
    """Have a thing's `renew` called in every forked child, as long as the thing is there."""
    _things[id(thing)] = thing


class Lock:
    """A lock that is free in a forked child, unless the thread that forked holds it."""

    __slots__ = ("__weakref__", "_lock", "_owner")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0
        _locks[id(self)] = self

    def __enter__(self) -> None:
        self._lock.acquire()
        self._owner = get_ident()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._owner = 0
        self._lock.release()

    @property
    def abandoned(self) -> bool:
        """Whether, in a forked child, a thread worked under it that is not there any more."""
        return self._owner not in (0, get_ident())

    def renew(self) -> None:
        """Free it, unless this thread holds it; another may have had no time to say that it did."""
        if self._owner != get_ident():
            self._lock, self._owner = threading.Lock(), 0


def _in_child() -> None:
    """Put all in order; locks last, for a thing may ask whether its own was held."""
    for known in (_things, _locks):
        for found in list(known.values()):
            found.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
