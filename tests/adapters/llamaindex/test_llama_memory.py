from __future__ import annotations

import asyncio
import copy
import itertools
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from holdfast import Memory, RecordNotFoundError, ScopeError
from holdfast.testing import HashEmbedder, ScriptedLLM
from holdfast_llamaindex import HoldfastChatStore, HoldfastMemory, share
from llama_index.core.base.llms.types import ChatMessage, TextBlock
from llama_index.core.memory import InsertMethod, StaticMemoryBlock
from llama_index.core.memory import Memory as StockMemory
from llama_index.core.storage.chat_store.base_db import MessageStatus
from llama_index.core.storage.chat_store.sql import SQLAlchemyChatStore
from support.llama_models import CountingEmbedder, said, texts

pytestmark = pytest.mark.anyio

TOLD = said("user", "My dog is called Rex.")
QUESTION = said("user", "What is my dog called?")
Make = Callable[..., HoldfastMemory]


@pytest.fixture
def make(path: Path, opened: Memory) -> Make:
    def made(session: str = "monday", user: str | None = "ada", **options: Any) -> HoldfastMemory:
        return HoldfastMemory.from_defaults(path=path, user_id=user, session_id=session, **options)

    return made


# -- history -----------------------------------------------------------------------------------


async def test_it_is_a_memory(make: Make) -> None:
    assert isinstance(make(), StockMemory)
    assert make()  # LlamaIndex replaces what is falsy by a buffer of its own


async def test_history_comes_back_in_order(make: Make) -> None:
    memory = make()
    await memory.aput(said("user", "Message 1"))
    await memory.aput_messages([said("assistant", "Answer 1"), said("user", "Message 2")])

    expected = ["user: Message 1", "assistant: Answer 1", "user: Message 2"]
    assert texts(await memory.aget()) == expected
    assert texts(await memory.aget_all()) == expected


async def test_history_outlives_the_object(make: Make) -> None:
    await make().aput(TOLD)

    assert texts(await make().aget_all()) == [f"user: {TOLD.content}"]


async def test_sessions_are_kept_apart(make: Make) -> None:
    await make("monday").aput(TOLD)

    assert await make("tuesday").aget_all() == []


async def test_a_session_of_its_own_by_default(path: Path, opened: Memory) -> None:
    one, other = (HoldfastMemory.from_defaults(path=path, user_id="ada") for _ in range(2))

    assert one.session_id != other.session_id


async def test_setting_replaces_the_history(make: Make) -> None:
    memory = make()
    await memory.aput(TOLD)
    await memory.aset([said("user", "Message 1")])

    assert texts(await memory.aget_all()) == ["user: Message 1"]


async def test_a_given_history_replaces_the_stored_one(make: Make) -> None:
    await make().aput(TOLD)

    assert texts(await make(chat_history=[]).aget_all()) == []
    assert texts(await make(chat_history=[QUESTION]).aget_all()) == [f"user: {QUESTION.content}"]


async def test_an_empty_batch_is_no_error(make: Make) -> None:
    await make().aput_messages([])

    assert await make().aget_all() == []


async def test_the_constructor_works_as_the_stock_one(opened: Memory) -> None:
    memory = HoldfastMemory(
        memory=opened, token_limit=1_000, token_flush_size=700, session_id="test_user"
    )

    assert (memory.token_limit, memory.token_flush_size) == (1_000, 700)
    assert isinstance(memory.sql_store, HoldfastChatStore)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_of_no_tokens_is_refused(opened: Memory, limit: int) -> None:
    with pytest.raises(ValueError, match="Token limit"):
        HoldfastMemory(memory=opened, token_limit=limit)


async def test_another_chat_store_keeps_the_history(make: Make) -> None:
    store = SQLAlchemyChatStore("messages", "sqlite+aiosqlite:///:memory:")
    memory = make(chat_store=store)

    await memory.aput(TOLD)

    assert memory.sql_store.inner is store  # type: ignore[attr-defined]
    assert texts(await memory.aget_all()) == [f"user: {TOLD.content}"]
    assert "Rex" in str(texts(await recalling(make)))
    assert store._async_engine is not None
    await store._async_engine.dispose()


