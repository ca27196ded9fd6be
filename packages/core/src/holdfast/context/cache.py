"""One retrieval a turn: a small, bounded, thread-safe store of answers already computed.

A framework may ask for the same context several times while it answers one message. The key
names everything the answer depends on: the store's change number, and the moment at which time
alone changes the answer next, when a memory expires, ends or begins to hold. So nothing has to be
invalidated, and a stale entry is only one that is never asked for again; it lives for seconds.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from holdfast.forking import Lock

Value = TypeVar("Value")


class Cache(Generic[Value]):
    """The last few values by key; the least recently used one leaves first.

    Args:
        size: Most entries kept.
        seconds: How long an entry answers.
        clock: Monotonic seconds; tests pass their own.
    """

    def __init__(
        self, size: int = 64, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._size = size
        self._seconds = seconds
        self._clock = clock
        self._entries: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable) -> Value | None:
        """Return the value stored under `key`, or None when there is none, or it is too old."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            if self._clock() - entry[0] >= self._seconds:
                del self._entries[key]
                return None
            self._entries.move_to_end(key)
            return entry[1]

    def put(self, key: Hashable, value: Value) -> None:
        """Store `value` under `key`."""
        with self._lock:
            self._entries[key] = (self._clock(), value)
            self._entries.move_to_end(key)
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything (after `close`, or a deletion)."""
        with self._lock:
            self._entries.clear()

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self._entries)
