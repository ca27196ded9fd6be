"""How the lines of an export fit each other: rows in their namespaces, versions, references."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from holdfast.errors import InvalidInputError
from holdfast.storage.contract.exports import Line
from holdfast.storage.contract.reach import NAMESPACE_BITS
from holdfast.storage.contract.tables import RowCheck, find
from holdfast.types import Scope

NUMBER: Final = (1 << NAMESPACE_BITS) - 1
"""The bits of a row id that number a row in its namespace."""


@dataclass(slots=True)
class Space:
    """A namespace of the export.

    Attributes:
        next: Behind its rows.
        scope: Whose; None: of documents that no scope owns.
        documents: Whether its rows are documents, not records.
        past: What its log says happened (`is_past`), each entry as its hash.
        rows: How many it has.
        head: The position of the last entry of its log so far.
    """

    next: int
    scope: Scope | None
    documents: bool
    past: set[int] = field(default_factory=set)
    rows: int = 0
    head: int = 0


class Survey:
    """Takes every line of an export in order, and refuses what does not fit together.

    Args:
        within: The scope that may be imported; None: all.
    """

    def __init__(self, within: Scope | None = None) -> None:
        self._within = within
        self.spaces: dict[int, Space] = {}
        self.versions: dict[int, tuple[str, int]] = {}  # row id -> key and version
        self.packages: dict[str, RowCheck] = {}
        self._turns: set[int] = set()
        self._seen: set[Any] = set()  # what may come but once
        self._open: set[str] = set()
        self._erased: set[str] = set()
        self._named: list[tuple[int, str]] = []
        self._told: set[int] = set()
        self._paths: set[str] = set()

    def take(self, line: Line) -> None:
        """Look at one line.

        Raises:
            InvalidInputError: It does not fit the lines before it.
        """
        tables = find(line.table)
        if tables is None:
            getattr(self, f"_take_{line.table}")(line.values)
            return
        if self._within is not None:
            raise InvalidInputError(
                f"rows of {line.table} may hold objects of Python, so an import into a scope takes "
                "none: import the whole export, if you trust its source"
            )
        self.packages.setdefault(line.table, tables.row_check()).take(line.values)

    def finish(self) -> None:
        """Look at what only the whole can tell.

        Raises:
            InvalidInputError: Something is missing, or erased and there.
        """
        for check in self.packages.values():
            check.finish()
        for row_id, key in self._named:
            if row_id in self.versions and self.versions[row_id][0] != key:
                raise InvalidInputError("an entry of the log names a version of another record")
        keys = {key for key, _ in self.versions.values()}
        if self._erased & keys:
            raise InvalidInputError("the export holds a record that it says is erased")
        if not self.versions.keys() <= self._told:
            raise InvalidInputError("the log does not tell how a version of a record came to be")

    def _take_namespace(self, values: Mapping[str, Any]) -> None:
        number, scope = values["no"], values["scope"]
        if number in self.spaces or values["path"] in self._paths:
            raise InvalidInputError("a namespace comes twice")
        if self._within is not None and (scope is None or not self._within.covers(scope)):
            raise InvalidInputError(
                "the export holds memories outside the scope that may be imported"
            )
        self.spaces[number] = Space(values["next"], scope, values["documents"])
        self._paths.add(values["path"])

    def _take_record(self, values: Mapping[str, Any]) -> None:
        row_id, key = values["id"], values["key"]
        space = self._row(row_id, of_documents=False)
        if values["place"] >> NAMESPACE_BITS != row_id >> NAMESPACE_BITS or (
            values["place"] > row_id
        ):
            raise InvalidInputError("place of a record must be a row before it, or its own")
        self._once(("version", key, values["version"]), "a version of a record")
        if values["message_id"] is not None and values["version"] == 1:
            self._once((row_id >> NAMESPACE_BITS, "m", values["message_id"]), "a message id")
        if values["retired_at"] is None and values["valid_to"] is None:
            if key in self._open:
                raise InvalidInputError("a record has several open versions")
            self._open.add(key)
        self.versions[row_id] = (key, values["version"])
        if values["kind"] == "turn":
            self._turns.add(row_id)
        space.rows += 1

    def _take_document(self, values: Mapping[str, Any]) -> None:
        space = self._row(values["id"], of_documents=True)
        self._once((values["id"] >> NAMESPACE_BITS, "i", values["key"]), "a key of a document")
        self._once(values["id"], "a row")
        space.rows += 1

    def _take_log(self, values: Mapping[str, Any]) -> None:
        space = self._space(values["namespace"])
        if values["position"] <= space.head:
            raise InvalidInputError("positions in the log of a namespace must rise")
        space.head = values["position"]
        of_documents = values["operation"] == "PUT"
        if of_documents != space.documents or (of_documents and values["key"] is not None):
            raise InvalidInputError("PUT is what happens to documents, and nothing else does")
        if values["operation"] == "EMBED" and values["key"] is not None:
            raise InvalidInputError("that a record got its vectors is no part of its history")
        for name in ("before", "after"):
            row_id = values[name]
            if row_id is None:
                continue
            self._number(row_id, of_documents=of_documents)
            if values["key"] is not None:
                self._named.append((row_id, values["key"]))
        if values["key"] is not None and values["operation"] in ("ADD", "UPDATE"):
            row_id = values["after"]
            if row_id is not None and row_id >> NAMESPACE_BITS == values["namespace"]:
                self._told.add(row_id)
        if is_past(values["operation"], values["key"], values["before"], values["after"]):
            space.past.add(hash((values["at"], values["operation"], values["key"])))

    def _take_queue(self, values: Mapping[str, Any]) -> None:
        if values["record"] not in self._turns:
            raise InvalidInputError("only turns of the export can be queued")
        self._once((values["record"], "q"), "a queued turn")

    def _take_erasure(self, values: Mapping[str, Any]) -> None:
        if self._space(values["namespace"]).documents:
            raise InvalidInputError("only records leave an erasure")
        self._once((values["key"], "e"), "an erasure")
        self._erased.add(values["key"])

    def _space(self, number: int) -> Space:
        space = self.spaces.get(number)
        if space is None:
            raise InvalidInputError(f"no line before it tells of namespace {number}")
        return space

    def _number(self, row_id: int, *, of_documents: bool) -> Space:
        space = self._space(row_id >> NAMESPACE_BITS)
        if space.documents != of_documents:
            raise InvalidInputError(
                "records lie in scopes, and documents in namespaces of their own"
            )
        if not 1 <= row_id & NUMBER < space.next:
            raise InvalidInputError("a row's number must be from 1 to before its namespace's next")
        return space

    def _row(self, row_id: int, *, of_documents: bool) -> Space:
        if row_id in self.versions:
            raise InvalidInputError("a row comes twice")
        return self._number(row_id, of_documents=of_documents)

    def _once(self, what: Any, words: str) -> None:
        if what in self._seen:
            raise InvalidInputError(f"{words} comes twice")
        self._seen.add(what)


def is_past(operation: str, key: str | None, before: int | None, after: int | None) -> bool:
    """Return whether an entry is of what was told: no erasure, nor what that lets hold again.

    When a record got its vectors is left out as well: each file embeds for itself.
    """
    reopened = operation == "UPDATE" and key is not None and before is None and after is not None
    return operation not in ("ERASE", "EMBED") and not reopened