async def test_a_database_address_makes_a_store_of_llama_index(make: Make) -> None:
    memory = make(async_database_uri="sqlite+aiosqlite:///:memory:", table_name="chats")

    store = memory.sql_store.inner  # type: ignore[attr-defined]
    assert isinstance(store, SQLAlchemyChatStore)
    assert store.table_name == "chats"


async def test_another_chat_store_keeps_the_chats_of_owners_apart(make: Make) -> None:
    store = SQLAlchemyChatStore("messages", "sqlite+aiosqlite:///:memory:")
    owners = [None, "ada", "bob"]
    for user in owners:
        for session in ("1", '[null, null, null, "1"]', '["ada", null, null, "1"]', "[", "7"):
            await make(session, user, chat_store=store).aput(said("user", f"{user} {session}"))

    for user in owners:
        for session in ("1", '[null, null, null, "1"]', '["ada", null, null, "1"]', "[", "7"):
            memory = make(session, user, chat_store=store)
            assert texts(await memory.aget_all()) == [f"user: {user} {session}"]
            assert session in await memory.sql_store.get_keys()
    await make("1", "bob", chat_store=store).areset()
    assert texts(await make("1", "ada", chat_store=store).aget_all()) == ["user: ada 1"]
    assert texts(await make("1", "bob", chat_store=store).aget_all()) == []
    assert store._async_engine is not None
    await store._async_engine.dispose()


async def test_one_session_id_of_two_users_names_two_chats(make: Make) -> None:
    ada, bob = make("1", "ada"), make("1", "bob")
    await ada.aput(TOLD)

    assert await bob.aget_all() == []
    await bob.areset()
    assert texts(await ada.aget_all()) == [f"user: {TOLD.content}"]
    assert texts(await ada.for_session("1", user_id="bob").aget_all()) == []


async def test_a_copy_for_another_user_is_wholly_theirs(make: Make) -> None:
    ada = make("1", "ada")
    await ada.aput(TOLD)

    bob = ada.model_copy(update={"user_id": "bob"})

    assert await bob.aget_all() == []
    assert await bob.arecall("dog") == []
    assert texts(await ada.model_copy().aget_all()) == [f"user: {TOLD.content}"]


def test_whose_a_memory_is_cannot_be_changed(make: Make) -> None:
    with pytest.raises(ValueError, match="frozen"):
        make().user_id = "bob"


@pytest.mark.parametrize("bad", ["", "mon\x1fday", "mon\x00", "m" * 257])
def test_a_session_id_that_is_none_is_refused_at_once(make: Make, bad: str) -> None:
    with pytest.raises(ScopeError):
        make(bad)
    with pytest.raises(ScopeError):
        make().for_session(bad)


def test_an_empty_user_id_is_not_taken_for_the_user_at_hand(make: Make) -> None:
    with pytest.raises(ScopeError):
        make().for_session("2", user_id="")


# -- recalling ---------------------------------------------------------------------------------


async def recalling(make: Make, **options: Any) -> list[ChatMessage]:
    tuesday = make("tuesday", **options)
    await tuesday.aput(QUESTION)
    return await tuesday.aget()


async def test_another_session_of_the_user_recalls(make: Make) -> None:
    await make().aput(TOLD)

    assert "My dog is called Rex." in (await recalling(make))[-1].content  # type: ignore[operator]


async def test_another_user_does_not(make: Make) -> None:
    await make().aput(TOLD)

    assert texts(await recalling(make, user="bob")) == [f"user: {QUESTION.content}"]


async def test_what_the_user_says_is_searchable_at_once(make: Make, opened: Memory) -> None:
    await make().aput(TOLD)

    assert [match.record.text for match in opened.search("dog", user_id="ada")] == [TOLD.content]


