"""What the pipeline reads, decides and commits, as it crosses the line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from holdfast.storage.contract.arrays import Floats
from holdfast.storage.contract.memories import Draft
from holdfast.storage.contract.reach import Reach
from holdfast.storage.contract.search import Probe
from holdfast.types import Record, Scope

BATCH_TURNS = 20  # of one run, read by one model call
BATCH_CHARACTERS = 24_000  # about 6,000 tokens


@dataclass(frozen=True, slots=True)
class Material:
    """What a model reads of one run.

    Attributes:
        scope: Where it was said.
        turns: New turns as they stand now, by row id.
        recent: The turns before them.
        summary: The run's summary.
        rows: What was claimed; turns that may not be read any more are among them.
    """

    scope: Scope
    turns: dict[int, Record]
    recent: tuple[Record, ...] = ()
    summary: Record | None = None
    rows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Write:
    """One decision to be written.

    Attributes:
        event: ``ADD`` writes `draft`; ``UPDATE`` ends `target` and writes `draft` as its next
            version; ``DELETE`` ends `target`; ``NONE`` confirms `target`.
        target: Row id; for NONE without one, the fact of this commit with `digest`.
        closes_at: When the target ends, microseconds.
        reason, sources: Why, and which turns caused it.
    """

    event: Literal["ADD", "UPDATE", "DELETE", "NONE"]
    draft: Draft | None = None
    target: int | None = None
    closes_at: int | None = None
    digest: str = ""
    reason: str = ""
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CommitPlan:
    """One extraction to be committed.

    Attributes:
        scope: Where its turns were said.
        reach: Where its facts look for neighbours.
        approaches: How each fact looks for them.
        decide: From the neighbours to what is written, in order; None: they are not those
            that were thought about, think again. Called inside the transaction: no waiting.
        turns: Row ids to take off the queue.
    """

    scope: Scope
    reach: Reach
    approaches: tuple[NeighbourQuery, ...]
    decide: Callable[[Neighbours], Sequence[Write] | None]
    turns: tuple[int, ...]


class LeaseLost(Exception):
    """Turns were erased, or taken over by another worker, meanwhile; nothing was written."""


@dataclass(frozen=True, slots=True)
class NeighbourQuery:
    """How one fact looks for its neighbours: by vector and words, by slot, by digest.

    What a caller states is taken as it stands: without a `probe`, by slot and digest alone.
    """

    probe: Probe | None
    slots: tuple[str, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class NearFact:
    """A stored fact near a new one; `relations` are as stored, `similarity` is the cosine."""

    row_id: int
    record: Record
    relations: tuple[dict[str, Any], ...]
    similarity: float


Neighbours: TypeAlias = tuple[tuple[NearFact, ...], ...]
"""The neighbours of each fact."""


@dataclass(frozen=True, slots=True)
class NameQuery:
    """A name that facts about to be written state.

    Attributes:
        name, spelling: Its bare form, and as it was written.
        type: As it was told; empty where unknown.
        text: The statement it stands in.
        vector: Of its spelling; a unit vector.
    """

    name: str
    spelling: str
    type: str
    text: str
    vector: Floats


@dataclass(frozen=True, slots=True)
class NameMatch:
    """A wanted name, by position, and the other name that it may be: as spelled, with a fact."""

    wanted: int
    name: str
    spelling: str
    type: str
    text: str
    similarity: float


@dataclass(frozen=True, slots=True)
class NameMatches:
    """What is known of wanted names.

    Attributes:
        settled: Those that are kept, with nothing left to ask.
        alike: For others, the nearest name of a stored fact or of another wanted one.
    """

    settled: frozenset[str] = frozenset()
    alike: tuple[NameMatch, ...] = ()


@dataclass(frozen=True, slots=True)
class EmbeddingJob:
    """One row to embed: a text with its passages, or the texts of a document."""

    row_id: int
    kind: str
    text: str
    speaker: str | None
    spans: tuple[tuple[int, int], ...]
    texts: tuple[str, ...] = ()


def batches(rows: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Divide (row id, characters) into batches that one model call can read."""
    made: list[list[int]] = [[]]
    size = 0
    for row_id, characters in rows:
        full = len(made[-1]) == BATCH_TURNS or size + characters > BATCH_CHARACTERS
        if made[-1] and full:
            made.append([])
            size = 0
        made[-1].append(row_id)
        size += characters
    return made
