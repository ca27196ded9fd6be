"""Filters compiled to SQL select what plain Python selects; a filtered search loses nothing."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import Any

import pytest
from holdfast import FilterError, Memory, StorageError
from holdfast.documents import Put
from holdfast.storage.contract.filters import MAX_DEPTH, parse
from holdfast.storage.sqlite.filters import Condition
from holdfast.storage.sqlite.opening import CUTS_AT_NUL
from holdfast.testing import HashEmbedder
from hypothesis import given, settings
from hypothesis import strategies as st
from support.drivers import UNCOMPARED
from support.judging import passes

LABELS = ["a", "b", "c d", 'q"t', "back\\slash", "it's", "é", "$", "[0]", "#-1", "日本", "%", "_"]
label = st.sampled_from(LABELS)
TEXTS = ["tea", "te", "1", "true", "null", "a\x00b", "\U0001f600", "z'"]
letters = st.characters(exclude_categories=["Cs"], exclude_characters=UNCOMPARED)
text = st.text(letters, max_size=4) | st.sampled_from(
    [text for text in TEXTS if not set(UNCOMPARED) & set(text)]
)
number = (
    st.integers(-3, 3)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | st.sampled_from([0.5, -0.0, 2**53 + 1, 2**62, -(2**63), 2**63, 2**70, 1e300])
)
scalar = st.none() | st.booleans() | number | text
value = st.recursive(
    scalar, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(label, inner, max_size=3)
)
document = st.dictionaries(label, value, max_size=4)
name = st.lists(label, min_size=1, max_size=2).map(".".join)
ordered = number | text
whole = scalar | st.recursive(scalar, lambda inner: st.lists(inner, max_size=3))
comparison = st.one_of(
    scalar,
    st.fixed_dictionaries({"eq": whole}),
    st.fixed_dictionaries({"ne": whole}),
    st.fixed_dictionaries({"in": st.lists(whole, max_size=3)}),
    st.fixed_dictionaries({"nin": st.lists(scalar, max_size=3)}),
    st.fixed_dictionaries({"contains": scalar}),
    st.fixed_dictionaries({"exists": st.booleans()}),
    st.fixed_dictionaries({}, optional=dict.fromkeys(["gt", "gte", "lt", "lte"], ordered)).filter(
        bool
    ),
)
leaf = st.dictionaries(name, comparison, max_size=2)
tree = st.recursive(
    leaf,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"AND": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"OR": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"NOT": inner}),
    ),
    max_leaves=4,
)


def fresh() -> Memory:
    return Memory(":memory:", embedder=HashEmbedder(16))


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(documents=st.lists(document, min_size=1, max_size=5), filters=tree)
def test_sql_selects_the_items_that_python_selects(
    documents: list[dict[str, Any]], filters: dict[str, Any]
) -> None:
    with fresh() as memory:
        puts = [Put(("n",), str(n), one, texts=["tea"]) for n, one in enumerate(documents)]
        memory.documents.batch(puts)
        for query in (None, "tea", "tea"):
            found = memory.documents.search(("n",), query, filters=filters)
            wanted = {str(n) for n, one in enumerate(documents) if passes(one, filters)}
            assert {match.document.key for match in found} == wanted


@pytest.mark.slow
@settings(max_examples=75, deadline=None)
@given(documents=st.lists(document, min_size=1, max_size=5), filters=tree)
def test_sql_selects_the_records_that_python_selects(
    documents: list[dict[str, Any]], filters: dict[str, Any]
) -> None:
    with fresh() as memory:
        for n, one in enumerate(documents):
            memory.add(f"tea {n}", user_id="ada", metadata=one)
        listed = [record.text for record in memory.list(user_id="ada", filters=filters)]
        matches = memory.search("tea", user_id="ada", filters=filters)
        found = {match.record.text for match in matches}
    assert listed == [f"tea {n}" for n, one in enumerate(documents) if passes(one, filters)]
    assert found == set(listed)


def both(memory: Memory, filters: dict[str, Any]) -> list[str]:
    """Return what is found in SQL, then what is found in memory."""
    matches = memory.search("tea", user_id="ada", filters=filters)
    found = [*memory.list(user_id="ada", filters=filters), *(match.record for match in matches)]
    return [record.text for record in found]


@pytest.mark.parametrize(
    "name", ['"', '"q"', 'q"t', 'q\\"t', '\\"', "\\", 'q"\\', '"[0]', "\\u0022"], ids=ascii
)
def test_a_name_may_hold_quotation_marks_and_backslashes(name: str) -> None:
    with fresh() as memory:
        memory.add("it", user_id="ada", metadata={name: {name: [name]}})
        memory.add("other", user_id="ada", metadata={f"{name}x": {"q": [name]}})
        for filters in ({f"{name}.{name}": [name]}, {f"{name}.{name}": {"contains": name}}):
            assert both(memory, filters) == ["it", "it"]


@pytest.mark.parametrize(
    "filters",
    [
        {"said": "a"},
        {"said": {"lte": "a"}},
        {"NOT": {"said": {"contains": "b"}}},
        {"tags": ["a"]},
        {"tags": {"contains": "a"}},
    ],
    ids=repr,
)
def test_a_text_is_compared_to_its_end_or_not_at_all(filters: dict[str, Any]) -> None:
    with fresh() as memory:
        for text in ("a", "a\x00b"):
            memory.add(repr(text), user_id="ada", metadata={"said": text, "tags": [text]})
        [match] = memory.search("tea", user_id="ada", filters=filters)
        assert match.record.text == "'a'"
        # A listing is SQL's answer, and an old SQLite sees a text up to its first NUL.
        with pytest.raises(StorageError, match="NUL") if CUTS_AT_NUL else nullcontext():
            [listed] = memory.list(user_id="ada", filters=filters)
            assert listed.id == match.record.id


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(price=st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_equals_itself_to_the_last_bit(price: float) -> None:
    with fresh() as memory:
        memory.add("it", user_id="ada", metadata={"price": price, "all": [price]})
        for filters in ({"price": price}, {"all": [price]}, {"all": {"contains": price}}):
            assert both(memory, filters) == ["it", "it"]


def cosine(left: list[float], right: list[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


WORDS = ["tea", "milk", "rain", "road", "cat", "garden", "moon", "stone", "paper", "lamp"]
OPERATORS: list[dict[str, Any]] = [
    {"n": 3},
    {"n": {"ne": 3}},
    {"n": {"gt": 200}},
    {"n": {"gte": 250, "lt": 270}},
    {"n": {"lte": 9}},
    {"n": {"in": [1, 150, 299, 1000]}},
    {"n": {"nin": list(range(290))}},
    {"tags": {"contains": "t5"}},
    {"word": {"contains": "oon"}},
    {"odd": {"exists": True}},
    {"OR": [{"n": {"lt": 4}}, {"word": "cat"}]},
    {"AND": [{"n": {"gt": 4}}, {"NOT": {"word": "cat"}}]},
    {"word": "never"},
]


@pytest.fixture(scope="module")
def shelf() -> Any:
    """Three hundred items of one tenant among as many of another, more than a pool holds."""
    memory = fresh()
    puts = []
    for n in range(300):
        said = " ".join(WORDS[(n * k) % len(WORDS)] for k in range(1, 2 + n % 5))
        about = {"n": n, "word": WORDS[n % 10], "tags": [f"t{n % 7}"]}
        about |= {"odd": 1} if n % 2 else {}
        puts.append(Put(("ada",), str(n), about | {"said": said}, texts=[said]))
        puts.append(Put(("bob",), str(n), about | {"said": said}, texts=[said]))
    memory.documents.batch(puts)
    yield memory
    memory.close()


@pytest.mark.parametrize("filters", OPERATORS, ids=lambda filters: repr(filters)[:40])
@pytest.mark.parametrize("query", ["tea and milk", "moon", "stone paper lamp lamp"])
def test_a_filtered_search_is_a_brute_force_search(
    shelf: Memory, filters: dict[str, Any], query: str
) -> None:
    asked = HashEmbedder(16).embed_query(query)
    chosen = [
        match.document
        for match in shelf.documents.search(("ada",), limit=300)
        if passes(match.document.value, filters)
    ]
    vectors = HashEmbedder(16).embed([item.value["said"] for item in chosen])
    scores = {item.key: cosine(asked, one) for item, one in zip(chosen, vectors, strict=True)}
    for limit in (1, 10, 300):
        found = shelf.documents.search(("ada",), query, filters=filters, mode="vector", limit=limit)
        assert {match.document.namespace for match in found} <= {("ada",)}
        best = sorted(scores.values(), reverse=True)[:limit]
        assert [match.score for match in found] == pytest.approx(best, abs=1e-5)
        assert [scores[match.document.key] for match in found] == pytest.approx(best, abs=1e-5)


@pytest.mark.slow
def test_many_values_and_many_parts_are_one_filter() -> None:
    many = list(range(5000))
    with fresh() as memory:
        memory.add("tea", user_id="ada", metadata={"n": 4999, "many": many})
        for filters in (
            {"n": {"in": many}},
            {"OR": [{"n": n} for n in many]},
            {"AND": [{"n": {"ne": n}} for n in many[:-1]]},
            {"kind": {"in": ["turn"] * 5000}},
            {"many": many},
        ):
            assert len(memory.list(user_id="ada", filters=filters)) == 1
            assert len(memory.search("tea", user_id="ada", filters=filters)) == 1


def deep(levels: int) -> dict[str, Any]:
    filters: dict[str, Any] = {"n": 1}
    for _ in range(levels):
        filters = {"NOT": filters}
    return filters


@pytest.mark.parametrize(
    "filters",
    [
        "topic",
        [("a", 1)],
        {"": 1},
        {"a..b": 1},
        {"a\x00": 1},
        {"a": {}},
        {"a": {"like": "x"}},
        {"a": {"eq": [object()]}},
        {"a": {"gt": [1]}},
        {"kind": ["turn"]},
        {"a": {"gt": None}},
        {"a": {"lt": True}},
        {"a": {"in": "abc"}},
        {"a": {"in": 5}},
        {"a": {"exists": 1}},
        {"a": math.nan},
        {"a": math.inf},
        {"a": 10**400},
        {"a": "\ud800"},
        {"a": {"contains": "\ud800"}},
        {"a": b"bytes"},
        {"AND": []},
        {"OR": "x"},
        {"OR": {"a": 1}},
        {"AND": [1]},
        {"NOT": 1},
        {"NOT": []},
        {"created_at": "2024-01-01"},
        {"created_at": {"contains": 1}},
        {"kind": 5},
        {"speaker": {"gt": 1}},
        {"text": {"contains": 5}},
        {"importance": "0.5"},
        {"version": True},
        {"version": {"contains": 1}},
        {"user_id": "ada"},
        {"AND": [{"topic": "tea"}, {"run_id": {"ne": "1"}}]},
        deep(MAX_DEPTH + 1),
        deep(500),
    ],
    ids=lambda filters: repr(filters)[:40],
)
def test_a_malformed_filter_is_an_error(filters: Any) -> None:
    with fresh() as memory:
        memory.add("tea", user_id="ada")
        for call in (memory.list, lambda **options: memory.search("tea", **options)):
            with pytest.raises(FilterError):
                call(user_id="ada", filters=filters)


def test_metadata_named_as_an_id_is_found_by_its_whole_path() -> None:
    with fresh() as memory:
        memory.add("tea", user_id="ada", metadata={"user_id": "bob"})
        assert len(memory.list(user_id="ada", filters={"metadata.user_id": "bob"})) == 1


def test_a_deep_filter_within_the_limit_works() -> None:
    with fresh() as memory:
        memory.add("tea", user_id="ada", metadata={"n": 1})
        assert len(memory.list(user_id="ada", filters=deep(MAX_DEPTH))) == 1


def test_the_records_own_fields_can_be_filtered() -> None:
    with fresh() as memory:
        said = {"role": "assistant", "content": "green tea", "name": "Eve"}
        (change,) = memory.add(said, user_id="ada", metadata={"kind": "mine"})
        record = change.after
        assert record is not None
        for filters in (
            {"id": record.id},
            {"kind": "turn", "role": "assistant", "speaker": {"in": ["Eve", None]}},
            {"text": {"contains": "een"}},
            {"created_at": record.created_at, "updated_at": {"lte": record.created_at}},
            {"occurred_at": {"gte": record.occurred_at}, "expires_at": None},
            {"importance": {"gt": 0.4, "lt": 0.6}, "version": 1},
            {"metadata.kind": "mine"},
            {"speaker": {"exists": True}, "expires_at": {"exists": False}},
        ):
            assert len(memory.list(user_id="ada", filters=filters)) == 1
            assert len(memory.list(user_id="ada", filters={"NOT": filters})) == 0


def test_a_filter_over_an_indexed_field_reads_no_other_rows() -> None:
    with Memory(":memory:", embedder=HashEmbedder(16), indexed=["room"]) as memory:
        memory.add("one", user_id="ada", metadata={"room": 7})
        asked: list[str] = []
        with memory._storage.database.bare() as connection:
            connection.set_trace_callback(asked.append)  # type: ignore[attr-defined]
        memory.list(user_id="ada", filters={"room": 7})
        with memory._storage.database.bare() as connection:
            connection.set_trace_callback(None)  # type: ignore[attr-defined]
            listed = next(sql for sql in asked if "json_extract" in sql)
            plan = connection.execute(f"EXPLAIN QUERY PLAN {listed}").fetchall()

    assert any("USING INDEX records_within_" in step[-1] for step in plan)


def test_an_index_changes_no_answer() -> None:
    fields = ["topic", "Topic", "a.b", "a_b", 'q"t', "it's"]
    with Memory(":memory:", embedder=HashEmbedder(16), indexed=fields) as memory:
        memory.add("one", user_id="ada", metadata={"topic": "tea", "Topic": 1, "a": {"b": 2}})
        memory.add("two", user_id="ada", metadata={'q"t': 1, "it's": 2, "a_b": 3})
        for filters in ({"topic": "tea"}, {"Topic": 1}, {"a.b": 2}):
            assert [r.text for r in memory.list(user_id="ada", filters=filters)] == ["one"]
        for filters in ({'q"t': 1}, {"it's": 2}, {"a_b": 3}):
            assert [r.text for r in memory.list(user_id="ada", filters=filters)] == ["two"]
        with memory._storage.database.read() as connection:
            made = connection.execute(
                "SELECT count(*) FROM sqlite_master WHERE name LIKE 'records_within_%'"
            ).fetchone()
        assert made[0] == len(fields)


def test_many_options_are_one_test_of_the_field() -> None:
    condition = Condition("r.metadata")
    sql = condition.sql(parse({"n": {"in": list(range(1000))}}))

    assert sql.count("json_extract") == 1
    assert condition.values == list(range(1000))


def test_a_list_may_be_asked_for_any_of_very_many_values() -> None:
    with fresh() as memory:
        memory.add(["green tea", "black tea"], user_id="ada", metadata={"n": 1})
        memory.add("coffee", user_id="ada", metadata={"n": "none of them"})
        known = [record.id for record in memory.list(user_id="ada")]

        many = [*range(20_000), *map(str, range(10_000)), None, True]
        assert len(memory.list(user_id="ada", filters={"n": {"in": many}})) == 2
        assert len(memory.list(user_id="ada", filters={"n": {"nin": many}})) == 1
        ids = [*known[:2], *map(str, range(20_000))]
        assert len(memory.list(user_id="ada", filters={"id": {"in": ids}})) == 2