async def test_the_last_answer_is_recalled_by_other_sessions(make: Make) -> None:
    await make().aput_messages([said("user", "Book a flight.")])
    await make().aput(said("assistant", "Booked flight LH 123."))
    tuesday = make("tuesday")
    await tuesday.aput(said("user", "Which flight was booked?"))

    assert "LH 123" in (await tuesday.aget())[-1].content  # type: ignore[operator]


async def test_the_last_answer_of_another_agents_session_of_that_name_is_recalled(
    make: Make,
) -> None:
    await make("1", agent_id="bot").aput(said("assistant", "Your cat is called Tom."))

    found = await make("1").arecall("What is my cat called?")

    assert [match.record.text for match in found] == ["Your cat is called Tom."]


async def test_flushing_makes_the_last_answer_searchable(make: Make, opened: Memory) -> None:
    memory = make()
    await memory.aput(said("user", "Book a flight."))
    await memory.aput(said("assistant", "Booked flight LH 123."))

    await memory.aflush()

    assert len(opened.list(user_id="ada")) == 2


async def test_memory_is_inserted_before_the_last_user_message(make: Make) -> None:
    await make().aput(TOLD)

    found = await recalling(make)

    assert [message.role.value for message in found] == ["user"]
    assert found[0].blocks[-1] == TextBlock(text=str(QUESTION.content))
    assert "Rex" in found[0].blocks[0].text  # type: ignore[union-attr]


async def test_system_insertion_extends_the_system_message(make: Make) -> None:
    await make().aput(TOLD)
    tuesday = make("tuesday", insert_method=InsertMethod.SYSTEM)
    await tuesday.aput_messages([said("system", "Be kind."), QUESTION])

    found = await tuesday.aget()

    assert [message.role.value for message in found] == ["system", "user"]
    assert found[0].blocks[-1] == TextBlock(text="Be kind.")


async def test_system_insertion_makes_one_where_there_is_none(make: Make) -> None:
    await make().aput(TOLD)

    found = await recalling(make, insert_method=InsertMethod.SYSTEM)

    assert [message.role.value for message in found] == ["system", "user"]


async def test_nothing_is_inserted_when_nothing_was_found(make: Make) -> None:
    for method in InsertMethod:
        memory = make(method.value, user=method.value, insert_method=method)
        await memory.aput_messages([said("system", "Be kind."), QUESTION])

        assert texts(await memory.aget()) == ["system: Be kind.", f"user: {QUESTION.content}"]


async def test_no_user_message_is_fabricated(make: Make) -> None:
    await make().aput(TOLD)

    found = await make("tuesday").aget(input=str(QUESTION.content))

    assert [message.role.value for message in found] == ["system"]
    assert "Rex" in (found[0].content or "")


async def test_what_was_inserted_is_not_stored(make: Make) -> None:
    await make().aput(TOLD)
    await recalling(make)

    assert texts(await make("tuesday").aget_all()) == [f"user: {QUESTION.content}"]


async def test_the_messages_returned_are_the_callers_own(make: Make) -> None:
    memory = make()
    await memory.aput(TOLD)
    (await memory.aget())[0].blocks.clear()

    assert texts(await memory.aget()) == [f"user: {TOLD.content}"]


async def test_a_turn_recalls_once_and_writes_once(make: Make, embedder: CountingEmbedder) -> None:
    memory = make()
    await memory.aput(QUESTION)
    await memory.aget()
    await memory.aget(input=QUESTION.content)
    await memory.aput_messages(
        [said("assistant", ""), said("tool", "42"), said("assistant", "Rex.")]
    )
    await memory.aget()

    assert (len(embedder.writes), embedder.questions) == (1, [QUESTION.content])


async def test_the_same_question_in_the_next_turn_is_recalled_anew(make: Make) -> None:
    tuesday = make("tuesday")
    await tuesday.aput(QUESTION)
    assert "Rex" not in str(texts(await tuesday.aget()))
    await tuesday.aput(said("assistant", "I do not know."))
    await make().aput(TOLD)

    await tuesday.aput(QUESTION)

    assert "Rex" in str(texts(await tuesday.aget()))


