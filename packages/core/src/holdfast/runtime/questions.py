"""The vectors of questions asked lately."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from typing import Final

from holdfast.forking import Lock
from holdfast.providers.base import Embedder, Vector
from holdfast.providers.checking import is_finite

# Vectors of questions that are kept for each embedder, and how long a text may be for it.
QUESTIONS: Final = 256
LONGEST_QUESTION: Final = 2_000


class Questions:
    """The vectors of the latest questions of each embedder; people and agents ask again.

    An embedder's own questions go with it. Its fingerprint is part of the key, for it may be
    given another model.
    """

    def __init__(self) -> None:
        self._known: dict[int, OrderedDict[tuple[str, str], Vector]] = {}
        self._lock = Lock()

    def get(self, embedder: Embedder, text: str) -> Vector | None:
        """Return the vector of a question, if it is known."""
        key = (embedder.fingerprint, text)
        with self._lock:
            known = self._known.get(id(embedder))
            if known is None or key not in known:
                return None
            known.move_to_end(key)
            return known[key]

    def keep(self, embedder: Embedder, text: str, vector: Vector) -> Vector:
        """Remember a vector, unless it is none; return it."""
        if len(text) > LONGEST_QUESTION or not is_finite(vector):
            return vector
        with self._lock:
            known = self._known.get(id(embedder))
            if known is None:
                known = self._known[id(embedder)] = OrderedDict()
                # Another object may have the same number later, but not before this one is gone.
                weakref.finalize(embedder, self._known.pop, id(embedder), None)
            known[embedder.fingerprint, text] = vector
            if len(known) > QUESTIONS:
                known.popitem(last=False)
        return vector


ASKED = Questions()
