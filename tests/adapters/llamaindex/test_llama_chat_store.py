from __future__ import annotations

import asyncio
import pickle
from pathlib import Path

import pytest
from holdfast import Memory
from holdfast_llamaindex import HoldfastChatStore
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock
from llama_index.core.memory import Memory as StockMemory
from llama_index.core.storage.chat_store.base_db import MessageStatus
from support.llama_models import said

pytestmark = pytest.mark.anyio

THREE = [said("user", "oldest"), said("assistant", "middle"), said("user", "newest")]


@pytest.fixture
def store(path: Path, opened: Memory) -> HoldfastChatStore:
    return HoldfastChatStore(path)


async def contents(store: HoldfastChatStore, key: str, **options: object) -> list[str | None]:
    return [message.content for message in await store.get_messages(key, **options)]  # type: ignore[arg-type]


async def test_messages_come_back_in_order_with_their_roles(store: HoldfastChatStore) -> None:
    await store.add_message("u", said("user", "hello"))
    await store.add_message("u", said("assistant", "world"))

    found = await store.get_messages("u")

    assert [(one.role.value, one.content) for one in found] == [
        ("user", "hello"),
        ("assistant", "world"),
    ]
    assert await store.get_messages("nobody") == []


async def test_a_message_comes_back_whole(store: HoldfastChatStore) -> None:
    message = ChatMessage(
        role="assistant",
        blocks=[TextBlock(text="look"), ImageBlock(image=b"png", image_mimetype="image/png")],
        additional_kwargs={"tool_calls": [{"id": "1"}]},
    )

    await store.add_message("u", message)

    assert await store.get_messages("u") == [message]


@pytest.mark.parametrize("text", ["lone \ud800 surrogate", "nul \x00", "\u2028", "🦊", ""])
async def test_any_text_comes_back_as_it_was(store: HoldfastChatStore, text: str) -> None:
    await store.add_message("u", said("tool", text))

    assert await contents(store, "u") == [text]


async def test_an_empty_batch_is_no_error(store: HoldfastChatStore) -> None:
    await store.add_messages("u", [])

    assert await store.count_messages("u") == 0


async def test_setting_replaces_archived_messages_too(store: HoldfastChatStore) -> None:
    await store.add_messages("u", THREE)
    await store.archive_oldest_messages("u", 1)

    await store.set_messages("u", [said("user", "replaced")])

    assert await contents(store, "u", status=None) == ["replaced"]


async def test_a_message_is_deleted_by_its_id(store: HoldfastChatStore) -> None:
    await store.add_messages("u", THREE)
    middle = (await store.get_ids("u"))[1]

    gone = await store.delete_message("u", middle)

    assert gone is not None
    assert gone.content == "middle"
    assert await contents(store, "u") == ["oldest", "newest"]
    assert await store.delete_message("u", middle) is None


async def test_an_id_of_another_session_deletes_nothing(store: HoldfastChatStore) -> None:
    await store.add_messages("alice", THREE)
    number = (await store.get_ids("alice"))[0]

    assert await store.delete_message("bob", number) is None
    assert await store.count_messages("alice") == 3


async def test_deleting_a_session_leaves_the_others(store: HoldfastChatStore) -> None:
    await store.add_messages("alice", THREE)
    await store.add_messages("bob", THREE)

    await store.delete_messages("alice")

    assert await store.get_keys() == ["bob"]


async def test_messages_of_one_status_are_deleted(store: HoldfastChatStore) -> None:
    await store.add_messages("u", THREE)
    await store.archive_oldest_messages("u", 2)

    await store.delete_messages("u", status=MessageStatus.ARCHIVED)

    assert await contents(store, "u", status=None) == ["newest"]


async def test_the_oldest_are_deleted_first(store: HoldfastChatStore) -> None:
    await store.add_messages("u", THREE)

    gone = await store.delete_oldest_messages("u", 1)

    assert [one.content for one in gone] == ["oldest"]
    assert await contents(store, "u") == ["middle", "newest"]