async def test_the_same_question_after_a_reset_is_recalled_anew(make: Make) -> None:
    tuesday = make("tuesday")
    await tuesday.aput(QUESTION)
    await tuesday.aget()
    await make().aput(TOLD)
    await tuesday.areset()

    await tuesday.aput(QUESTION)

    assert "Rex" in str(texts(await tuesday.aget()))


async def test_a_resent_history_is_not_remembered_twice(make: Make, opened: Memory) -> None:
    window = [TOLD, said("assistant", "Nice.")]
    for _ in range(3):
        memory = make()
        await memory.aset(window)
        await memory.aput(said("user", f"And {len(window)}?"))
        window = await memory.aget_all()

    stored = [record.text for record in opened.list(user_id="ada")]
    assert len(stored) == len(set(stored)) == 5


async def test_fifty_sessions_of_fifty_users_at_once(make: Make) -> None:
    memory = make()
    sessions = [memory.for_session(f"s{n}", user_id=f"u{n}") for n in range(50)]
    await asyncio.gather(
        *(one.aput(said("user", f"My dog is called Dog{n}.")) for n, one in enumerate(sessions))
    )
    later = [memory.for_session(f"t{n}", user_id=f"u{n}") for n in range(50)]
    await asyncio.gather(*(one.aput(QUESTION) for one in later))

    found = await asyncio.gather(*(one.aget() for one in later))

    for number, messages in enumerate(found):
        content = messages[-1].content or ""
        assert f"Dog{number}." in content
        assert content.count("Dog") == 1


async def test_another_block_stands_beside_it(make: Make) -> None:
    await make().aput(TOLD)
    rules = StaticMemoryBlock(name="rules", static_content="Be kind.")

    found = (await recalling(make, memory_blocks=[rules]))[-1].content or ""

    assert "Be kind." in found
    assert "Rex" in found


async def test_an_empty_history_asks_nothing(make: Make, embedder: CountingEmbedder) -> None:
    assert await make().aget() == []
    assert embedder.questions == []


async def test_recalled_memories_keep_to_their_budget(make: Make) -> None:
    for number in range(20):
        await make().aput(said("user", f"Note {number}: dogs are called something."))

    few = (await recalling(make, max_recalled_tokens=60))[-1].content or ""

    assert 0 < few.count("Note") < 6
    assert len(make().tokenizer_fn(few)) < 100


async def test_fifty_first_reads_at_once_do_not_fail(make: Make) -> None:
    memories = [make(f"s{number}") for number in range(50)]

    assert await asyncio.gather(*(memory.aget() for memory in memories)) == [[]] * 50


@pytest.mark.parametrize("user", ["", "a\x00b", "x" * 257])
def test_an_id_that_is_none_is_refused_at_once(make: Make, user: str) -> None:
    with pytest.raises(ScopeError, match="user_id"):
        make(user=user)


# -- failing open ------------------------------------------------------------------------------


async def test_a_failing_model_leaves_the_history(make: Make, embedder: CountingEmbedder) -> None:
    embedder.broken = True

    found = await recalling(make)

    assert texts(found) == [f"user: {QUESTION.content}"]


async def test_what_a_failing_model_missed_is_remembered_with_the_next_turn(
    make: Make, embedder: CountingEmbedder
) -> None:
    embedder.broken = True
    await make().aput(TOLD)
    embedder.broken = False

    assert "Rex" in (await recalling(make))[-1].content  # type: ignore[operator]


# -- forgetting --------------------------------------------------------------------------------


async def test_a_memory_is_forgotten_by_its_id(make: Make) -> None:
    memory = make()
    await memory.aput(TOLD)
    found = await memory.arecall("dog")

    await memory.aforget(found[0].record.id)

    assert texts(await recalling(make)) == [f"user: {QUESTION.content}"]


async def test_a_memory_of_another_user_cannot_be_forgotten(make: Make) -> None:
    memory = make()
    await memory.aput(TOLD)
    found = await memory.arecall("dog")

    with pytest.raises(RecordNotFoundError):
        await make(user="bob").aforget(found[0].record.id)


