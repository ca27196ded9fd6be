"""Documents without texts, read and written within one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from holdfast.storage.contract.reach import Reach


class Key(NamedTuple):
    """A document without its value: key, row id, and the last label of its namespace."""

    key: str
    row_id: int
    label: str


class Rows(Protocol):
    """What an open transaction sees of the documents."""

    @property
    def now(self) -> int:
        """Record time of the transaction, in microseconds."""

    def keys(
        self,
        reach: Reach,
        *,
        before: str | None = None,
        newest: bool = False,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Key]:
        """Return the keys of a reach in order, without reading values.

        Args:
            reach: Where they lie.
            before: Only smaller keys.
            newest: Count `limit` and `offset` from the largest key; the order stays.
            limit, offset: Which part of them.
        """

    def last(self, reach: Reach) -> str | None:
        """Return the key that was put last in a namespace, without a look at the others."""

    def count(self, reach: Reach, ending: str = "") -> int:
        """Count the documents of a reach whose key ends so."""

    def namespaces(self, reach: Reach) -> list[tuple[str, ...]]:
        """Return the labels of the namespaces that hold a document, sorted."""

    def values(self, row_ids: Sequence[int]) -> list[Any]:
        """Return the values of documents by row id, in this order.

        Raises:
            DamagedFileError: One is not as it was written.
        """

    def put(self, labels: Sequence[str], key: str, value: str) -> None:
        """Write a document; `value` is JSON."""

    def drop(self, row_ids: Sequence[int]) -> None:
        """Delete documents by row id."""
