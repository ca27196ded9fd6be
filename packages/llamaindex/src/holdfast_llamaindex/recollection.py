"""What one turn recalled, as text: quoted, dated, within a token budget."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

import holdfast
from holdfast.forking import Lock

if TYPE_CHECKING:
    from holdfast import Match

Counter = Callable[[str], int]

# What `compose` puts around, and LlamaIndex's own tag takes the place of.
_FENCE = "<memory>\n\n</memory>"

# A very long message asks at its beginning and its end.
_LONGEST_QUERY = 2_000


@dataclass(frozen=True, slots=True)
class Recollection:
    """What was recalled.

    Attributes:
        text: As shown, oldest first, without a fence: LlamaIndex puts a tag around it.
        matches: What it was composed of.
        live: Texts of the live window; what repeats them is left out.
    """

    text: str
    matches: Sequence[Match]
    live: tuple[str, ...]


def composed(
    matches: Sequence[Match], live: Sequence[str], max_tokens: int, count: Counter
) -> Recollection:
    """Return the most relevant memories that fit a budget."""
    budget = max(0, max_tokens + count(_FENCE))
    # Not imported by name: the front door loads it when it is used.
    made = holdfast.compose(matches, max_tokens=budget, count=count, live=live)
    text = "\n".join(made.text.split("\n")[1:-1])
    return Recollection(text, matches, tuple(live))


def shortened(recalled: Recollection, tokens: int, count: Counter) -> Recollection:
    """Return the recollection without its least relevant memories, by `tokens` or more."""
    return composed(recalled.matches, recalled.live, count(recalled.text) - tokens, count)


def query_of(text: str) -> str:
    """Return what a user's message asks: of a very long one its beginning and its end."""
    half = _LONGEST_QUERY // 2
    return text if len(text) <= _LONGEST_QUERY else f"{text[:half]} {text[-half:]}"


class Recollections:
    """The last recollections by key, for any number of threads; the oldest leaves first.

    They are kept for seconds: a turn lasts no longer, and others may remember meanwhile.
    """

    def __init__(self, most: int = 256, seconds: float = 60.0) -> None:
        self._most = most
        self._seconds = seconds
        self._kept: OrderedDict[Hashable, tuple[float, Recollection]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable) -> Recollection | None:
        """Return what is kept under a key."""
        with self._lock:
            kept = self._kept.get(key)
        return None if kept is None or monotonic() - kept[0] > self._seconds else kept[1]

    def put(self, key: Hashable, recollection: Recollection) -> None:
        """Keep a recollection."""
        with self._lock:
            self._kept[key] = (monotonic(), recollection)
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._kept.clear()
