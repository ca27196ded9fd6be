"""What the last put to a thread settled, kept in memory so that the next need not do it again.

All of it is a hint: a write checks number and epoch of the thread in its own statement and starts
over if another process has pruned or deleted the thread meanwhile. What is noted of a thread is
noted after a commit, and holds as long as its number and epoch do: concurrent writers of this
process may share it.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import ormsgpack
from holdfast.forking import Lock
from langchain_core.messages import (
    AIMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.checkpoint.base import ChannelVersions

from holdfast_langgraph.checkpoint.address import NO_OWNER, Owner

Digest: TypeAlias = bytes

SALT_BYTES = 16
MOST_THREADS = 512
MOST_IDS = 512
MOST_PLAIN = 512
MOST_HEADS = 64
MOST_BYTES = 32 << 20

MESSAGE_CODES = {
    HumanMessage: 0,
    AIMessage: 1,
    ToolMessage: 2,
    SystemMessage: 3,
    FunctionMessage: 4,
    ChatMessage: 5,
    RemoveMessage: 6,
}
# An object for which LangGraph has a format of its own is passed to a default function; there is
# none, so it is refused.
PLAIN_ONLY = (
    ormsgpack.OPT_NON_STR_KEYS
    | ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_UUID
)
_WIDE_HEADS = {0xDC: 3, 0xDD: 5}  # of arrays of 16 elements and more


def fingerprint(elements: Sequence[object]) -> bytes | None:
    """Return bytes that are equal for equal messages, one message's after another's.

    LangGraph's serializer takes about 2 us a message, most of it in Pydantic and Python. What it
    writes of a message of LangChain's own classes depends on nothing but class and fields, so the
    fields alone, written by the same packer in an eighth of the time, are equal where the message
    would be. None where an element is no such message, or holds an object that is no plain value
    (in a tool's artifact, for one).
    """
    try:
        fields = [
            (MESSAGE_CODES[type(one)], one.__dict__, one.__pydantic_extra__)  # type: ignore[index,attr-defined]
            for one in elements
        ]
        packed = ormsgpack.packb(fields, option=PLAIN_ONLY)
    except (KeyError, TypeError):
        return None
    return packed[_WIDE_HEADS.get(packed[0], 1) :]


@dataclass(slots=True)
class PreviousList:
    """A list as it was stored last: what the next one in its channel most likely begins with.

    Nothing of it changes once it is stored.

    Attributes:
        serializer: What wrote it; another one's bytes may differ.
        kind: What `content` is: the fingerprint of the elements, or their msgpack.
        content: Compared with the beginning of the next list's.
        count: Number of elements.
        runs: How many of the chunks are runs; each other chunk is one element.
        in_runs: Bytes of `content` that belong to elements in runs.
        count_in_runs: Number of those elements.
        tail: Digest and msgpack of every element after the last run.
        chunks: Of the stored list, after its head; set once it is stored.
    """

    serializer: object
    kind: str
    content: bytes = b""
    count: int = 0
    runs: int = 0
    in_runs: int = 0
    count_in_runs: int = 0
    tail: tuple[tuple[Digest, bytes], ...] = ()
    chunks: tuple[int | bytes, ...] = ()

    @property
    def weight(self) -> int:
        """Return about how many bytes it takes in memory."""
        return 2 * len(self.content) + 500

    def shared_with(self, serializer: object, kind: str, content: bytes) -> PreviousList:
        """Return what a list of this content begins with: all of this, its runs, or nothing."""
        if self.serializer is serializer and self.kind == kind:
            if content.startswith(self.content):
                return self
            start = self.content[: self.in_runs]
            if content.startswith(start):
                count, runs = self.count_in_runs, self.runs
                chunks = self.chunks[:runs]
                return PreviousList(
                    serializer, kind, start, count, runs, len(start), count, chunks=chunks
                )
        return PreviousList(serializer, kind)


class Head(NamedTuple):
    """The checkpoint written last in one namespace of a thread.

    Attributes:
        checkpoint_id: Its id.
        versions: Of its channels.
        manifest: Its stored values.
        lists: Its lists, and earlier ones, by channel.
        weight: About how many bytes those take in memory.
    """

    checkpoint_id: str
    versions: ChannelVersions
    manifest: Mapping[str, Any]
    lists: Mapping[str, PreviousList]
    weight: int


NO_HEAD = Head("", {}, {}, {}, 0)


@dataclass(slots=True, eq=False)
class ThreadState:
    """One thread, as last read or written.

    Attributes:
        no: Its number; None while the file has no such thread.
        salt: Goes into its digests.
        owners: Those that the file has of it, as far as is known.
        epoch: How often its blobs were collected; ids are valid within one epoch.
        ids: Blobs by digest.
        heads: By namespace.
        plain: Chunks read or written lately, decompressed and decrypted, by id.
        codec: What opened them; another one might not be able to.
        weight: About how many bytes lists and plain chunks take in memory.
    """

    no: int | None = None
    salt: bytes = b""
    epoch: int = 0
    owners: set[Owner] = field(default_factory=lambda: {NO_OWNER})
    ids: dict[Digest, int] = field(default_factory=dict)
    heads: dict[str, Head] = field(default_factory=dict)
    plain: dict[int, bytes] = field(default_factory=dict)
    codec: object = None
    weight: int = 0

    @classmethod
    def new(cls) -> ThreadState:
        """Return a thread that is not in the file yet."""
        return cls(salt=os.urandom(SALT_BYTES))

    def note_ids(self, ids: Mapping[Digest, int]) -> None:
        """Note the ids of blobs; once there are too many, these replace all others."""
        if len(self.ids) + len(ids) > MOST_IDS:
            self.ids = dict(ids)
        else:
            self.ids.update(ids)

    def opened(self, codec: object, no: int, epoch: int) -> dict[int, bytes]:
        """Return the plain chunks, if this is still the thread."""
        same = self.codec is codec and self.no == no and self.epoch == epoch
        return dict(self.plain) if same else {}

    def note_plain(self, codec: object, plain: Mapping[int, bytes]) -> None:
        """Note plain chunks; once there are too many, these replace all others."""
        more = {id: data for id, data in plain.items() if id not in self.plain}
        if self.codec is not codec or len(self.plain) + len(more) > MOST_PLAIN:
            self.weight -= sum(map(len, self.plain.values()))
            self.plain, self.codec, more = {}, codec, dict(plain)
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


class RecentThreads:
    """The threads used last, by id: a small least-recently-used cache, safe to share."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._threads: OrderedDict[str, tuple[ThreadState, int]] = OrderedDict()
        self._weight = 0

    def get(self, thread_id: str) -> ThreadState | None:
        """Return what is known of a thread."""
        found = self._threads.get(thread_id)  # one look at a dict needs no lock
        return None if found is None else found[0]

    def keep(self, thread_id: str, state: ThreadState) -> None:
        """Remember a thread; forget those unused for longest once all take too much."""
        weight = state.weight
        with self._lock:
            if weight > MOST_BYTES:
                self._forget(thread_id)
                return
            self._weight += weight - self._threads.get(thread_id, (None, 0))[1]
            self._threads[thread_id] = state, weight
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
