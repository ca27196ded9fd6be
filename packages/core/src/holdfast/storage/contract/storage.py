"""The operations of a backend. Each is one transaction, whole or undone.

Every backend runs the same contract tests. Its views are of `holdfast.storage.index`, so that all
backends rank alike.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

from holdfast.storage.contract.arrays import Floats
from holdfast.storage.contract.documents import (
    Choice,
    Deletion,
    Document,
    DocumentDraft,
    FoundDocument,
    Order,
    Wanted,
)
from holdfast.storage.contract.edits import Labels, Rows
from holdfast.storage.contract.exports import Header, Line
from holdfast.storage.contract.filters import Filter
from holdfast.storage.contract.graph import (
    GraphStorage,
)
from holdfast.storage.contract.import_survey import Survey
from holdfast.storage.contract.memories import Added, Draft, Indexed, Overview
from holdfast.storage.contract.pipeline import (
    EmbeddingJob,
    PipelineStorage,
)
from holdfast.storage.contract.reach import Reach
from holdfast.storage.contract.search import Found, Probe
from holdfast.types import Change, Changes, Kind, Metadata, Page, Record, Scope

T = TypeVar("T")

Durability: TypeAlias = Literal["normal", "full"]
"""What an acknowledged write survives: the end of the process, or also of the machine."""

VIEW_BUDGET = 384 * 1024 * 1024
"""Bytes that views may hold, so that a process stays below 600 MB, whatever its traffic."""


class MemoryStorage(Protocol):
    """Memories: written, changed, erased, read, searched."""

    def known_messages(self, scope: Scope, message_ids: Sequence[str]) -> set[str]:
        """Return those of the message ids that this scope has stored or erased before."""

    def add(
        self,
        scope: Scope,
        drafts: Sequence[Draft],
        fingerprint: str,
        *,
        extract: bool,
        hold: bool = False,
    ) -> Added:
        """Store drafts; one whose message id is known is left out.

        Those without vectors wait for them (`EmbeddingStorage`). With `extract` all are queued
        for extraction, and with `hold` claimed for this process at once.

        Raises:
            EmbedderMismatchError: The storage's vectors are of another embedder.
        """

    def amend(self, reach: Reach, key: str, columns: Metadata) -> Change:
        """Give a record other columns than its text; return the change.

        Raises:
            RecordNotFoundError: It is not in the reach.
            ScopeError: Its newest version is not.
        """

    def rewrite(
        self,
        reach: Reach,
        key: str,
        text: str,
        indexed: Indexed,
        columns: Metadata,
        fingerprint: str,
    ) -> Change:
        """Give a record another text; the old one holds until now. Return the change.

        Raises:
            RecordNotFoundError: It is not in the reach.
            ScopeError: Its newest version is not.
            EmbedderMismatchError: The vectors are of another embedder than the storage's.
        """

    def erase(self, reach: Reach, keys: Sequence[str]) -> Changes:
        """Erase what a reach holds of some records, and what rested on them alone.

        Raises:
            RecordNotFoundError: Some are not in the reach, which it names; none was erased.
        """

    def erase_reach(self, reach: Reach, tree: Filter | None = None) -> int:
        """Erase a reach: its records, and the documents it owns; return how many records.

        With a filter, only the records that it lets through.
        """

    def undo(self, reach: Reach, change: Change) -> Change:
        """Take back the newest change of a record; return the change that does."""

    def get(self, reach: Reach, key: str) -> Record:
        """Return a record.

        Raises:
            RecordNotFoundError: It is not in the reach.
        """

    def get_many(self, reach: Reach, keys: Sequence[str]) -> list[Record]:
        """Return records in the order of their keys.

        Raises:
            RecordNotFoundError: Some are not in the reach, which it names.
        """

    def count(self, reach: Reach, tree: Filter | None, kinds: Sequence[Kind]) -> int:
        """Return how many records hold now."""

    def history(self, reach: Reach, key: str) -> list[Change]:
        """Return a record's changes, oldest first."""

    def page(
        self,
        reach: Reach,
        *,
        tree: Filter | None,
        kinds: Sequence[Kind] | None,
        order: str,
        limit: int,
        cursor: str | None,
    ) -> Page:
        """Return one page of records, from a cursor on."""

    def scopes(self, reach: Reach) -> list[Scope]:
        """Return the scopes of a reach under which something is stored."""

    def overview(self, scope: Scope) -> Overview:
        """Return how much a scope holds, whether it changed, and what was said last."""

    def speakers(self, reach: Reach, *, newest: bool = True) -> frozenset[str]:
        """Return the names of all speakers of a reach.

        Without `newest`, as the last search found them: that costs no query.
        """

    def search(
        self,
        reach: Reach,
        probe: Probe,
        *,
        as_of: int | None = None,
        speakers: frozenset[str] | None = None,
        query: str | None = None,
    ) -> list[Found] | None:
        """Rank the reach's records for a probe; whole records, in the same snapshot.

        Args:
            reach, probe: What is searched, and for what.
            as_of: Record time.
            speakers: The speakers when the question was read.
            query: The question in words: let relations of the graph add to the scores.

        Returns:
            What was found; None: the speakers are others by now, so read the question again.
        """


