"""What the item layer is given, checked: labels, keys, values, texts, lifetimes, bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from holdfast.errors import InvalidInputError
from holdfast.messages import check_text
from holdfast.storage.codec import to_json
from holdfast.types import utc_now

# SQLite counts rows in 64 bits.
MOST = (1 << 63) - 1


def check_labels(labels: Sequence[str], *, prefix: bool) -> tuple[str, ...]:
    """Return a namespace, or with `prefix` the beginning of one, which may be empty.

    Raises:
        InvalidInputError: It is no tuple of non-empty strings. (A string would pass for a
            sequence of letters.)
    """
    fits = isinstance(labels, Sequence) and not isinstance(labels, str)
    if not fits or not all(_is_text(label) for label in labels) or not (labels or prefix):
        raise InvalidInputError(f"a namespace is a tuple of non-empty strings, not {labels!r:.80}")
    return tuple(labels)


def check_key(key: str) -> str:
    """Return a key.

    Raises:
        InvalidInputError: It is no string, or empty.
    """
    if not _is_text(key):
        raise InvalidInputError(f"a key is a non-empty string, not {key!r:.80}")
    return key


def check_value(value: Any) -> str:
    """Return a value as JSON.

    Raises:
        InvalidInputError: It is no JSON, or nested too deeply.
    """
    try:
        text = to_json(value)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError(f"an item's value must be JSON: {error}") from error
    return text


def check_texts(texts: Sequence[str]) -> list[str]:
    """Return the texts that can be found by their words; blank ones are left out.

    Raises:
        InvalidInputError: It is no list of texts.
    """
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise InvalidInputError(f"texts must be a list of strings, not {texts!r:.80}")
    return [check_text(text) for text in texts if text.strip()]


def check_lifetime(lifetime: timedelta | None) -> None:
    """Check that an item's end is a moment to come.

    Raises:
        InvalidInputError: It is over at once, or later than the calendar goes.
    """
    if lifetime is None:
        return
    longest = datetime.max.replace(tzinfo=timezone.utc) - utc_now() - timedelta(days=366)
    if not timedelta(0) < lifetime < longest:
        raise InvalidInputError(
            f"a lifetime must be positive and end before the year 9999, not {lifetime!r}"
        )


def check_bounds(limit: int, offset: int, min_score: float | None) -> None:
    """Check which part of a ranking is wanted.

    Raises:
        InvalidInputError: A number is negative, too large, or none.
    """
    if not all(type(bound) is int and 0 <= bound <= MOST for bound in (limit, offset)):
        raise InvalidInputError(
            f"limit ({limit!r}) and offset ({offset!r}) must be numbers from 0 to {MOST}"
        )
    if min_score is not None and (type(min_score) not in (int, float) or math.isnan(min_score)):
        raise InvalidInputError(f"min_score must be a number, not {min_score!r}")


def _is_text(label: object) -> bool:
    if not isinstance(label, str) or not label:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in label)
