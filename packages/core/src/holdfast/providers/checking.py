"""What models of the caller's own give back, checked where it enters."""

from __future__ import annotations

import math
from collections.abc import Mapping

from holdfast.errors import ProviderError
from holdfast.providers.base import LLM, Vector
from holdfast.types import Answer, Usage


def name_of(model: object) -> str:
    """Return what to call a model: its class."""
    return type(model).__name__


def checked_answer(llm: LLM, given: object) -> Answer:
    """Return a model's answer.

    Raises:
        ProviderError: It is no `Answer`, or one with fields of other types.
    """
    fits = (
        isinstance(given, Answer)
        and isinstance(given.text, str)
        and isinstance(given.data, Mapping | None)
        and isinstance(given.usage, Usage)
    )
    if isinstance(given, Answer) and fits:
        return given
    raise ProviderError(
        f"{name_of(llm)} gave a {type(given).__name__}; complete() returns a holdfast.Answer with "
        "text, data (a mapping or None) and usage"
    )


def is_finite(vector: Vector) -> bool:
    """Return whether a vector is numbers, none of them infinite or NaN."""
    try:
        return len(vector) > 0 and math.isfinite(math.fsum(vector))
    except (TypeError, ValueError, OverflowError):
        return False
