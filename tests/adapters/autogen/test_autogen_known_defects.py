"""What AutoGen's own memories get wrong, each as a test they fail.

`autogen-ext` 0.7.5: `ListMemory`, `Mem0Memory`, `ChromaDBVectorMemory`, `RedisMemory`,
`TextCanvasMemory`. What is meant stands in each test's docstring.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_core import CancellationToken
from autogen_core.memory import ListMemory, Memory, MemoryContent, MemoryMimeType
from autogen_core.model_context import UnboundedChatCompletionContext
from autogen_core.models import CreateResult, LLMMessage, SystemMessage, UserMessage
from autogen_ext.models.replay import ReplayChatCompletionClient
from blockbuster import blockbuster_ctx
from holdfast import Memory as Holdfast
from holdfast import ProviderError, ScopeError
from holdfast.testing import HashEmbedder
from holdfast_autogen import HoldfastMemory, connect
from support.autogen_agents import Witness, agent, texts

pytestmark = pytest.mark.anyio

REX = MemoryContent(content="The dog is called Rex", mime_type=MemoryMimeType.TEXT)
ASKED = "What is the dog called?"


class OneSystemMessage(Witness):
    """Refuses system messages that do not stand together, as many a model's client does."""

    async def create(self, messages: Sequence[LLMMessage], **options: Any) -> CreateResult:
        kinds = [isinstance(message, SystemMessage) for message in messages]
        if True in kinds[kinds.count(True) :]:
            raise ValueError("Multiple and Not continuous system messages are not supported")
        return await super().create(messages, **options)


async def turns_with(memory: Memory, count: int = 4) -> AssistantAgent:
    helper = agent(OneSystemMessage(), memory=[memory])
    for _ in range(count):
        await helper.run(task=ASKED)
    return helper


async def test_list_memory_breaks_models_that_take_one_system_message() -> None:
    """This is what the next two tests are about."""
    listed = ListMemory()
    await listed.add(REX)

    with pytest.raises(ValueError, match="Not continuous"):
        await turns_with(listed)


@pytest.mark.parametrize("inject_as", ["user", "system"])
async def test_models_that_take_one_system_message_go_on(memory: Holdfast, inject_as: str) -> None:
    """All of them append a system message after the user's."""
    notes = HoldfastMemory(memory, user_id="ada", run_id="now", inject_as=inject_as)  # type: ignore[arg-type]
    memory.add("The dog is called Rex", user_id="ada", kind="fact")

    helper = await turns_with(notes)

    assert sum("Rex" in text for text in texts(await helper.model_context.get_messages())) == 1


async def test_a_saved_state_does_not_pile_memories_up(memory: Holdfast) -> None:
    """All of them append one more message each turn, for ever, and save them all."""
    memory.add("The dog is called Rex", user_id="ada", kind="fact")
    helper = await turns_with(HoldfastMemory(memory, user_id="ada", run_id="now"))

    assert json.dumps(await helper.save_state()).count("<memory>") == 1


async def test_nothing_found_adds_no_message(memory: Holdfast) -> None:
    """RedisMemory injects an empty system message when it finds nothing."""
    context = UnboundedChatCompletionContext([UserMessage(content=ASKED, source="user")])

    await HoldfastMemory(memory, user_id="ada").update_context(context)

    assert texts(await context.get_messages()) == [ASKED]


async def test_an_empty_context_is_no_error(memory: Holdfast) -> None:
    """RedisMemory fails on an empty query."""
    result = await HoldfastMemory(memory, user_id="ada").update_context(
        UnboundedChatCompletionContext()
    )

    assert result.memories.results == []


async def test_a_failing_search_is_an_error_and_not_an_empty_result(path: Path) -> None:
    """Mem0Memory swallows the TypeError of its own call and returns nothing, always."""
    with Holdfast(path, embedder=HashEmbedder(fail_at=2)) as memory:
        notes = HoldfastMemory(memory, user_id="ada")
        await notes.add(REX)
        with pytest.raises(ProviderError):
            await notes.query(ASKED)
        assert (await notes.query(ASKED)).results


async def test_add_takes_a_cancellation_token(memory: Holdfast) -> None:
    """Mem0Memory asks the token for an attribute it has not (`.cancelled`)."""
    notes = HoldfastMemory(memory, user_id="ada")

    await notes.add(REX, CancellationToken())

    assert (await notes.query(ASKED)).results


async def test_a_cancelled_query_does_not_search(path: Path) -> None:
    """Mem0Memory searches all the same."""
    with Holdfast(path, embedder=HashEmbedder(fail_at=1)) as memory:
        token = CancellationToken()
        token.cancel()
        with pytest.raises(asyncio.CancelledError):
            await HoldfastMemory(memory, user_id="ada").query(ASKED, token)
        await HoldfastMemory(memory, user_id="ada").query(" ")

        with pytest.raises(ProviderError):  # it would have, had it searched
            await HoldfastMemory(memory, user_id="ada").add(REX)


async def test_json_comes_back_as_json(memory: Holdfast) -> None:
    """Mem0Memory sends its Python repr; ChromaDBVectorMemory returns the repr in lower case."""
    notes = HoldfastMemory(memory, user_id="ada")
    content = {"Dog": {"name": "Rex", "age": 3, "vaccinated": True, "chip": None}}
    await notes.add(MemoryContent(content=content, mime_type=MemoryMimeType.JSON))

    (found,) = (await notes.query("the dog Rex")).results

    assert (found.content, found.mime_type) == (content, MemoryMimeType.JSON)