async def test_resetting_leaves_long_term_memory(make: Make) -> None:
    memory = make()
    await memory.aput(TOLD)

    await memory.areset()

    assert await memory.aget_all() == []
    assert "Rex" in (await recalling(make))[-1].content  # type: ignore[operator]


async def test_resetting_erases_long_term_memory_on_request(make: Make) -> None:
    memory = make()
    await memory.aput_messages([TOLD])
    await memory.aput(said("assistant", "Rex is a fine name."))

    await memory.areset(long_term=True)

    assert texts(await recalling(make)) == [f"user: {QUESTION.content}"]


async def test_resetting_leaves_what_others_said_that_waits(make: Make) -> None:
    bob, ada = make(user="bob"), make()
    await bob.aput(said("assistant", "Your cat is called Tom."))
    await ada.aput(TOLD)

    await ada.areset(long_term=True)
    await bob.aflush()

    found = await make("tuesday", "bob").arecall("What is my cat called?")
    assert [match.record.text for match in found] == ["Your cat is called Tom."]


async def test_resetting_a_memory_of_nobody_forgets_its_session(make: Make) -> None:
    memory = make(user=None)
    await memory.aput(TOLD)

    await memory.areset()
    await memory.aput(QUESTION)

    assert texts(await memory.aget()) == [f"user: {QUESTION.content}"]


async def test_a_memory_of_nobody_reads_and_resets_no_session_of_that_name(make: Make) -> None:
    ada, nobody = make("1"), make("1", user=None)
    await ada.aput(TOLD)
    await ada.aput(said("assistant", "Your cat is called Tom."))

    assert await nobody.arecall("dog") == []
    await nobody.aput(said("user", "My cow is called Bess."))
    await nobody.aflush()
    assert [match.record.text for match in await nobody.arecall("cow")] == [
        "My cow is called Bess."
    ]
    await nobody.areset()

    assert await nobody.arecall("cow") == []
    assert {match.record.text for match in await make("2").arecall("dog or cat")} == {
        TOLD.content,
        "Your cat is called Tom.",
    }


async def test_what_was_forgotten_may_be_said_again(make: Make) -> None:
    memory = make()
    await memory.aput(TOLD)
    await memory.areset(long_term=True)

    await memory.aput(TOLD)

    assert "Rex" in (await recalling(make))[-1].content  # type: ignore[operator]


# -- the live window ---------------------------------------------------------------------------


async def test_a_full_window_archives_the_oldest(make: Make) -> None:
    memory = make(token_limit=1_000, token_flush_size=700, chat_history_token_ratio=0.9)
    words = ["x ", "y ", "z "]
    roles = ["user", "assistant", "user"]

    await memory.aput_messages([said(r, w * 500) for r, w in zip(roles, words, strict=True)])

    assert [m.content for m in await memory.aget_all(MessageStatus.ACTIVE)] == ["z " * 500]
    assert len(await memory.aget_all(MessageStatus.ARCHIVED)) == 2


async def test_a_leading_system_message_stays_in_a_full_window(make: Make) -> None:
    memory = make(token_limit=100, token_flush_size=50)
    await memory.aput(said("system", "Be kind."))
    for number in range(20):
        await memory.aput_messages([said("user", f"{number} " * 10), said("assistant", "ok")])

    active = await memory.aget_all(MessageStatus.ACTIVE)
    assert texts(active)[0] == "system: Be kind."
    assert active[1].role.value == "user"
    assert len(active) < 20


async def test_what_left_the_window_is_recalled(make: Make) -> None:
    memory = make(token_limit=100, token_flush_size=50)
    await memory.aput_messages([TOLD, said("assistant", "Nice.")])
    for number in range(10):
        await memory.aput_messages([said("user", f"{number} " * 10), said("assistant", "ok")])
    await memory.aput(QUESTION)

    assert "Rex" in (await memory.aget())[-1].blocks[0].text  # type: ignore[union-attr]


