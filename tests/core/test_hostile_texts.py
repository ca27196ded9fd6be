"""No text within the limits stops the process: the worst patterns known, at full length."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from holdfast import Answer, FilterError, HoldfastError, Memory
from holdfast.documents import Put
from holdfast.graph import Triple
from holdfast.language.mentions import Speakers
from holdfast.language.names import bare
from holdfast.language.quoting import quote
from holdfast.language.terms import analyse, stem
from holdfast.language.traits import traits
from holdfast.pipeline.extraction import Guidance
from holdfast.pipeline.extraction.prompt import tool
from holdfast.pipeline.relations import canonical
from holdfast.providers.parsing import read_object
from holdfast.testing import HashEmbedder, ScriptedLLM

pytestmark = pytest.mark.slow

MOST = 500_000  # characters of a text
SECONDS = 5.0  # of CPU

MONTHS = ("January", "March", "June", "October")
DATES = " ".join(f"{1 + n % 28} {MONTHS[n % 4]} {1900 + n % 199}" for n in range(40_000))
PATTERNS = {
    "marks": "a" + "\u0301\u0316" * MOST,
    "dates": DATES,
    "wide": "\ufdfa" * MOST,
    "distinct words": " ".join(f"w{n}" for n in range(MOST // 6)),
    "Chinese digits": "一" * MOST,
    "one word": "lichkeit" * (MOST // 8),
}
CALLS: dict[str, Callable[[Memory, str], Any]] = {
    "search": lambda memory, text: memory.search(text, user_id="u"),
    "search with graph": lambda memory, text: memory.search(text, user_id="u", graph=True),
    "context": lambda memory, text: memory.context(text, user_id="u"),
    "add": lambda memory, text: memory.add(text, user_id="u"),
    "add a fact": lambda memory, text: memory.add(text, user_id="u", kind="fact"),
    "add a relation": lambda memory, text: memory.add_relations(
        [Triple("Ann", "likes", "tea", text=text)], user_id="u"
    ),
    "a relation's name": lambda memory, text: memory.add_relations(
        [("Ann", text, "tea")], user_id="u"
    ),
    "an item": lambda memory, text: memory.documents.batch([Put(("n",), "k", 1, [text])]),
    "search of items": lambda memory, text: memory.documents.search(("n",), text),
}


@pytest.fixture(scope="module")
def memory() -> Memory:
    opened = Memory(":memory:", embedder=HashEmbedder(16), graph=True)
    opened.add({"role": "user", "content": "I met Bob in Oslo", "name": "Ann"}, user_id="u")
    opened.documents.put(("n",), "first", {"a": 1}, texts=["tea"])
    opened.search("warm up on 3 May 2024", user_id="u")
    return opened


def spent(work: Callable[[], object]) -> float:
    begun = time.process_time()
    with suppress(HoldfastError):
        work()
    return time.process_time() - begun


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("call", CALLS)
def test_a_text_of_any_pattern_is_answered_in_seconds(
    memory: Memory, call: str, pattern: str
) -> None:
    text = PATTERNS[pattern][:MOST]
    assert spent(lambda: CALLS[call](memory, text)) < SECONDS


def test_a_word_behind_what_is_read_of_names_is_found_all_the_same(memory: Memory) -> None:
    memory.add("barley " * 60_000 + "quince", user_id="long")
    assert memory.search("quince", user_id="long")[0].passage.endswith("quince")


def test_the_end_of_a_long_question_counts() -> None:
    with Memory(":memory:", embedder=HashEmbedder(16)) as memory:
        memory.add(["quince", "barley"], user_id="u")
        found = memory.search("unasked " * 50_000 + "quince", user_id="u", explain=True)
        assert found[0].record.text == "quince"
        assert found[0].parts["keywords"] > 0


@pytest.mark.parametrize(
    "text", ["[" + " " * MOST + "x", "[ " * (MOST // 2), "<" * MOST, "[A " * (MOST // 3)]
)
def test_quoting_takes_linear_time(text: str) -> None:
    assert spent(lambda: quote(text)) < SECONDS


def test_long_words_are_neither_stemmed_nor_kept_in_a_cache() -> None:
    word = "கள்" * 100_000
    assert spent(lambda: analyse(word)) < SECONDS
    assert stem(word, "english") == word
    assert bare("x" * MOST) == "x" * MOST


def test_a_long_number_before_a_word_of_time_is_read_in_seconds() -> None:
    assert spent(lambda: traits("1" * MOST + " may")) < SECONDS


def test_leading_words_of_a_relation_are_taken_off_in_linear_time() -> None:
    assert spent(lambda: canonical("a_" * MOST)) < SECONDS
    assert canonical("is currently living_in") == "lives_in"


# -- many speakers ------------------------------------------------------------------------------


def test_many_new_speakers_take_linear_time() -> None:
    said = [
        {"role": "user", "content": f"hello Name{n - 1} " * 20, "name": f"Name{n}"}
        for n in range(800)
    ]
    with Memory(":memory:", embedder=HashEmbedder(16), graph=True) as memory:
        assert spent(lambda: memory.add(said, user_id="u")) < SECONDS
        near = memory.graph(user_id="u").neighbours("Name7", limit=1_000)
        assert {"Name6", "Name8"} <= {one.entity.name for one in near}


@pytest.mark.parametrize(
    ("name", "text", "there"),
    [
        ("Ann", "with Ann.", True),
        ("Ann", "Annual", False),
        ("Ann", "Annual Ann", True),
        ("Ann O'Neil", "see Ann O'Neil's", True),
        ("Ann Lee", "Ann and Lee", False),
        ("李明", "我见了李明和", True),
        ("@bob", "a@bob", True),
        ("@bob", "to @bob", False),
        ("Ünal", "der Ünal", True),
    ],
)
def test_a_speaker_stands_in_a_text_as_whole_words(name: str, text: str, there: bool) -> None:
    assert (Speakers.of(["Somebody", name]).within(text) == [name]) is there


# -- filters ------------------------------------------------------------------------------------


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def shared(levels: int) -> Any:
    tree: Any = {"a": 1}
    for _ in range(levels):
        tree = {"AND": [tree, tree]}
    return tree


@pytest.mark.parametrize(
    "filters",
    [
        {"OR": [{"a": n} for n in range(50_000)]},
        {f"f{n}": n for n in range(50_000)},
        {"a": list(range(50_000))},
        {"a": {"in": [[n] for n in range(50_000)]}},
        {"a": nested(600)},
        {"a": {"in": [nested(100_000)]}},
        shared(30),
        {"a": 10**5_000},
        {"a": {"gt": -(10**5_000)}},
        {"a" * 2_000: 1},
        {"a.b" * 100_000: 1},
        {1: 1},
        {"a": {1: 1}},
    ],
    ids=lambda filters: type(filters).__name__,
)
def test_a_filter_beyond_measure_is_an_error_at_once(memory: Memory, filters: Any) -> None:
    begun = time.process_time()
    for call in (memory.list, lambda **options: memory.search("tea", **options)):
        with pytest.raises(FilterError) as caught:
            call(user_id="u", filters=filters)
        assert len(str(caught.value)) < 500
    assert time.process_time() - begun < SECONDS


# -- models' answers ----------------------------------------------------------------------------

TEN_MEGABYTES = 10_000_000
ANSWERS = {
    "quotes": '"' * TEN_MEGABYTES,
    "brackets": "[" * TEN_MEGABYTES,
    "braces": "{" * TEN_MEGABYTES,
    "backslashes": '{"facts": ["' + "\\" * TEN_MEGABYTES,
    "dots": "." * TEN_MEGABYTES,
    "thoughts": "<think>" * (TEN_MEGABYTES // 7),
    "many facts": '{"facts": [' + '{"text": "x y"},' * (TEN_MEGABYTES // 16),
    "objects": '{"a": 1} ' * (TEN_MEGABYTES // 9),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_huge_answer_is_read_in_seconds(answer: str) -> None:
    text = ANSWERS[answer]
    assert spent(lambda: read_object(text, tool(Guidance()))) < SECONDS
    llm = ScriptedLLM([Answer(text), Answer(text)])
    with Memory(":memory:", embedder=HashEmbedder(16), llm=llm) as memory:
        assert spent(lambda: memory.add("tea", user_id="u")) < SECONDS
        assert len(memory.list(user_id="u", kinds=["turn"])) == 1


def test_huge_fields_and_lists_of_an_answer_are_read_in_seconds() -> None:
    long = "a_" * 5_000_000
    relation = {"subject": long, "relation": long, "object": long, "single_valued": True}
    fact = {"text": long, "about": long, "turns": [1], "when": long, "relations": [relation] * 30}
    wrong = [{"text": f"fact {n}", "turns": [77]} for n in range(200_000)]
    llm = ScriptedLLM([Answer(data={"facts": [fact]}), Answer(data={"facts": wrong})])
    with Memory(":memory:", embedder=HashEmbedder(16), llm=llm) as memory:
        assert spent(lambda: memory.add("tea", user_id="u")) < SECONDS
        assert spent(lambda: memory.add("tea " * 100_000, user_id="v")) < SECONDS
