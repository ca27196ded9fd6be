from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from holdfast import Memory, ScopeError
from holdfast_llamaindex import HoldfastChatStore, HoldfastMemoryBlock
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.memory import BaseMemoryBlock, StaticMemoryBlock
from llama_index.core.memory import Memory as StockMemory
from support.llama_models import CountingEmbedder, said

pytestmark = pytest.mark.anyio

QUESTION = said("user", "What is my dog called?")


def stock(session: str, *blocks: BaseMemoryBlock[Any], **options: Any) -> StockMemory:
    """Return a stock memory; its own default store would leave its connection open."""
    store = HoldfastChatStore(memory=blocks[-1].memory)  # type: ignore[attr-defined]
    return StockMemory.from_defaults(
        session_id=session, memory_blocks=list(blocks), chat_store=store, **options
    )


@pytest.fixture
def block(path: Path, opened: Memory) -> HoldfastMemoryBlock:
    return HoldfastMemoryBlock(path=str(path), user_id="ada")


async def test_what_a_session_says_another_recalls(block: HoldfastMemoryBlock) -> None:
    await block.aget([said("user", "My dog is called Rex.")], session_id="monday")

    recalled = await block.aget([QUESTION], session_id="tuesday")

    assert "My dog is called Rex." in recalled


async def test_a_stock_memory_recalls_without_overflowing(block: HoldfastMemoryBlock) -> None:
    monday = stock("monday", block)
    await monday.aput(said("user", "My dog is called Rex."))
    await monday.aget()
    tuesday = stock("tuesday", block)
    await tuesday.aput(QUESTION)

    found = await tuesday.aget()

    assert "My dog is called Rex." in (found[0].content or "")


async def test_an_answer_is_recalled_though_the_user_said_nothing_more(
    block: HoldfastMemoryBlock,
) -> None:
    window = [said("user", "Book a flight."), said("assistant", "Booked flight LH 123.")]
    await block.aget(window[:1], session_id="monday")
    await block.aget(window, session_id="monday")

    recalled = await block.aget([said("user", "Which flight?")], session_id="tuesday")

    assert "LH 123" in recalled


async def test_the_live_window_is_never_recalled(block: HoldfastMemoryBlock) -> None:
    window = [said("user", "My dog is called Rex."), said("assistant", "Nice."), QUESTION]

    assert await block.aget(window, session_id="monday") == ""


async def test_what_left_the_window_is_recalled(block: HoldfastMemoryBlock) -> None:
    window = [said("user", "My dog is called Rex."), said("assistant", "Nice."), QUESTION]
    await block.aget(window[:1], session_id="monday")

    assert "Rex" in await block.aget(window[1:], session_id="monday")


async def test_no_user_message_recalls_nothing(block: HoldfastMemoryBlock) -> None:
    await block.aget([said("user", "My dog is called Rex.")], session_id="monday")

    assert await block.aget([said("assistant", "Hello.")], session_id="tuesday") == ""
    assert await block.aget([], session_id="tuesday") == ""
    assert await block.aget(None) == ""


async def test_a_turn_embeds_one_question_and_writes_once(
    block: HoldfastMemoryBlock, embedder: CountingEmbedder
) -> None:
    window = [said("user", "My dog is called Rex.")]
    await block.aget(window, session_id="monday")
    await block.aget([*window, window[-1]], session_id="monday")  # as Memory.aget(input=...) does
    await block.aget([*window, said("assistant", "Nice.")], session_id="monday")

    assert (len(embedder.writes), len(embedder.questions)) == (1, 1)


async def test_the_next_turn_writes_the_answer_with_the_next_question(
    block: HoldfastMemoryBlock, embedder: CountingEmbedder
) -> None:
    window = [said("user", "My dog is called Rex."), said("assistant", "Nice.")]
    await block.aget(window[:1], session_id="monday")
    await block.aget(window, session_id="monday")
    await block.aget([*window, QUESTION], session_id="monday")

    assert embedder.writes[1:] == [["Nice.", QUESTION.content]]


async def test_the_question_is_the_users_last_message(
    block: HoldfastMemoryBlock, embedder: CountingEmbedder
) -> None:
    window = [
        said("user", "Hello."),
        QUESTION,
        said("assistant", "Let me see."),
        said("tool", "42"),
    ]

    await block.aget(window, session_id="monday")

    assert embedder.questions == [QUESTION.content]


async def test_saying_yes_twice_is_remembered_twice(
    block: HoldfastMemoryBlock, opened: Memory
) -> None:
    window = [said("user", "yes"), said("assistant", "More?"), said("user", "yes")]

    await block.aget(window, session_id="monday")

    kept = opened.list(user_id="ada")
    assert [record.text for record in kept] == ["yes", "More?", "yes"]


async def test_tools_and_systems_are_not_remembered(
    block: HoldfastMemoryBlock, opened: Memory
) -> None:
    window = [said("system", "Be kind."), said("tool", "42"), said("user", "Hello.")]

    await block.aget(window, session_id="monday")

    assert [record.text for record in opened.list(user_id="ada")] == ["Hello."]


async def test_putting_leaves_the_callers_messages_alone(block: HoldfastMemoryBlock) -> None:
    message = said("user", "My dog is called Rex.")

    await block.aput([message], session_id="monday")

    assert message.additional_kwargs == {}
    assert "Rex" in await block.aget([QUESTION], session_id="tuesday")


