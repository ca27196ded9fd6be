"""Values as JSON: what a user may put, plain enough to be stored and filtered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from datetime import date, time
from enum import Enum
from typing import Any
from uuid import UUID

from pydantic import BaseModel

_LEAVES = frozenset({str, int, float, bool, type(None)})


def plain(value: Any) -> Any:
    """Return a value in JSON's own types where it has an obvious form there.

    Mappings become objects, tuples and sets lists; times ISO 8601, ids strings, enum members
    their values; Pydantic models and dataclasses objects. Anything else comes back as it is, for
    the store to refuse.
    """
    kind = type(value)
    if kind in _LEAVES:
        return value
    # What JSON itself gives is told by its type alone; asking an abstract class takes longer.
    if kind is dict:
        return {key: plain(item) for key, item in value.items()}
    if kind is list:
        return [plain(item) for item in value]
    return _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, str | int | float) and not isinstance(value, Enum):
        return value
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return _object(value)


def _object(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    return value
