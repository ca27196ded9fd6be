from collections.abc import Iterator
from typing import Any

import pytest
from holdfast import FilterError
from holdfast_langgraph import HoldfastStore
from hypothesis import given, settings
from hypothesis import strategies as st

DOCS = ("docs",)
VALUES: dict[str, dict[str, Any]] = {
    "a": {"n": 1, "s": "one", "ok": True, "tags": ["x", "y"], "in": {"z": 1, "w": 2}, "no": None},
    "b": {"n": 2.5, "s": "two", "ok": False, "tags": ["y"], "in": {"z": 2}, "k-1": 1},
    "c": {"n": 10, "s": "10", "tags": [], "123": "digits", "naïve": "yes", "with space": 1},
}


@pytest.fixture(scope="module")
def store() -> Iterator[HoldfastStore]:
    with HoldfastStore(":memory:") as opened:
        for key, value in VALUES.items():
            opened.put(DOCS, key, value)
        yield opened


def found(store: HoldfastStore, filters: dict[str, Any]) -> str:
    return "".join(sorted(item.key for item in store.search(DOCS, filter=filters)))


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, "abc"),
        ({"n": 1}, "a"),
        ({"n": True}, ""),
        ({"ok": True}, "a"),
        ({"ok": 1}, ""),
        ({"s": "10"}, "c"),
        ({"s": 10}, ""),
        ({"n": {"$eq": 10}, "s": {"$ne": "one"}}, "c"),
        ({"n": {"$gt": 1, "$lte": 10}}, "bc"),
        ({"n": {"$gte": 2.5}}, "bc"),
        ({"n": {"$lt": 10**100}}, "abc"),
        ({"s": {"$lt": "p"}}, "ac"),
        ({"n": {"$gt": "0"}}, ""),
        ({"no": None}, "abc"),
        ({"ok": {"$eq": None}}, "c"),
        ({"ok": {"$ne": True}}, "bc"),
        ({"missing": {"$ne": 1}}, "abc"),
        ({"n": {"$in": [1, 10, "two"]}}, "ac"),
        ({"n": {"$nin": [1, 10]}}, "b"),
        ({"n": {"$in": []}}, ""),
        ({"missing": {"$nin": [1]}}, "abc"),
        ({"ok": {"$exists": True}}, "ab"),
        ({"no": {"$exists": True}}, "a"),
        ({"tags": {"$contains": "y"}}, "ab"),
        ({"s": {"$contains": "o"}}, "ab"),
        ({"tags": ["x", "y"]}, "a"),
        ({"tags": ["y", "x"]}, ""),
        ({"tags": []}, "c"),
        ({"tags": {"$ne": ["y"]}}, "ac"),
        ({"in.z": 1}, "a"),
        ({"in": {"z": 1}}, "a"),
        ({"in": {"z": 1, "w": 3}}, ""),
        ({"in": {"$eq": {"z": 2}}}, "b"),
        ({"in": {"$ne": {"z": 2}}}, "ac"),
        ({"in": {"z": {"$gt": 1}}}, "b"),
        ({"in": {}}, "ab"),
        ({"$or": [{"n": 1}, {"s": "two"}]}, "ab"),
        ({"$and": [{"n": {"$gt": 1}}, {"$not": {"s": "two"}}]}, "c"),
        ({"$not": {"$or": [{"n": 1}, {"n": 10}]}}, "b"),
        ({"n": {"$not": {"$gt": 1}}}, "a"),
        ({"k-1": 1}, "b"),
        ({"123": "digits"}, "c"),
        ({"naïve": "yes", "with space": 1}, "c"),
        ({"s": "x' OR '1'='1"}, ""),
        ({"n": {"$lt": float("inf")}}, "abc"),
        ({"n": {"$gt": float("-inf")}}, "abc"),
        ({"n": {"$gt": float("inf")}}, ""),
        ({"n": {"$lt": float("nan")}}, ""),
        ({"n": {"$eq": float("nan")}}, ""),
        ({"n": {"$ne": float("nan")}}, "abc"),
        ({"n": {"$in": [float("inf"), 1]}}, "a"),
        ({"n": {"$lt": 10**400}}, "abc"),
    ],
)
def test_filters_mean_one_thing(store: HoldfastStore, filters: Any, expected: str) -> None:
    assert found(store, filters) == expected


@pytest.mark.parametrize(
    "filters",
    [
        {"n": {"$near": 1}},
        {"$xor": [{"n": 1}]},
        {"$or": []},
        {"$and": {"n": 1}},
        {"$not": [{"n": 1}]},
        {"n": {"$gt": None}},
        {"n": {"$gt": True}},
        {"n": {"$in": 1}},
        {"n": {"$exists": 1}},
        {"n": {"$gt": 1, "plain": 2}},
        {"access') = 'public' OR '1'='1": "x"},
        {"a..b": 1},
        {"": 1},
        {"n": object()},
        ["n"],
    ],
)
def test_a_filter_that_makes_no_sense_is_an_error(store: HoldfastStore, filters: Any) -> None:
    with pytest.raises(FilterError):
        store.search(DOCS, filter=filters)


_SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["a", "b", "1"])


@settings(max_examples=30, deadline=None)
@given(values=st.lists(_SCALARS, max_size=6), wanted=_SCALARS)
def test_equality_is_that_of_json(values: list[Any], wanted: Any) -> None:
    with HoldfastStore(":memory:") as store:
        for number, value in enumerate(values):
            store.put(DOCS, str(number), {"v": value})

        equal = found(store, {"v": wanted})
        other = found(store, {"v": {"$ne": wanted}})

    alike = [type(value) is type(wanted) and value == wanted for value in values]
    assert equal == "".join(str(number) for number, same in enumerate(alike) if same)
    assert other == "".join(str(number) for number, same in enumerate(alike) if not same)
