"""`get`, `list` and `stats`."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from holdfast import FilterError, InvalidInputError, RecordNotFoundError, ScopeError
from support.faces import Face

BASE = datetime(2024, 1, 1, tzinfo=timezone.utc)


def texts(page: Any) -> list[str]:
    return [record.text for record in page]


def all_pages(face: Face, **options: Any) -> list[str]:
    found, cursor = [], None
    while True:
        page = face.list(cursor=cursor, **options)
        found += texts(page)
        cursor = page.cursor
        if cursor is None:
            return found


def test_get_returns_the_record(face: Face) -> None:
    (change,) = face.add("tea", user_id="ada", run_id="r1")
    assert face.get(change.id, user_id="ada") == change.after
    assert face.get(change.id, run_id="r1") == change.after


@pytest.mark.parametrize("given", ["", "no such", "\ud800", "x\x00y", "*", "%"])
def test_get_of_an_unknown_id_says_so(face: Face, given: str) -> None:
    face.add("tea", user_id="ada")
    with pytest.raises(RecordNotFoundError, match="in this scope") as caught:
        face.get(given, user_id="ada")
    assert caught.value.record_id == given


def test_get_many_returns_records_in_the_order_of_their_ids(face: Face) -> None:
    one, two = face.add(["one", "two"], user_id="ada")
    assert face.get_many([two.id, one.id, two.id], user_id="ada") == [
        two.after,
        one.after,
        two.after,
    ]
    assert face.get_many((), user_id="ada") == []


def test_get_many_names_every_id_that_the_scope_lacks(face: Face) -> None:
    (here,) = face.add("tea", user_id="ada")
    (elsewhere,) = face.add("tea", user_id="bob")
    (expired,) = face.add("tea", user_id="ada", expires_at=BASE)
    asked = [elsewhere.id, here.id, "no such", "\ud800", expired.id]
    with pytest.raises(RecordNotFoundError, match=r"no records .* in this scope") as caught:
        face.get_many(asked, user_id="ada")
    assert caught.value.record_ids == (elsewhere.id, "no such", "\ud800", expired.id)


@pytest.mark.parametrize("odd", ["an id", None, 5, b"an id", {"an id": 1}])
def test_get_many_of_what_is_no_list_takes_it_for_one_id(face: Face, odd: Any) -> None:
    (here,) = face.add("tea", user_id="ada")
    assert face.get_many(here.id, user_id="ada") == [here.after]
    with pytest.raises(RecordNotFoundError, match="no record "):
        face.get_many(odd, user_id="ada")


def test_count_says_how_many_records_list_has(face: Face) -> None:
    face.add(["one", "two", "three"], user_id="ada", metadata={"topic": "a"})
    face.add("four", user_id="ada", kind="fact", metadata={"topic": "b"})
    face.add("gone", user_id="ada", expires_at=BASE)
    face.add("not ada's", user_id="bob")
    first = face.list(user_id="ada").records[0]
    face.update(first.id, "one again", user_id="ada")
    assert face.count(user_id="ada") == len(all_pages(face, user_id="ada")) == 4
    assert face.count(user_id="ada", kinds=["fact"]) == 1
    assert face.count(user_id="ada", filters={"topic": "a"}) == 3
    assert face.count(user_id="ada", filters={"topic": "a"}, kinds=["fact"]) == 0
    assert face.count(user_id="nobody") == 0
    with pytest.raises(ScopeError):
        face.count()


def test_a_page_is_a_sequence_of_records(face: Face) -> None:
    face.add(["one", "two", "three"], user_id="ada")
    page = face.list(user_id="ada", limit=2)
    assert isinstance(page, Sequence)
    assert (page[0].text, page[-1].text, len(page)) == ("one", "two", 2)
    assert page[:1] == page.records[:1]
    assert texts(reversed(page)) == ["two", "one"]
    assert page[0] in page
    assert page.cursor is not None
    with pytest.raises(IndexError):
        page[2]


def test_list_pages_without_gap_or_repeat(face: Face) -> None:
    said = [f"turn {n}" for n in range(11)]
    face.add(said, user_id="ada")
    assert all_pages(face, user_id="ada", limit=4) == said
    assert all_pages(face, user_id="ada", limit=11) == said
    assert all_pages(face, user_id="ada", limit=1) == said


def test_list_keeps_its_place_while_others_write(face: Face) -> None:
    face.add([f"turn {n}" for n in range(4)], user_id="ada")
    page = face.list(user_id="ada", limit=2, order="-created_at")
    face.add("newer", user_id="ada")
    rest = face.list(user_id="ada", order="-created_at", cursor=page.cursor)
    assert texts(page) + texts(rest) == ["turn 3", "turn 2", "turn 1", "turn 0"]


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_every_order_and_its_reverse(face: Face, limit: int) -> None:
    for n, day in enumerate([2, 0, 1]):
        (change,) = face.add(f"day {day}", user_id="ada", occurred_at=BASE + timedelta(days=day))
        face.update(change.id, importance=(0.3, 0.9, 0.3)[n], user_id="ada")
    face.update(face.list(user_id="ada").records[0].id, metadata={"touched": True}, user_id="ada")
    expected = {
        "created_at": ["day 2", "day 0", "day 1"],
        "updated_at": ["day 0", "day 1", "day 2"],
        "occurred_at": ["day 0", "day 1", "day 2"],
        "importance": ["day 1", "day 2", "day 0"],
    }
    for order, wanted in expected.items():
        assert all_pages(face, user_id="ada", order=order, limit=limit) == wanted
        backwards = all_pages(face, user_id="ada", order=f"-{order}", limit=limit)
        assert backwards == wanted[::-1]


def test_an_unknown_order_names_the_known_ones(face: Face) -> None:
    with pytest.raises(InvalidInputError, match="created_at, updated_at, occurred_at, importance"):
        face.list(user_id="ada", order="name")


def test_list_filters_and_narrows_kinds(face: Face) -> None:
    face.add("tea", user_id="ada", metadata={"cups": 2})
    face.add("coffee", user_id="ada", metadata={"cups": 3})
    face.add("Ada drinks", user_id="ada", kind="fact")
    assert texts(face.list(user_id="ada", filters={"cups": {"gt": 2}})) == ["coffee"]
    assert texts(face.list(user_id="ada", kinds=["fact"])) == ["Ada drinks"]
    assert texts(face.list(user_id="ada", filters={"kind": "fact"})) == ["Ada drinks"]
    with pytest.raises(FilterError):
        face.list(user_id="ada", filters={"cups": object()})


def test_list_holds_only_what_holds_now(face: Face) -> None:
    (change,) = face.add("I live in Berlin", user_id="ada")
    face.update(change.id, "I live in Paris", user_id="ada")
    assert texts(face.list(user_id="ada")) == ["I live in Paris"]


def test_a_cursor_of_another_scope_shows_nothing_of_it(face: Face) -> None:
    face.add([f"bob {n}" for n in range(5)], user_id="bob")
    face.add([f"ada {n}" for n in range(5)], user_id="ada")
    cursor = face.list(user_id="bob", limit=2).cursor
    assert all(text.startswith("ada") for text in texts(face.list(user_id="ada", cursor=cursor)))


def forged(*values: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "no cursor",
        "☃",
        forged(),
        forged("created_at", [1], 2),
        forged("created_at", 1, {"a": 1}),
        forged("created_at", 1, 2**80),
        forged("created_at", None, None),
        forged("created_at", "x", "y"),
    ],
)
def test_a_cursor_that_is_none_is_an_error(face: Face, cursor: str) -> None:
    face.add("tea", user_id="ada")
    with pytest.raises(InvalidInputError, match="cursor"):
        face.list(user_id="ada", cursor=cursor)


def test_a_cursor_of_another_order_is_an_error(face: Face) -> None:
    face.add(["one", "two"], user_id="ada")
    cursor = face.list(user_id="ada", limit=1).cursor
    with pytest.raises(InvalidInputError, match="order 'created_at'"):
        face.list(user_id="ada", order="-created_at", cursor=cursor)


def test_no_scope_is_an_error(face: Face) -> None:
    for call in (face.list, lambda: face.get("x"), lambda: face.history("x")):
        with pytest.raises(ScopeError):
            call()


def test_stats_count_what_lives(face: Face) -> None:
    assert face.stats().records == {}
    assert face.stats().embedder is None
    (change, _) = face.add(["tea", "coffee"], user_id="ada")
    face.add("Ada drinks", user_id="bob", kind="fact")
    face.update(change.id, "green tea", user_id="ada")
    face.update(change.id, importance=0.9, user_id="ada")
    counted = face.stats(check=True)
    assert counted.records == {"turn": 2, "fact": 1}
    assert counted.characters == len("green tea" + "coffee" + "Ada drinks")
    assert counted.namespaces == 2
    assert counted.embedder == "hash/64"
    assert counted.problems == ()
    assert counted.erasure_pending is False
    assert (counted.waiting, counted.parked, counted.documents) == (0, 0, 0)


def test_stats_leave_out_what_has_expired(face: Face) -> None:
    face.add("tea", user_id="ada", expires_at=BASE)
    assert face.stats().records == {}


def test_a_bound_handles_stats_count_its_scope(face: Face) -> None:
    face.add("tea", user_id="ada")
    face.add(["coffee", "cake"], user_id="bob")
    assert face.memory.scoped(user_id="ada").stats().records == {"turn": 1}
    with pytest.raises(ScopeError, match="concerns the whole file"):
        face.memory.scoped(user_id="ada").stats(check=True)