class DocumentStorage(Protocol):
    """Documents by namespace and key, of the whole file or owned by a scope."""

    def put(
        self,
        drafts: Sequence[DocumentDraft | Deletion],
        fingerprint: str,
        unique_in: Reach | None = None,
    ) -> list[bool | None]:
        """Write drafts and do deletions, in order; say of each deletion if something was there.

        Args:
            drafts: What to write; a document of the same namespace and key gives way.
            fingerprint: What made the vectors.
            unique_in: Of the same key anywhere in it, a document gives way.

        Raises:
            EmbedderMismatchError: The vectors are of another embedder than the storage's.
        """

    def delete(self, choice: Choice) -> int:
        """Delete the chosen documents; return how many there were."""

    def sweep(self) -> int:
        """Delete expired documents, and their bytes; return how many."""

    def get(self, wanted: Sequence[Wanted]) -> list[Document | None]:
        """Return documents of one moment, None for those that are not there."""

    def find(self, reach: Reach, keys: Sequence[str]) -> list[tuple[Document, Floats]]:
        """Return the documents of these keys with their vectors, in the order of the keys."""

    def page(
        self, choice: Choice, order: Order, limit: int, offset: int, *, refresh: bool = False
    ) -> list[Document]:
        """Return chosen documents in order; `refresh` begins their lifetime anew."""

    def search(
        self,
        reach: Reach,
        probe: Probe,
        *,
        refresh: bool = False,
        expired: bool = False,
        unscored: bool = False,
    ) -> list[FoundDocument]:
        """Rank the reach's documents for a probe.

        Args:
            reach, probe: What is searched, and for what.
            refresh: Begin the found documents' lifetime anew.
            expired: Find also what has expired and is not swept yet.
            unscored: Let the documents without texts follow the ranked ones.
        """

    def namespaces(self, reach: Reach, *, expired: bool = False) -> list[tuple[str, ...]]:
        """Return the labels of the namespaces that hold a document, sorted."""

    def counts(self, reach: Reach) -> dict[tuple[str, ...], int]:
        """Count the documents of a reach by their labels, expired ones included."""

    def tally(self, reach: Reach, path: tuple[str, ...]) -> dict[Any, int]:
        """Count the documents by the value of a field, or by each member where it is a list."""


class EmbeddingStorage(Protocol):
    """Records that were stored without vectors, and found by words meanwhile."""

    def claim(self, fingerprint: str, reach: Reach | None = None) -> list[EmbeddingJob]:
        """Claim a batch of records that are due; none: nothing is due in the reach.

        Raises:
            EmbedderMismatchError: The storage's vectors are of another embedder.
        """

    def save(self, done: Sequence[tuple[int, Floats]], fingerprint: str) -> int:
        """Give records their vectors, shape (passages, dimension) each; return how many got them.

        A record that was erased meanwhile, or embedded by another worker, is left as it is.

        Raises:
            EmbedderMismatchError: The storage's vectors are of another embedder.
        """

    def failed(self, row_ids: Sequence[int], error: str) -> None:
        """Put records back, to be tried again later or dead-lettered."""

    def release(self, row_ids: Sequence[int]) -> None:
        """Give records back untried, as when a task is cancelled."""

    def left(self, reach: Reach | None = None) -> int:
        """Return how many records have no vectors, dead-lettered ones included."""


