"""What the pipeline reads, decides and commits, as it crosses the line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from holdfast.storage.contract.arrays import Floats
from holdfast.storage.contract.memories import Draft
from holdfast.storage.contract.reach import Reach
from holdfast.storage.contract.search import Probe
from holdfast.types import Change, Record, Scope

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


class PipelineStorage(Protocol):
    """The queue of turns to extract from, neighbours of new facts, one commit for all."""

    def claim(self, reach: Reach | None = None) -> list[int]:
        """Claim a batch of due turns of one namespace; none: nothing is due in the reach."""

    def waiting(self, reach: Reach | None = None) -> int:
        """Return how many turns wait, dead-lettered ones not counted."""

    def forget(self, row_ids: Sequence[int]) -> None:
        """Take turns off the queue that are gone."""

    def failed(self, row_ids: Sequence[int], error: str, *, readable: bool) -> None:
        """Put turns back, to be tried again later or dead-lettered; sooner if not `readable`."""

    def release(self, row_ids: Sequence[int]) -> int:
        """Give turns back untried, as when a task is cancelled; return how many wait again."""

    def retry(self, reach: Reach | None = None) -> int:
        """Make everything that waits or is dead-lettered due now; return how many turns.

        Records that wait for their vectors become due as well.
        """

    def next_due(self, *, extract: bool = True) -> float | None:
        """Return in how many seconds a turn or a record may be tried; None: nothing waits.

        Without `extract`, only records that wait for their vectors count.
        """

    def material(self, row_ids: Sequence[int]) -> Material | None:
        """Return what extraction needs of turns of one namespace; None when they are gone."""

    def whole_run(self, scope: Scope) -> Material | None:
        """Return all lasting turns stored under exactly this scope; None when there are none."""

    def nearby(self, reach: Reach, queries: Sequence[NeighbourQuery]) -> Neighbours:
        """Return the stored facts that may bear on each new one, ended ones included."""

    def alike(
        self, reach: Reach, user: str, wanted: Sequence[NameQuery], least: float
    ) -> NameMatches:
        """Return which names may be one.

        Args:
            reach: Where names meet.
            user: Whose they are; those of another user are never looked at.
            wanted: What is about to be written; at least one.
            least: Cosine from which two may be one.
        """

    def cited(self, reach: Reach, keys: Sequence[str]) -> dict[int, Record]:
        """Return the records that a caller names as sources, by row id, oldest first.

        Raises:
            RecordNotFoundError: The reach has no such record.
        """

    def commit(self, plan: CommitPlan, fingerprint: str) -> list[Change] | None:
        """Decide on the neighbours as they are now, write, and take the turns off the queue.

        Returns:
            What changed; None if the decision needs more thought, then nothing was written.

        Raises:
            LeaseLost: Another worker holds the turns now.
        """

    def claim_summary(self, after: int, reach: Reach | None = None) -> Material | None:
        """Claim a namespace with at least so many turns since its last summary; its new turns."""

    def save_summary(self, material: Material, draft: Draft, fingerprint: str) -> Change | None:
        """Write the next version of a run's rolling summary; None: another worker has."""

    def postpone_summary(self, material: Material, seconds: float) -> None:
        """Give a claimed summary back, to be tried again in so many seconds."""
