"""What one turn recalled, as text: quoted, dated, within a token budget. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.context.compiling import compose
from holdfast.context.rendering import CLOSING, OPENING
from holdfast.context.window import question

if TYPE_CHECKING:
    from holdfast import Match

Counter = Callable[[str], int]


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
    made = compose(matches, max_tokens=max(0, max_tokens), count=count, live=live)
    text = made.text.removeprefix(f"{OPENING}\n").removesuffix(f"\n{CLOSING}")
    return Recollection(text, matches, tuple(live))


def shortened(recalled: Recollection, tokens: int, count: Counter) -> Recollection:
    """Return the recollection without its least relevant memories, by `tokens` or more."""
    return composed(recalled.matches, recalled.live, count(recalled.text) - tokens, count)


def query_of(text: str) -> str:
    """Return what a user's message asks: of a very long one its beginning and its end."""
    return question([{"role": "user", "content": text}])
