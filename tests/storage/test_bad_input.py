"""What cannot be stored is a clear error, and nothing of it is stored."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from holdfast import (
    HoldfastError,
    InvalidInputError,
    Memory,
    Message,
    ProviderError,
    Scope,
    ScopeError,
)
from holdfast.testing import HashEmbedder

NAIVE = datetime(2024, 1, 1)
WEST = timezone(timedelta(hours=-5))


@pytest.fixture
def memory() -> Iterator[Memory]:
    with Memory(":memory:", embedder=HashEmbedder()) as memory:
        yield memory


def is_untouched(memory: Memory) -> bool:
    counted = memory.stats(check=True)
    return (counted.records, counted.namespaces, counted.problems) == ({}, 0, ())


BAD_IDS: list[Any] = [
    "",
    " \n",
    "a\x00",
    "a\x1fb",
    "a\x7f",
    "\x85",
    "x" * 257,
    "\ud800",
    5,
    b"ada",
    True,
    ["ada"],
]


@pytest.mark.parametrize("bad", BAD_IDS, ids=ascii)
@pytest.mark.parametrize("name", ["user_id", "agent_id", "run_id", "app_id"])
def test_a_malformed_id_is_a_scope_error(memory: Memory, name: str, bad: Any) -> None:
    ids: Any = {name: bad}
    for call in (
        lambda: memory.add("tea", **ids),
        lambda: memory.search("tea", **ids),
        lambda: memory.list(**ids),
        lambda: memory.delete_all(**ids),
        lambda: memory.scoped(**ids),
        lambda: Scope(**ids),
    ):
        with pytest.raises(ScopeError, match=name):
            call()
    assert is_untouched(memory)


@pytest.mark.parametrize("name", ["*", "%", "null", " ", "a" * 256, "日本", "\U0001f600", "a/b:c"])
def test_any_printable_string_is_an_id(memory: Memory, name: str) -> None:
    memory.add("tea", user_id=name)
    memory.add("coffee", user_id="ada")
    assert [match.record.text for match in memory.search("tea", user_id=name)] == ["tea"]


def test_a_bound_handle_reaches_no_other_scope(memory: Memory) -> None:
    memory.add("bob's tea", user_id="bob")
    (mine,) = memory.add("ada's tea", user_id="ada", run_id="r1")
    handle = memory.scoped(user_id="ada")
    for call in (
        lambda: handle.add("x", user_id="bob"),
        lambda: handle.search("tea", user_id="bob"),
        lambda: handle.delete_all(user_id="bob"),
        lambda: handle.scoped(user_id="bob"),
        lambda: handle.scoped(run_id="r1").search("tea", run_id="r2"),
    ):
        with pytest.raises(ScopeError, match="bound to"):
            call()
    assert [match.record.text for match in handle.search("tea")] == ["ada's tea"]
    assert handle.scoped(run_id="r1").get(mine.id).text == "ada's tea"
    assert len(handle.list(run_id="r2")) == 0
    assert handle.delete_all() == 1
    assert len(memory.list(user_id="bob")) == 1


BAD_MESSAGES: list[Any] = [
    "",
    "  \n\t",
    "x" * 1_000_001,
    "a\x00b",
    "a\ud800b",
    None,
    5,
    b"bytes",
    {},
    {"role": "user"},
    {"content": "x", "role": "robot"},
    {"content": "x", "role": None},
    {"content": "x", "colour": "red"},
    {"content": ""},
    {"content": 5},
    {"content": None},
    {"content": []},
    {"content": [{"type": "image_url"}]},
    {"content": "x", "name": ""},
    {"content": "x", "name": 5},
    {"content": "x", "id": "a\nb"},
    {"content": "x", "id": 7},
    {"content": "x", "occurred_at": NAIVE},
    {"content": "x", "occurred_at": "2024-01-01"},
    {"content": "x", "metadata": {"a": math.nan}},
    {"content": "x", "metadata": {"a": object()}},
    {"content": "x", "metadata": {1: 2}},
    {"content": "x", "metadata": {"a": "\ud800"}},
    {"content": "x", "metadata": "text"},
    {"content": "x", 5: "y"},
    Message(""),
    Message("x", role="robot"),  # type: ignore[arg-type]
    Message("x", occurred_at=NAIVE),
    ["fine", None],
    [["nested"]],
]


@pytest.mark.parametrize("given", BAD_MESSAGES, ids=lambda given: ascii(given)[:40])
def test_a_malformed_message_is_an_error_and_leaves_nothing(memory: Memory, given: Any) -> None:
    with pytest.raises((InvalidInputError, ScopeError), match=r".{15,}"):
        memory.add(given, user_id="ada")
    assert is_untouched(memory)


@pytest.mark.parametrize(
    "options",
    [
        {"occurred_at": NAIVE},
        {"expires_at": NAIVE},
        {"occurred_at": "yesterday"},
        {"occurred_at": datetime.max.replace(tzinfo=WEST)},
        {"expires_at": datetime.min.replace(tzinfo=timezone(timedelta(hours=5)))},
        {"metadata": {"a": math.inf}},
        {"metadata": [1]},
        {"kind": "thought"},
        {"kind": None},
        {"kind": ["turn"]},
    ],
    ids=repr,
)
def test_a_malformed_option_is_an_error_and_leaves_nothing(memory: Memory, options: Any) -> None:
    with pytest.raises(InvalidInputError, match=r".{15,}"):
        memory.add("tea", user_id="ada", **options)
    assert is_untouched(memory)


def test_the_ends_of_the_calendar_can_be_stored(memory: Memory) -> None:
    first = datetime.min.replace(tzinfo=timezone.utc)
    last = datetime.max.replace(tzinfo=timezone.utc)
    memory.add("tea", user_id="ada", occurred_at=first, expires_at=last)
    (record,) = memory.list(user_id="ada")
    assert (record.occurred_at, record.expires_at) == (first, last)
    assert len(memory.search("tea", user_id="ada", as_of=last, valid_at=first)) == 1
    assert memory.search("tea", user_id="ada", as_of=first) == []


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"leaf": 1}
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.slow
@pytest.mark.parametrize("levels", [50, 190, 250, 1_100, 5_000, 100_000])
def test_deep_metadata_is_stored_whole_or_refused(memory: Memory, levels: int) -> None:
    """SQLite reads JSON of a thousand levels; a deeper one would spoil every later filter."""
    try:
        memory.add("tea", user_id="ada", metadata=nested(levels))
    except InvalidInputError:
        assert is_untouched(memory)
    else:
        assert len(memory.list(user_id="ada", filters={"NOT": {"b": 1}})) == 1
        assert len(memory.search("tea", user_id="ada", filters={"b": {"ne": 1}})) == 1
    try:
        memory.documents.put(("n",), "k", nested(levels))
    except InvalidInputError:
        assert memory.documents.get(("n",), "k") is None
    else:
        assert memory.documents.get(("n",), "k") is not None


def test_a_long_text_within_the_limit_is_stored_and_found(memory: Memory) -> None:
    text = "The cellar holds barley. " * 4_000 + "The key lies under the quince tree."
    memory.add(text, user_id="ada")
    (match,) = memory.search("where is the key, under which tree", user_id="ada")
    assert match.record.text == text
    assert memory.stats(check=True).problems == ()


# -- embedders that fail ------------------------------------------------------------------------


class Broken(HashEmbedder):
    """Gives whatever it is told, once it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.answer: Any = None

    def embed(self, texts: Sequence[str]) -> Any:
        given = super().embed(texts)
        return given if self.answer is None else self.answer(given)


