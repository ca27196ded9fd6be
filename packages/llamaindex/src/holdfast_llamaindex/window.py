"""The live window: which of its messages leave when it grows beyond its tokens. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def leaving(roles: Sequence[str], costs: Sequence[int], limit: float, at_once: int) -> range:
    """Return the positions of the oldest messages that leave the window.

    A leading system message stays. The window goes on with a user's message, so no answer and
    no tool's result is left without what it answers, and keeps at least the last turn.

    Args:
        roles: Of the messages, in order.
        costs: Their tokens.
        limit: Tokens that may stay.
        at_once: Tokens that leave at least, so that it does not happen at every message.
    """
    first = 1 if roles and roles[0] == "system" else 0
    start = first
    while sum(costs[:first]) + sum(costs[start:]) > limit:
        cut = _turn(roles, start, _cut(costs, start, at_once))
        if cut <= start:
            break
        start = cut
    return range(first, start)


def _cut(costs: Sequence[int], start: int, at_once: int) -> int:
    """Return where the window begins once `at_once` tokens have left it."""
    cut, gone = start, 0
    while gone < at_once and cut < len(costs) - 1:
        gone += costs[cut]
        cut += 1
    return cut


def _turn(roles: Sequence[str], start: int, cut: int) -> int:
    """Return the next beginning of a turn, or else the last one before."""
    later = [place for place in range(cut, len(roles)) if roles[place] == "user"]
    if later:
        return later[0]
    earlier = [place for place in range(start, cut) if roles[place] == "user"]
    return earlier[-1] if earlier else start
