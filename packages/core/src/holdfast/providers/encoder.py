"""Runs a BERT-like ONNX model: texts in, unit vectors out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors
from tokenizers import Tokenizer

from holdfast.errors import ProviderError

Vectors: TypeAlias = NDArray[np.float32]

_ORT_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)

# More characters than `max_tokens` tokens ever need: tokenising a megabyte takes a second.
_CHARACTERS_PER_TOKEN = 64


class Encoder:
    """A loaded model and its tokenizer. Safe to share between threads."""

    def __init__(self, model: bytes | Path, tokenizer: Path, *, threads: int, max_tokens: int):
        self._session = _open_session(model, threads)
        self._inputs = {value.name for value in self._session.get_inputs()}
        self._tokenizer = _open_tokenizer(tokenizer, max_tokens)
        self._max_characters = max_tokens * _CHARACTERS_PER_TOKEN
        unknown = self._inputs - {"input_ids", "attention_mask", "token_type_ids"}
        if unknown:
            raise ProviderError(f"the ONNX model wants inputs no BERT has: {sorted(unknown)}")

    def encode(self, texts: Sequence[str], batch_size: int) -> list[list[float]]:
        """Return one unit vector a text, in order.

        Texts of like length share a batch, so little is computed for padding.
        """
        tokens = [self._tokenise(text) for text in texts]
        order = sorted(range(len(tokens)), key=lambda index: len(tokens[index]))
        vectors: list[list[float]] = [[]] * len(tokens)
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            rows = self._run([tokens[index] for index in batch]).tolist()
            for index, row in zip(batch, rows, strict=True):
                vectors[index] = row
        return vectors

    def _tokenise(self, text: str) -> list[int]:
        # A lone surrogate has no UTF-8 form; the tokenizer would refuse the whole text.
        clean = text[: self._max_characters].encode("utf-8", "replace").decode("utf-8")
        # One by one: `encode_batch` starts threads of its own, and complains after a fork.
        return list(self._tokenizer.encode(clean).ids)

    def _run(self, batch: Sequence[Sequence[int]]) -> Vectors:
        shape = (len(batch), len(batch[-1]))
        feed = {
            "input_ids": np.zeros(shape, np.int64),
            "attention_mask": np.zeros(shape, np.int64),
            "token_type_ids": np.zeros(shape, np.int64),
        }
        for row, ids in enumerate(batch):
            feed["input_ids"][row, : len(ids)] = ids
            feed["attention_mask"][row, : len(ids)] = 1
        try:
            wanted = {name: feed[name] for name in self._inputs}
            output = np.asarray(self._session.run(None, wanted)[0])
        except _ORT_ERRORS as error:
            raise ProviderError(f"the local embedder failed on {shape} tokens: {error}") from error
        return _unit(_mean_pool(output, feed["attention_mask"]))


def _mean_pool(output: NDArray[Any], mask: NDArray[np.int64]) -> Vectors:
    """Average the token vectors of each text; a model that pools itself is left alone."""
    if output.ndim == 2:
        return output
    kept = mask[:, :, None].astype(np.float32)
    return np.asarray((output * kept).sum(axis=1) / kept.sum(axis=1), dtype=np.float32)


def _unit(vectors: Vectors) -> Vectors:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.all(np.isfinite(norms)):
        raise ProviderError("the local embedder computed a vector that is not finite")
    return np.asarray(vectors / np.maximum(norms, 1e-12), dtype=np.float32)


def _open_session(model: bytes | Path, threads: int) -> onnxruntime.InferenceSession:
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Idle threads that spin cost more, on a busy machine, than waking them does.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source = model if isinstance(model, bytes) else str(model)
    try:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except _ORT_ERRORS as error:
        raise ProviderError(f"ONNX Runtime cannot load the model: {error}") from error


def _open_tokenizer(path: Path, max_tokens: int) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    # The library raises plain Exception for a malformed file.
    except Exception as error:
        raise ProviderError(f"cannot read the tokenizer {path}: {error}") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer
