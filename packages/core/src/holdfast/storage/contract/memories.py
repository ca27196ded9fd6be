"""Memories as they cross the line: what is about to be written, and what a write did."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from holdfast.storage.contract.arrays import Floats, Hashes, Passage
from holdfast.types import Change, Kind, Metadata, Record, Role


@dataclass(frozen=True, slots=True)
class Indexed:
    """What makes a text findable.

    Attributes:
        vectors: One unit vector a passage, shape (passages, dimension), float32; shape (0, 0)
            for what is stored now and embedded later.
        passages: Bounds and number of index terms of each passage.
        terms: Hashes of the index terms of all passages, in order, uint64.
        traits: Flags of `holdfast.language.traits` for the whole text.
    """

    vectors: Floats
    passages: tuple[Passage, ...]
    terms: Hashes
    traits: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A memory about to be written."""

    text: str
    kind: Kind
    indexed: Indexed
    role: Role | None = None
    speaker: str | None = None
    metadata: Metadata = field(default_factory=dict)
    occurred_at: datetime | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    expires_at: datetime | None = None
    importance: float = 0.5
    sources: tuple[str, ...] = ()
    message_id: str | None = None
    relations: tuple[Metadata, ...] = ()
    slots: tuple[str, ...] = ()
    names: tuple[NameVector, ...] = ()
    digest: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class NameVector:
    """A name as it is kept.

    Attributes:
        name: Its bare form (`holdfast.language.names.bare`).
        vector: Of its spelling; a unit vector, float32.
        settled: It is known whether another name is the same: nobody need be asked again.
    """

    name: str
    vector: Floats
    settled: bool


@dataclass(frozen=True, slots=True)
class Added:
    """What `Storage.add` did.

    Attributes:
        changes: The new records, in the order of the drafts.
        rows: Their row ids.
        others: Older records of the scope wait for their vectors.
    """

    changes: tuple[Change, ...]
    rows: tuple[int, ...]
    others: bool = False


@dataclass(frozen=True, slots=True)
class Overview:
    """One look into a scope.

    Attributes:
        turns, characters: Live turns that can be read, and how long they are.
        change: A number that changes with every write the scope can see.
        until: When something there next begins to hold, ends or expires, in microseconds.
        summary: The rolling summary of exactly this scope.
        recent: The newest turns of the run, the oldest first; none without a ``run_id``.
    """

    turns: int = 0
    characters: int = 0
    change: int = 0
    until: int | None = None
    summary: Record | None = None
    recent: tuple[Record, ...] = ()
