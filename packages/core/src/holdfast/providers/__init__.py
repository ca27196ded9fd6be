"""Models: what Holdfast asks of them (`base`), and the ones it brings (`local`, `openai`)."""

from __future__ import annotations

from holdfast.providers.base import LLM, Embedder

__all__ = ["LLM", "Embedder", "default_embedder"]


def default_embedder() -> Embedder:
    """Return the local embedder; never one that needs a network.

    Raises:
        ProviderError: Its weights or libraries are missing; the message says what to do.
    """
    # Here, for importing Holdfast must not look for models.
    from holdfast.providers import local

    return local.default_embedder()
