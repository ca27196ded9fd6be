"""Documents of one owner, without texts, read and written within one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

Labels: TypeAlias = tuple[str, ...]


class Key(NamedTuple):
    """A document without its value: key, row id, and its namespace."""

    key: str
    row_id: int
    labels: Labels


class Rows(Protocol):
    """What an open transaction sees of the documents that exactly one scope owns."""

    @property
    def now(self) -> int:
        """Record time of the transaction, in microseconds."""

    def keys(
        self,
        namespaces: Sequence[Labels],
        *,
        before: str | None = None,
        newest: bool = False,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Key]:
        """Return the keys of some namespaces in order, without reading values.

        Only those smaller than `before`; with `newest`, `limit` and `offset` count from the end.
        """

    def last(self, labels: Labels) -> str | None:
        """Return the key that was put last in a namespace, without a look at the others."""

    def count(self, namespaces: Sequence[Labels], ending: str = "") -> int:
        """Count the documents of some namespaces whose key ends so."""

    def values(self, row_ids: Sequence[int]) -> list[Any]:
        """Return the values of documents by row id, in this order.

        Raises:
            DamagedFileError: One is not as it was written.
        """

    def put(self, labels: Labels, key: str, value: str) -> None:
        """Write a document; `value` is JSON."""

    def drop(self, row_ids: Sequence[int]) -> None:
        """Delete documents by row id."""
