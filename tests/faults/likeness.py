"""One form for what two files answer, so that it can be compared.

Ids differ between files: each is known by its place in a table of pairs. Moments of writing
differ, so of them only their presence counts; moments that were given count exactly. Scores count
to five digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from holdfast import Change, Changes, Context, Match, Page, Record

_STARTED = datetime.now(timezone.utc) - timedelta(days=1)
_MOMENTS_OF_WRITING = {"created_at", "updated_at", "at", "recorded_at", "retired_at"}
_LEFT_OUT = {"seq", "bytes", "erasure_pending", "embedder"}
_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")


class Table:
    """Which id of the one file is which of the other."""

    def __init__(self) -> None:
        self.pairs: list[tuple[str, str]] = []
        self._places: tuple[dict[str, str], dict[str, str]] = ({}, {})

    def learn(self, one: object, two: object) -> None:
        """Pair the ids of two answers that have not been seen before, in order."""
        mine, theirs = list(_ids(one)), list(_ids(two))
        if len(mine) != len(theirs):
            return
        for a, b in zip(mine, theirs, strict=True):
            if a not in self._places[0] and b not in self._places[1]:
                self._places[0][a] = self._places[1][b] = f"#{len(self.pairs)}"
                self.pairs.append((a, b))

    def form(self, value: Any, side: int) -> Any:
        """Return the form of an answer of one side (0 or 1)."""
        return _form(value, self._places[side])


def _ids(value: object) -> Iterator[str]:
    if isinstance(value, Record | Change):
        yield value.id
        if isinstance(value, Record):
            yield from value.sources
    elif isinstance(value, Match):
        yield from _ids(value.record)
    elif isinstance(value, Context):
        yield from _ids(list(value.records))
    elif isinstance(value, Changes | Page | list | tuple):
        for one in value:
            yield from _ids(one)


def _form(value: Any, places: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return places.get(value) or _words(value, places)
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, datetime):
        return "lately" if value > _STARTED else value.isoformat()
    if isinstance(value, Mapping):
        return {_form(key, places): _form(one, places) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_form(one, places) for one in value]
    if isinstance(value, BaseException):
        return (type(value).__name__, _words(str(value), places))
    if is_dataclass(value):
        return _fields(value, places)
    return value


def _fields(value: Any, places: Mapping[str, str]) -> Any:
    told = [type(value).__name__]
    for field in fields(value):
        one = getattr(value, field.name)
        if field.name in _MOMENTS_OF_WRITING or field.name == "cursor":
            told.append(one is not None)
        elif field.name not in _LEFT_OUT:
            told.append(_form(one, places))
    return told


def _words(text: str, places: Mapping[str, str]) -> str:
    """Return a text with ids in it by their places; ids of nobody are all alike."""
    if "-" not in text:
        return text
    return _UUID.sub(lambda match: places.get(match.group(), "#unknown"), text)
