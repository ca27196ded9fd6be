"""Vectors of one view in a FAISS index. The only module that imports faiss.

Few vectors are kept whole. Many are kept as codes of eight bits a number, a quarter of the
memory and a fifth of the time to scan. How far a code is from its vector is known exactly, so a
cosine is known to lie between two bounds, and only what the bounds cannot tell apart has to be
read again from the file (`nearest`): the answer is that of a scan of the whole vectors.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray

from holdfast.storage.contract.arrays import Bools, Floats, Positions
from holdfast.storage.index.arrays import more_than

# From so many positions on, codes. Below, a scan of whole vectors takes a millisecond at most.
MANY: Final = 20_000

# One of so many positions, or fewer, are collected rather than all scanned.
SELECTIVE: Final = 8

_LEVELS: Final = 127.0  # codes run from -127 to 127
_HEADROOM: Final = 1.25  # so much larger numbers than seen at first still have a code
_CHUNK: Final = 4_096  # vectors decoded at a time: they stay in the processor's cache


class Vectors:
    """One vector a position, appended in order.

    Args:
        dimension: Length of every vector; 0 while it is not known, then every cosine is 0. Vectors
            are expected to be unit vectors, so that the inner product is the cosine.
        many: From so many positions on, codes are kept in place of vectors.
    """

    def __init__(self, dimension: int, many: int = MANY) -> None:
        self._index = faiss.IndexFlatIP(dimension)
        self._count = 0
        self._start: Any = None  # where they lie in memory
        self.codes: Codes | None = None  # in place of the vectors, once there are many
        self._many = many
        self.dimension = dimension

    def __len__(self) -> int:
        """Return the number of positions."""
        return self._count if self.codes is None else len(self.codes)

    @property
    def nbytes(self) -> int:
        """Bytes held by the vectors."""
        return len(self) * self.dimension * 4 if self.codes is None else self.codes.nbytes

    def extend(self, vectors: Floats) -> None:
        """Append positions: vectors of shape (positions, dimension)."""
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        if self.codes is not None:
            self.codes.extend(vectors)
            return
        if not self._count:
            self._reserve(len(vectors))
        self._index.add(vectors)
        self._count = int(self._index.ntotal)
        self._start = self._index.get_xb()
        if self._count >= self._many and self.dimension:
            self.codes = Codes(_whole(self._index))
            self._index = faiss.IndexFlatIP(self.dimension)  # `reset` would keep the room

    def replace(self, positions: Positions, vectors: Floats) -> None:
        """Give positions that were appended as zeros their vectors."""
        if self.codes is None:
            _whole(self._index)[positions] = vectors
        else:
            self.codes.replace(positions, vectors)

    def _reserve(self, count: int) -> None:
        """Take room for vectors and some more, or the first one behind them would move them all."""
        codes = self._index.codes
        codes.resize(4 * self.dimension * more_than(count))
        codes.resize(0)

    def cosines(self, query: Floats, places: Positions) -> Floats:
        """Return the cosine of every position with a query, shape (positions,).

        One pass of FAISS's own kernel over its own memory: .02 ms at 1,000 positions, .25 at
        10,000 (384 dimensions), less than any selection of candidates before it.

        Args:
            query: A unit vector.
            places: The positions that count; of others the cosine may be 0. To collect an eighth
                of the vectors takes less time than to scan them all.
        """
        assert self.codes is None, "whole vectors are not kept"
        if not self.dimension:
            return np.zeros(self._count, dtype=np.float32)
        if SELECTIVE * len(places) > self._count:
            return _products(query, self._start, self._count)
        cosines = np.zeros(self._count, dtype=np.float32)
        cosines[places] = inner_products(_whole(self._index)[places], query)
        return cosines


class Codes:
    """Eight bits a number: of a vector less the mean of the first ones, times a scale.

    The mean matters: some models' vectors all point one way, and differ in little else.
    """

    def __init__(self, vectors: Floats) -> None:
        self._mean: Floats = vectors.mean(axis=0)
        # What 32-bit sums of so many products may be wrong by, here and where vectors are whole.
        self._slack = 4 * vectors.shape[1] * float(np.finfo(np.float32).eps)
        self._worst = 0.0  # how far a vector may be from what its code says
        self._start(float(np.abs(vectors - self._mean).max()))
        for start in range(0, len(vectors), _CHUNK):
            self.extend(vectors[start : start + _CHUNK])

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return len(self) * len(self._mean)

    def _start(self, largest: float) -> None:
        """Begin an index of signed bytes, which FAISS scans without decoding tables."""
        kind = faiss.ScalarQuantizer.QT_8bit_direct_signed
        self._index: Any = faiss.IndexScalarQuantizer(
            len(self._mean), kind, faiss.METRIC_INNER_PRODUCT
        )
        self._index.is_trained = True
        self._scale = _LEVELS / max(_HEADROOM * largest, 1e-6)
        self._longest = 0.0  # the length of the longest code

    def extend(self, vectors: Floats) -> None:
        """Append positions."""
        self._append(self._centred(vectors), 0.0)

    def replace(self, positions: Positions, vectors: Floats) -> None:
        """Give positions other vectors."""
        _bytes(self._index)[positions] = self._coded(self._centred(vectors), 0.0)

    def _centred(self, vectors: Floats) -> Floats:
        """Return vectors less the mean; where a number has no code, widen the scale of all."""
        centred: Floats = vectors - self._mean
        largest = float(np.abs(centred).max(initial=0.0))
        if largest * self._scale > _LEVELS:
            old, scale, error = self._index, self._scale, self._worst
            self._start(largest)
            for start in range(0, old.ntotal, _CHUNK):
                some = np.arange(start, min(start + _CHUNK, old.ntotal))
                self._append(_decoded(old, some) / scale, error)
        return centred

    def _append(self, centred: Floats, error: float) -> None:
        self._index.add_sa_codes(self._coded(centred, error))

    def _coded(self, centred: Floats, error: float) -> NDArray[np.uint8]:
        """Return codes of vectors that are already wrong by `error`."""
        codes = np.rint(centred * self._scale)
        rounded = np.linalg.norm(centred - codes / self._scale, axis=1).max(initial=0.0)
        longest = float(np.linalg.norm(codes, axis=1).max(initial=0.0)) / self._scale
        self._worst = max(self._worst, error + float(rounded))
        self._longest = max(self._longest, longest)
        coded: NDArray[np.uint8] = (codes + 128).astype(np.uint8)
        return coded

    def bounds(self, query: Floats, positions: Positions) -> tuple[Floats, Floats]:
        """Return between which two values the cosine of each position with a unit vector lies."""
        near: Floats = np.empty(len(positions), dtype=np.float32)
        for start in range(0, len(positions), _CHUNK):
            some = slice(start, start + _CHUNK)
            near[some] = inner_products(_decoded(self._index, positions[some]), query)
        near = near / self._scale + float(self._mean @ query)
        # By Cauchy and Schwarz, for a query of length 1.
        error = self._worst + self._slack
        return near - error, near + error

    def scan(self, query: Floats, most: int, allowed: Bools) -> tuple[Positions, float]:
        """Return allowed positions whose codes are nearest, and what no other one exceeds.

        Args:
            query: A unit vector.
            most: How many positions to return; all that are allowed, if they are fewer.
            allowed: Which positions count.

        Returns:
            The positions, and a cosine that none of the others that are allowed can exceed.
        """
        chosen = None
        if not allowed.all():
            # FAISS's own annotations are those of C++.
            bitmap: Any = np.packbits(allowed, bitorder="little")
            selector = faiss.IDSelectorBitmap(bitmap)  # type: ignore[call-arg]
            chosen = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
        # Of whole numbers, for FAISS may cut off what is behind the point.
        scale = _LEVELS / max(float(np.abs(query).max()), 1e-6)
        whole = np.rint(query * scale).astype(np.float32)
        with _one_thread():
            products, labels = self._index.search(whole[None], most, params=chosen)
        found = labels[0] >= 0
        positions: Positions = labels[0][found]
        if not found.all():
            return positions, -np.inf
        last = float(products[0][-1]) / (scale * self._scale) + float(self._mean @ query)
        lost = float(np.linalg.norm(query - whole / scale)) * self._longest
        return positions, last + self._worst + lost + self._slack


def inner_products(vectors: Floats, query: Floats) -> Floats:
    """Return the inner product of every vector with a query, shape (vectors,).

    numpy would share the work of some dozen vectors between threads: where the cores are busy, each
    search waits ten milliseconds for the others.
    """
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    return _products(query, faiss.swig_ptr(vectors), len(vectors))


def _products(query: Floats, start: Any, count: int) -> Floats:
    """Return the same of vectors that lie one behind the other in memory."""
    products: Floats = np.empty(count, dtype=np.float32)
    if count:
        vector = np.ascontiguousarray(query, dtype=np.float32)
        faiss.fvec_inner_products_ny(  # type: ignore[attr-defined]
            faiss.swig_ptr(products), faiss.swig_ptr(vector), start, len(vector), count
        )
    return products


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep FAISS from waking the other cores: they cannot share one question, only spin."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _whole(index: Any) -> Floats:
    """Return the vectors of a flat index, without a copy."""
    size = index.ntotal * index.d
    return faiss.rev_swig_ptr(index.get_xb(), size).reshape(index.ntotal, index.d)


def _bytes(index: Any) -> Any:
    """Return the codes of an index, without a copy."""
    codes = faiss.rev_swig_ptr(index.codes.data(), index.ntotal * index.d)
    return codes.reshape(index.ntotal, index.d)


def _decoded(index: Any, positions: Positions) -> Floats:
    """Return codes as numbers from -127 to 127."""
    some: Floats = _bytes(index)[positions].astype(np.float32)
    some -= 128
    return some
