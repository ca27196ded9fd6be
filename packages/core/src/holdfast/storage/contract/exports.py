"""An export as it crosses the line: its format, and its lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args

FORMAT = "holdfast-export"


VERSION = 1


class Header(NamedTuple):
    """Whose vectors an export holds, and how long they are; None: it holds none."""

    embedder: str | None
    dimension: int | None


class Line(NamedTuple):
    """One line, each of its values checked by itself."""

    table: str
    values: Mapping[str, Any]


Operation = Literal["ADD", "UPDATE", "DELETE", "NONE", "ERASE", "PUT", "EMBED"]


OPERATIONS: tuple[Operation, ...] = get_args(Operation)
