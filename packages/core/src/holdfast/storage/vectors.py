"""Vectors of one view in a FAISS index. The only module that imports faiss."""

from __future__ import annotations

import faiss
import numpy as np
from numpy.typing import NDArray

from holdfast.storage.codec import Floats

Bools = NDArray[np.bool_]
Positions = NDArray[np.int64]


class Vectors:
    """One vector a position, appended in order, searched exactly.

    Args:
        dimension: Length of every vector. Vectors are expected to be unit vectors, so that the
            inner product is the cosine.
    """

    def __init__(self, dimension: int) -> None:
        self._index = faiss.IndexFlatIP(dimension)
        self.dimension = dimension

    def __len__(self) -> int:
        """Return the number of positions."""
        return int(self._index.ntotal)

    @property
    def nbytes(self) -> int:
        """Bytes held by the vectors."""
        return len(self) * self.dimension * 4

    def extend(self, vectors: Floats) -> None:
        """Append positions: vectors of shape (positions, dimension)."""
        self._index.add(np.ascontiguousarray(vectors, dtype=np.float32))

    def cosines(self, query: Floats) -> Floats:
        """Return the cosine of every position with a query, shape (positions,).

        One pass of FAISS's own kernel over its own memory: .02 ms at 1,000 positions, .25 at
        10,000, 5 at 100,000 (384 dimensions), less than any selection of candidates before it.
        """
        products = np.empty(len(self), dtype=np.float32)
        if len(self):
            vector = np.ascontiguousarray(query, dtype=np.float32)
            faiss.fvec_inner_products_ny(  # type: ignore[attr-defined]
                faiss.swig_ptr(products),
                faiss.swig_ptr(vector),
                self._index.get_xb(),
                self.dimension,
                len(self),
            )
        return products
