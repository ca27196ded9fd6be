"""Vectors of one view in a FAISS index. The only module that imports faiss.

A text has one vector or, when long, one a passage; a text scores by its best passage. Positions
are those of the view; passages of one position lie together.
"""

from __future__ import annotations

import faiss
import numpy as np
from numpy.typing import NDArray

from holdfast.storage.codec import Floats

Bools = NDArray[np.bool_]
Positions = NDArray[np.int64]


class Vectors:
    """Passage vectors over positions 0..n-1, appended in order, searched exactly.

    Args:
        dimension: Length of every vector. Vectors are expected to be unit vectors, so that the
            inner product is the cosine.
    """

    def __init__(self, dimension: int) -> None:
        self._index = faiss.IndexFlatIP(dimension)
        self.dimension = dimension
        self._starts: Positions = np.zeros(0, dtype=np.int64)
        self._positions = 0

    def __len__(self) -> int:
        """Return the number of positions."""
        return self._positions

    @property
    def nbytes(self) -> int:
        """Bytes held by the vectors."""
        return int(self._index.ntotal) * self.dimension * 4

    def extend(self, vectors: Floats, passages: Positions) -> None:
        """Append positions.

        Args:
            vectors: Shape (sum of `passages`, dimension).
            passages: How many vectors each new position has; at least one.
        """
        starts = self._index.ntotal + np.concatenate(([0], np.cumsum(passages)[:-1]))
        self._starts = np.concatenate((self._starts, starts.astype(np.int64)))
        self._positions += len(passages)
        self._index.add(np.ascontiguousarray(vectors, dtype=np.float32))

    def cosines(self, query: Floats) -> Floats:
        """Return the cosine of every position's best passage with the query; exact."""
        total = int(self._index.ntotal)
        products = np.empty(total, dtype=np.float32)
        if total:
            faiss.fvec_inner_products_ny(
                faiss.swig_ptr(products),
                faiss.swig_ptr(query),
                self._index.get_xb(),
                self.dimension,
                total,
            )
        if total == self._positions:
            return products
        return np.maximum.reduceat(products, self._starts)

    def best_passage(self, query: Floats, position: int) -> int:
        """Return which passage of a position is nearest to the query."""
        end = (
            int(self._starts[position + 1])
            if position + 1 < self._positions
            else int(self._index.ntotal)
        )
        start = int(self._starts[position])
        if end - start == 1:
            return 0
        passages = self._index.reconstruct_n(start, end - start)
        return int(np.argmax(passages @ query))
