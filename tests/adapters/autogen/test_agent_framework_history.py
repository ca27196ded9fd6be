"""`HoldfastHistoryProvider`: messages as they were, session by session, owner by owner."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from agent_framework import AgentSession, Content, Message
from holdfast import Memory, ScopeError
from holdfast.testing import HashEmbedder
from holdfast_autogen.agent_framework import (
    HoldfastContextProvider,
    HoldfastHistoryProvider,
    connect,
)
from hypothesis import given
from hypothesis import strategies as st
from support.framework_agents import Witness, agent, session_of

pytestmark = pytest.mark.anyio

PICTURE = Content.from_uri("https://example.test/gull.png", media_type="image/png")


def user(text: str, **fields: str) -> Message:
    return Message("user", [text], **fields)  # type: ignore[arg-type]


def answer(text: str) -> Message:
    return Message("assistant", [text])


@pytest.fixture
def history(memory: Memory) -> HoldfastHistoryProvider:
    return HoldfastHistoryProvider(memory, user_id="ada")


async def texts(history: HoldfastHistoryProvider, session: str = "s") -> list[str]:
    return [message.text for message in await history.get_messages(session)]


async def test_a_session_goes_on_in_another_process(path: Path) -> None:
    session = session_of("ada", "monday")
    with Memory(path, embedder=HashEmbedder()) as first:
        await agent(Witness(), HoldfastHistoryProvider(first)).run("Hello", session=session)
    written = json.dumps(session.to_dict())

    client = Witness()
    with Memory(path, embedder=HashEmbedder()) as second:
        restored = AgentSession.from_dict(json.loads(written))
        await agent(client, HoldfastHistoryProvider(second)).run("Again", session=restored)

    assert [(one.role, one.text) for one in client.prompts[0]] == [
        ("user", "Hello"),
        ("assistant", "noted"),
        ("user", "Again"),
    ]


async def test_messages_come_back_as_they_were(history: HoldfastHistoryProvider) -> None:
    call = Content.from_function_call(call_id="1", name="look", arguments={"at": "öäü", "n": 1.5})
    result = Content.from_function_result(call_id="1", result="a gull")
    given = [
        Message("user", ["Look!"], author_name="Ada", message_id="m1"),
        Message("assistant", [call], additional_properties={"cost": {"cents": 2}}),
        Message("tool", [result]),
        Message(
            "assistant",
            ["A gull.", Content.from_uri("https://x.test/g.png", media_type="image/png")],
        ),
    ]
    await history.save_messages("s", given)

    found = await history.get_messages("s")

    assert [message.to_dict() for message in found] == [message.to_dict() for message in given]


async def test_no_character_is_lost(history: HoldfastHistoryProvider) -> None:
    text = "\x00 \ud800 \u2028 öß 海鸥"
    await history.save_messages("s", [user(text)])

    assert await texts(history) == [text]


async def test_who_guesses_a_session_reads_nothing(memory: Memory) -> None:
    await agent(Witness(), HoldfastHistoryProvider(memory)).run(
        "My secret", session=session_of("ada", "s")
    )
    client = Witness()
    await agent(client, HoldfastHistoryProvider(memory)).run("Hello", session=session_of("bo", "s"))

    assert [message.text for message in client.prompts[0]] == ["Hello"]


async def test_a_session_of_another_user_is_refused(history: HoldfastHistoryProvider) -> None:
    with pytest.raises(ScopeError, match="belongs to user_id='ada'"):
        await agent(Witness(), history).run("Hello", session=session_of("bo"))


@pytest.mark.parametrize("session", [None, ""])
async def test_a_history_without_a_session_is_refused(
    history: HoldfastHistoryProvider, session: str | None
) -> None:
    with pytest.raises(ScopeError):
        await history.get_messages(session)
    with pytest.raises(ScopeError):
        await history.save_messages(session, [user("Hello")])


async def test_saving_nothing_is_no_error(history: HoldfastHistoryProvider) -> None:
    await history.save_messages("s", [])

    assert await texts(history) == []


async def test_the_same_words_in_two_turns_are_kept_twice(
    history: HoldfastHistoryProvider,
) -> None:
    for _ in range(2):
        await history.save_messages("s", [user("Yes."), answer("Fine.")])
        await history.save_messages("s", [user("No."), answer("Fine.")])

    assert await texts(history) == ["Yes.", "Fine.", "No.", "Fine."] * 2


async def test_a_transcript_sent_again_is_not_kept_again(
    history: HoldfastHistoryProvider,
) -> None:
    transcript = [user("One"), answer("1")]
    await history.save_messages("s", transcript)
    transcript += [user("Two"), answer("2")]
    await history.save_messages("s", transcript)
    await history.save_messages("s", [user("Two"), answer("2"), user("Three")])

    assert await texts(history) == ["One", "1", "Two", "2", "Three"]


async def test_a_message_with_an_id_sent_again_is_not_kept_again(
    history: HoldfastHistoryProvider,
) -> None:
    for _ in range(2):
        await history.save_messages("s", [user("Yes.", message_id="m1")])

    assert await texts(history) == ["Yes."]


async def test_a_limited_window_never_begins_with_a_tools_result(memory: Memory) -> None:
    history = HoldfastHistoryProvider(memory, user_id="ada", limit=2)
    call = Content.from_function_call(call_id="1", name="look", arguments={})
    result = Content.from_function_result(call_id="1", result="a gull")
    await history.save_messages("s", [user("Look"), Message("assistant", [call])])
    await history.save_messages("s", [Message("tool", [result]), answer("A gull.")])

    assert await texts(history) == ["A gull."]


async def test_fifty_savers_at_once_lose_nothing(history: HoldfastHistoryProvider) -> None:
    await asyncio.gather(
        *(
            history.save_messages(f"s{number % 5}", [user(f"{number}"), answer(f"{number}!")])
            for number in range(50)
        )
    )

    kept = [await texts(history, f"s{number}") for number in range(5)]
    assert sorted(text for session in kept for text in session) == sorted(
        text for number in range(50) for text in (f"{number}", f"{number}!")
    )


async def test_a_cleared_session_is_gone_and_others_are_not(
    history: HoldfastHistoryProvider,
) -> None:
    for session in ("s", "t"):
        await history.save_messages(session, [user("Hello"), answer("Hi")])

    assert await history.clear("s") == 2
    assert (await texts(history, "s"), await texts(history, "t")) == ([], ["Hello", "Hi"])


async def test_an_audit_keeps_context_and_is_not_loaded(memory: Memory) -> None:
    memory.add("My dog is called Rex.", user_id="ada")
    audit = HoldfastHistoryProvider(
        memory, "audit", load_messages=False, store_context_messages=True
    )
    client = Witness()
    session = session_of("ada", "s")
    await agent(client, HoldfastContextProvider(memory), audit).run(
        "What is my dog called?", session=session
    )

    kept = await audit.get_messages("s", state=session.state["audit"])
    assert [message.text.split("\n")[0] for message in kept] == [
        "<memory>",
        "What is my dog called?",
        "noted",
    ]


async def test_an_audit_beside_the_history_is_not_loaded_with_it(memory: Memory) -> None:
    audit = HoldfastHistoryProvider(memory, "audit", load_messages=False)
    client = Witness()
    session = session_of("ada", "s")
    asking = agent(client, HoldfastHistoryProvider(memory), audit)
    await asking.run("Hello", session=session)
    await asking.run("Again", session=session)

    assert [message.text for message in client.prompts[-1]] == ["Hello", "noted", "Again"]
    kept = await audit.get_messages("s", state=session.state["audit"])
    assert [message.text for message in kept] == ["Hello", "noted", "Again", "noted"]


async def test_a_transcript_with_one_new_message_behind_it_is_kept_once(
    history: HoldfastHistoryProvider,
) -> None:
    await history.save_messages("s", [user("one"), answer("two")])
    await history.save_messages("s", [user("rules"), user("one"), answer("two"), user("three")])

    assert await texts(history) == ["one", "two", "three"]


async def test_a_closed_history_opens_its_file_again(path: Path) -> None:
    connect(path, embedder=HashEmbedder())
    history = HoldfastHistoryProvider(path, user_id="ada")
    await history.save_messages("s", [user("Hello")])
    await history.close()

    assert await texts(history) == ["Hello"]
    connect(path).close()


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy")), min_size=1, max_size=6))
def test_turns_saved_one_by_one_are_all_kept(turns: list[tuple[str, str]]) -> None:
    async def scenario(history: HoldfastHistoryProvider) -> list[str]:
        for asked, answered in turns:
            await history.save_messages("s", [user(asked), answer(answered)])
        return await texts(history)

    with Memory(":memory:", embedder=HashEmbedder()) as memory:
        kept = asyncio.run(scenario(HoldfastHistoryProvider(memory, user_id="ada")))
    assert kept == [text for turn in turns for text in turn]
