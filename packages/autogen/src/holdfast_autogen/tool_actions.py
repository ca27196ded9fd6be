"""Actions behind the memory tools of both frameworks; results are text for the model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast import Message, RecordNotFoundError

from holdfast_autogen.message_ids import Said, next_id
from holdfast_autogen.scopes import Ids

if TYPE_CHECKING:
    from holdfast import Memory


async def state(memory: Memory, ids: Ids, message: Message) -> bool:
    """Store a fact as stated, unless it stands there; return whether it was stored.

    Its id keeps two at the same time from both storing it. What was forgotten since, or put in
    other words, is stored again: an id alone would still know it.
    """
    if await memory.aadd(message, **ids, kind="fact"):
        return True
    page = await memory.alist(**ids, filters={"text": message.content}, kinds=["fact"])
    if any(dict(record.metadata) == dict(message.metadata) for record in page):
        return False
    return bool(await memory.aadd(replace(message, id=None), **ids, kind="fact"))


async def remember(memory: Memory, ids: Ids, text: str) -> str:
    """Store a fact; one that is there already is not stored again."""
    message = Message(text, id=next_id("", Said("user", "remember", text)))
    stored = await state(memory, ids, message)
    return "Remembered." if stored else "This was known."


async def recall(memory: Memory, ids: Ids, query: str, max_tokens: int) -> str:
    """Return what is found, quoted, and its ids in the same order."""
    found = await memory.acontext(query, max_tokens=max_tokens, **ids)
    if not found.text:
        return "Nothing is remembered about this."
    listed = ", ".join(record.id for record in found.records)
    return f"{found.text}\nIds of these records, in this order: {listed}"


async def forget(memory: Memory, ids: Ids, id: str) -> str:
    """Erase one record."""
    try:
        await memory.adelete(id, **ids)
    except RecordNotFoundError:
        return "There is no memory of this id; recall first, and give an id as it stands there."
    return "Forgotten."
