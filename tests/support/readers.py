"""A reader over given matches: what `build` and `compress` need of memory, and no more."""

from collections.abc import Sequence

from holdfast.context.compiling import Overview
from holdfast.types import Match


class Shelf:
    """Answers every question with the same matches, and remembers what it was asked."""

    scope = "shelf"

    def __init__(self, matches: Sequence[Match] = (), overview: Overview | None = None) -> None:
        self.matches = list(matches)
        self.seen = overview or Overview()
        self.asked: list[str] = []

    async def overview(self) -> Overview:
        return self.seen

    async def search(self, query: str, limit: int) -> Sequence[Match]:
        self.asked.append(query)
        return self.matches[:limit]
