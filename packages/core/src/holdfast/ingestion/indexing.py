"""From a text to what makes it findable: passages, vectors, index terms, traits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from holdfast.errors import ProviderError
from holdfast.language import cues
from holdfast.language.passages import Span, split
from holdfast.language.terms import analyse, term_hashes
from holdfast.language.traits import traits
from holdfast.providers.base import Vector
from holdfast.providers.checking import name_of
from holdfast.storage.contract.arrays import Floats, Hashes, Passage
from holdfast.storage.contract.memories import Indexed
from holdfast.storage.contract.search import KeywordQuery

# Less than the length of any vector but that of zeros, which has no direction and stays zeros.
_TINY: Final = 1e-300


def spans_of(text: str) -> tuple[Span, ...]:
    """Return the bounds of a text's passages; at least one."""
    return tuple(split(text)) or ((0, len(text)),)


def texts_to_embed(kind: str, text: str, speaker: str | None, spans: Sequence[Span]) -> list[str]:
    """Return what is embedded for each passage: its words, and of a turn who says them.

    The date stays out: it makes all turns of a day look alike (10 points of recall@10).
    """
    prefix = f"{speaker}: " if speaker and kind == "turn" else ""
    return [prefix + text[start:end] for start, end in spans]


def indexed(text: str, spans: Sequence[Span], vectors: Floats) -> Indexed:
    """Return all that makes a text findable, given the vectors of its passages."""
    terms, counts = _terms(text[start:end] for start, end in spans)
    passages = tuple((start, end, count) for (start, end), count in zip(spans, counts, strict=True))
    return Indexed(vectors, passages, terms, traits(text).flags)


def index_texts(texts: Sequence[str]) -> tuple[Hashes, tuple[Passage, ...]]:
    """Return the index terms of several whole texts, and each of them as one passage."""
    terms, counts = _terms(texts)
    passages = tuple((0, len(text), count) for text, count in zip(texts, counts, strict=True))
    return terms, passages


def keyword_query(query: str) -> KeywordQuery:
    """Return what to look for by word in documents."""
    asked = cues.read_words(query)
    return KeywordQuery(asked.groups, asked.pairs, asked.quotes)


def _terms(texts: Iterable[str]) -> tuple[Hashes, list[int]]:
    words = [analyse(text) for text in texts]
    return term_hashes([term for some in words for term in some]), [len(some) for some in words]


def unit_vectors(vectors: Sequence[Vector], count: int, maker: object = None) -> Floats:
    """Return unit vectors, shape (count, dimension).

    Args:
        vectors: What an embedder gave.
        count: How many it was asked for.
        maker: The embedder, which an error names.

    Raises:
        ProviderError: The embedder gave another number of vectors, vectors of different
            lengths, or numbers that are not finite.
    """
    who = "the embedder" if maker is None else f"the embedder {name_of(maker)}"
    try:
        matrix = _matrix(vectors)
    except (TypeError, ValueError, OverflowError) as error:
        raise ProviderError(f"{who} gave no rectangle of numbers") from error
    if matrix.ndim != 2 or len(matrix) != count or not matrix.shape[1]:
        raise ProviderError(
            f"{who} was asked for {count} vectors and gave an array of shape {matrix.shape}"
        )
    # In double precision, for a square of a finite number may be too large for a single one.
    lengths = np.sqrt(np.einsum("ij,ij->i", matrix, matrix, dtype=np.float64))
    if not math.isfinite(lengths.sum()):
        raise ProviderError(f"{who} gave a vector with NaN or infinity")
    unit: Floats = (matrix / np.maximum(lengths, _TINY)[:, None]).astype(np.float32)
    return unit


def _matrix(vectors: Sequence[Vector]) -> Floats:
    matrix: Floats = np.asarray(vectors)
    if matrix.dtype == np.float32:
        return matrix
    with np.errstate(over="ignore"):  # too large a number becomes infinity, and is refused
        return matrix.astype(np.float32)
