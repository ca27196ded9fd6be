"""What both storages share: CrewAI's protocol, of which some methods follow from others."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from datetime import datetime
from typing import Any, TypeVar

from crewai.memory.types import MemoryRecord

Self = TypeVar("Self", bound="Backend")


class Backend(ABC):
    """CrewAI's `StorageBackend`: the parts that are the same wherever records lie."""

    def __deepcopy__(self: Self, memo: dict[int, Any]) -> Self:
        """Return itself: a copy of a memory is a handle on the same file."""
        return self

    @abstractmethod
    def save(self, records: list[MemoryRecord]) -> None:
        """Store records."""

    @abstractmethod
    def search(
        self,
        query_embedding: list[float],
        scope_prefix: str | None = None,
        categories: list[str] | None = None,
        metadata_filter: dict[str, Any] | None = None,
        limit: int = 10,
        min_score: float = 0.0,
    ) -> list[tuple[MemoryRecord, float]]:
        """Return the nearest records, best first."""

    @abstractmethod
    def delete(
        self,
        scope_prefix: str | None = None,
        categories: list[str] | None = None,
        record_ids: list[str] | None = None,
        older_than: datetime | None = None,
        metadata_filter: dict[str, Any] | None = None,
    ) -> int:
        """Erase the records for which everything asked holds; return how many."""

    def reset(self, scope_prefix: str | None = None) -> None:
        """Erase everything at a path and below; None is all of the tenant's."""
        self.delete(scope_prefix)

    async def asave(self, records: list[MemoryRecord]) -> None:
        """Async twin of `save`."""
        await asyncio.to_thread(self.save, records)

    async def asearch(
        self,
        query_embedding: list[float],
        scope_prefix: str | None = None,
        categories: list[str] | None = None,
        metadata_filter: dict[str, Any] | None = None,
        limit: int = 10,
        min_score: float = 0.0,
    ) -> list[tuple[MemoryRecord, float]]:
        """Async twin of `search`."""
        return await asyncio.to_thread(
            self.search,
            query_embedding,
            scope_prefix,
            categories,
            metadata_filter,
            limit,
            min_score,
        )

    async def adelete(
        self,
        scope_prefix: str | None = None,
        categories: list[str] | None = None,
        record_ids: list[str] | None = None,
        older_than: datetime | None = None,
        metadata_filter: dict[str, Any] | None = None,
    ) -> int:
        """Async twin of `delete`."""
        return await asyncio.to_thread(
            self.delete, scope_prefix, categories, record_ids, older_than, metadata_filter
        )
