"""Ids for messages that have none: a hash of the words and of the id before, a hash chain.

The same conversation, seen again (restored from a saved state, or by another agent of a team),
gives the same ids, so nothing is remembered twice; the same words said again in it give others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from holdfast import Message
from holdfast.types import MAX_ID_LENGTH, Role

MOST_CHARACTERS = 500_000
"""What the core stores as one text; of a longer one the beginning is remembered."""


@dataclass(frozen=True, slots=True)
class Said:
    """One thing said: by whom, in the protocol's terms and by name, and the words."""

    role: Role
    speaker: str
    text: str


def next_id(previous: str, said: Said) -> str:
    """Return the id of what is said after the message of id `previous` (``""``: at first)."""
    told = "\x1f".join((previous, said.speaker, said.text))
    return hashlib.blake2b(told.encode("utf-8", "replace"), digest_size=16).hexdigest()


def with_ids(conversation: Sequence[Said], previous: str = "") -> list[Message]:
    """Return what was said as messages to remember, each with its id."""
    messages = []
    for said in conversation:
        previous = next_id(previous, said)
        messages.append(Message(_storable(said.text), said.role, _name(said), previous))
    return messages


def _storable(text: str) -> str:
    """Return a text without what no text has: one bad character must not lose the turn."""
    clean = text.replace("\x00", "").encode("utf-8", "replace").decode()
    return clean[:MOST_CHARACTERS] if clean.strip() else "(unreadable)"


def _name(said: Said) -> str | None:
    """Return who spoke, where that says more than the role and is a name."""
    speaker = said.speaker[:MAX_ID_LENGTH]
    return None if speaker in ("", said.role) or not speaker.isprintable() else speaker
