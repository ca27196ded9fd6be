"""What is embedded of a value: the index configuration, and the texts it chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

from holdfast import Embedder, InvalidInputError
from langgraph.store.base import IndexConfig, get_text_at_path, tokenize_path

from holdfast_langgraph.embeddings import Embed, LangChainEmbedder

Choice: TypeAlias = Literal[False] | Sequence[str] | None
"""Of one put: None the configured fields, a list of paths instead, False nothing."""

IndexOptions: TypeAlias = IndexConfig | Mapping[str, Any]
"""LangGraph's, of which ``dims`` may be left out; ``embed`` may be a Holdfast `Embedder`."""


@dataclass(frozen=True, slots=True)
class Index:
    """How a store embeds.

    Attributes:
        embedder: Makes the vectors; None: nothing is embedded.
        paths: Each field as LangGraph cuts a path into tokens; ``"$"`` is the whole value.
    """

    embedder: Embedder | None = None
    paths: tuple[str | list[str], ...] = ("$",)

    def texts(self, value: Mapping[str, Any], choice: Choice) -> tuple[str, ...]:
        """Return the texts of a value, each to be found by a vector of its own."""
        if choice is False or self.embedder is None:
            return ()
        paths = self.paths if choice is None else _paths(choice)
        try:
            texts = [text for path in paths for text in get_text_at_path(value, path)]
        except (TypeError, ValueError) as error:
            raise InvalidInputError(f"an item's value must be JSON: {error}") from error
        return tuple(dict.fromkeys(text.replace("\x00", " ") for text in texts))


def read_index(config: IndexOptions | None, embedder: Embedder | None = None) -> Index:
    """Return how to embed.

    Args:
        config: ``embed``, ``dims`` and ``fields`` as LangGraph has them (``text_fields``, as its
            SQLite store wants them, counts as ``fields``). ``embed`` may also be a Holdfast
            `Embedder`.
        embedder: The one that the file already has, if the store is made of a memory.

    Raises:
        InvalidInputError: Both an embedder and ``embed`` are given, or neither in a config.
    """
    if config is None:
        return Index(embedder)
    given = cast("dict[str, Any]", config)
    embed = given.get("embed")
    if embedder is not None and embed is not None:
        raise InvalidInputError(
            "a store made of a memory uses the memory's embedder; leave out index['embed']"
        )
    made = embedder or _embedder(embed, given.get("dims"))
    fields = given.get("fields") or given.get("text_fields") or ["$"]
    return Index(made, _paths([fields] if isinstance(fields, str) else fields))


def _embedder(embed: Embed | Embedder | None, dims: int | None) -> Embedder:
    if embed is None:
        raise InvalidInputError(
            "index needs 'embed': an Embeddings, a function, 'provider:model' or an Embedder"
        )
    return embed if isinstance(embed, Embedder) else LangChainEmbedder(embed, dims=dims)


def _paths(fields: Sequence[str]) -> tuple[str | list[str], ...]:
    if isinstance(fields, str):
        raise InvalidInputError(f"index is False or a list of paths, not {fields!r:.80}")
    return tuple(field if field == "$" else tokenize_path(field) for field in fields)