def with_first(value: float) -> Any:
    return lambda vectors: [[value, *vector[1:]] for vector in vectors]


ANSWERS = {
    "nan": with_first(math.nan),
    "infinity": with_first(math.inf),
    "beyond float32": with_first(1e300),
    "one too few": lambda vectors: vectors[1:],
    "one too many": lambda vectors: [*vectors, vectors[0]],
    "none": lambda vectors: None,
    "ragged": lambda vectors: [vectors[0], vectors[0][:3]][: len(vectors)] + vectors[2:],
    "words": lambda vectors: [["x"] * 64 for _ in vectors],
    "empty": lambda vectors: [[] for _ in vectors],
    "numbers": lambda vectors: [1.0 for _ in vectors],
    "deep": lambda vectors: [[vector] for vector in vectors],
}


@pytest.mark.parametrize("answer", ANSWERS, ids=str)
def test_vectors_that_are_none_are_a_provider_error_and_leave_nothing(answer: str) -> None:
    embedder = Broken()
    with Memory(":memory:", embedder=embedder) as memory:
        embedder.answer = ANSWERS[answer]
        for call in (
            lambda: memory.add(["green tea", "black tea"], user_id="ada"),
            lambda: memory.documents.put(("n",), "k", {}, texts=["green tea", "black tea"]),
        ):
            with pytest.raises(ProviderError, match="embedder"):
                call()
        assert is_untouched(memory)


def test_a_vector_that_is_none_fails_a_search_and_an_update() -> None:
    embedder = Broken()
    with Memory(":memory:", embedder=embedder) as memory:
        (change,) = memory.add("green tea", user_id="ada")
        embedder.answer = ANSWERS["nan"]
        with pytest.raises(ProviderError):
            memory.search("tea", user_id="ada")
        with pytest.raises(ProviderError):
            memory.update(change.id, "black tea", user_id="ada")
        embedder.answer = None
        assert memory.get(change.id, user_id="ada") == change.after


def test_a_vector_of_zeros_is_stored_and_found_by_its_words() -> None:
    embedder = Broken()
    embedder.answer = lambda vectors: [[0.0] * 64 for _ in vectors]
    with Memory(":memory:", embedder=embedder) as memory:
        memory.add(["green tea", "a cat"], user_id="ada")
        assert memory.search("tea", user_id="ada")[0].record.text == "green tea"
        assert memory.stats(check=True).problems == ()


def test_an_embedder_that_fails_half_way_leaves_nothing() -> None:
    with Memory(":memory:", embedder=HashEmbedder(fail_at=7)) as memory:
        with pytest.raises(ProviderError):
            memory.add([f"tea {n}" for n in range(10)], user_id="ada")
        assert is_untouched(memory)
        memory.add("tea", user_id="ada")


def test_every_error_of_ours_is_in_one_tree() -> None:
    for error in (InvalidInputError, ScopeError, ProviderError):
        assert issubclass(error, HoldfastError)
