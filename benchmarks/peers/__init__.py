"""What `speed.py` measures: one small file a system, all behind one protocol.

Each is set up as its own documentation recommends for memories of many users, its telemetry is
off, and it says what an acknowledged write survives. A system that cannot run here raises
ImportError or RuntimeError when it is opened, and is reported as left out, with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from material import Asked, Memo

LIMIT = 10
"""Matches that a search returns, records fetched."""


class NotOffered(Exception):
    """The system has no such operation."""


@dataclass(frozen=True, slots=True)
class Found:
    """One match: the key of a memo, and its words."""

    key: str
    text: str


class Peer(Protocol):
    """A store of memos, open. Every write has been acknowledged when its method returns."""

    def __init__(self, folder: Path) -> None:
        """Open the store in a folder of its own, made when new."""

    def bulk(self, memos: Sequence[Memo]) -> None:
        """Write many memos, each user's together, in the way that is fastest."""

    def settle(self) -> None:
        """Do what the documentation recommends after a bulk load: indexes, compaction."""

    def add(self, memo: Memo) -> None:
        """Write one memo."""

    def search(self, asked: Asked, topic: str | None) -> list[Found]:
        """Find the best `LIMIT` memos of a user, of one topic if one is named."""

    def get(self, memo: Memo) -> str:
        """Read the words of one memo that was added alone."""

    def update(self, memo: Memo) -> None:
        """Give a memo that was added alone other words and another vector."""

    def delete(self, memo: Memo) -> None:
        """Delete a memo that was added alone."""

    def delete_all(self, user: str) -> None:
        """Delete everything of a user."""

    def close(self) -> None:
        """Close the store; its folder can be opened again."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A system that can be measured.

    Attributes:
        place: Module and class.
        durability: Whose death an acknowledged write survives: the process's, the machine's too (it
            waits for the disk), or none.
        setting: How it is set up.
        options: Given to the class.
    """

    place: str
    durability: str
    setting: str
    options: dict[str, Any]


# Told apart by how often ten adds call fsync or fdatasync: never where only the process may die; 10
# times "holdfast full", 40 times SqliteStore and Qdrant, 80 times Chroma.
NOTHING, PROCESS, MACHINE = "none", "the process's", "the machine's"
_NORMAL, _FULL = {"durability": "normal"}, {"durability": "full"}
_MEMORY, _ITEMS = "peers.ours:Hybrid", "peers.ours:VectorOnly"
_ROW = "one row of as many bytes as ours, in one transaction"

SYSTEMS: dict[str, Entry] = {
    "holdfast": Entry(_MEMORY, PROCESS, "`Memory`: hybrid search", _NORMAL),
    "holdfast full": Entry(_MEMORY, MACHINE, "the same, `durability='full'`", _FULL),
    "holdfast items": Entry(_ITEMS, PROCESS, "`Memory.documents`, `mode='vector'`", _NORMAL),
    "holdfast items full": Entry(_ITEMS, MACHINE, "the same, `durability='full'`", _FULL),
    "sqlite-vec": Entry(
        "peers.sqlite_vec:SqliteVec",
        PROCESS,
        "vec0, user as partition key, topic as metadata column, WAL, synchronous NORMAL",
        {},
    ),
    "InMemoryStore": Entry("peers.langgraph:InMemory", NOTHING, "as shipped", {}),
    "SqliteStore": Entry(
        "peers.langgraph:Sqlite", MACHINE, "as shipped: rollback journal, synchronous FULL", {}
    ),
    "Chroma": Entry(
        "peers.chroma:OneCollection", MACHINE, "one collection, user in the metadata, cosine", {}
    ),
    "Chroma by user": Entry(
        "peers.chroma:CollectionPerUser", MACHINE, "a collection a user, cosine", {}
    ),
    "LanceDB": Entry(
        "peers.lance:Lance",
        PROCESS,
        "no vector index (exact), bitmap indexes on user and topic, optimised after bulk",
        {},
    ),
    "mem0 FAISS": Entry(
        "peers.mem0:Mem0Faiss", PROCESS, "mem0's store, cosine, asked for 60 as mem0 does", {}
    ),
    "Qdrant local": Entry(
        "peers.qdrant:QdrantLocal", MACHINE, "one collection, user in the payload, cosine", {}
    ),
    "bare SQLite": Entry("peers.bare:BareSqlite", PROCESS, _ROW, _NORMAL),
    "bare SQLite full": Entry("peers.bare:BareSqlite", MACHINE, _ROW, _FULL),
    "flat FAISS": Entry(
        "peers.bare:FlatFaiss", NOTHING, "an IndexFlatIP a user; nothing fetched", {}
    ),
}
OURS = [name for name in SYSTEMS if name.startswith("holdfast")]


def open_peer(name: str, folder: Path) -> Peer:
    """Open a system in its folder.

    Raises:
        ImportError: It is not installed.
        RuntimeError: It cannot run on this interpreter.
    """
    entry = SYSTEMS[name]
    module, kind = entry.place.split(":")
    opened: Peer = getattr(import_module(module), kind)(folder, **entry.options)
    return opened
