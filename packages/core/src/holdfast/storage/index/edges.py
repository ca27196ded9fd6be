"""The edges of a graph: what the row of a fact states, one value a relation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from holdfast.language.names import bare, sort
from holdfast.storage.contract import codec
from holdfast.storage.index.loading import FactRow

Node: TypeAlias = tuple[str, str, str]
"""Whose (the user's id, where there is one), the bare name, and what sort of thing."""


@dataclass(frozen=True, slots=True, eq=False)
class Edge:
    """One relation of one fact; times in microseconds, `begins` in event time."""

    row_id: int
    source: Node
    label: str
    target: Node
    names: tuple[str, str]
    types: tuple[str, str]
    occurred: int
    begins: int
    ends: int | None
    expires: int | None

    def holds(self, now: int, valid_at: int | None) -> bool:
        """Return whether it is not over, and at `valid_at`, if given, has begun."""
        if self.expires is not None and self.expires <= now:
            return False
        if valid_at is None:
            return self.ends is None or self.ends > now
        return self.begins <= valid_at and (self.ends is None or self.ends > valid_at)


def edges_of(row: FactRow) -> Iterator[Edge]:
    """Yield what a row states.

    "Quinn's sister Rita moved to Lyon" is over once Rita lives in Oslo; that she is his sister is
    not. So of a fact that also states something of one value, that alone ends with it; the rest
    ends when the caller gives the fact other words.
    """
    row_id, user, relations, occurred, valid_from, valid_to, expires, reworded = row
    stated = codec.from_json(relations)
    begins = occurred if valid_from is None else valid_from
    single = any(said.get("single_valued") for said in stated)
    for said in stated:
        names = (said["subject"], said["object"])
        types = (said.get("subject_type", ""), said.get("object_type", ""))
        if not (bare(names[0]) and bare(names[1])):
            continue
        source, target = (
            (user, bare(name), sort(type)) for name, type in zip(names, types, strict=True)
        )
        lasts = single and not said.get("single_valued")
        times = (occurred, begins, reworded if lasts else valid_to, expires)
        yield Edge(row_id, source, said["relation"], target, names, types, *times)
