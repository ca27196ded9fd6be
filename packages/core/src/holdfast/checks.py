"""Checks of values that any room may be given: a time, a path."""

from __future__ import annotations

import os
from datetime import datetime, timezone

from holdfast.errors import InvalidInputError, shown


def check_time(name: str, value: datetime) -> datetime:
    """Return `value` in UTC.

    Raises:
        InvalidInputError: It has no timezone, so it names no moment.
    """
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise InvalidInputError(
            f"{name} must be a datetime with a timezone, not {shown(value)}; "
            "write datetime(..., tzinfo=timezone.utc)"
        )
    try:
        return value.astimezone(timezone.utc)
    except (OverflowError, ValueError, NotImplementedError) as error:
        raise InvalidInputError(
            f"{name} {shown(value)} is no year from 1 to 9999 in UTC"
        ) from error


def check_path(given: str | os.PathLike[str]) -> str:
    """Return a path that a file can have.

    Raises:
        InvalidInputError: It is none.
    """
    try:
        path = os.fspath(given)
        if isinstance(path, str) and path and "\x00" not in path and os.fsencode(path):
            return path
    except (TypeError, ValueError):
        pass
    raise InvalidInputError(f"a path is a non-empty string or a pathlib.Path, not {shown(given)}")
