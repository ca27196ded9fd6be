"""What the user's own models raise, as Holdfast's errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from holdfast import HoldfastError, ProviderError


@contextmanager
def failures_of(model: str) -> Iterator[None]:
    """Turn whatever a model raises into `ProviderError`, which keeps it as its cause.

    The error's own words may hold a text or a key; they stay in the cause.
    """
    try:
        yield
    except HoldfastError:
        raise
    except Exception as error:
        raise ProviderError(f"{model} failed with {type(error).__name__}") from error