async def test_the_oldest_are_archived_first(store: HoldfastChatStore) -> None:
    await store.add_messages("u", THREE)

    gone = await store.archive_oldest_messages("u", 1)

    assert [one.content for one in gone] == ["oldest"]
    assert await contents(store, "u") == ["middle", "newest"]
    assert await contents(store, "u", status=MessageStatus.ARCHIVED) == ["oldest"]
    assert await contents(store, "u", status=None) == ["oldest", "middle", "newest"]
    assert await store.count_messages("u", status=None) == 3


async def test_a_page_is_read_by_limit_and_offset(store: HoldfastChatStore) -> None:
    await store.add_messages("u", [said("user", str(number)) for number in range(5)])

    assert await contents(store, "u", limit=2) == ["0", "1"]
    assert await contents(store, "u", offset=2) == ["2", "3", "4"]
    assert await contents(store, "u", limit=2, offset=1) == ["1", "2"]


async def test_stores_of_one_file_are_kept_apart_by_table_name(
    store: HoldfastChatStore, path: Path
) -> None:
    other = HoldfastChatStore(path, table_name="other")
    await store.add_messages("u", THREE)

    assert await other.get_keys() == []


async def test_the_chats_of_an_owner_are_apart_from_those_without_one(
    store: HoldfastChatStore,
) -> None:
    ada = store.owned_by(user_id="ada")
    await store.add_message("u", said("user", "of nobody"))
    await ada.add_message("u", said("user", "of ada"))
    await ada.add_message("v", said("user", "of ada"))

    assert await contents(store, "u") == ["of nobody"]
    assert await contents(pickle.loads(pickle.dumps(ada)), "u") == ["of ada"]
    assert (await store.get_keys(), await ada.get_keys()) == (["u"], ["u", "v"])
    assert await store.delete_message("u", (await ada.get_ids("u"))[0]) is None


async def test_histories_outlive_the_process(store: HoldfastChatStore, opened: Memory) -> None:
    await store.add_messages("u", THREE)
    path = store.path
    opened.close()

    assert await contents(HoldfastChatStore(path), "u") == ["oldest", "middle", "newest"]


async def test_fifty_first_reads_at_once_do_not_fail(path: Path, opened: Memory) -> None:
    stores = [HoldfastChatStore(path) for _ in range(50)]

    found = await asyncio.gather(*(store.get_messages("u") for store in stores))

    assert found == [[]] * 50


async def test_concurrent_writers_lose_nothing(store: HoldfastChatStore) -> None:
    await asyncio.gather(
        *(store.add_message(f"s{number % 5}", said("user", str(number))) for number in range(50))
    )

    counts = [await store.count_messages(f"s{number}") for number in range(5)]
    assert counts == [10] * 5


def test_it_works_from_one_event_loop_after_another(store: HoldfastChatStore) -> None:
    for number in range(3):
        asyncio.run(store.add_message("u", said("user", str(number))))

    assert asyncio.run(contents(store, "u")) == ["0", "1", "2"]


async def test_it_survives_pickling(store: HoldfastChatStore) -> None:
    await store.add_messages("u", THREE)

    again = pickle.loads(pickle.dumps(store))

    assert await contents(again, "u") == ["oldest", "middle", "newest"]


def test_a_store_in_ram_refuses_to_be_pickled(opened: Memory) -> None:
    with pytest.raises(TypeError, match="lives in RAM"):
        pickle.dumps(HoldfastChatStore(memory=Memory(":memory:", embedder=opened._embedder)))


async def test_a_stock_memory_takes_it(store: HoldfastChatStore) -> None:
    memory = StockMemory.from_defaults(
        session_id="u", token_limit=1_000, chat_history=THREE[:1], chat_store=store
    )
    await memory.aput(said("assistant", "yes"))

    assert await contents(store, "u") == ["oldest", "yes"]
    assert memory.sql_store is store