async def test_a_mime_type_is_stored_by_its_value(memory: Holdfast) -> None:
    """ChromaDBVectorMemory stores `"MemoryMimeType.TEXT"`."""
    notes = HoldfastMemory(memory, user_id="ada")
    await notes.add(MemoryContent(content="# Rex", mime_type=MemoryMimeType.MARKDOWN))

    (record,) = memory.list(user_id="ada")

    assert "text/markdown" in json.dumps(dict(record.metadata))
    assert "MemoryMimeType" not in json.dumps(dict(record.metadata))


async def test_no_user_is_an_error_and_not_a_random_one(memory: Holdfast) -> None:
    """Mem0Memory makes up a user id: what it stores is never found again."""
    with pytest.raises(ScopeError):
        await HoldfastMemory(memory).add(REX)


async def test_nothing_redirects_standard_output(
    memory: Holdfast, capsys: pytest.CaptureFixture[str]
) -> None:
    """Mem0Memory redirects it, for the whole process, while it searches."""
    notes = HoldfastMemory(memory, user_id="ada")
    before = sys.stdout

    class Spying(HashEmbedder):
        seen: list[object] = []  # noqa: RUF012 - one test, one list

        def embed(self, texts: Sequence[str]) -> list[list[float]]:
            self.seen.append(sys.stdout)
            return super().embed(texts)

    with Holdfast(":memory:", embedder=Spying()) as spied:
        notes = HoldfastMemory(spied, user_id="ada")
        await notes.add(REX)
        await notes.query(ASKED)

    assert Spying.seen
    assert all(stream is before for stream in Spying.seen)


async def test_a_loaded_memory_finds_its_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ChromaDBVectorMemory loses its path when it is loaded."""
    connect(path, embedder=HashEmbedder())
    monkeypatch.chdir(path.parent)
    notes = HoldfastMemory(path.name, user_id="ada")
    await notes.add(REX)
    dumped = notes.dump_component().model_dump()
    monkeypatch.chdir("/")

    loaded = Memory.load_component(dumped)

    assert [one.content for one in (await loaded.query(ASKED)).results] == [REX.content]
    connect(path).close()


async def test_a_better_match_scores_higher(memory: Holdfast) -> None:
    """ChromaDBVectorMemory turns an L2 distance into a cosine."""
    notes = HoldfastMemory(memory, user_id="ada")
    await notes.add(MemoryContent(content="Pancakes need flour", mime_type="text/plain"))
    await notes.add(REX)

    first, second = (await notes.query("The dog is called Rex")).results

    assert first.content == REX.content
    assert (first.metadata or {})["score"] > (second.metadata or {})["score"]


async def test_three_adds_of_one_thing_are_one_record(memory: Holdfast) -> None:
    """ChromaDBVectorMemory has three then."""
    notes = HoldfastMemory(memory, user_id="ada")
    for _ in range(3):
        await notes.add(REX)

    assert len(memory.list(user_id="ada")) == 1


async def test_the_event_loop_runs_on_while_memory_works(memory: Holdfast) -> None:
    """Mem0Memory and ChromaDBVectorMemory block it."""
    notes = HoldfastMemory(memory, user_id="ada")
    context = UnboundedChatCompletionContext([UserMessage(content=ASKED, source="user")])
    with blockbuster_ctx():
        await notes.add(REX)
        await notes.query(ASKED)
        await notes.update_context(context)
        await notes.clear()


def test_the_provider_named_in_a_dump_exists(memory: Holdfast) -> None:
    """RedisMemory names a module that does not."""
    dumped = HoldfastMemory(memory, user_id="ada").dump_component()
    module, _, name = dumped.provider.rpartition(".")

    assert getattr(importlib.import_module(module), name) is HoldfastMemory


async def test_close_keeps_what_is_stored(path: Path) -> None:
    """RedisMemory's `close` deletes everything."""
    with Holdfast(path, embedder=HashEmbedder()) as memory:
        notes = HoldfastMemory(memory, user_id="ada")
        await notes.add(REX)
        await notes.close()
    with Holdfast(path, embedder=HashEmbedder()) as memory:
        notes = HoldfastMemory(memory, user_id="ada")
        assert (await notes.query(ASKED)).results


async def test_an_agent_with_a_memory_can_be_dumped(memory: Holdfast) -> None:
    """TextCanvasMemory is no component: an agent that has one cannot be dumped."""
    client = ReplayChatCompletionClient(["noted"])
    helper = agent(client, memory=[HoldfastMemory(memory, user_id="ada")])

    assert helper.dump_component().config["memory"][0]["config"]["user_id"] == "ada"


async def test_what_is_in_memory_can_be_asked_for(memory: Holdfast) -> None:
    """TextCanvasMemory's `query` returns nothing."""
    notes = HoldfastMemory(memory, user_id="ada")
    await notes.add(REX)

    assert (await notes.query(ASKED)).results


async def test_what_is_said_is_remembered_by_itself(memory: Holdfast) -> None:
    """None of them writes anything back."""
    notes = HoldfastMemory(memory, user_id="ada")
    await agent(Witness(), memory=[notes]).run(task="My dog is called Rex.")

    assert [one.content for one in (await notes.query(ASKED)).results] == ["My dog is called Rex."]
