"""Where a remote model lives: its address, its key, and one client per event loop."""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from holdfast.errors import InvalidInputError, ProviderError
from holdfast.forking import Lock, renewed
from holdfast.providers.folder import require

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

Preset = Literal["openai", "anthropic", "gemini", "ollama"]


@dataclass(frozen=True, slots=True)
class _Address:
    """A service's base URL and the variable that holds its key ("" where it asks for none)."""

    url: str | None
    variable: str


# OpenAI's own address is the client's default.
_ADDRESSES: dict[str, _Address] = {
    "openai": _Address(None, "OPENAI_API_KEY"),
    "anthropic": _Address("https://api.anthropic.com/v1/", "ANTHROPIC_API_KEY"),
    "gemini": _Address(
        "https://generativelanguage.googleapis.com/v1beta/openai/", "GEMINI_API_KEY"
    ),
    "ollama": _Address("http://localhost:11434/v1/", ""),
}


@dataclass(eq=False)
class Endpoint:
    """An OpenAI-compatible service, reached through the `openai` package.

    Clients are made at the first call. A synchronous one serves all threads; an asynchronous
    one belongs to the event loop it was made in and is closed with it.

    Attributes:
        preset: A known service; OpenAI if neither this nor `base_url` is given.
        api_key: By default the preset's own environment variable. It is not read for a
            `base_url`: one service's key is never sent to another.
        base_url: Address of any other service.
        timeout: Seconds to wait for the connection, and for each part of the answer.
        retries: Attempts after the first at HTTP 408, 409, 429, 5xx, a timeout or a lost
            connection; the waits double, with jitter, unless `Retry-After` names one
            (of a minute at most).
        client, async_client: Clients of the caller's own, used as they are.

    Raises:
        ProviderError: There is no key, or the extra ``openai`` is missing.
        InvalidInputError: An unknown preset, or an address that is none.
    """

    preset: Preset | None = None
    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    timeout: float = 60.0
    retries: int = 3
    client: OpenAI | None = None
    async_client: AsyncOpenAI | None = None
    _own: OpenAI | None = field(default=None, init=False, repr=False)
    _by_loop: dict[asyncio.AbstractEventLoop, asyncio.Task[_Lease]] = field(
        default_factory=dict, init=False, repr=False
    )
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        require("openai", "openai")
        if self.preset is not None and self.preset not in _ADDRESSES:
            raise InvalidInputError(
                f"unknown preset {self.preset!r}: name one of {', '.join(_ADDRESSES)}, "
                "or give base_url"
            )
        if self.base_url is not None and not _is_http(self.base_url):
            raise InvalidInputError("base_url must be an address such as http://localhost:8000/v1")
        if self.client is None and self.async_client is None and self.api_key is None:
            self.api_key = self._default_key()
        renewed(self)

    def renew(self) -> None:
        """Make a new client in a forked child: two processes must not talk on one connection."""
        self._own = None

    @property
    def name(self) -> str:
        """The host of an address that was given, else the preset's name."""
        given = self.client or self.async_client
        url = self.base_url if given is None else str(given.base_url)
        return (urlsplit(url).hostname or url) if url else self.preset or "openai"

    @property
    def only_sync(self) -> bool:
        """Return whether the caller gave a synchronous client and no other."""
        return self.client is not None and self.async_client is None

    def open(self) -> OpenAI:
        """Return the synchronous client.

        Raises:
            ProviderError: The caller gave an asynchronous one only.
        """
        if self.client is not None:
            return self.client
        if self.async_client is not None:
            raise ProviderError(
                "only async_client was given: use the async calls, or give client as well"
            )
        with self._lock:
            if self._own is None:
                from openai import OpenAI

                self._own = OpenAI(
                    api_key=self.api_key,
                    base_url=self._url,
                    timeout=self.timeout,
                    max_retries=self.retries,
                )
                # Clients are cyclic garbage: left to the collector, sockets may go first.
                weakref.finalize(self, self._own.close)
            return self._own

    async def aopen(self) -> AsyncOpenAI:
        """Return the running loop's asynchronous client."""
        if self.async_client is not None:
            return self.async_client
        loop = asyncio.get_running_loop()
        lease = self._by_loop.get(loop)
        if lease is None:
            # A task, that a hundred first calls at once make one client.
            lease = self._by_loop[loop] = loop.create_task(self._lend(loop))
        return (await asyncio.shield(lease)).client

    async def _lend(self, loop: asyncio.AbstractEventLoop) -> _Lease:
        for other in [other for other in list(self._by_loop) if other.is_closed()]:
            self._by_loop.pop(other, None)
        # In a thread: the import takes most of a second, and certificates are read.
        client = await asyncio.to_thread(self._make_async)
        keeper = self._keep(loop, client)
        await anext(keeper)
        return _Lease(client, keeper)

    def _make_async(self) -> AsyncOpenAI:
        from openai import AsyncOpenAI

        return AsyncOpenAI(
            api_key=self.api_key,
            base_url=self._url,
            timeout=self.timeout,
            max_retries=self.retries,
        )

    async def _keep(
        self, loop: asyncio.AbstractEventLoop, client: AsyncOpenAI
    ) -> AsyncGenerator[None, None]:
        # A loop that shuts down closes its generators: the only hook it has. Without it every
        # kept connection would outlive its loop.
        try:
            yield
        finally:
            self._by_loop.pop(loop, None)
            await client.close()

    @property
    def _url(self) -> str | None:
        return self.base_url or _ADDRESSES[self.preset or "openai"].url

    def _default_key(self) -> str:
        variable = "" if self.base_url else _ADDRESSES[self.preset or "openai"].variable
        if not variable:
            return "none"
        key = os.environ.get(variable)
        if not key:
            raise ProviderError(
                f"no API key for {self.preset or 'openai'}: pass api_key=, or set {variable}"
            )
        return key


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


@dataclass(frozen=True, slots=True)
class _Lease:
    """A loop's client, and the generator that closes it when the loop shuts down."""

    client: AsyncOpenAI
    keeper: AsyncGenerator[None, None]
