"""A live conversation in a token budget: what is old becomes memory, what is new stays verbatim.

Nothing is rewritten: each message that is kept is the caller's own object. What is left out must
be in memory already (`Memory.add` comes before), for there it is looked up.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from holdfast.context.cache import Cache
from holdfast.context.compiling import PER_MESSAGE, Reader, build, check_budget
from holdfast.context.tokens import Counter
from holdfast.context.window import part, question, said
from holdfast.types import Context

Chat = TypeVar("Chat")

# What memory may use of the room that the kept system messages and the question leave.
MEMORY_SHARE = 0.25

# Messages leave in steps, so that the beginning of the prompt stays the same for some turns and
# the provider's prompt cache holds.
STEP = 4

# A 1024 x 1024 image costs 765 tokens in high detail, 85 in low (OpenAI's vision guide). Sound
# and files have no such rule and count as one image.
IMAGE = 765
SMALL_IMAGE = 85

_VOICES = ("system", "developer")


@dataclass(frozen=True, slots=True)
class Split(Generic[Chat]):
    """A conversation cut for a budget.

    Attributes:
        before: What is kept before the place of memory, in the caller's order.
        after: What is kept from the last user message on.
        left_out: Messages that memory stands for; empty when everything fits.
        room: Tokens left for memory.
    """

    before: tuple[Chat, ...]
    after: tuple[Chat, ...]
    left_out: tuple[Chat, ...]
    room: int


async def compress(
    reader: Reader,
    messages: Sequence[Chat],
    *,
    max_tokens: int,
    count: Counter,
    cache: Cache[Context] | None = None,
) -> list[Chat | dict[str, str]]:
    """Return the conversation within a budget: system messages, memory, the last turns.

    The memory message stands right before the last user message, so that everything before it
    is a prefix that providers can cache. System messages, the last user message and the last
    message (with the tool call it answers) are always kept, even where they alone are over the
    budget. A conversation that fits comes back as it is.

    Args:
        reader: Memory, bound to a scope that has stored these messages.
        messages: Chat messages, mappings or objects; neither they nor the list are changed.
        max_tokens: The budget of all messages, their overhead of four tokens each included.
        count: Counts tokens.
        cache: Contexts of this turn.

    Raises:
        InvalidInputError: The budget is no whole number, or negative.
    """
    check_budget(max_tokens)
    parts = split(messages, max_tokens, count)
    if not parts.left_out:
        return list(messages)
    context = await build(
        reader,
        question(messages),
        (*parts.before, *parts.after),
        max_tokens=parts.room,
        count=count,
        cache=cache,
    )
    return join(parts, context)


def split(messages: Sequence[Chat], max_tokens: int, count: Counter) -> Split[Chat]:
    """Cut a conversation: which messages stay, which leave, what room memory gets."""
    groups = list(_groups(messages))
    costs = [sum(cost(message, count) for message in group) for group in groups]
    asked = _asked(groups)
    if sum(costs) <= max_tokens:
        return Split(tuple(messages), (), (), 0)
    kept = {at for at, group in enumerate(groups) if part(group[0], "role") in _VOICES}
    kept |= {len(groups) - 1, asked} - {-1}
    room = max_tokens - sum(costs[at] for at in kept)
    kept |= _newest(costs, kept, room - int(max(0, room) * MEMORY_SHARE), asked)
    room = max(0, max_tokens - sum(costs[at] for at in kept) - PER_MESSAGE)
    place = asked if asked >= 0 else _first_turn(groups)
    return Split(
        tuple(_flat(groups, (at for at in sorted(kept) if at < place))),
        tuple(_flat(groups, (at for at in sorted(kept) if at >= place))),
        tuple(_flat(groups, (at for at in range(len(groups)) if at not in kept))),
        room,
    )


def join(parts: Split[Chat], context: Context) -> list[Chat | dict[str, str]]:
    """Return the kept messages with memory between them; none where nothing was found."""
    developer = any(part(message, "role") == "developer" for message in parts.before)
    role = "developer" if developer else "system"
    memory = [{**message, "role": role} for message in context.messages]
    return [*parts.before, *memory, *parts.after]


def cost(message: object, count: Counter) -> int:
    """Return what a chat message costs: its words, name, tool calls, images, and four more."""
    total = PER_MESSAGE + count(said(message)) + _parts(part(message, "content"))
    for name in ("name", "refusal", "tool_call_id"):
        value = part(message, name)
        total += count(value) if isinstance(value, str) else 0
    calls = part(message, "tool_calls") or part(message, "function_call")
    return total + (count(json.dumps(calls, default=str)) if calls else 0)


def _parts(content: object) -> int:
    """Return what the parts of a content cost that are no text."""
    if isinstance(content, str) or not isinstance(content, Sequence):
        return 0
    return sum(_picture(piece) for piece in content if not isinstance(part(piece, "text"), str))


def _picture(piece: object) -> int:
    small = "low" in (part(piece, "detail"), part(part(piece, "image_url"), "detail"))
    return SMALL_IMAGE if small else IMAGE


def _groups(messages: Sequence[Chat]) -> Iterator[list[Chat]]:
    """Yield what must not be torn apart: a tool call and its results, else single messages."""
    group: list[Chat] = []
    for message in messages:
        if group and part(message, "role") not in ("tool", "function", None):
            yield group
            group = []
        group.append(message)
    if group:
        yield group


def _asked(groups: Sequence[Sequence[object]]) -> int:
    """Return where the last user message is, -1 where there is none."""
    return max(
        (at for at, group in enumerate(groups) if part(group[0], "role") == "user"), default=-1
    )


def _first_turn(groups: Sequence[Sequence[object]]) -> int:
    turns = (at for at, group in enumerate(groups) if part(group[0], "role") not in _VOICES)
    return next(turns, len(groups))


def _newest(costs: Sequence[int], kept: set[int], room: int, asked: int) -> set[int]:
    """Return the newest groups, without a hole, that fit; the first one at a step, if it can."""
    first = len(costs)
    for at in reversed(range(len(costs))):
        room -= 0 if at in kept else costs[at]
        if room < 0:
            break
        first = at
    stepped = -(-first // STEP) * STEP
    return set(range(stepped if stepped <= asked else first, len(costs)))


def _flat(groups: Sequence[Sequence[Chat]], which: Iterator[int]) -> Iterator[Chat]:
    for at in which:
        yield from groups[at]
