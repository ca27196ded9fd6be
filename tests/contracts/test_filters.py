"""Equality in filters, type by type: in SQL, where lists and erasures ask, and in memory."""

from __future__ import annotations

from typing import Any

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


def test_a_value_equals_those_of_its_own_type_alone(face: Face) -> None:
    for number, alike in enumerate(KINDS_OF_VALUES):
        for value in alike:
            face.add(f"tea {number}", user_id="ada", metadata={"one": value, "some": ["x", value]})
    for number, alike in enumerate(KINDS_OF_VALUES):
        wanted = [f"tea {number}"] * len(alike)
        for filters in (filters for value in alike for filters in equals(value)):
            listed = face.list(user_id="ada", filters=filters)
            found = face.search("tea", user_id="ada", filters=filters, limit=50)
            assert [record.text for record in listed] == wanted, filters
            assert [match.record.text for match in found] == wanted, filters
    for number, alike in enumerate(KINDS_OF_VALUES):
        assert face.delete_all(user_id="ada", filters={"one": {"eq": alike[0]}}) == len(alike)
        left = {record.text for record in face.list(user_id="ada", limit=50)}
        assert left == {f"tea {later}" for later in range(number + 1, len(KINDS_OF_VALUES))}
