"""How a transcript that is sent again is recognised."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

# A message that has an id is known by it; of any other its role and content tell.
_ID = "id."


def digest(message: Mapping[str, object]) -> str:
    """Return what names a message in a log: a hash of its id, or else of role and content."""
    if message.get("message_id"):
        return _ID + _hash(str(message["message_id"]))
    told = [message.get("role"), message.get("contents")]
    return _hash(json.dumps(told, sort_keys=True, default=repr))


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()


def new(known: Sequence[str], given: Sequence[str]) -> list[int]:
    """Return which of the given messages are to be appended, by index.

    Args:
        known: Digests of what the log holds, in order.
        given: Digests of what is to be saved.
    """
    there = {name for name in known if name.startswith(_ID)}
    return [at for at in range(repeated(known, given), len(given)) if given[at] not in there]


def repeated(known: Sequence[str], given: Sequence[str]) -> int:
    """Return how many of the given digests, from the first, repeat what is known.

    That is a transcript sent again: all that is known, anywhere in what is given, or the end of
    it at the beginning. Something new always follows it (the answer at least); where nothing
    does, the same was said once more, as people do.
    """
    for start in range(len(given) - len(known)):
        if known and given[start : start + len(known)] == known and _is_transcript(known):
            return start + len(known)
    for size in range(min(len(known), len(given) - 1), 0, -1):
        # The first is looked at first, so that a long history costs no copies.
        if (
            known[-size] == given[0]
            and known[-size:] == given[:size]
            and _is_transcript(given[:size])
        ):
            return size
    return 0


def _is_transcript(digests: Sequence[str]) -> bool:
    return len(digests) > 1 or digests[0].startswith(_ID)
