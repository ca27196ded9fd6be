"""Our values as JSON, for ``--json``."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

import typer


def plain(value: Any) -> Any:
    """Return a value as JSON has it: objects by field, moments in ISO 8601."""
    if isinstance(value, datetime):
        return value.isoformat()
    if is_dataclass(value):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return value


def print_json(value: Any) -> None:
    """Print one JSON document; in ASCII where stdout lacks the letters.

    What is stored must not steer the terminal: control, direction and format characters are
    escapes, which every reader of JSON takes for the same text.
    """
    whole = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf")
    typer.echo(_visible(json.dumps(plain(value), ensure_ascii=not whole, indent=2)))


def _visible(document: str) -> str:
    if document.isascii():
        return document
    return "".join(
        character if character.isprintable() or character == "\n" else json.dumps(character)[1:-1]
        for character in document
    )
