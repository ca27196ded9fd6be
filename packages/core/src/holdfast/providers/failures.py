"""What a foreign model raises, and how any error is told without a foreign word.

A foreign error may quote a key, an address with a token in it, or a whole prompt. So its words
stay in ``__cause__``: they go neither into our message nor into a log, an event or the file.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from holdfast.errors import HoldfastError, ProviderError

_HINTS = {
    400: "the request was not accepted",
    401: "check the API key",
    403: "the API key may not do this",
    404: "check the model's name and the address",
    413: "the request is too large",
    422: "the request was not accepted",
    429: "rate limit or quota exceeded",
}


@contextmanager
def failures_of(model: str, *, but: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Turn whatever a foreign model raises into `ProviderError`, which keeps it as its cause.

    Around a call or around an ``await``. Cancellation and interrupts pass, for they are no
    failures, and so do errors of ours, which say what to do already.

    Args:
        model: What to call the model: its class, or its fingerprint.
        but: What else passes, because the model's framework waits for it.

    Raises:
        ProviderError: The model failed; names it, the error's type and, where it has one, its
            ``status_code``.
    """
    passing: tuple[type[Exception], ...] = (HoldfastError, *but)
    try:
        yield
    except passing:
        raise
    except Exception as error:
        raise ProviderError(
            f"{model} failed with {type(error).__name__}{_status(error)}; what it said is in "
            "__cause__ alone, for it may quote keys or texts"
        ) from error


@contextmanager
def tolerated(
    logger: logging.Logger,
    what: str,
    kinds: tuple[type[Exception], ...] = (HoldfastError,),
    *,
    level: int = logging.WARNING,
) -> Iterator[None]:
    """Log what fails within, and go on behind it: it costs memory, not the conversation.

    Args:
        logger: Whose log.
        what: What then is not done.
        kinds: The errors to go on after; any other is raised.
        level: As of `logging`.
    """
    try:
        yield
    except kinds as error:
        # The caller is the frame of the `with` statement; contextlib's frame lies between.
        logger.log(level, "%s: %s", what, traced(error), stacklevel=3)


def hint(status: int) -> str:
    """Return what to do about an HTTP status; nothing if that is not known."""
    return _HINTS.get(status, "the service failed" if status >= 500 else "")


def described(error: BaseException) -> str:
    """Return an error in a line: ours with its words, a foreign one by its type alone."""
    name = type(error).__name__
    return f"{name}: {error}" if isinstance(error, HoldfastError) else name


def traced(error: BaseException) -> str:
    """Return an error for a log: a foreign one, which may be a bug, with the way it came.

    Lines of code are left out as well: a key may be written in one.
    """
    if isinstance(error, HoldfastError):
        return described(error)
    way = traceback.extract_tb(error.__traceback__)
    places = [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in way]
    return "\n".join([described(error), *places])


def _status(error: Exception) -> str:
    status = getattr(error, "status_code", None)
    if not isinstance(status, int):
        return ""
    return f" (HTTP {status}: {hint(status)})" if hint(status) else f" (HTTP {status})"
