"""One recall as CrewAI knows it: told to its event bus, its matches weighed by its weights."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

from crewai.events.event_bus import crewai_event_bus
from crewai.events.types.memory_events import (
    MemoryQueryCompletedEvent,
    MemoryQueryFailedEvent,
    MemoryQueryStartedEvent,
)
from crewai.memory.types import MemoryConfig, MemoryMatch, MemoryRecord, compute_composite_score
from crewai.memory.unified_memory import Memory
from holdfast.providers.failures import described

SOURCE = "unified_memory"
# Composite scores put matches in another order: look at more than are asked for.
OVERSAMPLE = 2
MOST_RESULTS = 10_000


class Recalling:
    """From the question to its answer; an error in between is an event, and goes on.

    Args:
        memory: Who is asked.
        query: What.
        limit: How many matches at most.
    """

    def __init__(self, memory: Memory, query: str, limit: int) -> None:
        self._memory = memory
        self._query = query
        self._limit = limit
        self._start = 0.0

    def __enter__(self) -> Recalling:
        crewai_event_bus.emit(
            self._memory,
            MemoryQueryStartedEvent(
                query=self._query, limit=self._limit, score_threshold=None, source_type=SOURCE
            ),
        )
        self._start = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, Exception):
            crewai_event_bus.emit(
                self._memory,
                MemoryQueryFailedEvent(
                    query=self._query,
                    limit=self._limit,
                    score_threshold=None,
                    error=described(error),
                    source_type=SOURCE,
                ),
            )

    @property
    def enough(self) -> int:
        """How many records to look for; 0: there is nothing to look for."""
        if not self._query.strip() or self._limit <= 0:
            return 0
        return max(self._limit, min(self._limit * OVERSAMPLE, MOST_RESULTS))

    def best(
        self, found: Sequence[tuple[MemoryRecord, float]], config: MemoryConfig
    ) -> list[MemoryMatch]:
        """Weigh similarity, recency and importance as CrewAI does; return the best, in order."""
        matches = [_match(record, similarity, config) for record, similarity in found]
        return sorted(matches, key=lambda match: match.score, reverse=True)[: self._limit]

    def answered(self, best: list[MemoryMatch]) -> None:
        """Say what was found."""
        crewai_event_bus.emit(
            self._memory,
            MemoryQueryCompletedEvent(
                query=self._query,
                results=best,
                limit=self._limit,
                score_threshold=None,
                query_time_ms=(time.perf_counter() - self._start) * 1000,
                source_type=SOURCE,
            ),
        )


def _match(record: MemoryRecord, similarity: float, config: MemoryConfig) -> MemoryMatch:
    score, reasons = compute_composite_score(record, similarity, config)
    return MemoryMatch(record=record, score=score, match_reasons=reasons)