async def test_a_block_can_refuse_what_leaves_the_window(opened: Memory) -> None:
    block = HoldfastMemoryBlock(memory=opened, user_id="ada", accept_short_term_memory=False)

    await block.aput([said("user", "x")], from_short_term_memory=True, session_id="monday")

    assert len(opened.list(user_id="ada")) == 0


async def test_messages_without_words_are_passed_over(block: HoldfastMemoryBlock) -> None:
    empty = ChatMessage(role="user", blocks=[])

    await block.aput([empty], session_id="monday")

    assert await block.aget([empty], session_id="monday") == ""


async def test_truncation_drops_the_least_relevant_first(block: HoldfastMemoryBlock) -> None:
    told = ["My dog is called Rex.", "The weather in Oslo was grey.", "Trains to Rome are slow."]
    for text in told:
        await block.aget([said("user", text)], session_id="monday")
    recalled = await block.aget([QUESTION], session_id="tuesday")

    shorter = await block.atruncate(recalled, 15)

    assert shorter is not None
    assert "Rex" in shorter
    assert sum(text in shorter for text in told) < sum(text in recalled for text in told)


async def test_truncation_ends_with_nothing(block: HoldfastMemoryBlock) -> None:
    await block.aget([said("user", "My dog is called Rex.")], session_id="monday")
    recalled = await block.aget([QUESTION], session_id="tuesday")

    assert await block.atruncate(recalled, 10_000) is None
    assert await block.atruncate([], 10) is None  # type: ignore[arg-type]  # LlamaIndex does so


async def test_a_full_window_keeps_the_best_memory(block: HoldfastMemoryBlock) -> None:
    for text in ["My dog is called Rex.", *(f"Note {number} about trains." for number in range(9))]:
        await block.aget([said("user", text)], session_id="monday")
    memory = stock("t", block, token_limit=60)
    await memory.aput(QUESTION)

    seen = "\n".join(message.content or "" for message in await memory.aget())

    assert "Rex" in seen
    assert seen.count("Note") < 4


async def test_one_block_serves_sessions_of_several_users(path: Path, opened: Memory) -> None:
    block = HoldfastMemoryBlock(path=str(path), user_of=lambda session: session.split("/")[0])
    await block.aget([said("user", "My dog is called Rex.")], session_id="ada/1")
    await block.aget([said("user", "My dog is called Fido.")], session_id="bob/1")

    assert "Rex" in await block.aget([QUESTION], session_id="ada/2")
    assert "Fido" not in await block.aget([QUESTION], session_id="ada/3")


async def test_a_user_that_cannot_be_one_is_not_taken_for_the_blocks_own(
    path: Path, opened: Memory
) -> None:
    block = HoldfastMemoryBlock(path=str(path), user_id="ada", user_of=lambda session: "")
    with pytest.raises(ScopeError):
        await block.aget([QUESTION], session_id="1")


async def test_without_an_owner_a_session_recalls_itself_alone(path: Path, opened: Memory) -> None:
    block = HoldfastMemoryBlock(path=str(path))
    await block.aget([said("user", "My dog is called Rex.")], session_id="monday")

    assert await block.aget([QUESTION], session_id="tuesday") == ""
    assert "Rex" in await block.aget([QUESTION], session_id="monday")


async def test_nobodys_memory_is_an_error(path: Path, opened: Memory) -> None:
    with pytest.raises(ScopeError, match="whose memory"):
        await HoldfastMemoryBlock(path=str(path)).aget([QUESTION])


async def test_one_block_serves_fifty_sessions_at_once(path: Path, opened: Memory) -> None:
    block = HoldfastMemoryBlock(path=str(path), user_of=lambda session: f"user {session}")
    names = [f"Dog{number}" for number in range(50)]

    await asyncio.gather(
        *(
            block.aget([said("user", f"My dog is called {name}.")], session_id=name)
            for name in names
        )
    )
    window = [said("assistant", "Hello."), QUESTION]
    found = await asyncio.gather(*(block.aget(window, session_id=name) for name in names))

    assert all(
        name in text and text.count("Dog") == 1 for name, text in zip(names, found, strict=True)
    )


async def test_a_failing_model_leaves_the_block_empty(
    block: HoldfastMemoryBlock, embedder: CountingEmbedder, caplog: pytest.LogCaptureFixture
) -> None:
    embedder.broken = True

    assert await block.aget([said("user", "My dog is called Rex.")], session_id="monday") == ""
    assert "could not be remembered yet" in caplog.text


async def test_what_a_failing_model_missed_is_remembered_later(
    block: HoldfastMemoryBlock, embedder: CountingEmbedder
) -> None:
    embedder.broken = True
    await block.aget([said("user", "My dog is called Rex.")], session_id="monday")
    embedder.broken = False

    assert "Rex" in await block.aget([QUESTION], session_id="tuesday")


async def test_it_stands_beside_other_blocks(block: HoldfastMemoryBlock) -> None:
    await block.aget([said("user", "My dog is called Rex.")], session_id="monday")
    fixed = StaticMemoryBlock(name="rules", static_content="Be kind.")
    memory = stock("t", fixed, block)
    await memory.aput(QUESTION)

    first = (await memory.aget())[0]

    assert "Be kind." in (first.content or "")
    assert "Rex" in (first.content or "")
