"""What a type checker sees of a user's code: the four ids of a verb, and what verbs return."""

import asyncio

from holdfast import Change, Changes, Match, Memory, Page, Record
from typing_extensions import assert_type


def check(memory: Memory, ids: list[str], user: str | None) -> None:
    memory.add("tea", user_id="ada", agent_id=None, run_id="r1", app_id=user)
    memory.search("tea", limit=5, user_id="ada")
    memory.search("tea", usr_id="ada")  # type: ignore[call-arg]
    memory.search("tea", user_id=5)  # type: ignore[arg-type]
    memory.delete_all(user_id="ada", run="r1")  # type: ignore[call-arg]
    memory.graph(users="ada")  # type: ignore[call-arg]
    memory.scoped(user="ada")  # type: ignore[call-arg]
    ada = memory.scoped(user_id="ada")
    assert_type(ada, Memory)
    assert_type(ada.search("tea"), list[Match])
    assert_type([(match.id, match.text) for match in ada.search("tea")], list[tuple[str, str]])
    assert_type(ada.get_many(ids), list[Record])
    assert_type(ada.delete("id"), Changes)
    assert_type(ada.delete(ids)[0], Change)
    assert_type(ada.list(limit=5), Page)
    assert_type(ada.list()[0], Record)
    assert_type(ada.list()[:2], tuple[Record, ...])
    assert_type(ada.count(kinds=["fact"]), int)


async def acheck(memory: Memory, ids: list[str]) -> None:
    assert_type(await memory.asearch("tea", user_id="ada"), list[Match])
    await memory.asearch("tea", usr_id="ada")  # type: ignore[call-arg]
    assert_type(await memory.aget_many(ids, user_id="ada"), list[Record])
    assert_type(await memory.adelete(ids, user_id="ada"), Changes)
    assert_type(await asyncio.to_thread(memory.delete, "id", user_id="ada"), Changes)
