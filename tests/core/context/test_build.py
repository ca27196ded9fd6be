import pytest
from holdfast.context.cache import Cache
from holdfast.context.compiling import Overview, build
from holdfast.context.tokens import estimate
from holdfast.context.window import question
from holdfast.errors import InvalidInputError
from holdfast.runtime import run
from holdfast.types import Context, Message
from support.memories import match, record
from support.readers import Shelf

LISBON = match(record("I want to go to Lisbon"))
ASKING = [
    {"role": "user", "content": "Hello!"},
    {"role": "assistant", "content": "Hello, Ann."},
    {"role": "user", "content": "Where do I want to go?"},
    {"role": "assistant", "tool_calls": []},
]


def built(shelf: Shelf, *args: object, max_tokens: int = 500, **given: object) -> Context:
    return run(build(shelf, *args, max_tokens=max_tokens, count=estimate, **given))


def test_a_question_is_searched_for() -> None:
    shelf = Shelf([LISBON])
    assert "Lisbon" in built(shelf, "Where to?").text
    assert shelf.asked == ["Where to?"]


def test_the_question_is_the_last_user_message_when_none_is_given() -> None:
    shelf = Shelf([LISBON])
    built(shelf, None, ASKING)
    assert shelf.asked == ["Where do I want to go?"]


def test_a_given_question_wins_over_the_messages() -> None:
    shelf = Shelf([LISBON])
    built(shelf, "Which city?", ASKING)
    assert shelf.asked == ["Which city?"]


def test_without_any_question_only_summary_and_recent_turns_are_shown() -> None:
    overview = Overview(summary=record("Ann travels", kind="summary"), recent=(record("Bye", 1),))
    shelf = Shelf([LISBON], overview)
    assert [one.text for one in built(shelf).records] == ["Ann travels", "Bye"]
    assert shelf.asked == []


def test_recent_turns_are_left_out_when_the_messages_are_at_hand() -> None:
    shelf = Shelf([LISBON], Overview(recent=(record("See you", 1),)))
    assert "See you" not in built(shelf, None, ASKING).text


def test_a_budget_of_nothing_asks_nothing() -> None:
    shelf = Shelf([LISBON])
    assert built(shelf, "Where to?", max_tokens=0).text == ""
    assert shelf.asked == []


def test_what_is_no_budget_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="max_tokens must be"):
        built(Shelf(), "Where to?", max_tokens=-1)


def test_the_full_history_and_what_is_saved_are_told() -> None:
    context = built(Shelf([LISBON], Overview(characters=100_000, messages=900)), "Where to?")
    assert context.full_tokens == 27_000 + 3_600
    assert context.saved == context.full_tokens - context.tokens


def test_one_turn_is_one_retrieval() -> None:
    shelf, cache = Shelf([LISBON]), Cache[Context]()
    first = built(shelf, "Where to?", cache=cache)
    assert built(shelf, "Where to?", cache=cache) is first
    assert len(shelf.asked) == 1


def test_a_write_ends_the_cached_retrieval() -> None:
    shelf, cache = Shelf([LISBON]), Cache[Context]()
    built(shelf, "Where to?", cache=cache)
    shelf.seen = Overview(change=1)
    built(shelf, "Where to?", cache=cache)
    assert len(shelf.asked) == 2


def test_time_ends_the_cached_retrieval_when_something_expires() -> None:
    shelf, cache = Shelf([LISBON], Overview(until=5)), Cache[Context]()
    built(shelf, "Where to?", cache=cache)
    shelf.seen = Overview(until=None)
    built(shelf, "Where to?", cache=cache)
    assert len(shelf.asked) == 2


@pytest.mark.parametrize(
    ("messages", "asked"),
    [
        ([], ""),
        ([{"role": "system", "content": "Be brief"}], ""),
        ([Message("Hello"), Message("Hi", role="assistant")], "Hello"),
        ([{"role": "user", "content": [{"type": "text", "text": "Look"}, {"type": "x"}]}], "Look"),
        ([{"role": "user", "content": "a" * 5_000 + "b" * 5_000}], f"{'a' * 1_000} {'b' * 1_000}"),
    ],
)
def test_the_question_of_a_conversation(messages: list, asked: str) -> None:
    assert question(messages) == asked
