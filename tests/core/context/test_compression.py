import asyncio
import copy

import pytest
from holdfast.context.cache import Cache
from holdfast.context.compiling import Overview
from holdfast.context.compression import compress, cost, split
from holdfast.context.tokens import estimate
from holdfast.runtime import run
from hypothesis import given, settings
from hypothesis import strategies as st
from support.memories import match, record
from support.readers import Shelf


def user(text: str) -> dict:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict:
    return {"role": "assistant", "content": text}


SYSTEM = {"role": "system", "content": "You are a travel agent."}
CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "fly", "arguments": '{"to": "Rome"}'}}
    ],
}
RESULT = {"role": "tool", "tool_call_id": "1", "content": "Booked. " * 20}
PICTURE = {
    "role": "user",
    "content": [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}},
    ],
}
TURNS = [
    SYSTEM,
    *(
        turn
        for n in range(40)
        for turn in (user(f"Question {n}, please?"), assistant(f"Answer {n}!"))
    ),
    user("Where did I want to go?"),
]


def compressed(messages: list, max_tokens: int, shelf: Shelf | None = None) -> list:
    return run(compress(shelf or Shelf(), messages, max_tokens=max_tokens, count=estimate))


def total(messages: list) -> int:
    return sum(cost(message, estimate) for message in messages)


def test_a_conversation_that_fits_comes_back_as_it_is() -> None:
    assert compressed(TURNS, 10_000) == TURNS


def test_old_turns_become_memories_and_new_ones_stay_verbatim() -> None:
    shelf = Shelf([match(record("I want to go to Lisbon"))])
    shown = compressed(TURNS, 300, shelf)
    assert shown[0] is TURNS[0]
    assert shown[-1] is TURNS[-1]
    assert '"I want to go to Lisbon"' in shown[-2]["content"]
    verbatim = shown[1:-2]
    assert len(verbatim) >= 4
    assert verbatim == TURNS[-1 - len(verbatim) : -1]
    assert total(shown) <= 300
    assert shelf.asked == ["Where did I want to go?"]


def test_what_stays_verbatim_is_not_remembered_beside_it() -> None:
    shelf = Shelf(
        [match(record("Question 39, please?"), 0.9), match(record("Question 1, please?"))]
    )
    memory = compressed(TURNS, 300, shelf)[-2]["content"]
    assert "Question 39" not in memory
    assert "Question 1," in memory


def test_a_summary_stands_for_what_left() -> None:
    shelf = Shelf(overview=Overview(summary=record("Ann plans a journey", kind="summary")))
    assert 'Summary: "Ann plans a journey"' in compressed(TURNS, 300, shelf)[-2]["content"]


def test_nothing_is_added_where_nothing_was_found() -> None:
    assert all(message in TURNS for message in compressed(TURNS, 300))


def test_the_callers_list_and_messages_are_untouched() -> None:
    before = copy.deepcopy(TURNS)
    compressed(TURNS, 100, Shelf([match(record("I want to go to Lisbon"))]))
    assert before == TURNS


def test_system_messages_survive_wherever_they_stand() -> None:
    late = {"role": "system", "content": "Be brief."}
    shown = compressed([*TURNS[:30], late, *TURNS[30:]], 200)
    assert late in shown
    assert SYSTEM in shown


def test_a_tool_call_and_its_results_are_never_torn_apart() -> None:
    messages = [SYSTEM, user("Book it")] + [CALL, RESULT, RESULT] * 10
    for budget in range(0, 1_500, 50):
        shown = compressed(messages, budget)
        assert shown[:2] == messages[:2]
        assert shown[2:] == [CALL, RESULT, RESULT] * (len(shown[2:]) // 3)
        assert len(shown) >= 5


@pytest.mark.parametrize("budget", [0, 1, 10])
def test_system_and_the_last_user_message_survive_any_budget(budget: int) -> None:
    assert compressed(TURNS, budget) == [SYSTEM, TURNS[-1]]


def test_a_message_larger_than_the_budget_survives_if_it_is_the_last() -> None:
    large = user("word " * 10_000)
    assert compressed([*TURNS, large], 100) == [SYSTEM, large]


def test_images_count_by_estimate_not_by_their_bytes() -> None:
    assert 765 < cost(PICTURE, estimate) < 800
    small = {"role": "user", "content": [{"type": "image_url", "image_url": {"detail": "low"}}]}
    assert cost(small, estimate) == 4 + 85


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"role": "user"},
        {"role": "user", "content": None},
        {"role": "user", "content": 7},
        {"role": "user", "content": [None, "x", {"type": "input_audio"}]},
        {"role": "tool", "content": "an orphan"},
        {"type": "function_call", "name": "x", "arguments": "{}"},
        {"role": "assistant", "tool_calls": "not a list"},
    ],
)
def test_odd_messages_do_no_harm(odd: dict) -> None:
    assert compressed([odd], 10) == [odd]
    assert compressed([*TURNS, odd], 100)[0] is SYSTEM


def test_no_messages_stay_no_messages() -> None:
    assert compressed([], 0) == []


def test_the_prefix_stays_the_same_for_some_turns() -> None:
    beginnings = set()
    for turn in range(41, 61, 2):
        shown = compressed([*TURNS[:turn], user("And now?")], 260)
        beginnings.add(shown[1]["content"])
    assert len(beginnings) <= 6


def test_the_developers_role_is_kept() -> None:
    developer = {"role": "developer", "content": "Be brief."}
    shelf = Shelf([match(record("I want to go to Lisbon"))])
    assert compressed([developer, *TURNS[1:]], 300, shelf)[-2]["role"] == "developer"


def test_the_async_face_waits_for_memory() -> None:
    shelf = Shelf([match(record("I want to go to Lisbon"))])
    flow = compress(shelf, TURNS, max_tokens=300, count=estimate, cache=Cache())
    assert "Lisbon" in asyncio.run(flow)[-2]["content"]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from([SYSTEM, user("Hello there"), assistant("Hi"), CALL, RESULT, PICTURE])
    ),
    st.integers(0, 3_000),
)
def test_any_conversation_keeps_its_order_and_its_budget(messages: list, budget: int) -> None:
    parts = split(messages, budget, estimate)
    kept = [*parts.before, *parts.after]
    assert len(kept) + len(parts.left_out) == len(messages)
    assert [m for m in kept if m["role"] == "system"] == [m for m in messages if m is SYSTEM]
    assert total(kept) + parts.room <= max(budget, total(kept))
    remaining = iter(messages)
    assert all(any(message is one for one in remaining) for message in kept)
