"""Scope paths: CrewAI's ``/crew/sales/agent/closer``, and where a file is written down."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from crewai.memory.utils import join_scope_paths, normalize_scope_path
from holdfast import ScopeError

PREFIX = "holdfast:"
IDS = ("user_id", "agent_id", "run_id")


def normal(path: str | None) -> str:
    """Return a path in its one spelling: ``/a/b``; ``/`` for none."""
    return normalize_scope_path((path or "/").strip())


def labels(path: str | None) -> tuple[str, ...]:
    """Return the steps of a path; none for the root."""
    return tuple(step for step in normal(path).split("/") if step)


def within(root: str | None, path: str) -> bool:
    """Return whether a path is the root or lies below it."""
    top = normal(root).rstrip("/")
    return normal(path) == (top or "/") or normal(path).startswith(top + "/")


def under(root: str | None, path: str | None) -> str:
    """Return where a path leads when it starts at a root."""
    joined: str = join_scope_paths(root, path)
    return joined


def children(parent: str | None, paths: Iterable[str]) -> list[str]:
    """Return the paths one step below a parent that lead to some of the given ones."""
    top = normal(parent).rstrip("/") + "/"
    below = (path for path in map(normal, paths) if path.startswith(top) and path != top)
    return sorted({top + path[len(top) :].split("/")[0] for path in below})


def check_within(root: str | None, path: str) -> str:
    """Return the path.

    Raises:
        ScopeError: It leads out of the root.
    """
    if not within(root, path):
        raise ScopeError(f"this memory is bound to {normal(root)!r}; {path!r} lies outside")
    return normal(path)


@dataclass(frozen=True, slots=True)
class Spec:
    """A file and whose part of it: ``holdfast:/data/memory.db?user_id=ada``.

    Attributes:
        path: The file; ``:memory:`` for none.
        ids: Some of `IDS`.
    """

    path: str
    ids: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str | os.PathLike[str]) -> Spec:
        """Read a specification, or a bare path.

        Raises:
            ScopeError: It names an id that no memory has.
        """
        words = os.fspath(text)
        if not words.startswith(PREFIX):
            return cls(_absolute(words))
        path, _, query = words.removeprefix(PREFIX).partition("?")
        ids = dict(parse_qsl(query, strict_parsing=bool(query)))
        unknown = ids.keys() - set(IDS)
        if unknown:
            raise ScopeError(f"{words!r} names {sorted(unknown)}; allowed are {', '.join(IDS)}")
        return cls(_absolute(path), ids)

    def __str__(self) -> str:
        query = f"?{urlencode(self.ids)}" if self.ids else ""
        return f"{PREFIX}{self.path}{query}"


def _absolute(path: str) -> str:
    return path if path == ":memory:" else str(Path(path).expanduser().absolute())
