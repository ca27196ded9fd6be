"""One interface over every face of `Memory`, so that a contract is written once.

A face has the verbs of `Memory` under their plain names. `sync`, `in_memory` and `encrypted` call
them as they are, `async` runs each `a` twin in an event loop of its own, `scoped` reaches every
scope through a bound handle.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from holdfast import Documents, Memory
from holdfast.testing import HashEmbedder

KEY = bytes(range(32))
FACES = ("sync", "async", "scoped", "in_memory", "encrypted")
IDS = ("user_id", "agent_id", "run_id", "app_id")

VERBS = [
    "add",
    "flush",
    "search",
    "get",
    "get_many",
    "list",
    "count",
    "scopes",
    "update",
    "delete",
    "delete_all",
    "history",
    "undo",
    "stats",
    "export",
    "import_",
    "reembed",
    "purge",
]


def twin(owner: object, verb: str) -> Callable[..., Any]:
    """Return the async twin of a verb as a blocking function."""

    def call(*args: Any, **options: Any) -> Any:
        async def flow() -> Any:
            return await getattr(owner, "a" + verb)(*args, **options)

        return asyncio.run(flow())

    return call


class Face:
    """A `Memory` driven by one of its faces.

    Attributes:
        memory: What is driven.
        path: Its file.
    """

    def __init__(self, kind: str, path: Path, **options: Any) -> None:
        self.kind = kind
        self.path = path
        where = ":memory:" if kind == "in_memory" else path
        options.setdefault("embedder", HashEmbedder())
        if kind == "encrypted":
            options.setdefault("key", KEY)
        self.memory = Memory(where, **options)

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        if verb not in VERBS:
            raise AttributeError(verb)
        if self.kind == "async":
            return twin(self.memory, verb)
        if self.kind == "scoped":
            return lambda *args, **options: self._through_handle(verb, args, options)
        return getattr(self.memory, verb)

    def _through_handle(self, verb: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        ids = {name: options.pop(name) for name in IDS if options.get(name) is not None}
        owner = self.memory.scoped(**ids) if ids else self.memory
        return getattr(owner, verb)(*args, **options)

    @property
    def documents(self) -> DocumentsFace:
        """Its documents, by the same face."""
        return DocumentsFace(self.kind, self.memory.documents)

    def close(self) -> None:
        """Close the file by the same face."""
        if self.kind == "async":
            twin(self.memory, "close")()
        else:
            self.memory.close()


class DocumentsFace:
    """`Documents` driven by one of its faces."""

    def __init__(self, kind: str, documents: Documents) -> None:
        self._kind = kind
        self._documents = documents

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        if self._kind == "async":
            return twin(self._documents, verb)
        return getattr(self._documents, verb)
