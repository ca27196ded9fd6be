"""What the last write to a thread already settled, so that the next need not ask again.

All of it is a hint: a write checks `Known.no` and `Known.epoch` inside its own transaction and
starts over if another process has swept or deleted the thread meanwhile.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from langgraph.checkpoint.base import ChannelVersions

from holdfast_langgraph.checkpoint.forms import Digest, Prefix, Stored

SALT_BYTES = 16
MOST_THREADS = 512
MOST_NUMBERS = 512
MOST_HEADS = 64


@dataclass(frozen=True, slots=True)
class Head:
    """The checkpoint written last in one namespace of a thread.

    Attributes:
        checkpoint_id: Its id.
        versions: Of its channels.
        manifest: Its values.
        prefixes: What its lists begin with, by channel.
    """

    checkpoint_id: str
    versions: ChannelVersions
    manifest: Mapping[str, Stored]
    prefixes: Mapping[str, Prefix]


@dataclass(frozen=True, slots=True)
class Known:
    """One thread, as last seen.

    Attributes:
        no: Its number; None while the file has no such thread.
        salt: Goes into its digests.
        epoch: How often it had been swept; numbers are good within one epoch.
        numbers: Blobs by digest.
        heads: By namespace.
    """

    no: int | None = None
    salt: bytes = b""
    epoch: int = 0
    numbers: Mapping[Digest, int] = field(default_factory=dict)
    heads: Mapping[str, Head] = field(default_factory=dict)

    @classmethod
    def nothing(cls) -> Known:
        """Return a thread that is not there yet."""
        return cls(salt=os.urandom(SALT_BYTES))

    def after(
        self,
        no: int,
        numbers: Mapping[Digest, int],
        used: Collection[Digest],
        heads: Mapping[str, Head] | None = None,
    ) -> Known:
        """Return the thread as it is after a write.

        Args:
            no: Its number.
            numbers: Every blob that is known now.
            used: Those of this write: all that is kept once there are too many.
            heads: The checkpoints of this write.
        """
        if len(numbers) > MOST_NUMBERS:
            numbers = {digest: numbers[digest] for digest in used}
        heads = {**self.heads, **heads} if heads else self.heads
        if len(heads) > MOST_HEADS:
            heads = dict(list(heads.items())[-MOST_HEADS // 2 :])
        return Known(no, self.salt, self.epoch, numbers, heads)


class Recent:
    """The threads written last, by id: a small least-recently-used cache, safe to share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: OrderedDict[str, Known] = OrderedDict()

    def get(self, thread_id: str) -> Known | None:
        """Return what is known of a thread."""
        with self._lock:
            return self._threads.get(thread_id)

    def keep(self, thread_id: str, known: Known) -> None:
        """Remember a thread; forget the one unused for longest."""
        with self._lock:
            self._threads[thread_id] = known
            self._threads.move_to_end(thread_id)
            if len(self._threads) > MOST_THREADS:
                self._threads.popitem(last=False)

    def drop(self, thread_id: str) -> None:
        """Forget a thread."""
        with self._lock:
            self._threads.pop(thread_id, None)
