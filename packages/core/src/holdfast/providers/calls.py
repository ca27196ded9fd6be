"""One request to a remote model, and the translation of everything that can go wrong.

Imported with the first call only: the `openai` package takes most of a second.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

import openai
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion

from holdfast.errors import ProviderError
from holdfast.providers.endpoint import Endpoint
from holdfast.providers.failures import failures_of, hint

T = TypeVar("T")

_FEATURES = {
    "tool": ("tool", "function"),
    "schema": ("response_format", "schema", "response format", "json mode"),
}
_WORD = re.compile(r"[\w.:-]{1,64}")


class RefusedFeatureError(ProviderError):
    """The endpoint did not accept the request, and names what it may have minded.

    Attributes:
        features: ``"tool"``, ``"schema"``, or both.
    """

    def __init__(self, message: str, features: frozenset[str]) -> None:
        super().__init__(message)
        self.features = features


async def chat(endpoint: Endpoint, request: Mapping[str, Any], *, native: bool) -> ChatCompletion:
    """Send one chat request.

    Args:
        endpoint: Whom to ask.
        request: Arguments of `chat.completions.create`.
        native: Await the asynchronous client; else block on the other, and never suspend.

    Raises:
        RefusedFeatureError: HTTP 400, 404 or 422 that speaks of tools or schemas.
        ProviderError: Anything else that is no answer.
    """
    return await _send(
        endpoint,
        lambda client: client.chat.completions.create(**request),
        ChatCompletion,
        request["model"],
        native,
    )


async def embed(
    endpoint: Endpoint, request: Mapping[str, Any], *, native: bool
) -> CreateEmbeddingResponse:
    """Send one request for embeddings; arguments and errors as in `chat`."""
    return await _send(
        endpoint,
        lambda client: client.embeddings.create(**request),
        CreateEmbeddingResponse,
        request["model"],
        native,
    )


async def _send(
    endpoint: Endpoint, create: Callable[[Any], Any], kind: type[T], model: str, native: bool
) -> T:
    label = f"model {model!r} at {endpoint.name}"
    with failures_of(label):
        try:
            reply = await create(await endpoint.aopen()) if native else create(endpoint.open())
        except openai.APIStatusError as error:
            raise _of_status(error, label) from error
        except openai.APIConnectionError as error:
            raise ProviderError(f"{label} {_unreached(error)}") from error
    if not isinstance(reply, kind):
        raise ProviderError(f"{label} sent something else than JSON")
    return reply


def step(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends, without an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    raise RuntimeError("a blocking call suspended")


def _unreached(error: openai.APIConnectionError) -> str:
    if isinstance(error, openai.APITimeoutError):
        return "did not answer in time"
    reason = type(error.__cause__).__name__ if error.__cause__ else "no answer"
    return f"cannot be reached ({reason})"


def _of_status(error: openai.APIStatusError, label: str) -> ProviderError:
    """Say what happened without the server's words: they may repeat the key or the texts."""
    status = error.status_code
    words = [word for word in (error.code, error.type) if word and _WORD.fullmatch(str(word))]
    detail = "".join(f", {word}" for word in dict.fromkeys(map(str, words)))
    advice = f": {hint(status)}" if hint(status) else ""
    message = f"{label} answered HTTP {status}{detail}{advice}"
    said = str(error).lower()
    features = frozenset(
        name for name, signs in _FEATURES.items() if any(sign in said for sign in signs)
    )
    if status in {400, 404, 422} and features:
        return RefusedFeatureError(message, features)
    return ProviderError(message)
