"""`HoldfastMemory`: CrewAI's `Memory` on Holdfast's own pipeline, for crews, agents and flows."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Sequence
from typing import Any, Literal

from crewai.memory.types import MemoryConfig, MemoryMatch, MemoryRecord
from crewai.memory.unified_memory import Memory as CrewMemory
from holdfast import Memory
from pydantic import Field, PrivateAttr, field_serializer

from holdfast_crewai import translation
from holdfast_crewai.deriving import Deriving
from holdfast_crewai.embedders import RememberingCallable, as_embedder
from holdfast_crewai.llms import as_llm
from holdfast_crewai.paths import IDS, Spec, check_within, under, within
from holdfast_crewai.recalling import Recalling
from holdfast_crewai.records import RecordStorage


class NoLLMWarning(UserWarning):
    """A memory has no LLM: it keeps what is said word for word and derives no facts."""


class HoldfastMemory(CrewMemory):
    """CrewAI's memory on one Holdfast file: no key, no server, no call but to the models you give.

        memory = HoldfastMemory(storage="memory.db", user_id="ada", llm=llm)
        Crew(agents=[...], tasks=[...], memory=memory)

    What agents learn is stored word for word at once; with an LLM, facts are derived from it in
    the background and weighed against what is known. What you state in full (``scope``,
    ``categories`` and ``importance``) is stored as stated. A private memory is never shown to a
    model while somebody else's is weighed. All scores lie between 0 and 1.

    Attributes:
        storage: The file, as a path or ``holdfast:/path?user_id=ada``, or a `holdfast.Memory`.
        embedder: A `holdfast.Embedder`, a callable, CrewAI's provider dictionary, or None for
            the local one.
        llm: A `holdfast.LLM`, CrewAI's `BaseLLM`, a model's name, or None: no model is called.
        user_id, agent_id, run_id: The tenant. Nothing outside it can be read, changed or erased.
        root_scope: The same for a path: no scope leads out of it.
    """

    storage: Any
    llm: Any = Field(default=None, exclude=True)
    embedder: Any = Field(default=None, exclude=True)
    user_id: str | None = None
    agent_id: str | None = None
    run_id: str | None = None

    _records: RecordStorage = PrivateAttr()
    _callable: RememberingCallable | None = PrivateAttr(default=None)
    _deriving: Deriving = PrivateAttr()

    # -- opening --------------------------------------------------------------------------------

    def model_post_init(self, context: Any, /) -> None:
        """Prepare the storage; the file is opened when it is first used."""
        names = MemoryConfig.model_fields.keys() & type(self).model_fields.keys()
        self._config = MemoryConfig(**{name: getattr(self, name) for name in names})
        given = isinstance(self.storage, Memory)
        ids = self._tenant()
        self._records = RecordStorage(self._open_file, ids, self._text_of, owned=not given)
        self._storage = self._records
        self._deriving = Deriving(lambda: self._records.flush(self.root_scope))
        if self.llm is None and not given:
            warnings.warn(
                "this HoldfastMemory has no LLM: what is said is kept word for word and found "
                "again, but no facts are derived; give llm= (CrewAI's, or a holdfast.LLM) for that",
                NoLLMWarning,
                stacklevel=4,
            )

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> HoldfastMemory:
        """Return itself: a memory is a handle on a file, and a copied crew shares it."""
        return self

    def _tenant(self) -> dict[str, str]:
        """Fill the ids from the specification; one given in both places must be the same."""
        spec = {} if isinstance(self.storage, Memory) else Spec.read(self.storage).ids
        for name, value in spec.items():
            if getattr(self, name) not in (None, value):
                raise ValueError(f"{name} is {getattr(self, name)!r} here, {value!r} in storage=")
            setattr(self, name, value)
        return {name: value for name in IDS if (value := getattr(self, name)) is not None}

    def _open_file(self) -> Memory:
        if isinstance(self.storage, Memory):
            return self.storage
        path = Spec.read(self.storage).path
        return Memory(path, embedder=as_embedder(self.embedder), llm=as_llm(self.llm))

    @field_serializer("storage")
    def _specification(self, storage: Any) -> str:
        """Write down file and tenant, so that a restored memory is fenced as this one is."""
        path = Spec.read(storage.path if isinstance(storage, Memory) else storage).path
        ids = {name: value for name in IDS if (value := getattr(self, name)) is not None}
        return str(Spec(path, ids))

    @property
    def _embedder(self) -> Any:
        """The embedder as CrewAI calls it."""
        if self._callable is None:
            self._callable = RememberingCallable(as_embedder(self.embedder).embed)
        return self._callable

    def _text_of(self, vector: Sequence[float]) -> str | None:
        return None if self._callable is None else self._callable.text_of(vector)

    @property
    def file(self) -> Memory:
        """The Holdfast file itself: history, undo, export, stats."""
        return self._records.core

    # -- writing --------------------------------------------------------------------------------

    def _encode_batch(
        self,
        contents: list[str],
        scope: str | None = None,
        categories: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        importance: float | None = None,
        source: str | None = None,
        private: bool = False,
        root_scope: str | None = None,
    ) -> list[MemoryRecord]:
        """Store contents; the one place through which CrewAI writes.

        Raises:
            ScopeError: The path leads out of this memory's root.
            ProviderError: The embedder failed; nothing is stored.
        """
        root = check_within(self.root_scope, root_scope or self.root_scope or "/")
        stated = None not in (scope, categories, importance)
        records = [
            MemoryRecord(
                content=content,
                scope=under(root, scope),
                categories=categories or [],
                metadata=metadata or {},
                importance=self.default_importance if importance is None else importance,
                source=source,
                private=private,
            )
            for content in dict.fromkeys(contents)
            if content.strip()
        ]
        stored, waiting = self._records.remember(records, stated=stated)
        if waiting:
            self._deriving.begin(self._on_save_done)
        return stored

    def take(self, records: Sequence[MemoryRecord]) -> list[MemoryRecord]:
        """Store whole records as they are stated, their times included; return them as stored.

        Args:
            records: From elsewhere. Their paths start at this memory's root; they get new ids.
        """
        moved = [
            record.model_copy(update={"scope": under(self.root_scope, record.scope)})
            for record in records
        ]
        return self._records.remember(moved, stated=True)[0]

    def extract_memories(self, content: str) -> list[str]:
        """Return the content as it is: facts are derived from what is stored, and rest on it."""
        return [content] if content and content.strip() else []

    async def aextract_memories(self, content: str) -> list[str]:
        """Async twin of `extract_memories`."""
        return self.extract_memories(content)

    def drain_writes(self) -> None:
        """Wait until everything is stored, and all facts are derived that can be.

        What could not be derived is told by an `ExtractionWarning`, and by CrewAI's event.
        """
        self._stored()
        self._deriving.wait()

    def _stored(self) -> None:
        super().drain_writes()

    def close(self) -> None:
        """Wait for what is under way, and close the file; using the memory opens it again."""
        super().close()
        self._deriving.close()

    async def aremember(
        self,
        content: str,
        scope: str | None = None,
        categories: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        importance: float | None = None,
        source: str | None = None,
        private: bool = False,
    ) -> MemoryRecord | None:
        """Async twin of `remember`; the event loop goes on."""
        return await asyncio.to_thread(
            self.remember, content, scope, categories, metadata, importance, source, private
        )

    # -- reading --------------------------------------------------------------------------------

    def recall(
        self,
        query: str,
        scope: str | None = None,
        categories: list[str] | None = None,
        limit: int = 10,
        depth: Literal["shallow", "deep"] = "deep",
        source: str | None = None,
        include_private: bool = False,
    ) -> list[MemoryMatch]:
        """Find what is relevant to a query: one search over everything the scope holds.

        It waits for what is being stored, not for a model that derives facts.

        Args:
            query: A question or a task.
            scope: Below the root; None is all of it.
            categories: At least one must match.
            limit: How many at most.
            depth: Both are the same here: hybrid search, no model call.
            source: Whose private records may be seen.
            include_private: See everybody's.
        """
        self._stored()
        with Recalling(self, query, limit) as recalling:
            path, asked = self._asked(scope, categories, source, include_private)
            wanted = recalling.enough
            found = self._records.find(query, path, asked, wanted) if wanted else []
            return self._answer(recalling, found)

    async def arecall(
        self,
        query: str,
        scope: str | None = None,
        categories: list[str] | None = None,
        limit: int = 10,
        depth: Literal["shallow", "deep"] = "deep",
        source: str | None = None,
        include_private: bool = False,
    ) -> list[MemoryMatch]:
        """Async twin of `recall`; embedder and file are awaited."""
        await asyncio.to_thread(self._stored)
        with Recalling(self, query, limit) as recalling:
            path, asked = await asyncio.to_thread(
                self._asked, scope, categories, source, include_private
            )
            wanted = recalling.enough
            found = await self._records.afind(query, path, asked, wanted) if wanted else []
            return await asyncio.to_thread(self._answer, recalling, found)

    def _asked(
        self,
        scope: str | None,
        categories: list[str] | None,
        source: str | None,
        include_private: bool,
    ) -> tuple[str, list[dict[str, Any]]]:
        """Return where to look and what must hold; the filter is spared where none is needed."""
        path = under(self.root_scope, scope)
        asked = translation.criteria(categories)
        if not include_private and self._records.has_private(path):
            asked.append(translation.visible(source))
        return path, asked

    def _answer(
        self, recalling: Recalling, found: Sequence[tuple[MemoryRecord, float]]
    ) -> list[MemoryMatch]:
        """Keep the best, and note that they were read."""
        best = recalling.best(found, self._config)
        if best and not self.read_only:
            self._records.touch_records([match.record.id for match in best])
        recalling.answered(best)
        return best

    # -- changing, erasing ----------------------------------------------------------------------

    def update(
        self,
        record_id: str,
        content: str | None = None,
        scope: str | None = None,
        categories: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        importance: float | None = None,
    ) -> MemoryRecord:
        """Change a record below the root; its former words stay in its history.

        Args:
            record_id: Which record.
            content, categories, metadata, importance: Their new state; None leaves it.
            scope: New path below the root: the record moves, and gets a new id.

        Raises:
            ValueError: There is no such record below the root.
        """
        existing = self._records.get_record(record_id)
        if existing is None or not within(self.root_scope, existing.scope):
            raise ValueError(f"Record not found: {record_id}")
        if self.read_only:
            return existing
        changes = {
            "content": content,
            "scope": None if scope is None else under(self.root_scope, scope),
            "categories": categories,
            "metadata": metadata,
            "importance": importance,
        }
        given = {name: value for name, value in changes.items() if value is not None}
        updated = existing.model_copy(update=given)
        self._records.update(updated)
        self._records.touch_records([updated.id])
        return updated

    def reset_all(self) -> None:
        """Erase everything below the root, as `reset` does: no crew's reset reaches another's."""
        self.reset()
