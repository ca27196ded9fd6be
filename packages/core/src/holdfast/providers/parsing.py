"""Finding the JSON object in what a model said."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from holdfast.types import Tool

# Up to the last closing mark: some chat templates swallow the opening one.
_THOUGHT = re.compile(r"\A.*</think>|<think>.*\Z", re.DOTALL)
# Each failed start may read to the end of the text.
_MAX_STARTS = 64
# No answer is asked for that is a tenth as long.
_MAX_TEXT = 1_000_000

# Models put line breaks into strings.
_DECODER = json.JSONDecoder(strict=False)


def read_object(text: str, tool: Tool) -> dict[str, Any] | None:
    """Return the arguments of `tool` in a text; None if there are none.

    Thoughts (``<think>``), code fences and words around the object are passed over. An object
    inside a text must have a property of the tool's schema: the inner objects of an answer
    that broke off are not the answer.
    """
    if len(text) > _MAX_TEXT:
        text = _THOUGHT.sub("", text)[:_MAX_TEXT]
    for part in (_THOUGHT.sub("", text), text):
        found = _whole(part)
        if found is None:
            found = _largest(part, tool)
        if found is not None:
            return _unwrapped(found, tool)
    return None


def merge(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """Join the arguments of parallel calls of one tool: lists are chained, else the first wins."""
    merged: dict[str, Any] = {}
    for arguments in objects:
        for key, value in arguments.items():
            known = merged.setdefault(key, value)
            if known is not value and isinstance(known, list) and isinstance(value, list):
                merged[key] = [*known, *value]
    return merged


def _whole(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _largest(text: str, tool: Tool) -> dict[str, Any] | None:
    expected = {*tool.parameters.get("properties", {}), "arguments", "parameters"}
    found = [(size, value) for size, value in _objects(text) if expected & value.keys()]
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _objects(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the size and value of the outermost objects of a text."""
    position = 0
    for _ in range(_MAX_STARTS):
        start = text.find("{", position)
        if start < 0:
            return
        try:
            value, position = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            position = start + 1
            continue
        yield position - start, value


def _unwrapped(value: dict[str, Any], tool: Tool) -> dict[str, Any]:
    """Take the arguments out of a written-out call: ``{"name": ..., "arguments": {...}}``."""
    if value.get("name") != tool.name:
        return value
    for key in ("arguments", "parameters"):
        inner = value.get(key)
        if isinstance(inner, str):
            inner = _whole(inner)
        if isinstance(inner, Mapping):
            return dict(inner)
    return value
