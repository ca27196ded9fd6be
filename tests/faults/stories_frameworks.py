"""Stories of what frameworks keep in the file: LangGraph's checkpoints, and chats."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from agent_framework import Message
from faults.world import Step, Story, World
from holdfast_autogen.agent_framework import HoldfastHistoryProvider
from holdfast_langgraph import HoldfastSaver
from holdfast_llamaindex import HoldfastChatStore
from langgraph.checkpoint.base import Checkpoint
from llama_index.core.base.llms.types import ChatMessage
from support.checkpoints import METADATA, thread

SESSIONS = ("monday", "friday")


# -- LangGraph ----------------------------------------------------------------------------------


def _saver(world: World) -> HoldfastSaver:
    return HoldfastSaver.from_memory(world.memory)


def _put(world: World, name: str, number: int, run: str) -> None:
    """Put the n-th checkpoint of a thread: a list that grows, and a large value that stays."""
    values = {"said": [f"{name} {n}" for n in range(number)], "book": name * 9_000}
    versions: Any = {"said": number, "book": 1}
    made: Checkpoint = {
        "v": 4,
        "id": f"1f000000-0000-6000-8000-{number:012d}",
        "ts": "2026-01-01T00:00:00+00:00",
        "channel_values": values,
        "channel_versions": versions,
        "versions_seen": {},
        "updated_channels": None,
    }
    before = f"1f000000-0000-6000-8000-{number - 1:012d}"
    config = thread(name, **({"checkpoint_id": before} if number > 1 else {}))
    changed = versions if number == 1 else {"said": number}
    _saver(world).put(config, made, {**METADATA, "step": number, "run_id": run}, changed)


def _writes(world: World, name: str, number: int, task: str) -> None:
    config = thread(name, checkpoint_id=f"1f000000-0000-6000-8000-{number:012d}")
    _saver(world).put_writes(config, [("said", f"{task} wrote"), ("book", "x" * 3_000)], task)


def _checkpoints(world: World) -> Sequence[Step]:
    steps: list[Step] = []
    for name in ("a", "b"):
        for number in range(1, 7):
            steps.append(partial(_put, world, name, number, f"run {number % 2}"))
            steps.append(partial(_writes, world, name, number, f"task {number}"))
    return [
        *steps,
        world.close,
        lambda: _saver(world).copy_thread("a", "copy"),
        lambda: _saver(world).prune(["a"], strategy="keep_latest"),
        partial(_put, world, "a", 7, "run 1"),
        lambda: _saver(world).delete_for_runs(["run 0"]),
        lambda: _saver(world).sweep(),
        lambda: _saver(world).delete_thread("b"),
        partial(_writes, world, "a", 7, "last"),
        world.close,
        partial(_put, world, "b", 1, "run 2"),
    ]


def _checkpoints_told(world: World) -> object:
    found = []
    for one in _saver(world).list(None):
        ids = one.config["configurable"]
        said = one.checkpoint["channel_values"], one.pending_writes, one.metadata
        found.append(repr((ids["thread_id"], ids["checkpoint_id"], said)))
    return sorted(found)


def _put_once_more(world: World) -> None:
    _put(world, "afterwards", 1, "run 9")
    found = _saver(world).get_tuple(thread("afterwards"))
    assert found is not None
    assert found.checkpoint["channel_values"]["said"] == ["afterwards 0"]


# -- chats --------------------------------------------------------------------------------------


def _awaited(make: Callable[[], Coroutine[Any, Any, Any]]) -> Step:
    return lambda: asyncio.run(make())


def _chat(world: World) -> HoldfastChatStore:
    return HoldfastChatStore(memory=world.memory)


def _history(world: World) -> HoldfastHistoryProvider:
    return HoldfastHistoryProvider(world.memory, user_id="ada")


def _messages(*texts: str) -> list[ChatMessage]:
    return [ChatMessage(role="user", content=text) for text in texts]


def _chats(world: World) -> Sequence[Step]:
    def said(session: str, *texts: str) -> Step:
        return _awaited(lambda: _chat(world).add_messages(session, _messages(*texts)))

    def kept(session: str, *numbers: int) -> Step:
        messages = [Message("user", [f"message {n}"], message_id=f"i{n}") for n in numbers]
        return _awaited(lambda: _history(world).save_messages(session, messages))

    return [
        said("monday", "hello", "how are you"),
        kept("monday", 1, 2),
        said("monday", *(f"line {n} {'x' * 50 * n}" for n in range(8))),
        kept("monday", 3, 4, 5),
        said("friday", "another day"),
        *(said("friday", f"friday {n}") for n in range(6)),
        *(kept("friday", n) for n in range(10, 16)),
        _awaited(lambda: _chat(world).archive_oldest_messages("friday", 2)),
        world.close,
        _awaited(lambda: _chat(world).delete_oldest_messages("monday", 2)),
        _awaited(lambda: _chat(world).set_messages("friday", _messages("anew", "and again"))),
        _awaited(lambda: _history(world).clear("monday")),
        kept("monday", 20, 21),
        *(said("monday", f"more {n} {'y' * 400}") for n in range(6)),
        world.close,
        _awaited(lambda: _chat(world).delete_messages("monday")),
        said("monday", "the last"),
    ]


def _chats_told(world: World) -> object:
    return asyncio.run(_chats_read(world))


async def _chats_read(world: World) -> object:
    found: list[object] = []
    for session in SESSIONS:
        said = await _chat(world).get_messages(session, None)
        kept = await _history(world).get_messages(session)
        found.append(([one.content for one in said], [one.text for one in kept]))
    return found


async def _chat_once_more(world: World) -> None:
    await _chat(world).add_messages("afterwards", _messages("juniper"))
    [found] = await _chat(world).get_messages("afterwards")
    assert found.content == "juniper"


CHECKPOINTS = Story("checkpoints", _checkpoints, _checkpoints_told, _put_once_more)
CHATS = Story("chats", _chats, _chats_told, lambda world: asyncio.run(_chat_once_more(world)))