class MaintenanceStorage(Protocol):
    """What an owner does with a storage, rather than an agent."""

    def stats(self, reach: Reach | None) -> dict[str, Any]:
        """Count what a reach, or the whole storage, holds."""

    def check(self) -> list[str]:
        """Compare rows, vectors, terms, log and views; return what is wrong, nothing if sound."""

    def unowned(self) -> dict[str, int]:
        """Count what belongs to no user: no erasure of a user's data reaches it."""

    def size(self) -> int:
        """Return how many bytes the storage takes."""

    def export(self, reach: Reach | None) -> Generator[Mapping[str, Any], None, None]:
        """Yield the lines of an export, all of one moment; close the iterator when done early.

        Raises:
            DamagedFileError: A record or a document is not as it was written.
        """

    def import_(self, survey: Survey, header: Header, lines: Iterable[Line]) -> int:
        """Write the lines of a surveyed export in one transaction; return how many rows are new.

        Raises:
            InvalidInputError: They mix with other memories of this storage.
            EmbedderMismatchError: The export's vectors are of another embedder.
        """

    def purge(self) -> int:
        """Erase what has expired, and finish pending erasures; return how many records went."""

    def vacuum(self) -> int:
        """Give room that nothing needs back to the file system; return how many bytes."""

    def rekey(self, key: str | bytes) -> None:
        """Encrypt the storage under another key."""

    def reembedding_left(self, fingerprint: str, limit: int) -> tuple[list[EmbeddingJob], int]:
        """Return the next texts to embed anew, and how many are left in all.

        Raises:
            InvalidInputError: A collection holds vectors that its caller made.
        """

    def reembedding_save(self, done: Sequence[tuple[int, Floats]]) -> None:
        """Keep new vectors beside the old ones."""

    def reembedding_finish(self, fingerprint: str) -> bool:
        """Let the new vectors take the old ones' place; False if texts came in meanwhile."""


class Storage(MemoryStorage, Protocol):
    """A backend: operations on memories, and the other groups of operations."""

    @property
    def path(self) -> pathlib.Path:
        """Where it is."""

    @property
    def in_memory(self) -> bool:
        """Whether it is gone when it is closed."""

    @property
    def closed(self) -> bool:
        """Whether it was closed."""

    @property
    def documents(self) -> DocumentStorage:
        """The operations on documents."""

    @property
    def pipeline(self) -> PipelineStorage:
        """The operations of the pipeline."""

    @property
    def embedding(self) -> EmbeddingStorage:
        """Records that wait for their vectors."""

    @property
    def graph(self) -> GraphStorage:
        """Questions to the graph."""

    @property
    def maintenance(self) -> MaintenanceStorage:
        """The operations of an owner."""

    @property
    def database(self) -> Any:
        """The connection pool, for packages that keep tables of their own beside."""

    def read_documents(self, owner: Scope, work: Callable[[Rows], T]) -> T:
        """Run `work` in one snapshot of the documents that exactly this scope owns."""

    def edit_documents(self, owner: Scope, work: Callable[[Rows], T], *, erases: bool = False) -> T:
        """Run `work` in one write transaction; undone as a whole if it raises.

        With `erases`, deleted bytes leave the write-ahead log behind it, unless readers hold them.
        """

    def document_owners(self, labels: Labels, covering: Scope | None) -> list[Scope]:
        """Return the owners of documents of these labels, of those that a scope covers."""

    def embedder(self) -> tuple[str, int] | None:
        """Return fingerprint and dimension of the stored vectors; None in a new storage."""

    def knows(self, fingerprint: str) -> bool:
        """Return whether the cached fingerprint equals this one; no query is made."""

    def check_embedder(self, fingerprint: str) -> None:
        """Raise `EmbedderMismatchError` unless the vectors are of this embedder."""

    def close(self) -> None:
        """Close it; views go with it. Operations raise `StorageClosedError` from then on."""