async def test_concurrent_puts_archive_no_more_than_puts_one_by_one(make: Make) -> None:
    seeds = [said("user", f"seed{number} " + "word " * 12) for number in range(6)]
    new = [said("user", f"new{number} " + "word " * 12) for number in range(2)]
    active = []
    for session, concurrent in (("one", False), ("two", True)):
        memory = make(session, token_limit=60, token_flush_size=40, chat_history_token_ratio=1.0)
        await memory.sql_store.add_messages(session, seeds)
        if concurrent:
            await asyncio.gather(*(memory.aput(message) for message in new))
        else:
            for message in new:
                await memory.aput(message)
        active.append(len(await memory.aget_all(MessageStatus.ACTIVE)))

    assert active[0] == active[1] < 8


async def test_flushing_derives_no_facts_of_another_users_turns(tmp_path: Path) -> None:
    llm = ScriptedLLM(itertools.repeat({"facts": []}))
    with Memory(tmp_path / "queue.db", embedder=HashEmbedder(), llm=llm) as opened:
        share(opened)
        opened.add("bob's own", user_id="bob", wait=False)
        opened.add("ada's own", user_id="ada", run_id="before", wait=False)
        await HoldfastMemory.from_defaults(path=tmp_path / "queue.db", user_id="ada").aflush()

        assert opened.stats().waiting == 1
        assert not any("bob's own" in str(call.messages) for call in llm.calls)


# -- the sync face -----------------------------------------------------------------------------


def test_the_sync_face_does_the_same(make: Make) -> None:
    memory = make()
    memory.put(TOLD)
    memory.put_messages([said("assistant", "Nice.")])
    tuesday = make("tuesday")
    tuesday.set([said("user", "Hello.")])
    tuesday.put(QUESTION)

    assert "Rex" in (tuesday.get()[-1].content or "")
    assert len(tuesday.get_all()) == 2
    tuesday.flush()
    tuesday.forget(tuesday.recall("Rex")[0].record.id)
    tuesday.reset(long_term=True)
    assert tuesday.get_all() == tuesday.recall("dog") == []


async def test_the_sync_face_works_inside_a_running_loop(make: Make) -> None:
    memory = make()
    memory.put(TOLD)
    tuesday = make("tuesday")
    tuesday.put(QUESTION)

    assert "Rex" in (tuesday.get()[-1].content or "")


def test_one_object_works_in_one_loop_after_another(make: Make) -> None:
    memory = make()
    for number in range(3):
        asyncio.run(memory.aput(said("user", str(number))))

    assert len(asyncio.run(memory.aget_all())) == 3


# -- serialising -------------------------------------------------------------------------------


async def test_a_dictionary_finds_history_and_memory_again(make: Make) -> None:
    memory = make(token_limit=500, insert_method=InsertMethod.SYSTEM)
    await memory.aput(TOLD)

    again = HoldfastMemory.from_dict(memory.to_dict())

    assert texts(await again.aget_all()) == [f"user: {TOLD.content}"]
    assert (again.user_id, again.token_limit) == ("ada", 500)
    assert again.insert_method is InsertMethod.SYSTEM


async def test_a_dictionary_holds_no_text(make: Make) -> None:
    memory = make()
    await memory.aput(TOLD)

    assert "Rex" not in str(memory.to_dict())


async def test_a_fixed_block_is_restored_with_it(make: Make) -> None:
    rules = StaticMemoryBlock(name="rules", static_content="Be kind.")

    again = HoldfastMemory.from_dict(make(memory_blocks=[rules]).to_dict())

    assert rules in again.memory_blocks


async def test_pickling_and_copying_keep_the_history(make: Make) -> None:
    memory = make()
    await memory.aput(TOLD)

    for again in (pickle.loads(pickle.dumps(memory)), copy.deepcopy(memory)):
        assert texts(await again.aget_all()) == [f"user: {TOLD.content}"]


def test_a_memory_in_ram_refuses_to_be_serialised(embedder: CountingEmbedder) -> None:
    with pytest.raises(ValueError, match="lives in RAM"):
        HoldfastMemory.from_defaults(embedder=embedder).to_dict()
