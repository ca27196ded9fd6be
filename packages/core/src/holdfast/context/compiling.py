"""The conductor of context: a token budget filled from summary, memories and recent turns.

`compose` is pure: matches in, `Context` out. `build` asks memory for what `compose` needs.

Order in the text, for the sake of prompt caches: the fence and its framing sentence never
change, the summary rarely does, the memories (oldest first, so new ones come last) do.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from holdfast.context.cache import Cache
from holdfast.context.filling import Filling
from holdfast.context.tokens import Counter
from holdfast.context.window import Live, question, said
from holdfast.errors import InvalidInputError, shown
from holdfast.types import Context, Match, Record

# The score gap that ends the list: half of the whole range in one step, after the fifth.
CUT_AFTER = 5
CUT_GAP = 0.5

# What a chat message costs beside its words, and what English costs a character (the research
# on LoCoMo: len/4 is 8.5 % low). Only for `full_history`, where no text is at hand.
PER_MESSAGE = 4
PER_CHARACTER = 0.27

# How many candidates are asked for: as many as would fit if each cost so many tokens (16 gives the
# same recall on LoCoMo, 8 no more).
LEAST_COST = 12
FEWEST_CANDIDATES, MOST_CANDIDATES = 20, 400

MOST_TOKENS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Overview:
    """What one look into a scope tells, in one read transaction.

    Attributes:
        characters: Characters of all live turns of the scope.
        messages: How many turns that are.
        change: A number that changes with every write the scope can see.
        until: When something there next begins to hold, ends or expires; the same until then.
        summary: The rolling summary, if there is one.
        recent: The last turns of the session at hand, the oldest first.
    """

    characters: int = 0
    messages: int = 0
    change: int = 0
    until: int | None = None
    summary: Record | None = None
    recent: tuple[Record, ...] = ()


class Reader(Protocol):
    """What `build` asks of memory, bound to one scope and one runtime."""

    @property
    def scope(self) -> Hashable:
        """Whose memory: part of the cache's key."""

    async def overview(self) -> Overview:
        """Look into the scope."""

    async def search(self, query: str, limit: int) -> Sequence[Match]:
        """Find what answers a question, best first."""


async def build(
    reader: Reader,
    query: str | None = None,
    messages: Sequence[object] = (),
    *,
    max_tokens: int,
    count: Counter,
    cache: Cache[Context] | None = None,
) -> Context:
    """Ask memory once and compose the answer.

    Args:
        reader: Memory, bound to a scope.
        query: The question; derived from the last user message when None.
        messages: The conversation at hand, as in the prompt: memories that repeat it, and the
            recent turns of the session, are left out.
        max_tokens: The budget.
        count: Counts tokens.
        cache: Answers of this turn, shared by everyone who asks.

    Raises:
        InvalidInputError: The budget is no whole number, or negative.
    """
    check_budget(max_tokens)
    asked = question(messages) if query is None else query
    live = tuple(said(message) for message in messages)
    seen = await reader.overview()
    key = (reader.scope, asked, hash(live), seen.change, seen.until, max_tokens, count)
    known = cache.get(key) if cache is not None else None
    if known is not None:
        return known
    found: Sequence[Match] = ()
    if asked.strip() and max_tokens:
        limit = min(MOST_CANDIDATES, max(FEWEST_CANDIDATES, max_tokens // LEAST_COST))
        found = await reader.search(asked, limit)
    context = compose(
        found,
        max_tokens=max_tokens,
        count=count,
        summary=seen.summary,
        recent=() if live else seen.recent,
        live=live,
        full_tokens=full_history(seen.characters, seen.messages, _sample(found), count),
    )
    if cache is not None:
        cache.put(key, context)
    return context


def _sample(found: Sequence[Match]) -> str:
    """Return some text of the scope: it tells what a character costs there."""
    return "\n".join(match.passage or match.record.text[:1_000] for match in found[:40])


def compose(
    matches: Sequence[Match],
    *,
    max_tokens: int,
    count: Counter,
    summary: Record | None = None,
    recent: Sequence[Record] = (),
    live: Sequence[str] = (),
    full_tokens: int = 0,
) -> Context:
    """Fill a token budget from what memory found.

    Args:
        matches: What search found, any number of them.
        max_tokens: The budget of the whole text, fence included; the text never costs more.
        count: Counts tokens (`holdfast.context.tokens.counter`).
        summary: The rolling summary, if there is one.
        recent: The last turns of the session at hand; shown like memories, at most a quarter.
        live: Texts that are in the prompt anyway; memories that repeat them are left out.
        full_tokens: What the whole history would cost (`full_history`); copied to the answer.

    Returns:
        The context; an empty one when nothing was found or nothing fits.

    Raises:
        InvalidInputError: The budget is no whole number, or negative.
    """
    check_budget(max_tokens)
    filling = Filling(max_tokens, count, Live(live))
    filling.take_summary(summary)
    filling.take_recent(recent)
    filling.take_matches(cut(ranked(matches)))
    return filling.context(full_tokens)


def check_budget(max_tokens: Any) -> None:
    """Refuse what is no budget.

    Raises:
        InvalidInputError: It is no whole number, or negative.
    """
    whole = isinstance(max_tokens, int) and not isinstance(max_tokens, bool)
    if not whole or not 0 <= max_tokens <= MOST_TOKENS:
        raise InvalidInputError(
            f"max_tokens must be a whole number from 0 to {MOST_TOKENS:,}, not {shown(max_tokens)}"
        )


def ranked(matches: Iterable[Match]) -> list[Match]:
    """Return matches best first; equal scores in the order of their ids, so always the same."""
    return sorted(matches, key=lambda match: (-match.score, match.record.id))


def cut(matches: Sequence[Match]) -> Sequence[Match]:
    """Return ranked matches up to the first great gap of their scores.

    What lies behind a step of half the range, after the fifth match, answers another question.
    Scores that fall evenly are not cut: the budget does that.
    """
    if len(matches) <= CUT_AFTER:
        return matches
    spread = matches[0].score - matches[-1].score
    for at in range(CUT_AFTER, len(matches)):
        if spread > 0 and matches[at - 1].score - matches[at].score >= CUT_GAP * spread:
            return matches[:at]
    return matches


def full_history(characters: int, messages: int, sample: str, count: Counter) -> int:
    """Estimate what a whole history would cost, without reading it.

    Args:
        characters: Characters of all its turns.
        messages: How many turns it has; each costs four tokens beside its words, as in a chat.
        sample: Some of its text, if any is at hand: it tells what a character costs in this
            language with this tokenizer. A short one says little, and English is assumed.
        count: Counts tokens.
    """
    sample = sample[:4_000]
    rate = count(sample) / len(sample) if len(sample) >= 200 else PER_CHARACTER
    return round(characters * rate) + PER_MESSAGE * messages
