"""What the last write to a thread already settled, so that the next need not ask again.

All of it is a hint: a write checks `Known.no` and `Known.epoch` in its own statement and starts
over if another process has swept or deleted the thread meanwhile. What is noted of a thread
is noted after a commit, and holds as long as its number and epoch do: concurrent writers of this
process may share it.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from holdfast.forking import Lock
from langgraph.checkpoint.base import ChannelVersions

from holdfast_langgraph.checkpoint.forms import Blobs, Digest, Past, Stored

SALT_BYTES = 16
MOST_THREADS = 512
MOST_NUMBERS = 512
MOST_PLAIN = 512
MOST_HEADS = 64
MOST_BYTES = 32 << 20


class Head(NamedTuple):
    """The checkpoint written last in one namespace of a thread.

    Attributes:
        checkpoint_id: Its id.
        versions: Of its channels.
        manifest: Its values.
        pasts: Its lists, and earlier ones, by channel.
        weight: About how many bytes those take in memory.
    """

    checkpoint_id: str
    versions: ChannelVersions
    manifest: Mapping[str, Stored]
    pasts: Mapping[str, Past]
    weight: int


NO_HEAD = Head("", {}, {}, {}, 0)


@dataclass(slots=True, eq=False)
class Known:
    """One thread, as last seen.

    Attributes:
        no: Its number; None while the file has no such thread.
        salt: Goes into its digests.
        epoch: How often it had been swept; numbers are good within one epoch.
        numbers: Blobs by digest.
        heads: By namespace.
        plain: Opened parts of what was read or written lately, by number.
        maker: The codec that opened them: another one might not be able to.
        weight: About how many bytes its lists and opened parts take in memory.
    """

    no: int | None = None
    salt: bytes = b""
    epoch: int = 0
    numbers: dict[Digest, int] = field(default_factory=dict)
    heads: dict[str, Head] = field(default_factory=dict)
    plain: dict[int, bytes] = field(default_factory=dict)
    maker: object = None
    weight: int = 0

    @classmethod
    def nothing(cls) -> Known:
        """Return a thread that is not there yet."""
        return cls(salt=os.urandom(SALT_BYTES))

    def sorted(self, blobs: Blobs) -> tuple[dict[Digest, int], Blobs]:
        """Return the numbers of the blobs that are known, and the other blobs."""
        numbers: dict[Digest, int] = {}
        others: Blobs = {}
        for digest, blob in blobs.items():
            number = self.numbers.get(digest)
            if number is None:
                others[digest] = blob
            else:
                numbers[digest] = number
        return numbers, others

    def note(self, no: int, numbers: Mapping[Digest, int]) -> None:
        """Note what a write has committed: the thread's number, and the blobs it used."""
        self.no = no
        if numbers:
            self.note_numbers(numbers)

    def note_numbers(self, numbers: Mapping[Digest, int]) -> None:
        """Note the numbers of blobs; once there are too many, these are all that is kept."""
        if len(self.numbers) + len(numbers) > MOST_NUMBERS:
            self.numbers = dict(numbers)
        elif numbers:
            self.numbers.update(numbers)

    def opened(self, maker: object, no: int, epoch: int) -> dict[int, bytes]:
        """Return the parts that need no opening, if this is still the thread."""
        same = self.maker is maker and self.no == no and self.epoch == epoch
        return dict(self.plain) if same else {}

    def note_plain(self, maker: object, plain: Mapping[int, bytes]) -> None:
        """Note opened parts; once there are too many, these are all that is kept."""
        more = {number: data for number, data in plain.items() if number not in self.plain}
        if self.maker is not maker or len(self.plain) + len(more) > MOST_PLAIN:
            self.weight -= sum(map(len, self.plain.values()))
            self.plain, self.maker, more = {}, maker, dict(plain)
        self.plain.update(more)
        self.weight += sum(map(len, more.values()))

    def note_head(self, ns: str, head: Head) -> None:
        """Note the checkpoint a write has committed; forget half of too many namespaces."""
        if ns not in self.heads and len(self.heads) >= MOST_HEADS:
            kept = dict(list(self.heads.items())[-MOST_HEADS // 2 :])
            self.weight -= sum(one.weight for name, one in self.heads.items() if name not in kept)
            self.heads = kept
        self.weight += head.weight - self.heads.get(ns, NO_HEAD).weight
        self.heads[ns] = head


class Recent:
    """The threads written last, by id: a small least-recently-used cache, safe to share."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._threads: OrderedDict[str, tuple[Known, int]] = OrderedDict()
        self._weight = 0

    def get(self, thread_id: str) -> Known | None:
        """Return what is known of a thread."""
        found = self._threads.get(thread_id)  # one look at a dict needs no lock
        return None if found is None else found[0]

    def keep(self, thread_id: str, known: Known) -> None:
        """Remember a thread; forget those unused for longest once all are too many, or too much."""
        weight = known.weight
        with self._lock:
            if weight > MOST_BYTES:
                self._forget(thread_id)
                return
            self._weight += weight - self._threads.get(thread_id, (None, 0))[1]
            self._threads[thread_id] = known, weight
            self._threads.move_to_end(thread_id)
            while len(self._threads) > MOST_THREADS or self._weight > MOST_BYTES:
                self._forget(next(iter(self._threads)))

    def drop(self, thread_id: str) -> None:
        """Forget a thread."""
        with self._lock:
            self._forget(thread_id)

    def _forget(self, thread_id: str) -> None:
        _, weight = self._threads.pop(thread_id, (None, 0))
        self._weight -= weight
