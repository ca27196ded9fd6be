"""Labels of namespaces: LangGraph allows no period in one, so an e-mail address must be escaped."""

from __future__ import annotations

import re

_ESCAPES = {"%": "%25", ".": "%2E", "\x00": "%00"}
_EMPTY = "%"
_ESCAPED = re.compile("%(25|2E|00)")


def escape_label(value: object) -> str:
    """Return a label LangGraph accepts for any value: ``"ann@example%2Ecom"``.

    A value without periods, percent signs and NUL stays as it is. `unescape_label` gives the
    string back.
    """
    text = str(value)
    return "".join(_ESCAPES.get(character, character) for character in text) or _EMPTY


def unescape_label(label: str) -> str:
    """Return what `escape_label` made a label of."""
    if label == _EMPTY:
        return ""
    return _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), label)


def namespace(*values: object) -> tuple[str, ...]:
    """Return the namespace of these values: ``namespace("memories", "ann@example.com")``."""
    return tuple(escape_label(value) for value in values)
