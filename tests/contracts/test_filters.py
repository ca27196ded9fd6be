"""Equality in filters, type by type: in SQL, where lists and erasures ask, and in memory."""

from __future__ import annotations

from typing import Any

import pytest
from support.faces import Face

# Values that are equal stand in one line; no value equals one of another line.
KINDS_OF_VALUES: tuple[tuple[Any, ...], ...] = (
    (True,),
    (False,),
    (1, 1.0),
    (0, 0.0, -0.0),
    ("1",),
    ("true",),
    ("",),
    ("null",),
    (None,),
    ([1], [1.0]),
    ([True],),
    ([],),
)


@pytest.fixture
def filled(face: Face) -> Face:
    for number, alike in enumerate(KINDS_OF_VALUES):
        for value in alike:
            face.add(f"tea {number}", user_id="ada", metadata={"one": value, "some": ["x", value]})
    return face


def equals(value: Any) -> list[dict[str, Any]]:
    """Every way to ask for equality with a value."""
    asked = [
        {"one": {"eq": value}},
        {"one": {"in": [value, "z"]}},
        {"NOT": {"one": {"ne": value}}},
        {"NOT": {"one": {"nin": ["z", value]}}},
        {"some": {"eq": ["x", value]}},
    ]
    if not isinstance(value, list):
        asked += [{"one": value}, {"some": {"contains": value}}]
    return asked


@pytest.mark.parametrize("alike", KINDS_OF_VALUES, ids=repr)
def test_a_value_equals_those_of_its_own_type_alone(filled: Face, alike: tuple[Any, ...]) -> None:
    number = KINDS_OF_VALUES.index(alike)
    wanted = [f"tea {number}"] * len(alike)
    for value in alike:
        for filters in equals(value):
            listed = filled.list(user_id="ada", filters=filters)
            found = filled.search("tea", user_id="ada", filters=filters, limit=50)
            assert [record.text for record in listed] == wanted, filters
            assert [match.record.text for match in found] == wanted, filters
    assert filled.delete_all(user_id="ada", filters={"one": {"eq": alike[0]}}) == len(alike)
    left = [record.text for record in filled.list(user_id="ada", limit=50)]
    assert len(left) == sum(map(len, KINDS_OF_VALUES)) - len(alike)
    assert wanted[0] not in left
